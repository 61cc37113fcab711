#include "daemon/server/worker.h"

#include "common/base/clock.h"
#include "common/base/log.h"

#include <stdlib.h>

enum {
	/* [s] A request is given up here when the lookup thread is late by more than this. */
	LOOKUP_GRACE = 5,
	UNREADABLE_LINES_MAX = 10, /* a second: a client must not be able to fill the disk */
};

/* --- every second -------------------------------------------------------------------------- */

/*
 * Usually the lookup thread ends lookups in time. This is for a result that it could not send
 * because it was out of memory. It may still have a pointer to the wait, which is therefore not
 * freed before the result has come.
 */
static void give_up_overdue(struct worker *worker, uint32_t now)
{
	uint32_t seconds_max = worker->conf->resolver.timeout + LOOKUP_GRACE;
	struct wait *wait;

	TAILQ_FOREACH(wait, &worker->waits, link)
	{
		if ((int64_t)now - (int64_t)(wait->since / 1000000) <= seconds_max)
			break;
		if (wait->connection != NULL)
			connection_resume(wait, NULL, "no result from the lookup thread in time");
		wait->connection = NULL;
	}
}

static void close_expired(struct worker *worker)
{
	uint64_t timeout = worker->conf->server.idle_timeout * UINT64_C(1000000); /* [us] */
	struct connection *oldest;

	while ((oldest = TAILQ_FIRST(&worker->idle)) != NULL &&
		oldest->last_active + timeout <= clock_steady_us())
		connection_close(oldest);
}

static void tick(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;
	uint32_t now = clock_steady();

	(void)fd;
	(void)what;
	close_expired(worker);
	/* When a new connection exceeded the limit, there may have been no idle one to close. */
	if (accept_over_limit(worker))
		accept_evict_idle(worker);
	accept_publish_idle(worker);
	give_up_overdue(worker, now);
	deferrals_forget(worker->given_up, now > DEFERRAL_MEMORY ? now - DEFERRAL_MEMORY : 0);
	accept_resume(worker);
}

/* --- messages ------------------------------------------------------------------------------ */

static void take_result(struct worker *worker, struct lookup_result *result)
{
	struct wait *wait = result->waiter;

	TAILQ_REMOVE(&worker->waits, wait, link);
	if (wait->connection != NULL)
		connection_resume(wait, result, NULL);
	wait_free(wait);
}

static void set_conf(struct worker *worker, struct conf *conf)
{
	conf_release(worker->conf);
	worker->conf = conf;
	worker->context.conf = conf;
}

static void take_message(void *context, struct message *message)
{
	struct worker *worker = context;

	switch (message->kind) {
	case MESSAGE_RESULT:
		take_result(worker, (struct lookup_result *)message);
		break;
	case MESSAGE_CONF:
		set_conf(worker, ((struct conf_message *)message)->conf);
		break;
	case MESSAGE_EVICT_IDLE:
		if (accept_over_limit(worker))
			accept_evict_idle(worker);
		else
			accept_publish_idle(worker);
		break;
	case MESSAGE_STOP:
		accept_pause(worker);
		atomic_fetch_add(&worker->all->not_accepting, 1);
		worker_begin_stop(worker);
		break;
	default:
		break;
	}
	free(message);
}

/* --- start and end ------------------------------------------------------------------------- */

static void *run(void *context)
{
	struct worker *worker = context;

	pthread_setname_np(pthread_self(), "tlsad-serving");
	if (event_base_dispatch(worker->base) < 0)
		log_error("the event loop of a serving thread failed; restart tlsad");
	return NULL;
}

bool worker_start(struct worker *worker)
{
	return pthread_create(&worker->thread, NULL, run, worker) == 0;
}

/* Without locks: no other thread uses this loop. */
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

static bool make_events(struct worker *worker)
{
	static const struct timeval second = {.tv_sec = 1};

	worker->tick = event_new(worker->base, -1, EV_PERSIST, tick, worker);
	worker->handle_arrivals =
		event_new(worker->base, -1, 0, connection_handle_arrivals, worker);
	worker->stop_round = event_new(worker->base, -1, EV_PERSIST, worker_stop_when_done, worker);
	worker->heartbeat = heartbeat_new(worker->base);
	return worker->tick != NULL && worker->handle_arrivals != NULL &&
	       worker->stop_round != NULL && worker->heartbeat != NULL &&
	       event_add(worker->tick, &second) == 0;
}

struct worker *worker_new(struct workers *all, const struct worker_services *services)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL)
		return NULL;
	TAILQ_INIT(&worker->idle);
	TAILQ_INIT(&worker->waits);
	worker->mailbox.wake = -1;
	atomic_init(&worker->idle_since, UINT64_MAX);
	worker->all = all;
	worker->unreadable = (struct log_limit)LOG_LIMIT(UNREADABLE_LINES_MAX, 1);
	worker->lookup = services->lookup;
	worker->cache = services->cache;
	worker->conf = conf_hold(services->conf);
	worker->context.conf = worker->conf;
	worker->context.ta_files = services->ta_files;
	worker->context.reader = cache_reader_new(services->cache);
	worker->maps.context = worker->policy.context = &worker->context;
	worker->maps.counters = &worker->counters.maps;
	worker->policy.counters = &worker->counters.policy;
	worker->given_up = deferrals_new();
	worker->maps.given_up = worker->policy.given_up = worker->given_up;
	worker->base = make_base();
	if (worker->context.reader != NULL && worker->given_up != NULL && worker->base != NULL &&
		mailbox_init(&worker->mailbox, worker->base, take_message, worker) &&
		make_events(worker))
		return worker;
	worker_free(worker);
	return NULL;
}

static void close_connections(struct worker *worker)
{
	struct connection *connection;
	struct wait *wait;

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
}

void worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	close_connections(worker);
	accept_clear(worker);
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
	deferrals_free(worker->given_up);
	if (worker->base != NULL)
		event_base_free(worker->base);
	conf_release(worker->conf);
	free(worker);
}
