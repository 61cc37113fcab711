/*
 * The end of a serving thread: nobody who has asked is left without an answer, within bounds.
 */
#include "common/base/clock.h"
#include "daemon/server/worker.h"

enum {
	STOP_PATIENCE = 5, /* [s] for lookups in flight */
	STOP_ROUND = 10,   /* [ms] between two looks at what is in flight */
	/* Looks at least, so that what lay in the kernel when the signal came is read. */
	STOP_ROUNDS_MIN = 3,
	/* [us] for the first request of a connection that was just accepted. */
	NEWCOMER_PATIENCE = 2000000,
};

static void end_waits(struct worker *worker)
{
	struct wait *wait, *next;

	for (wait = TAILQ_FIRST(&worker->waits); wait != NULL; wait = next) {
		next = TAILQ_NEXT(wait, link);
		if (wait->connection != NULL)
			connection_resume(wait, NULL, "tlsad is stopping; ask again");
		wait->connection = NULL;
	}
}

static bool requests_in_flight(const struct worker *worker)
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
 * Postfix asks a second time, on a new connection, when the first one is closed under it, and not a
 * third time (dict_sockmap_lookup() in its src/util/dict_sockmap.c). That one must get its answer:
 * whoever was accepted a moment ago and has not been heard yet is waited for.
 */
static bool newcomers(const struct worker *worker)
{
	uint64_t now = clock_steady_us();
	const struct connection *connection;

	TAILQ_FOREACH(connection, &worker->idle, link)
	{
		if (!connection->heard && connection->last_active + NEWCOMER_PATIENCE > now)
			return true;
	}
	return false;
}

/*
 * Is there nothing left to answer? Not as long as another thread accepts: a client that this one
 * leaves would come to that one, only to be left again.
 */
static bool at_rest(const struct worker *worker)
{
	return worker->stop_rounds >= STOP_ROUNDS_MIN && server_accepts_nothing(worker->server) &&
	       !requests_in_flight(worker) && !newcomers(worker);
}

void worker_stop_when_done(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;
	bool patient = clock_steady() < worker->stop_at;

	(void)fd;
	(void)what;
	connection_handle_arrivals(-1, 0, worker);
	worker->stop_rounds++;
	/* What comes behind a request that is given up is not begun any more. */
	if (!patient)
		end_waits(worker);
	if (!patient || at_rest(worker))
		event_base_loopbreak(worker->base);
}

void worker_begin_stop(struct worker *worker)
{
	static const struct timeval round = {.tv_usec = STOP_ROUND * 1000};

	worker->stopping = true;
	worker->stop_at = clock_steady() + STOP_PATIENCE;
	if (event_add(worker->stop_round, &round) != 0)
		event_base_loopbreak(worker->base);
}
