/*
 * notify: reports the daemon's state to the service manager (sd_notify(3)).
 *
 * Uses libsystemd if the build has it, and otherwise sends the same datagrams itself: the unit with
 * Type=notify works with every build. Without NOTIFY_SOCKET nothing is sent. A datagram that cannot
 * be sent is not repeated.
 *
 * Main thread.
 */
#ifndef TLSAD_PROCESS_NOTIFY_H
#define TLSAD_PROCESS_NOTIFY_H

#include <stdint.h>

/* All sockets listen, or a reload is over. `status` is the line that systemctl(1) status shows. */
void notify_ready(const char *status);
void notify_reloading(void); /* until notify_ready() */
void notify_stopping(void);

void notify_status(const char *status);

/* A keep-alive for the watchdog. */
void notify_alive(void);

/*
 * [us] The manager expects notify_alive() at least this often; 0: never. An invalid WATCHDOG_USEC
 * is logged as a warning and counts as 0.
 */
uint64_t notify_watchdog(void);

#endif
