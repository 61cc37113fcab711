/*
 * access: which clients may connect over inet: [server] allow.
 */
#ifndef TLSAD_PROCESS_ACCESS_H
#define TLSAD_PROCESS_ACCESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct conf;

/* Is the peer in one of the networks of [server] allow? Any thread. */
bool access_allowed(const struct conf *conf, const struct sockaddr_storage *peer);

/*
 * Log a refused connection, at most one line a second: a scan must not fill the disk. Any thread.
 */
void access_log_refusal(const struct sockaddr_storage *peer, socklen_t size);

#endif
