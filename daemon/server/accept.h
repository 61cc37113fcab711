/*
 * accept: new connections of one serving thread, and which ones are closed for them.
 *
 * Each thread listens on every socket. Over the limit on connections of all threads together, the
 * one that is idle for longest is closed, whichever thread has it. Out of descriptors a thread
 * closes its own, or accepts nothing for a while: then connections wait in the kernel's queue.
 *
 * Runs in the serving thread.
 */
#ifndef TLSAD_SERVER_ACCEPT_H
#define TLSAD_SERVER_ACCEPT_H

#include "daemon/process/listeners.h"
#include "daemon/server/protocol.h"

#include <event2/event.h>
#include <stdbool.h>

struct worker;

enum { ACCEPT_LISTENERS_MAX = 2 * CONF_LIST_MAX };

/* A listening socket, as one thread watches it. */
struct listener {
	struct event *event;
	struct worker *worker;
	const struct protocol *protocol;
	bool inet; /* [server] allow applies */
};

struct acceptor {
	struct listener listeners[ACCEPT_LISTENERS_MAX];
	size_t count;
	bool paused; /* no descriptors, or other threads have yet to close connections, or stopping
		      */
};

/*
 * Accept clients of that protocol from these sockets, which stay the caller's; NULL: none. Before
 * the thread runs. False when out of memory.
 */
bool accept_watch(
	struct worker *worker, const struct listeners *listeners, const struct protocol *protocol);

/* Watch no more. */
void accept_clear(struct worker *worker);

void accept_pause(struct worker *worker);

/* Unless the thread stops. */
void accept_resume(struct worker *worker);

/* Are there more connections, of all threads, than there may be? */
bool accept_over_limit(const struct worker *worker);

/*
 * Close the connection that is idle for longest, or ask the thread that has it. False when nobody
 * is idle.
 */
bool accept_evict_idle(struct worker *worker);

/* Let the other threads know since when this thread's longest idle connection is idle. */
void accept_publish_idle(struct worker *worker);

#endif
