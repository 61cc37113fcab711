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
	FRONT_SLOT_SIZE = 128, /* two cache lines */
	FRONT_ROOM = 112,      /* of these, for the key and the value together */
};

struct front;

struct front *front_new(void);
void front_free(struct front *front);

/* What was found; `value` points into `bytes`. */
struct front_copy {
	_Alignas(8) uint8_t bytes[FRONT_ROOM];
	const uint8_t *value;
	size_t size;
};

bool front_get(struct front *front, const char *key, size_t key_size, struct front_copy *copy);

/* Keep a copy, in place of another one perhaps; not if there is no room for it. */
void front_put(
	struct front *front, const char *key, size_t key_size, const uint8_t *value, size_t size);

void front_clear(struct front *front);

#endif
