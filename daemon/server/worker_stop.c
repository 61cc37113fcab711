/*
 * The end of a serving thread: every request that has arrived gets its reply, within
 * STOP_SECONDS_MAX seconds.
 */
#include "common/base/clock.h"
#include "daemon/server/worker.h"

enum {
	STOP_SECONDS_MAX = 5, /* [s] for running lookups */
	STOP_ROUND = 10,      /* [ms] between two checks whether everything is done */
	/* Checks at least: bytes that were in the kernel when the signal came must be read. */
	STOP_ROUNDS_MIN = 3,
	/* [us] for the first request of a connection that was just accepted. */
	UNHEARD_MAX = 2000000,
};

static void end_waits(struct worker *worker)
{
	struct wait *wait, *next;

	for (wait = TAILQ_FIRST(&worker->waits); wait != NULL; wait = next) {
		next = TAILQ_NEXT(wait, link);
		if (wait->connection != NULL)
			connection_resume(wait, NULL, "tlsad is stopping; try again");
		wait->connection = NULL;
	}
}

static bool has_waiting_request(const struct worker *worker)
{
	const struct wait *wait;

	TAILQ_FOREACH(wait, &worker->waits, link)
	{
		if (wait->connection != NULL)
			return true;
	}
	return false;
}

/*
 * When its connection is closed, Postfix sends the request once more on a new connection, but not a
 * third time (dict_sockmap_lookup() in its src/util/dict_sockmap.c). The second connection must get
 * its reply, so the thread waits for connections that were accepted a moment ago and have not sent
 * a request yet.
 */
static bool has_unheard_connection(const struct worker *worker)
{
	uint64_t now = clock_steady_us();
	const struct connection *connection;

	TAILQ_FOREACH(connection, &worker->idle, link)
	{
		if (!connection->heard && connection->last_active + UNHEARD_MAX > now)
			return true;
	}
	return false;
}

static bool nobody_accepts(const struct workers *all)
{
	return atomic_load(&all->not_accepting) == all->running;
}

/*
 * Has every request its reply? As long as another thread accepts, this one does not end: a client
 * whose connection this thread closes would connect to the other one, only to be closed again.
 */
static bool is_done(const struct worker *worker)
{
	return worker->stop_rounds >= STOP_ROUNDS_MIN && nobody_accepts(worker->all) &&
	       !has_waiting_request(worker) && !has_unheard_connection(worker);
}

void worker_stop_when_done(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;
	bool overdue = clock_steady() >= worker->stop_at;

	(void)fd;
	(void)what;
	connection_handle_arrivals(-1, 0, worker);
	worker->stop_rounds++;
	/* A request after one that is given up gets a reply only if the cache has it. */
	if (overdue)
		end_waits(worker);
	if (overdue || is_done(worker))
		event_base_loopbreak(worker->base);
}

void worker_begin_stop(struct worker *worker)
{
	static const struct timeval round = {.tv_usec = STOP_ROUND * 1000};

	worker->stopping = true;
	worker->stop_at = clock_steady() + STOP_SECONDS_MAX;
	if (event_add(worker->stop_round, &round) != 0)
		event_base_loopbreak(worker->base);
}
