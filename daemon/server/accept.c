#include "daemon/server/accept.h"

#include "daemon/process/access.h"
#include "daemon/server/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
	ACCEPT_AT_ONCE_MAX = 16, /* few, so that several threads share a burst */
	OVERSHOOT_PAUSE = 2000,  /* [us] until other threads have closed their connections */
};

/* --- pausing ------------------------------------------------------------------------------- */

void accept_pause(struct worker *worker)
{
	struct acceptor *acceptor = &worker->acceptor;

	for (size_t i = 0; i < acceptor->count; i++)
		event_del(acceptor->listeners[i].event);
	acceptor->paused = true;
}

void accept_resume(struct worker *worker)
{
	struct acceptor *acceptor = &worker->acceptor;

	if (!acceptor->paused || worker->stopping)
		return;
	for (size_t i = 0; i < acceptor->count; i++)
		event_add(acceptor->listeners[i].event, NULL);
	acceptor->paused = false;
}

static void end_pause(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	accept_resume(context);
}

/* --- idle connections ---------------------------------------------------------------------- */

static bool close_longest_idle(struct worker *worker)
{
	struct connection *oldest = TAILQ_FIRST(&worker->idle);
	if (oldest == NULL)
		return false;
	connection_close(oldest);
	return true;
}

void accept_publish_idle(struct worker *worker)
{
	const struct connection *oldest = TAILQ_FIRST(&worker->idle);
	atomic_store_explicit(&worker->idle_since,
		oldest != NULL ? oldest->last_active : UINT64_MAX, memory_order_relaxed);
}

/* The thread that has the connection idle for longest; NULL if no connection is idle. */
static struct worker *find_longest_idle(const struct workers *all)
{
	struct worker *oldest = NULL;
	uint64_t since = UINT64_MAX;

	for (unsigned i = 0; i < all->count; i++) {
		uint64_t idle_since =
			atomic_load_explicit(&all->list[i]->idle_since, memory_order_relaxed);
		if (idle_since < since) {
			since = idle_since;
			oldest = all->list[i];
		}
	}
	return oldest;
}

/*
 * The thread that seems to have the longest idle connection gets a message and searches again. The
 * published times may be one tick (1 s) old; each thread that gets the message publishes its own
 * again, so after a few steps the message reaches the right thread.
 */
bool accept_evict_idle(struct worker *worker)
{
	accept_publish_idle(worker);
	struct worker *oldest = find_longest_idle(worker->all);
	if (oldest == NULL)
		return false;
	if (oldest != worker)
		return mailbox_post_kind(&oldest->mailbox, MESSAGE_EVICT_IDLE);
	bool closed = close_longest_idle(worker);
	accept_publish_idle(worker);
	return closed;
}

/* --- the limit ----------------------------------------------------------------------------- */

/* The descriptor budget limits connections, so that lookups always have descriptors. */
static uint32_t connections_max(const struct worker *worker)
{
	uint32_t most = worker->conf->server.max_connections;
	uint32_t allowed = worker->all->connections_max;
	return most < allowed ? most : allowed;
}

static uint32_t count_connections(const struct worker *worker)
{
	return atomic_load_explicit(&worker->all->connections, memory_order_relaxed);
}

bool accept_over_limit(const struct worker *worker)
{
	return count_connections(worker) > connections_max(worker);
}

/* Accept nothing while other threads have not yet closed the connections they were asked to. */
static bool wait_for_others(struct worker *worker)
{
	static const struct timeval pause = {.tv_usec = OVERSHOOT_PAUSE};

	if (count_connections(worker) < connections_max(worker) + SERVER_OVERSHOOT_MAX ||
		event_base_once(worker->base, -1, EV_TIMEOUT, end_pause, worker, &pause) != 0)
		return false;
	accept_pause(worker);
	return true;
}

/* --- accepting ----------------------------------------------------------------------------- */

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
		/*
		 * A reply is one small packet that the client waits for: do not delay it (Nagle).
		 */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	if (count_connections(worker) >= connections_max(worker) && !accept_evict_idle(worker)) {
		close(fd);
		return;
	}
	connection_open(worker, fd, listener->protocol);
	accept_publish_idle(worker);
}

static void accept_more(evutil_socket_t fd, short what, void *context)
{
	struct listener *listener = context;

	(void)what;
	for (int i = 0; i < ACCEPT_AT_ONCE_MAX; i++) {
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
			accept_pause(listener->worker);
		return;
	}
}

/* --- start and end ------------------------------------------------------------------------- */

static bool watch_listener(struct worker *worker, int fd, const struct endpoint *endpoint,
	const struct protocol *protocol)
{
	struct listener *listener = &worker->acceptor.listeners[worker->acceptor.count];

	listener->worker = worker;
	listener->protocol = protocol;
	listener->inet = endpoint_path(endpoint) == NULL;
	listener->event = event_new(worker->base, fd, EV_READ | EV_PERSIST, accept_more, listener);
	if (listener->event == NULL)
		return false;
	worker->acceptor.count++;
	return event_add(listener->event, NULL) == 0;
}

bool accept_watch(
	struct worker *worker, const struct listeners *listeners, const struct protocol *protocol)
{
	for (size_t i = 0; listeners != NULL && i < listeners->count; i++) {
		if (!watch_listener(
			    worker, listeners->sockets[i], &listeners->endpoints[i], protocol))
			return false;
	}
	return true;
}

void accept_clear(struct worker *worker)
{
	while (worker->acceptor.count > 0)
		event_free(worker->acceptor.listeners[--worker->acceptor.count].event);
}
