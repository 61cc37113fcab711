/*
 * still_daemon: the parts of a daemon for targets that speak to its sockets: a configuration with
 * rules, a cache with a few destinations, a serving thread's struct, all in one thread and without
 * a network.
 *
 * Its lookup functions replace those of the lookup thread: every lookup has the same result at
 * once, that there is no such domain. So the replies depend only on the content of the cache.
 */
#ifndef TLSAD_T_FUZZ_STILL_DAEMON_H
#define TLSAD_T_FUZZ_STILL_DAEMON_H

#include "daemon/cache/ta_file.h"
#include "daemon/server/worker.h"

struct still_daemon {
	struct conf *conf;
	struct cache *cache;
	struct ta_files *ta_files;
	struct event_base *base; /* for control and metrics; the worker has its own */
	struct workers workers;
	struct worker *worker;
	struct listeners listeners; /* none */
};

/* There is one, made at the first call. Log lines are off. */
struct still_daemon *still_daemon(void);

/* A pair of sockets that do not block; `*theirs` is for the daemon. Returns the other. */
int still_daemon_connect(int *theirs);

/* Let everything happen that can happen at once. */
void still_daemon_run(struct event_base *base);

enum { STILL_REPLIES_MAX = 1 << 22 }; /* [bytes] */

/*
 * What one connection of the worker replies to these bytes, sent in pieces of `piece` bytes;
 * malloc()ed, with a NUL byte at its end. `*closed`: the worker has closed the connection.
 */
char *still_daemon_converse(const struct protocol *protocol, const uint8_t *bytes, size_t size,
	size_t piece, size_t *replies_size, bool *closed);

#endif
