/*
 * accept: new connections of one serving thread, and which connection is closed when there are too
 * many.
 *
 * Each thread listens on every socket. Above the limit for all threads together, the connection
 * that is idle for longest is closed, in whichever thread. If there are no descriptors left, a
 * thread closes its own longest idle connection. If it has none it stops accepting until the next
 * tick (1 s); until then new connections stay in the listen queue.
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
	/* No descriptors left, or other threads must close connections first, or stopping. */
	bool paused;
};

/*
 * Accept clients of that protocol from these sockets, which stay the caller's; NULL: none. Call it
 * before the thread runs. False when out of memory.
 */
bool accept_watch(
	struct worker *worker, const struct listeners *listeners, const struct protocol *protocol);

/* Stop watching all sockets, and free the events. */
void accept_clear(struct worker *worker);

void accept_pause(struct worker *worker);

/* Accept again, unless the thread is stopping. */
void accept_resume(struct worker *worker);

/* Do all threads together have more connections than allowed? */
bool accept_over_limit(const struct worker *worker);

/*
 * Close the connection that is idle for longest, or ask the thread that has it to close it. False
 * if no connection is idle.
 */
bool accept_evict_idle(struct worker *worker);

/* Publish for the other threads since when this thread's longest idle connection is idle. */
void accept_publish_idle(struct worker *worker);

#endif
