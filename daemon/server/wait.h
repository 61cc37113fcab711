/*
 * wait: a request of some connection that waits for the lookup thread.
 *
 * All of it belongs to the serving thread of the connection. The lookup thread has a pointer to the
 * wait, which it gives back with its result and does not read; so a wait whose connection has gone
 * is not freed before the result is there.
 */
#ifndef TLSAD_SERVER_WAIT_H
#define TLSAD_SERVER_WAIT_H

#include "daemon/server/protocol.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct wait {
	TAILQ_ENTRY(wait) link;        /* in worker->waits, oldest first */
	struct connection *connection; /* NULL when it has gone */
	union request request;
	uint64_t since; /* [us], clock_exact_us() */
	bool limited;
	struct event
		deadline; /* if it is limited: when this request has its reply without a lookup */
};

/*
 * The connection's request, which is copied, waits until the destination is looked up or, unless
 * `seconds_max` is 0, so many seconds are over. False when out of memory.
 */
bool wait_begin(struct connection *connection, const union request *request,
	const struct destination *destination, bool pin, uint32_t seconds_max);

/* How long it has waited. */
double wait_seconds(const struct wait *wait);

/* It must not be in the list any more. */
void wait_free(struct wait *wait);

#endif
