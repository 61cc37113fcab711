/*
 * heartbeat: does a thread's event loop still turn?
 *
 * Each loop has one. A timer in it notes the time once a second; a thread that is stuck, in a
 * callback or in a library, stops to note it. Whoever watches decides how old is too old: a second
 * or two are usual, HEARTBEAT_STUCK is not.
 */
#ifndef TLSAD_LOOP_HEARTBEAT_H
#define TLSAD_LOOP_HEARTBEAT_H

#include <event2/event.h>
#include <stdint.h>

enum {
	/*
	 * [s] after which a thread counts as stuck. No callback takes long: the longest are a
	 * commit to a slow disk and the validation of a large answer.
	 */
	HEARTBEAT_STUCK = 10,
};

struct heartbeat;

/*
 * In the thread that runs the loop, or before there is one. A loop that does not run yet is young
 * at first. NULL when out of memory.
 */
struct heartbeat *heartbeat_new(struct event_base *base);

/* Before the loop is freed. */
void heartbeat_free(struct heartbeat *heartbeat);

/* From any thread: seconds since the last beat. */
uint32_t heartbeat_age(const struct heartbeat *heartbeat);

#endif
