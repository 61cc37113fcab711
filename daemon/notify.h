/*
 * notify: tell the service manager how far the daemon is (sd_notify(3)). Without libsystemd, or
 * when nobody listens, nothing happens.
 */
#ifndef TLSAD_NOTIFY_H
#define TLSAD_NOTIFY_H

void notify_ready(void);     /* all sockets listen */
void notify_reloading(void); /* until notify_ready() */
void notify_stopping(void);

#endif
