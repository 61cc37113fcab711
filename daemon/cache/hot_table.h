/*
 * hot_table: copies of small values that are read often. It is read before the store.
 *
 * The store searches a tree of millions of values, which costs many waits for memory. Here a key
 * leads to at most four slots: the value is in one of them, or it is not here. All threads read and
 * write without locks: a slot has a sequence number that is odd while it is written. A reader that
 * sees the sequence change while it copies has found nothing.
 *
 * When the store changes, the copies do not. So the value itself must show whether it is still
 * valid; parts do so by their times. hot_table_clear() forgets all copies at once.
 */
#ifndef TLSAD_CACHE_HOT_TABLE_H
#define TLSAD_CACHE_HOT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HOT_TABLE_SLOT_HEAD = 16, /* [bytes] of each slot for sequence and sizes */
	HOT_TABLE_SLOT_MAX = 512, /* [bytes] */
};

struct hot_table;

/*
 * `sets` is a power of two; each set has two slots of `slot_size` bytes, a multiple of a cache
 * line. A slot has room for a key and a value of together slot_size - HOT_TABLE_SLOT_HEAD bytes.
 * Memory is only used by slots that were written. NULL when out of memory.
 */
struct hot_table *hot_table_new(size_t sets, size_t slot_size);
void hot_table_free(struct hot_table *table);

/* A reader's copy of a value; `value` points into `bytes`. */
struct hot_table_copy {
	_Alignas(8) uint8_t bytes[HOT_TABLE_SLOT_MAX - HOT_TABLE_SLOT_HEAD];
	const uint8_t *value;
	size_t size;
};

/* The hash of a key, which gives its slots. */
typedef uint64_t hot_table_hash;

hot_table_hash hot_table_find(const struct hot_table *table, const char *key, size_t key_size);

/* Prefetch the memory for a hot_table_get() soon. */
void hot_table_prefetch(const struct hot_table *table, hot_table_hash hash);

/* Copy the first `max` bytes of the value of this key, whose hash is `hash`. False: not found. */
bool hot_table_get(struct hot_table *table, hot_table_hash hash, const char *key, size_t key_size,
	size_t max, struct hot_table_copy *copy);

/* Keep a copy, which may replace another one. Too large values are not kept. */
void hot_table_put(struct hot_table *table, const char *key, size_t key_size, const uint8_t *value,
	size_t size);

void hot_table_clear(struct hot_table *table);

#endif
