/*
 * hot_table: copies of small values that are asked for often, read before the store is.
 *
 * The store finds a value among millions in a tree; most of what that costs is waiting for memory.
 * Here a value lies in one place that its key leads to, or it is not here. All threads read and
 * write without locks: a slot has a sequence number that is odd while it is being written, and a
 * reader whose copy was written meanwhile has found nothing.
 *
 * A copy is not told when the store changes. Whoever uses it must know from the value itself that
 * it is still good, as parts tell by their times; hot_table_clear() forgets everything at once.
 */
#ifndef TLSAD_CACHE_HOT_TABLE_H
#define TLSAD_CACHE_HOT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HOT_TABLE_SLOT_HEAD = 16, /* of a slot, what it needs for itself */
	HOT_TABLE_SLOT_MAX = 512, /* [bytes] */
};

struct hot_table;

/*
 * `sets` is a power of two; each has two slots of `slot_size` bytes, a multiple of a cache line. A
 * slot holds a key and a value that together are no longer than it is, less its head. The memory
 * is spent as it is used. NULL when there is none.
 */
struct hot_table *hot_table_new(size_t sets, size_t slot_size);
void hot_table_free(struct hot_table *table);

/* Where a value is copied to; `value` points into `bytes`. */
struct hot_table_copy {
	_Alignas(8) uint8_t bytes[HOT_TABLE_SLOT_MAX - HOT_TABLE_SLOT_HEAD];
	const uint8_t *value;
	size_t size;
};

/* Where a key leads to. */
typedef uint64_t hot_table_hash;

hot_table_hash hot_table_find(const struct hot_table *table, const char *key, size_t key_size);

/* Have that memory fetched, for a hot_table_get() soon. */
void hot_table_prefetch(const struct hot_table *table, hot_table_hash hash);

/* Find the value of the key, whose hash this is, and copy no more than its first `max` bytes. */
bool hot_table_get(struct hot_table *table, hot_table_hash hash, const char *key, size_t key_size,
	size_t max, struct hot_table_copy *copy);

/* Keep a copy, in place of another one perhaps; not if there is no room for it. */
void hot_table_put(struct hot_table *table, const char *key, size_t key_size, const uint8_t *value,
	size_t size);

void hot_table_clear(struct hot_table *table);

#endif
