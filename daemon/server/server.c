#include "daemon/server/server.h"

#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "daemon/process/access.h"
#include "daemon/server/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	WORKERS_AUTO_MAX = 8, /* one thread answers some 300,000 requests a second */
	ACCEPT_AT_ONCE = 16,  /* so that several threads share a burst */
	/* [s] that the lookup thread may be late before a request is given up here. */
	LOOKUP_GRACE = 5,
	OVERSHOOT_PAUSE = 2000, /* [us] */
};

enum service { SERVICE_SOCKETMAP, SERVICE_POLICY, SERVICE_COUNT };

static const struct protocol *const protocols[SERVICE_COUNT] = {
	[SERVICE_SOCKETMAP] = &protocol_socketmap,
	[SERVICE_POLICY] = &protocol_policy,
};

struct server {
	struct conf *conf;
	struct listeners *listeners[SERVICE_COUNT]; /* NULL: none */
	struct worker **workers;
	unsigned worker_count;
	unsigned running;
	_Atomic unsigned not_accepting; /* workers that accept no more */
	uint32_t connections_max;       /* that the descriptors of this process allow */
	_Atomic uint32_t connections;   /* of all workers */
};

/* --- accepting ----------------------------------------------------------------------------- */

static bool close_longest_idle(struct worker *worker)
{
	struct connection *oldest = TAILQ_FIRST(&worker->idle);
	if (oldest == NULL)
		return false;
	connection_close(oldest);
	return true;
}

static void pause_listeners(struct worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++)
		event_del(worker->listeners[i].event);
	worker->paused = true;
}

static void resume_listeners(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (!worker->paused || worker->stopping)
		return;
	for (size_t i = 0; i < worker->listener_count; i++)
		event_add(worker->listeners[i].event, NULL);
	worker->paused = false;
}

static void note_idle(struct worker *worker)
{
	const struct connection *oldest = TAILQ_FIRST(&worker->idle);
	atomic_store_explicit(&worker->idle_since,
		oldest != NULL ? oldest->last_active : UINT64_MAX, memory_order_relaxed);
}

/*
 * Over the limit, the connection that is idle for longest gives way, whichever thread has it: its
 * thread is told, and looks again who has the oldest. What the threads say of themselves may be a
 * tick old; each that is told says it anew, so the message ends where it should. False when nobody
 * is idle.
 */
static bool evict_idle(struct worker *worker)
{
	struct server *server = worker->server;
	struct worker *oldest = NULL;
	uint64_t since = UINT64_MAX;

	note_idle(worker);
	for (unsigned i = 0; i < server->worker_count; i++) {
		uint64_t idle_since =
			atomic_load_explicit(&server->workers[i]->idle_since, memory_order_relaxed);
		if (idle_since < since) {
			since = idle_since;
			oldest = server->workers[i];
		}
	}
	if (oldest == NULL)
		return false;
	if (oldest != worker)
		return mailbox_post_kind(&oldest->mailbox, MESSAGE_EVICT_IDLE);
	bool closed = close_longest_idle(worker);
	note_idle(worker);
	return closed;
}

/* Descriptors that lookups need are not given away to connections. */
static uint32_t connections_most(const struct worker *worker)
{
	uint32_t most = worker->conf->server.max_connections;
	uint32_t allowed = worker->server->connections_max;
	return most < allowed ? most : allowed;
}

static bool over_limit(const struct worker *worker)
{
	return atomic_load_explicit(worker->all_connections, memory_order_relaxed) >
	       connections_most(worker);
}

/* Others have been told to close connections, and have not yet: nobody else is let in meanwhile. */
static bool wait_for_others(struct worker *worker)
{
	static const struct timeval pause = {.tv_usec = OVERSHOOT_PAUSE};

	if (atomic_load_explicit(worker->all_connections, memory_order_relaxed) <
			connections_most(worker) + SERVER_OVERSHOOT_MAX ||
		event_base_once(worker->base, -1, EV_TIMEOUT, resume_listeners, worker, &pause) !=
			0)
		return false;
	pause_listeners(worker);
	return true;
}

static void take_connection(
	struct listener *listener, int fd, const struct sockaddr_storage *peer, socklen_t size)
{
	struct worker *worker = listener->worker;
	int on = 1;

	if (listener->inet) {
		if (!access_allowed(worker->conf, peer)) {
			counter_add(&worker->counters.refused, 1);
			access_log_refusal(peer, size);
			close(fd);
			return;
		}
		/* Replies are one small packet each and the client waits for it. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	if (atomic_load_explicit(worker->all_connections, memory_order_relaxed) >=
			connections_most(worker) &&
		!evict_idle(worker)) {
		close(fd);
		return;
	}
	connection_open(worker, fd, listener->protocol);
	note_idle(worker);
}

static void accept_more(evutil_socket_t fd, short what, void *context)
{
	struct listener *listener = context;

	(void)what;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage peer;
		socklen_t size = sizeof peer;
		if (wait_for_others(listener->worker))
			return;
		int accepted =
			accept4(fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (accepted >= 0) {
			take_connection(listener, accepted, &peer, size);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) &&
			!close_longest_idle(listener->worker))
			pause_listeners(listener->worker);
		return;
	}
}

/* --- the thread's duties ------------------------------------------------------------------- */

/*
 * The lookup thread keeps the time; this is for an answer that it could not send for want of
 * memory. It may still have a pointer to the wait, which is therefore not freed before it answers.
 */
static void give_up_overdue(struct worker *worker, uint32_t now)
{
	uint32_t patience = worker->conf->resolver.timeout + LOOKUP_GRACE;
	struct wait *wait;

	TAILQ_FOREACH(wait, &worker->waits, link)
	{
		if ((int64_t)now - (int64_t)(wait->since / 1000000) <= patience)
			break;
		if (wait->connection != NULL)
			connection_resume(wait, NULL, "no answer from the lookup thread in time");
		wait->connection = NULL;
	}
}

static void tick(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;
	uint32_t now = clock_steady();
	uint64_t timeout = worker->conf->server.idle_timeout * UINT64_C(1000000); /* [us] */
	struct connection *oldest;

	(void)fd;
	(void)what;
	while ((oldest = TAILQ_FIRST(&worker->idle)) != NULL &&
		oldest->last_active + timeout <= clock_steady_us())
		connection_close(oldest);
	/* Nobody may have been idle when somebody should have made way. */
	if (over_limit(worker))
		evict_idle(worker);
	note_idle(worker);
	give_up_overdue(worker, now);
	resume_listeners(-1, 0, worker);
}

static void take_answer(struct worker *worker, struct lookup_answer *answer)
{
	struct wait *wait = answer->waiter;

	TAILQ_REMOVE(&worker->waits, wait, link);
	if (wait->connection != NULL)
		connection_resume(wait, answer, NULL);
	wait_free(wait);
}

static void take_message(void *context, struct message *message)
{
	struct worker *worker = context;

	switch (message->kind) {
	case MESSAGE_ANSWER:
		take_answer(worker, (struct lookup_answer *)message);
		break;
	case MESSAGE_CONF:
		conf_release(worker->conf);
		worker->conf = ((struct conf_message *)message)->conf;
		worker->context.conf = worker->conf;
		break;
	case MESSAGE_EVICT_IDLE:
		if (over_limit(worker))
			evict_idle(worker);
		else
			note_idle(worker);
		break;
	case MESSAGE_STOP:
		pause_listeners(worker);
		atomic_fetch_add(&worker->server->not_accepting, 1);
		worker_begin_stop(worker);
		break;
	default:
		break;
	}
	free(message);
}

static void *run(void *context)
{
	struct worker *worker = context;

	pthread_setname_np(pthread_self(), "tlsad-serving");
	if (event_base_dispatch(worker->base) < 0)
		log_error("a serving thread's event loop failed");
	return NULL;
}

/* --- starting and stopping ----------------------------------------------------------------- */

static void worker_free(struct worker *worker)
{
	struct connection *connection;
	struct wait *wait;

	if (worker == NULL)
		return;
	TAILQ_FOREACH(wait, &worker->waits, link)
	{
		if (wait->connection != NULL)
			connection_close(wait->connection);
	}
	while ((connection = TAILQ_FIRST(&worker->idle)) != NULL)
		connection_close(connection);
	while ((wait = TAILQ_FIRST(&worker->waits)) != NULL) {
		TAILQ_REMOVE(&worker->waits, wait, link);
		wait_free(wait);
	}
	for (size_t i = 0; i < worker->listener_count; i++)
		event_free(worker->listeners[i].event);
	if (worker->tick != NULL)
		event_free(worker->tick);
	if (worker->handle_arrivals != NULL)
		event_free(worker->handle_arrivals);
	if (worker->stop_round != NULL)
		event_free(worker->stop_round);
	heartbeat_free(worker->heartbeat);
	if (worker->mailbox.wake >= 0)
		mailbox_clear(&worker->mailbox);
	cache_reader_free(worker->context.reader);
	deferrals_free(worker->maps.given_up);
	if (worker->base != NULL)
		event_base_free(worker->base);
	conf_release(worker->conf);
	free(worker);
}

/* A loop of its own, without locks: nobody else touches it. */
static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static bool watch_listener(
	struct worker *worker, int fd, const struct endpoint *endpoint, enum service service)
{
	struct listener *listener = &worker->listeners[worker->listener_count];

	listener->worker = worker;
	listener->protocol = protocols[service];
	listener->inet = endpoint_path(endpoint) == NULL;
	listener->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, accept_more, listener);
	if (listener->event == NULL)
		return false;
	worker->listener_count++;
	return event_add(listener->event, NULL) == 0;
}

static bool watch_listeners(struct worker *worker)
{
	for (int service = 0; service < SERVICE_COUNT; service++) {
		const struct listeners *listeners = worker->server->listeners[service];
		for (size_t i = 0; listeners != NULL && i < listeners->count; i++) {
			if (!watch_listener(worker, listeners->sockets[i], &listeners->endpoints[i],
				    (enum service)service))
				return false;
		}
	}
	return true;
}

static struct worker *worker_new(
	struct server *server, struct cache *cache, struct ta_files *tafiles, struct lookup *lookup)
{
	static const struct timeval second = {.tv_sec = 1};
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL)
		return NULL;
	TAILQ_INIT(&worker->idle);
	TAILQ_INIT(&worker->waits);
	worker->mailbox.wake = -1;
	atomic_init(&worker->idle_since, UINT64_MAX);
	worker->server = server;
	worker->all_connections = &server->connections;
	worker->lookup = lookup;
	worker->cache = cache;
	worker->conf = conf_hold(server->conf);
	worker->context.conf = worker->conf;
	worker->context.ta_files = tafiles;
	worker->context.reader = cache_reader_new(cache);
	worker->maps.context = worker->policy.context = &worker->context;
	worker->maps.counters = &worker->counters.maps;
	worker->policy.counters = &worker->counters.policy;
	worker->maps.given_up = worker->policy.given_up = deferrals_new();
	worker->base = make_base();
	if (worker->context.reader != NULL && worker->maps.given_up != NULL &&
		worker->base != NULL &&
		mailbox_init(&worker->mailbox, worker->base, take_message, worker)) {
		worker->tick = event_new(worker->base, -1, EV_PERSIST, tick, worker);
		worker->handle_arrivals =
			event_new(worker->base, -1, 0, connection_handle_arrivals, worker);
		worker->stop_round =
			event_new(worker->base, -1, EV_PERSIST, worker_stop_when_done, worker);
		worker->heartbeat = heartbeat_new(worker->base);
		if (worker->tick != NULL && worker->handle_arrivals != NULL &&
			worker->stop_round != NULL && worker->heartbeat != NULL &&
			event_add(worker->tick, &second) == 0 && watch_listeners(worker))
			return worker;
	}
	worker_free(worker);
	return NULL;
}

/*
 * Where nobody has said where the policy service is to be, a place that cannot be had is no reason
 * not to serve the maps: there are daemons without, from before there was one.
 */
static bool listen_all(struct server *server, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size)
{
	const struct conf_list *socketmap = &server->conf->server.socketmap;
	const struct conf_list *policy = &server->conf->server.policy;
	struct listeners_settings wish = {
		.name = "socketmap",
		.endpoints = socketmap->entries,
		.count = socketmap->count,
		.mode = (mode_t)server->conf->server.socket_mode,
		.owner = owner,
	};
	struct listeners **listeners = server->listeners;

	listeners[SERVICE_SOCKETMAP] = listeners_open(&wish, activation, error, error_size);
	if (listeners[SERVICE_SOCKETMAP] == NULL)
		return false;
	wish.name = "policy";
	wish.endpoints = policy->entries;
	wish.count = policy->count;
	listeners[SERVICE_POLICY] = listeners_open(&wish, activation, error, error_size);
	if (listeners[SERVICE_POLICY] != NULL)
		return true;
	if (policy->count != 1 || strcmp(policy->entries[0], CONF_DEFAULT_POLICY) != 0)
		return false;
	log_warning("%s; going on without, smtpd cannot ask", error);
	return true;
}

unsigned server_worker_count(const struct conf *conf)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->server.workers != 0)
		return conf->server.workers;
	if (processors < 1)
		return 1;
	return processors > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (unsigned)processors;
}

struct server *server_new(struct conf *conf, uint32_t connections_max,
	struct activation *activation, const struct privileges *owner, char *error,
	size_t error_size)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	server->conf = conf_hold(conf);
	server->worker_count = server_worker_count(conf);
	server->connections_max = connections_max;
	if (!listen_all(server, activation, owner, error, error_size)) {
		server_free(server);
		return NULL;
	}
	return server;
}

bool server_start(struct server *server, struct cache *cache, struct ta_files *tafiles,
	struct lookup *lookup, char *error, size_t error_size)
{
	server->workers = calloc(server->worker_count, sizeof(struct worker *));
	snprintf(error, error_size, "cannot start the serving threads: out of memory");
	if (server->workers == NULL)
		return false;
	for (unsigned i = 0; i < server->worker_count; i++) {
		server->workers[i] = worker_new(server, cache, tafiles, lookup);
		if (server->workers[i] == NULL)
			return false;
	}
	for (; server->running < server->worker_count; server->running++) {
		struct worker *worker = server->workers[server->running];
		if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
			snprintf(error, error_size, "cannot start a serving thread");
			return false;
		}
	}
	return true;
}

void server_set_conf(struct server *server, struct conf *conf)
{
	for (unsigned i = 0; i < server->running; i++) {
		struct conf_message *message = calloc(1, sizeof *message);
		if (message == NULL)
			continue;
		message->message.kind = MESSAGE_CONF;
		message->conf = conf_hold(conf);
		mailbox_post(&server->workers[i]->mailbox, &message->message);
	}
}

void server_stop(struct server *server)
{
	for (int service = 0; service < SERVICE_COUNT; service++)
		listeners_remove(server->listeners[service]);
	for (unsigned i = 0; i < server->running; i++)
		mailbox_post_kind(&server->workers[i]->mailbox, MESSAGE_STOP);
	for (unsigned i = 0; i < server->running; i++)
		pthread_join(server->workers[i]->thread, NULL);
	server->running = 0;
}

void server_free(struct server *server)
{
	if (server == NULL)
		return;
	if (server->running > 0)
		server_stop(server);
	for (unsigned i = 0; server->workers != NULL && i < server->worker_count; i++)
		worker_free(server->workers[i]);
	free(server->workers);
	for (int service = 0; service < SERVICE_COUNT; service++)
		listeners_free(server->listeners[service]);
	conf_release(server->conf);
	free(server);
}

bool server_accepts_nothing(const struct server *server)
{
	return atomic_load(&server->not_accepting) == server->running;
}

const struct listeners *server_listeners(const struct server *server)
{
	return server->listeners[SERVICE_SOCKETMAP];
}

uint32_t server_heartbeat_age(const struct server *server)
{
	uint32_t oldest = 0;

	for (unsigned i = 0; i < server->running; i++) {
		uint32_t age = heartbeat_age(server->workers[i]->heartbeat);
		if (age > oldest)
			oldest = age;
	}
	return oldest;
}

static void add_policy(struct policy_figures *figures, const struct policy_counters *counters)
{
	for (size_t action = 0; action < POLICY_ACTIONS; action++) {
		uint64_t replies = counter_read(&counters->replies[action]);
		figures->replies[action] += replies;
		figures->requests += replies;
	}
	figures->unreadable += counter_read(&counters->unreadable);
	figures->monitored += counter_read(&counters->monitored);
	figures->hits += counter_read(&counters->hits);
	figures->misses += counter_read(&counters->misses);
}

void server_figures(const struct server *server, struct server_figures *figures)
{
	memset(figures, 0, sizeof *figures);
	figures->workers = server->worker_count;
	figures->connections = atomic_load(&server->connections);
	for (unsigned i = 0; i < server->worker_count; i++) {
		const struct worker_counters *counters = &server->workers[i]->counters;
		figures->accepted += counter_read(&counters->accepted);
		figures->refused += counter_read(&counters->refused);
		figures->hits += counter_read(&counters->maps.hits);
		figures->misses += counter_read(&counters->maps.misses);
		figures->invalid += counter_read(&counters->maps.invalid);
		for (size_t kind = 0; kind < REPLY_KIND_COUNT; kind++)
			figures->would[kind] += counter_read(&counters->maps.would[kind]);
		add_policy(&figures->policy, &counters->policy);
		histogram_read(&counters->seconds, &figures->seconds);
		for (size_t map = 0; map <= MAP_COUNT; map++) {
			for (size_t kind = 0; kind < REPLY_KIND_COUNT; kind++) {
				uint64_t replies = counter_read(&counters->maps.replies[map][kind]);
				figures->by_map[map][kind] += replies;
				figures->replies[kind] += replies;
				figures->requests += replies;
			}
		}
	}
}
