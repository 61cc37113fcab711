/*
 * rules_table: how rules are stored. For rules.c, rules_add.c and rules_table.c only.
 *
 * All keys are in one hash set. An entry, called a slot, is one cache line that includes the key,
 * unless the key is long; so finding a key costs one cache miss, and the slot can be prefetched.
 * The suffixes of a name are looked up only if there are keys with as many labels, and only if they
 * pass a filter of a few bits per key, which is small enough to stay in the processor's cache. The
 * filter stops nearly all suffixes.
 *
 * Functions that allocate return NULL or false if memory runs out; the rules are then unchanged.
 */
#ifndef TLSAD_SITE_RULES_TABLE_H
#define TLSAD_SITE_RULES_TABLE_H

#include "common/base/hash_set.h"
#include "common/site/rules.h"

#include <string.h>

enum {
	RULES_SLOT_SIZE = 64, /* a cache line */
	RULES_KEY_IN_SLOT = 40,
	NO_MINIMUM = MINIMUM_COUNT,
};

/* Memory that is freed as a whole. Objects in it never move. */
struct rules_chunk {
	struct rules_chunk *next;
	size_t size, used;
	_Alignas(8) char bytes[];
};

struct rule_slot {
	hash_tag tag;
	uint32_t line;               /* of the minimum, like the source */
	struct exception *exception; /* or NULL */
	uint32_t nth;                /* the key is the n-th that was added */
	uint8_t source;              /* index in rules->sources */
	uint8_t minimum;             /* enum minimum_level, or NO_MINIMUM */
	uint8_t key_size;
	union {
		char key[RULES_KEY_IN_SLOT]; /* if it fits with its NUL byte */
		const char *long_key;
	};
};

_Static_assert(sizeof(struct rule_slot) == RULES_SLOT_SIZE, "a cache line");

struct rules {
	struct rules_chunk *chunks;
	const char *sources[RULES_SOURCES_MAX + 1]; /* the last is NULL */
	size_t source_count;

	uint32_t *order; /* the places of the slots, in the order of adding */
	size_t order_room;
	struct exception **exceptions;
	size_t exception_count, exception_room;
	size_t minimum_count;

	struct hash_set slots;
	uint64_t *filter;
	size_t filter_mask; /* number of its bits minus 1 */

	uint32_t generation; /* unique among all rules of this process, from 1 */
	size_t all;          /* 1 + the index of `*` in the order, or 0 without it */
	bool exact;          /* there are keys for single names */
	uint64_t below;      /* rules_label_bit() of all keys like `.example.org` */
};

/* Memory that is valid as long as the rules. */
void *rules_allocate(struct rules *rules, size_t size);
const char *rules_copy_text(struct rules *rules, const char *text);

/* Room for one more element of an array of `count`. */
bool rules_grow(void **array, size_t count, size_t *room, size_t size);

/* The index in rules->sources of a string of rules_source(). */
uint8_t rules_source_number(const struct rules *rules, const char *source);

/*
 * The slot of a key in normal form, added if it does not exist; valid until the next key is added.
 * NULL and one line if there are too many rules or memory runs out.
 */
struct rule_slot *rules_need_slot(
	struct rules *rules, const char *key, char error[RULES_ERROR_SIZE]);

static inline const char *rules_slot_key(const struct rule_slot *slot)
{
	return slot->key_size < RULES_KEY_IN_SLOT ? slot->key : slot->long_key;
}

static inline bool rules_slot_has_key(const void *entry, const char *key, size_t size)
{
	const struct rule_slot *slot = entry;

	return slot->key_size == size && memcmp(rules_slot_key(slot), key, size) == 0;
}

static inline uint64_t rules_hash(const struct rules *rules, const char *key, size_t size)
{
	return hash_set_hash(&rules->slots, key, size);
}

static inline struct rule_slot *rules_find_slot(
	const struct rules *rules, const char *key, size_t size, uint64_t hash)
{
	return hash_set_find_hashed(&rules->slots, hash, rules_slot_has_key, key, size);
}

static inline const struct rule_slot *rules_slot_at(const struct rules *rules, size_t n)
{
	return hash_set_at(&rules->slots, rules->order[n]);
}

/* Where the slot's minimum was read from. */
static inline struct rule_place rules_minimum_place(
	const struct rules *rules, const struct rule_slot *slot)
{
	return (struct rule_place){rules->sources[slot->source], slot->line};
}

/* One bit for each number of labels; 63 and more share the last one. */
static inline uint64_t rules_label_bit(unsigned labels)
{
	return UINT64_C(1) << (labels < 63 ? labels : 63);
}

static inline size_t rules_filter_bit(const struct rules *rules, uint64_t hash)
{
	return (size_t)(hash >> 20) & rules->filter_mask;
}

static inline bool rules_filter_passes(const struct rules *rules, uint64_t hash)
{
	size_t bit = rules_filter_bit(rules, hash);
	return (rules->filter[bit / 64] >> bit % 64 & 1) != 0;
}

#endif
