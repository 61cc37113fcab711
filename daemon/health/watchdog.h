/*
 * watchdog: sends keep-alives to the service manager as long as every event loop runs (WatchdogSec=
 * in systemd.service(5)).
 *
 * The main thread sends them, which shows that its own loop runs; for the other threads it checks
 * their heartbeats. If one of them is stuck it sends no more keep-alives, and the manager acts as
 * the unit says: it kills the daemon and starts a new one. If the thread runs again before that,
 * the keep-alives continue.
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
 * False when out of memory. If the manager expects no keep-alives, `*watchdog` is NULL. `status` is
 * the usual status line for the manager; it must outlive the watchdog.
 */
bool watchdog_new(struct watchdog **watchdog, struct event_base *base, const struct lookup *lookup,
	const struct server *server, const char *status);

/* NULL is allowed. */
void watchdog_free(struct watchdog *watchdog);

#endif
