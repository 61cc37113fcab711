/*
 * Requests that wait for the lookup thread, and destinations that it is told of in passing.
 */
#include "common/base/clock.h"
#include "daemon/server/worker.h"

#include <stdlib.h>

/* The parts themselves say that a refresh is due until it is done: hence the table. */
void worker_warm(struct worker *worker, const struct destination *destination, bool pin)
{
	uint32_t hash = 2166136261u ^ destination->port ^ (uint32_t)destination->kind << 16;
	uint32_t now = clock_steady();

	for (size_t i = 0; i < destination->name_length; i++)
		hash = (hash ^ (uint8_t)destination->name[i]) * 16777619u;
	struct recent_refresh *recent = &worker->recent[hash % RECENT_REFRESHES];
	if (recent->hash == hash && now - recent->at < RECENT_SECONDS)
		return;
	recent->hash = hash;
	recent->at = now;
	lookup_ask(worker->lookup, destination, pin, NULL, NULL);
}

/* The lookup goes on, for whoever asks next. */
static void end_patience(evutil_socket_t fd, short what, void *context)
{
	struct wait *wait = context;

	(void)fd;
	(void)what;
	if (wait->connection != NULL)
		connection_resume(wait, NULL, "no answer yet");
	wait->connection = NULL;
}

bool wait_begin(struct connection *connection, const union request *request,
	const struct destination *destination, bool pin, uint32_t patience)
{
	struct worker *worker = connection->worker;
	struct timeval end = {.tv_sec = (time_t)patience};
	struct wait *wait = malloc(sizeof *wait);

	if (wait == NULL)
		return false;
	wait->connection = connection;
	wait->request = *request;
	wait->limited = patience != 0;
	wait->since = clock_exact_us();
	if (wait->limited)
		evtimer_assign(&wait->deadline, worker->base, end_patience, wait);
	if ((wait->limited && evtimer_add(&wait->deadline, &end) != 0) ||
		!lookup_ask(worker->lookup, destination, pin, &worker->mailbox, wait)) {
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
