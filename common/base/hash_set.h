/*
 * hash_set: entries of one size that are found by a key, a short byte string.
 *
 * Open addressing with linear probing. The entries lie in the table itself, so that an entry is
 * found with one look at memory where it fits a cache line: the table is aligned to cache lines,
 * and a large one is put on large pages. An entry is a struct of the user's; its first member is
 * a hash_tag, which belongs to the set. The key is part of the entry, or the entry points at
 * something that has the key; only the user's equality function knows. A set of pointers:
 *
 *	struct task_entry { hash_tag tag; struct task *task; };
 *
 *	static bool has_key(const void *entry, const char *key, size_t size)
 *	{
 *		const struct task *task = ((const struct task_entry *)entry)->task;
 *		return task->key_size == size && memcmp(task->key, key, size) == 0;
 *	}
 *
 *	hash_set_init_secret(&tasks, sizeof(struct task_entry), has_key)
 *	struct task_entry *entry = hash_set_find(&tasks, key, size);
 *	if (entry == NULL && (entry = hash_set_add(&tasks, key, size)) != NULL)
 *		entry->task = task;
 *	hash_set_remove(&tasks, task->key, task->key_size);
 *
 * Entries move: a pointer to one is good until the next entry is added or removed. What an entry
 * points at is the user's to free; the set owns its table alone. Finding, removing and walking
 * allocate nothing. Where adding runs out of memory, it says so and the set is as it was. The table
 * grows, it never shrinks.
 *
 * One thread changes a set; while nobody changes it, any number of threads may read it.
 */
#ifndef TLSAD_BASE_HASH_SET_H
#define TLSAD_BASE_HASH_SET_H

#include "common/base/hash.h"

#include <stdbool.h>

/* Part of the hash of the entry's key; 0: the place in the table is free. */
typedef uint32_t hash_tag;

/* Has the entry this key? It is asked of entries whose tag is that of the key. */
typedef bool hash_set_equal(const void *entry, const char *key, size_t size);

enum {
	/* Of these at most two thirds are taken. Fewer than the tags, which lead to them. */
	HASH_SET_PLACES_MAX = 1 << 30,
};

struct hash_set {
	unsigned char *table; /* NULL until the first entry is added */
	size_t mask;          /* number of places less one; the number is a power of two */
	size_t count;         /* entries */
	size_t entry_size;    /* [bytes] */
	hash_set_equal *equal;
	uint64_t seed; /* of the hash */
};

/*
 * An empty set, without memory. The hash is the same in every process: only for sets whose keys
 * the site itself chooses, because somebody else could choose keys that crowd together.
 */
void hash_set_init(struct hash_set *set, size_t entry_size, hash_set_equal *equal);

/* The same for keys that strangers choose: with a secret seed. False: no random numbers. */
bool hash_set_init_secret(struct hash_set *set, size_t entry_size, hash_set_equal *equal);

/* Free the table. The set is empty then and can be used again. */
void hash_set_clear(struct hash_set *set);

/* NULL: it is not in the set. */
void *hash_set_find(const struct hash_set *set, const char *key, size_t size);

/*
 * A new entry for a key that is not in the set; all of it is zero but its tag. The caller fills it
 * before anything else is done with the set. NULL: out of memory.
 */
void *hash_set_add(struct hash_set *set, const char *key, size_t size);

/* False: it was not in the set. */
bool hash_set_remove(struct hash_set *set, const char *key, size_t size);

/*
 * All entries, in no order: NULL gets the first one, an entry the one after it, the last one gets
 * NULL. The set must not change meanwhile.
 */
void *hash_set_next(const struct hash_set *set, const void *entry);

/* Room for so many entries in all: as long as there are no more, entries stay where they are. */
bool hash_set_reserve(struct hash_set *set, size_t count);

/* --- for users who have the hash, or keep numbers of places -------------------------------- */

/* 0 until the first entry is added. */
static inline size_t hash_set_places(const struct hash_set *set)
{
	return set->table != NULL ? set->mask + 1 : 0;
}

/* The entry in a place, which may be free. */
static inline void *hash_set_at(const struct hash_set *set, size_t place)
{
	return set->table + place * set->entry_size;
}

static inline size_t hash_set_place_of(const struct hash_set *set, const void *entry)
{
	return (size_t)((const unsigned char *)entry - set->table) / set->entry_size;
}

static inline uint64_t hash_set_hash(const struct hash_set *set, const char *key, size_t size)
{
	return hash_bytes(set->seed, key, size);
}

/* Never 0. The bit that sees to it is none of those that lead to a place. */
static inline hash_tag hash_set_tag_of(uint64_t hash)
{
	return (hash_tag)hash | UINT32_C(1) << 31;
}

/* The memory that a key is looked for in is on its way from now on. In a set with entries. */
static inline void hash_set_prefetch(const struct hash_set *set, uint64_t hash)
{
	__builtin_prefetch(hash_set_at(set, (size_t)hash & set->mask));
}

void *hash_set_add_hashed(struct hash_set *set, uint64_t hash);

/* hash_set_find() by hash; the equality function is named here so that it can be inlined. */
static inline void *hash_set_find_hashed(const struct hash_set *set, uint64_t hash,
	hash_set_equal *equal, const char *key, size_t size)
{
	hash_tag tag = hash_set_tag_of(hash);

	if (set->count == 0)
		return NULL;
	for (size_t place = tag & set->mask;; place = (place + 1) & set->mask) {
		void *entry = hash_set_at(set, place);
		hash_tag found = *(const hash_tag *)entry;
		if (found == tag && equal(entry, key, size))
			return entry;
		if (found == 0)
			return NULL;
	}
}

#endif
