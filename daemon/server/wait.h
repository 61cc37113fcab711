/*
 * wait: a request that waits for the lookup thread.
 *
 * It belongs to the serving thread of the connection. The lookup thread has a pointer to it, which
 * it does not read but sends back with the result. A wait whose connection was closed is therefore
 * not freed before the result has come.
 */
#ifndef TLSAD_SERVER_WAIT_H
#define TLSAD_SERVER_WAIT_H

#include "daemon/server/protocol.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct wait {
	TAILQ_ENTRY(wait) link; /* in worker->waits, oldest first */
	struct connection
		*connection; /* NULL if it was closed, or has its reply without a result */
	union request request;
	uint64_t since; /* [us], clock_exact_us() */
	bool limited;
	struct event deadline; /* if limited: then the request gets a reply without a result */
};

/*
 * Start a lookup of the destination. The connection's request, which is copied, waits for its
 * result, at most `seconds_max` seconds unless that is 0. False when out of memory.
 */
bool wait_begin(struct connection *connection, const union request *request,
	const struct destination *destination, struct lookup_needs needs, uint32_t seconds_max);

/* [s] since wait_begin(). */
double wait_seconds(const struct wait *wait);

/* It must have been removed from worker->waits. */
void wait_free(struct wait *wait);

#endif
