/*
 * refresh: looks up destinations in the background, while the request that showed the need gets its
 * reply from the cache at once.
 *
 * A part in the cache is due until the refresh is done, so every request in between would start
 * another lookup. Each thread therefore remembers the lookups that it started a moment ago. All of
 * this belongs to the serving thread.
 */
#ifndef TLSAD_SERVER_REFRESH_H
#define TLSAD_SERVER_REFRESH_H

#include "daemon/lookup/lookup.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	REFRESH_RECENT_SLOTS = 1024,
	REFRESH_RECENT_SECONDS = 2, /* [s] until the same destination may be refreshed again */
};

struct refresh_recent {
	struct {
		uint64_t hash; /* of the destination */
		uint32_t at;   /* [s], clock_steady() */
	} slots[REFRESH_RECENT_SLOTS];
};

/* Ask the lookup thread for a refresh, unless this thread did so a moment ago. */
void refresh_start(struct refresh_recent *recent, struct lookup *lookup,
	const struct destination *destination, struct lookup_needs needs);

#endif
