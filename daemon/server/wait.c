#include "daemon/server/wait.h"

#include "common/base/clock.h"
#include "daemon/server/worker.h"

#include <stdlib.h>

/* Only this request ends; the lookup continues, for the next request. */
static void end_limited(evutil_socket_t fd, short what, void *context)
{
	struct wait *wait = context;

	(void)fd;
	(void)what;
	if (wait->connection != NULL)
		connection_resume(wait, NULL, "the lookup is still running");
	wait->connection = NULL;
}

bool wait_begin(struct connection *connection, const union request *request,
	const struct destination *destination, struct lookup_needs needs, uint32_t seconds_max)
{
	struct worker *worker = connection->worker;
	struct timeval end = {.tv_sec = (time_t)seconds_max};
	struct wait *wait = malloc(sizeof *wait);

	if (wait == NULL)
		return false;
	wait->connection = connection;
	wait->request = *request;
	wait->limited = seconds_max != 0;
	wait->since = clock_exact_us();
	if (wait->limited)
		evtimer_assign(&wait->deadline, worker->base, end_limited, wait);
	if ((wait->limited && evtimer_add(&wait->deadline, &end) != 0) ||
		!lookup_ask(worker->lookup, destination, needs, true, &worker->mailbox, wait)) {
		wait_free(wait);
		return false;
	}
	TAILQ_INSERT_TAIL(&worker->waits, wait, link);
	TAILQ_REMOVE(&worker->idle, connection, link);
	connection->wait = wait;
	return true;
}

double wait_seconds(const struct wait *wait)
{
	return (double)(clock_exact_us() - wait->since) / 1e6;
}

void wait_free(struct wait *wait)
{
	if (wait->limited)
		event_del(&wait->deadline);
	free(wait);
}
