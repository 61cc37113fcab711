/*
 * heartbeat: shows whether a thread's event loop still runs.
 *
 * Each loop has a heartbeat: a timer stores the time once a second. A thread that is stuck in a
 * callback or in a library no longer stores it. The reader decides which age is too old: one or two
 * seconds are usual, HEARTBEAT_STUCK is not.
 */
#ifndef TLSAD_LOOP_HEARTBEAT_H
#define TLSAD_LOOP_HEARTBEAT_H

#include <event2/event.h>
#include <stdint.h>

enum {
	/*
	 * [s] after which a thread counts as stuck. Callbacks are short: the longest are a commit
	 * to a slow disk and the validation of a large DNS answer.
	 */
	HEARTBEAT_STUCK = 10,
};

struct heartbeat;

/*
 * Call it in the thread that runs the loop, or before the loop runs; the age counts from this call.
 * NULL when out of memory.
 */
struct heartbeat *heartbeat_new(struct event_base *base);

/* Before the loop is freed. */
void heartbeat_free(struct heartbeat *heartbeat);

/* [s] since the last beat. Any thread. */
uint32_t heartbeat_age(const struct heartbeat *heartbeat);

#endif
