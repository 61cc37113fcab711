/*
 * start: the order in which the daemon's parts are made and ended. Main thread.
 */
#ifndef TLSAD_START_H
#define TLSAD_START_H

#include "daemon/tlsad.h"

enum { START_ERROR_SIZE = 640 };

/*
 * Bind endpoints, drop privileges, open the cache and start the threads. False and one line in
 * `error`, of START_ERROR_SIZE bytes; end_all() is needed then, too.
 */
bool start_all(struct tlsad *tlsad, char *error);

/*
 * The threads end in the order in which nobody is left to answer to; then all is freed but the
 * configuration. If the daemon has `served`, its counters are logged.
 */
void end_all(struct tlsad *tlsad, bool served);

#endif
