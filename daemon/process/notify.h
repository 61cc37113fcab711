/*
 * notify: tell the service manager how the daemon is (sd_notify(3)).
 *
 * With libsystemd it does the talking; without it, the same datagrams are sent from here, so the
 * unit with Type=notify fits every build. When nobody listens, nothing happens; and nobody waits
 * for the answer to a word that was lost.
 *
 * Main thread.
 */
#ifndef TLSAD_PROCESS_NOTIFY_H
#define TLSAD_PROCESS_NOTIFY_H

#include <stdint.h>

/* All sockets listen, or a reload is over. `status` is a line for people: systemctl(1) shows it. */
void notify_ready(const char *status);
void notify_reloading(void); /* until notify_ready() */
void notify_stopping(void);

void notify_status(const char *status);

/* All is well: the watchdog may wait again. */
void notify_alive(void);

/*
 * [us] within which the manager expects notify_alive() again and again; 0: it does not. A time that
 * cannot be read counts as none, with a warning.
 */
uint64_t notify_watchdog(void);

#endif
