/*
 * front: copies of small values that are asked for often, in front of the store.
 *
 * The store finds a value among millions in a tree; most of what that costs is waiting for memory.
 * Here a value lies in one place that its key leads to, or it is not here. All threads read and
 * write without locks: a slot has a sequence number that is odd while it is being written, and a
 * reader whose copy was written meanwhile has found nothing.
 *
 * A copy is not told when the store changes. Whoever uses it must know from the value itself that
 * it is still good, as parts tell by their times; front_clear() forgets everything at once.
 */
#ifndef TLSAD_FRONT_H
#define TLSAD_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRONT_SLOT_HEAD = 16,     /* of a slot, what it needs for itself */
	FRONT_SLOT_LARGEST = 512, /* [bytes] */
};

struct front;

/*
 * `sets` is a power of two; each has two slots of `slot_size` bytes, a multiple of a cache line. A
 * slot holds a key and a value that together are no longer than it is, less its head. The memory
 * is spent as it is used. NULL when there is none.
 */
struct front *front_new(size_t sets, size_t slot_size);
void front_free(struct front *front);

/* Where a value is copied to; `value` points into `bytes`. */
struct front_copy {
	_Alignas(8) uint8_t bytes[FRONT_SLOT_LARGEST - FRONT_SLOT_HEAD];
	const uint8_t *value;
	size_t size;
};

/* Where a key leads to. */
typedef uint64_t front_hash;

front_hash front_find(const struct front *front, const char *key, size_t key_size);

/* Have that memory fetched, for a front_get() soon. */
void front_prefetch(const struct front *front, front_hash hash);

/* Find the value of the key, whose hash this is, and copy no more than its first `most` bytes. */
bool front_get(struct front *front, front_hash hash, const char *key, size_t key_size, size_t most,
	struct front_copy *copy);

/* Keep a copy, in place of another one perhaps; not if there is no room for it. */
void front_put(
	struct front *front, const char *key, size_t key_size, const uint8_t *value, size_t size);

void front_clear(struct front *front);

#endif
