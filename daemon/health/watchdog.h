/*
 * watchdog: the service manager hears from the daemon as long as every event loop turns.
 *
 * The main thread speaks, so its own loop is seen to turn; for the others it looks at their
 * heartbeats. When one of them is stuck it says no more, and the manager does what its unit says:
 * kills the daemon and starts another one. A thread that turns again in time is forgiven.
 *
 * Main thread.
 */
#ifndef TLSAD_HEALTH_WATCHDOG_H
#define TLSAD_HEALTH_WATCHDOG_H

#include "daemon/lookup/lookup.h"
#include "daemon/server/server.h"

#include <event2/event.h>

struct watchdog;

/*
 * False when out of memory. Without a manager that watches, there is none, and `*watchdog` is NULL.
 * `status` is what to tell the manager when all is well; it must live as long.
 */
bool watchdog_new(struct watchdog **watchdog, struct event_base *base, const struct lookup *lookup,
	const struct server *server, const char *status);

/* NULL will do. */
void watchdog_free(struct watchdog *watchdog);

#endif
