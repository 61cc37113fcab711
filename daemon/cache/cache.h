/*
 * cache: the parts in the store. Parts are cached, not replies.
 *
 * Each serving thread has its own reader and reads without copying: first from a hot table, then
 * from the store. A copy in the hot table is used as long as its part is fresh and not due for a
 * refresh. So a refresh in the store need not change the hot table.
 *
 * Only the lookup thread writes. New parts are pending for a moment, so that many parts share one
 * commit; the lookup thread itself sees pending parts.
 */
#ifndef TLSAD_CACHE_CACHE_H
#define TLSAD_CACHE_CACHE_H

#include "common/conf/conf.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/store.h"

#include <event2/event.h>

struct cache;

/* Call it before there are threads. NULL with one line if the directory cannot be used. */
struct cache *cache_open(const struct conf *conf, char error[STORE_ERROR_SIZE]);
void cache_close(struct cache *cache);

/*
 * Compare wall clock and steady clock; any thread calls it often. If the wall clock was set back,
 * expired parts would be fresh again, so from then on every read is a miss until
 * cache_correct_clock(). Less than PART_CLOCK_SLACK is not noticed until several such steps add up
 * to more.
 */
void cache_notice_clock(struct cache *cache);

/* --- serving threads ----------------------------------------------------------------------- */

struct cache_reader;

/* For one thread. NULL when out of memory, or if the store has no reader left (READERS_MAX). */
struct cache_reader *cache_reader_new(struct cache *cache);
void cache_reader_free(struct cache_reader *reader);

enum cache_result {
	CACHE_HIT,
	CACHE_REFRESH, /* a hit, but at least one part is due for a refresh */
	CACHE_MISS,    /* at least one part is missing or has expired */
};

enum cache_depth {
	CACHE_STATUS, /* only the headers of hosts: enough for decide() */
	CACHE_WHOLE,  /* everything: for explain, and for the text of a failure */
};

/* Where in the hot table the first part of a destination would be. */
typedef uint64_t cache_place;

/* Prefetch the memory for a cache_read() of this destination soon. */
cache_place cache_prefetch(
	const struct cache_reader *reader, const struct destination *destination);

/*
 * Read the evidence about `evidence->destination`. The bytes that it points to are valid until
 * cache_read_end(), which must follow.
 */
enum cache_result cache_read(struct cache_reader *reader, cache_place place, uint32_t now,
	enum cache_depth depth, struct evidence *evidence);
void cache_read_end(struct cache_reader *reader);

/*
 * After a cache_read() that was no miss, and before its end: read the part about the MTA-STS policy
 * of the destination too.
 */
enum cache_result cache_read_sts(
	struct cache_reader *reader, uint32_t now, struct evidence *evidence);

/* Is the trust anchor with this digest known? cache_read_end() must follow. */
bool cache_has_ta(struct cache_reader *reader, const struct ta_digest *ta);

/*
 * Read all parts, one a call, in the order of their keys. Unknown keys and kinds of parts are
 * passed over. False after the last one. The part is valid until cache_read_end().
 */
enum { CACHE_KEY_MAX = STORE_KEY_MAX };
struct cache_position {
	char key[CACHE_KEY_MAX]; /* of the last part seen */
	size_t key_size;         /* 0 at first */
};
bool cache_read_next(struct cache_reader *reader, struct cache_position *position,
	struct part_key *key, struct part *part);

/* --- the lookup thread --------------------------------------------------------------------- */

/* From here on, writes are committed from this event loop. False when out of memory. */
bool cache_start_writing(struct cache *cache, struct event_base *base);

/* Commit, and stop using the loop. */
void cache_stop_writing(struct cache *cache);

/* Store a part. A failure is logged here; the part is then looked up again when needed. */
void cache_put(
	struct cache *cache, const char *key, size_t key_size, const uint8_t *bytes, size_t size);

/* Read a part, pending ones included. The bytes are valid until the next call. */
bool cache_get(
	struct cache *cache, const char *key, size_t key_size, const uint8_t **bytes, size_t *size);

/*
 * An STS policy was replaced before it was due: forget the copies of all of them, a moment after
 * the next commit.
 */
void cache_forget_copies(struct cache *cache);

/*
 * Delete the parts of a destination, including its hosts, or with NULL all parts. Returns their
 * number.
 */
size_t cache_flush(struct cache *cache, const struct destination *destination);

/*
 * Delete parts that expired more than `serve_stale` seconds ago, but not within STS_RETRY_MAX
 * (sts_update.h), and parts that expire later than is possible for a part stored now: they were
 * stored under a wrong clock. At most about 2000 parts a call; true if there may be more.
 */
bool cache_sweep(struct cache *cache, uint32_t now, uint32_t serve_stale, uint32_t max_ttl);

/*
 * If the clock was set back since the last call, delete the parts that had expired before: they
 * would be fresh again. The times of STS parts are moved back by as much, so that a policy keeps
 * its age and ends when its max_age is over. Other parts keep their times; those that are now from
 * the future are looked up again. Then true, and `*seconds` says by how much.
 *
 * All STS parts are read and written, which takes one or two seconds for 100,000 of them. If the
 * cache cannot be written, which is logged, some keep their times.
 */
bool cache_correct_clock(struct cache *cache, uint32_t *seconds);

/*
 * The time [s] with which to compare the times of STS parts, and which to store in them: the wall
 * clock. From the moment that it is set back until cache_correct_clock(), it goes on as before.
 */
uint32_t cache_clock(struct cache *cache);

void cache_figures(struct cache *cache, struct store_figures *figures);

#endif
