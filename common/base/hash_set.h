/*
 * hash_set: a hash table of entries of one size, found by a key, a short byte string.
 *
 * Open addressing with linear probing. The entries are stored in the table itself, so that a lookup
 * costs one cache miss if the entry fits in a cache line: the table is aligned to cache lines, and
 * a large one uses huge pages. An entry is a struct that the user defines; its first member is a
 * hash_tag, which belongs to the set. The key is part of the entry, or the entry points to
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
 * Entries move: a pointer to an entry is valid until the next entry is added or removed. The set
 * owns only its table; the user frees what an entry points to. Finding, removing and walking
 * allocate nothing. If adding runs out of memory, it returns NULL and the set is unchanged. The
 * table grows but never shrinks.
 *
 * One thread may change a set; while no thread changes it, any number of threads may read it.
 */
#ifndef TLSAD_BASE_HASH_SET_H
#define TLSAD_BASE_HASH_SET_H

#include "common/base/hash.h"

#include <stdbool.h>

/* Part of the hash of the entry's key; 0 marks a free place in the table. */
typedef uint32_t hash_tag;

/* Does the entry have this key? Called only for entries that have the tag of the key. */
typedef bool hash_set_equal(const void *entry, const char *key, size_t size);

enum {
	/*
	 * Places of the largest table, of which at most two thirds are used. A tag must have more
	 * bits than the number of a place.
	 */
	HASH_SET_PLACES_MAX = 1 << 30,
};

struct hash_set {
	unsigned char *table; /* NULL until the first entry is added */
	size_t mask;          /* number of places, a power of two, minus 1 */
	size_t count;         /* entries */
	size_t entry_size;    /* [bytes] */
	hash_set_equal *equal;
	uint64_t seed; /* of the hash */
};

/*
 * An empty set; allocates nothing. The hash is the same in every process, so use it only if the
 * site itself chooses the keys: an attacker could choose keys that collide.
 */
void hash_set_init(struct hash_set *set, size_t entry_size, hash_set_equal *equal);

/* The same with a secret random seed, for keys that others choose. False: no random numbers. */
bool hash_set_init_secret(struct hash_set *set, size_t entry_size, hash_set_equal *equal);

/* Free the table. The set is then empty and can be used again. */
void hash_set_clear(struct hash_set *set);

/* The entry with this key, or NULL. */
void *hash_set_find(const struct hash_set *set, const char *key, size_t size);

/*
 * A new entry for a key that is not yet in the set; everything but its tag is zero. The caller
 * fills it before it calls any other function on the set. NULL: out of memory.
 */
void *hash_set_add(struct hash_set *set, const char *key, size_t size);

/* Remove the entry with this key. False: it was not in the set. */
bool hash_set_remove(struct hash_set *set, const char *key, size_t size);

/*
 * Walk over all entries, in no particular order: pass NULL for the first entry, then the entry
 * returned last. Returns NULL after the last one. The set must not change during the walk.
 */
void *hash_set_next(const struct hash_set *set, const void *entry);

/*
 * Make room for `count` entries in all: until there are more than that, adding neither allocates
 * nor moves entries. False: out of memory.
 */
bool hash_set_reserve(struct hash_set *set, size_t count);

/* --- for users that already have the hash, or store numbers of places ---------------------- */

/* Number of places; 0 until the first entry is added. */
static inline size_t hash_set_places(const struct hash_set *set)
{
	return set->table != NULL ? set->mask + 1 : 0;
}

/* The entry at a place, which may be free. */
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

/* Never 0: the top bit is set, which is not used for the place (HASH_SET_PLACES_MAX). */
static inline hash_tag hash_set_tag_of(uint64_t hash)
{
	return (hash_tag)hash | UINT32_C(1) << 31;
}

/* Prefetch the memory where this key is looked up. The set must have a table. */
static inline void hash_set_prefetch(const struct hash_set *set, uint64_t hash)
{
	__builtin_prefetch(hash_set_at(set, (size_t)hash & set->mask));
}

/* hash_set_add() by hash. */
void *hash_set_add_hashed(struct hash_set *set, uint64_t hash);

/* hash_set_find() by hash; takes the equality function as argument so that it can be inlined. */
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
