/*
 * cache_internal: an open cache, for cache.c and cache_clock.c only.
 */
#ifndef TLSAD_CACHE_CACHE_INTERNAL_H
#define TLSAD_CACHE_CACHE_INTERNAL_H

#include "daemon/cache/cache.h"
#include "daemon/cache/hot_table.h"

#include <stdatomic.h>

enum {
	CACHE_COMMIT_PARTS_MAX = 256, /* in one commit */
	CACHE_SWEEP_PARTS_MAX = 1000,
};

/* Replies are made from parts of these kinds: serving threads keep copies of them. */
enum copied { COPIED_MX, COPIED_HOST, COPIED_STS, COPIED_COUNT };

/* Detects that the wall clock was set back; see cache_notice_clock(). */
struct clock_change {
	_Atomic int64_t offset;   /* [s] maximum of wall clock minus steady clock */
	_Atomic int64_t set_back; /* [s] by how much it was set back since the start, in all */
	/* [s] The same, as of the last cache_correct_clock(). */
	_Atomic int64_t corrected;
};

struct cache {
	struct clock_change clock_change;
	struct store *store;
	struct hot_table *copies[COPIED_COUNT];
	struct event *commit;
	struct event *forget; /* of copies of STS policies */
	bool forget_again;    /* it was wanted once more while it was pending */
	unsigned pending;     /* parts put since the last commit */
	bool complained;      /* an error was logged; false again after the next success */
};

/* Forget the copies of all serving threads. */
void cache_drop_copies(struct cache *cache);

/* Write what is pending. */
bool cache_commit(struct cache *cache);

/* Trouble is logged when it begins and when it ends: in between every reply needs a lookup. */
void cache_note_result(struct cache *cache, bool good);

/* --- cache_clock.c ------------------------------------------------------------------------- */

void cache_start_clock(struct cache *cache);

/* [s] By how much the clock was set back since the last cache_correct_clock(). */
static inline int64_t cache_not_corrected(const struct cache *cache)
{
	return atomic_load_explicit(&cache->clock_change.set_back, memory_order_relaxed) -
	       atomic_load_explicit(&cache->clock_change.corrected, memory_order_relaxed);
}

#endif
