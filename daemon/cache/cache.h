/*
 * cache: the parts in the store.
 *
 * Serving threads read through readers of their own, in place: from copies in a hot table first,
 * then from the store. A copy is used as long as its part is fresh and not due for a refresh; so
 * the hot table need not be told of refreshes.
 *
 * The lookup thread alone writes: what it puts is pending for a moment, so that many parts share
 * one commit, and it sees what is pending itself.
 */
#ifndef TLSAD_CACHE_CACHE_H
#define TLSAD_CACHE_CACHE_H

#include "common/conf/conf.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/store.h"

#include <event2/event.h>

struct cache;

/* Before there are threads. NULL and one line when the directory cannot be used. */
struct cache *cache_open(const struct conf *conf, char error[STORE_ERROR_SIZE]);
void cache_close(struct cache *cache);

/*
 * Any thread, now and then: compare the clocks. When the wall clock was set back, parts that had
 * expired would be fresh again, so nothing is read any more until cache_correct_clock().
 */
void cache_notice_clock(struct cache *cache);

/* --- serving threads ----------------------------------------------------------------------- */

struct cache_reader;

/* For one thread. NULL when out of memory or when the cache has no reader left. */
struct cache_reader *cache_reader_new(struct cache *cache);
void cache_reader_free(struct cache_reader *reader);

enum cache_result {
	CACHE_HIT,
	CACHE_REFRESH, /* a hit, and it is time to refresh some part of it */
	CACHE_MISS,    /* some part is missing or has expired */
};

enum cache_depth {
	CACHE_STATUS, /* of the hosts the headers are enough: for deciding */
	CACHE_WHOLE,  /* all there is: for explaining, and for the words of a failure */
};

/* Where in memory the first part of a destination is. */
typedef uint64_t cache_place;

/* The destination will be read soon: have the memory fetched meanwhile. */
cache_place cache_prefetch(
	const struct cache_reader *reader, const struct destination *destination);

/*
 * Gather the evidence on `evidence->destination`. The bytes that it points to stay until
 * cache_read_end(), which must follow.
 */
enum cache_result cache_read(struct cache_reader *reader, cache_place place, uint32_t now,
	enum cache_depth depth, struct evidence *evidence);
void cache_read_end(struct cache_reader *reader);

/* Is the trust anchor known that a digest names? cache_read_end() must follow. */
bool cache_has_ta(struct cache_reader *reader, const struct ta_digest *ta);

/*
 * Go through all parts, in the order of their keys. Keys and parts that this program does not know
 * are passed over. False behind the last. The part stays until cache_read_end().
 */
enum { CACHE_KEY_MAX = STORE_KEY_MAX };
struct cache_position {
	char key[CACHE_KEY_MAX]; /* of the last part seen */
	size_t key_size;         /* 0 at first */
};
bool cache_read_next(struct cache_reader *reader, struct cache_position *position,
	struct part_key *key, struct part *part);

/* --- the lookup thread --------------------------------------------------------------------- */

/* From here on writes are committed from this event loop. */
bool cache_start_writing(struct cache *cache, struct event_base *base);

/* Commit and stop using the loop. */
void cache_stop_writing(struct cache *cache);

/* A write that fails is logged here; then the part is not kept, and is looked up again. */
void cache_put(
	struct cache *cache, const char *key, size_t key_size, const uint8_t *bytes, size_t size);

/* The bytes stay until the next call. */
bool cache_get(
	struct cache *cache, const char *key, size_t key_size, const uint8_t **bytes, size_t *size);

/*
 * Delete the parts of a destination, its hosts too, or all there are if it is NULL. Returns how
 * many there were.
 */
size_t cache_flush(struct cache *cache, const struct destination *destination);

/*
 * Delete what expired more than `serve_stale` seconds ago, and what expires later than anything
 * stored now could: it was stored under a wrong clock. A bounded number at a time; true when there
 * may be more.
 */
bool cache_sweep(struct cache *cache, uint32_t now, uint32_t serve_stale, uint32_t max_ttl);

/*
 * The clock was set back: what had expired does not come back. True, and by how much, when that
 * has happened since the last call.
 */
bool cache_correct_clock(struct cache *cache, uint32_t *seconds);

void cache_figures(struct cache *cache, struct store_figures *figures);

#endif
