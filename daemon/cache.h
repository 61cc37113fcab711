/*
 * cache: the parts in the store.
 *
 * Serving threads read through readers of their own, in place. The lookup thread alone writes:
 * what it puts is pending for a moment, so that many parts share one commit, and it sees what is
 * pending itself.
 */
#ifndef TLSAD_CACHE_H
#define TLSAD_CACHE_H

#include "common/conf.h"
#include "common/evidence.h"
#include "daemon/store.h"

#include <event2/event.h>

struct cache;

/* Before there are threads. NULL and one line when the directory cannot be used. */
struct cache *cache_open(const struct conf *conf, char error[STORE_ERROR_SIZE]);
void cache_close(struct cache *cache);

/* --- serving threads ----------------------------------------------------------------------- */

struct store_reader *cache_reader_new(struct cache *cache);

enum cache_result {
	CACHE_HIT,
	CACHE_REFRESH, /* a hit, and it is time to refresh some part of it */
	CACHE_MISS,    /* some part is missing or has expired */
};

/*
 * Gather the evidence on `evidence->destination`. Between store_reader_begin() and
 * store_reader_end(), which bound the life of the bytes that it points to.
 */
enum cache_result cache_read(struct store_reader *reader, uint32_t now, struct evidence *evidence);

/* --- the lookup thread --------------------------------------------------------------------- */

/* From here on writes are committed from this event loop. */
bool cache_start_writing(struct cache *cache, struct event_base *base);

/* Commit and stop using the loop. */
void cache_stop_writing(struct cache *cache);

void cache_put(struct cache *cache, const char *key, size_t key_size, const uint8_t *bytes,
	size_t size);

/* The bytes stay until the next call. */
bool cache_get(struct cache *cache, const char *key, size_t key_size, const uint8_t **bytes,
	size_t *size);

/* Delete what expired more than `serve_stale` seconds ago, a bounded number at a time. */
void cache_sweep(struct cache *cache, uint32_t now, uint32_t serve_stale);

void cache_figures(struct cache *cache, struct store_figures *figures);

#endif
