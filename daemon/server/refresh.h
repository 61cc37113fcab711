/*
 * refresh: destinations that are looked up in the background, while the request that showed the
 * need is answered at once.
 *
 * Parts themselves say that a refresh is due until it is done, and each request would ask for it
 * again; so each thread remembers what it asked for a moment ago. All of it belongs to the thread.
 */
#ifndef TLSAD_SERVER_REFRESH_H
#define TLSAD_SERVER_REFRESH_H

#include "daemon/lookup/lookup.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	REFRESH_RECENT_SLOTS = 1024,
	REFRESH_RECENT_SECONDS = 2, /* in which a destination is not asked for again */
};

struct refresh_recent {
	struct {
		uint64_t hash; /* of the destination */
		uint32_t at;   /* [s], clock_steady() */
	} slots[REFRESH_RECENT_SLOTS];
};

/* Have the destination looked up, unless that was asked for a moment ago. */
void refresh_start(struct refresh_recent *recent, struct lookup *lookup,
	const struct destination *destination, bool pin);

#endif
