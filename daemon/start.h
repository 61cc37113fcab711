/*
 * start: creates and ends the parts of the daemon in the right order. Main thread.
 */
#ifndef TLSAD_START_H
#define TLSAD_START_H

#include "daemon/tlsad.h"

enum { START_ERROR_SIZE = 640 };

/*
 * Read the CAs of [sts] ca_file, before a chroot hides the file. False with one line in `error`, of
 * START_ERROR_SIZE bytes, if tlsad must not start without them. If the file with the default path
 * cannot be read, it may: DANE works. Then this logs a warning, and `*trust` stays NULL.
 */
bool start_read_trust(const struct conf *conf, struct sts_trust **trust, char *error);

/*
 * Bind endpoints, drop privileges, open the cache and start the threads. False with one line in
 * `error`, of START_ERROR_SIZE bytes, on failure; end_all() must be called then, too.
 */
bool start_all(struct tlsad *tlsad, char *error);

/*
 * End the threads: first those that send requests, then those that reply to them. Then free
 * everything except for the configuration. If the daemon has `served`, its counters are logged.
 */
void end_all(struct tlsad *tlsad, bool served);

#endif
