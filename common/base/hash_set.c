#include "common/base/hash_set.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	PLACES_MIN = 16, /* a whole cache line even with entries of 4 bytes */
	CACHE_LINE = 64,
	LARGE_PAGE = 2 * 1024 * 1024,
};

void hash_set_init(struct hash_set *set, size_t entry_size, hash_set_equal *equal)
{
	*set = (struct hash_set){
		.entry_size = entry_size,
		.equal = equal,
		.seed = UINT64_C(0xcbf29ce484222325),
	};
}

bool hash_set_init_secret(struct hash_set *set, size_t entry_size, hash_set_equal *equal)
{
	hash_set_init(set, entry_size, equal);
	return RAND_bytes((unsigned char *)&set->seed, sizeof set->seed) == 1;
}

void hash_set_clear(struct hash_set *set)
{
	free(set->table);
	set->table = NULL;
	set->mask = 0;
	set->count = 0;
}

static hash_tag tag_at(const struct hash_set *set, size_t place)
{
	return *(const hash_tag *)hash_set_at(set, place);
}

/* The first free place at or after the place that the tag gives. */
static size_t find_free(const struct hash_set *set, hash_tag tag)
{
	size_t place = tag & set->mask;

	while (tag_at(set, place) != 0)
		place = (place + 1) & set->mask;
	return place;
}

/*
 * Zeroed memory, aligned to cache lines. In a large table nearly every access to a 4 KB page would
 * miss the TLB, so huge pages are requested.
 */
static void *allocate_table(size_t size)
{
	bool large = size >= LARGE_PAGE;
	void *table;

	if (posix_memalign(&table, large ? LARGE_PAGE : CACHE_LINE, size) != 0)
		return NULL;
	if (large)
		(void)madvise(table, size, MADV_HUGEPAGE);
	return memset(table, 0, size);
}

static bool move_to_table(struct hash_set *set, size_t places)
{
	struct hash_set larger = *set;

	larger.table = allocate_table(places * set->entry_size);
	if (larger.table == NULL)
		return false;
	larger.mask = places - 1;
	for (void *entry = NULL; (entry = hash_set_next(set, entry)) != NULL;) {
		size_t place = find_free(&larger, *(const hash_tag *)entry);
		memcpy(hash_set_at(&larger, place), entry, set->entry_size);
	}
	free(set->table);
	*set = larger;
	return true;
}

/* At most two thirds of the places may be used: with more, probing takes too long. */
static bool fits(size_t count, size_t places)
{
	return count <= places / 3 * 2;
}

bool hash_set_reserve(struct hash_set *set, size_t count)
{
	size_t places = hash_set_places(set);

	if (fits(count, places))
		return true;
	if (places == 0)
		places = PLACES_MIN;
	while (!fits(count, places) && places < HASH_SET_PLACES_MAX)
		places *= 2;
	return fits(count, places) && move_to_table(set, places);
}

void *hash_set_find(const struct hash_set *set, const char *key, size_t size)
{
	return hash_set_find_hashed(set, hash_set_hash(set, key, size), set->equal, key, size);
}

void *hash_set_add(struct hash_set *set, const char *key, size_t size)
{
	return hash_set_add_hashed(set, hash_set_hash(set, key, size));
}

void *hash_set_add_hashed(struct hash_set *set, uint64_t hash)
{
	hash_tag tag = hash_set_tag_of(hash);

	if (!hash_set_reserve(set, set->count + 1))
		return NULL;
	hash_tag *entry = hash_set_at(set, find_free(set, tag));
	*entry = tag;
	set->count++;
	return entry;
}

/*
 * A search ends at a free place. So that no entry after the gap becomes unreachable, each entry
 * whose search begins at or before the gap moves into it, which leaves the next gap.
 */
static void fill_gap(struct hash_set *set, size_t gap)
{
	size_t place = gap;
	hash_tag tag;

	while ((tag = tag_at(set, place = (place + 1) & set->mask)) != 0) {
		size_t from_home = (place - tag) & set->mask;
		if (from_home < ((place - gap) & set->mask))
			continue;
		memcpy(hash_set_at(set, gap), hash_set_at(set, place), set->entry_size);
		gap = place;
	}
	memset(hash_set_at(set, gap), 0, set->entry_size);
}

bool hash_set_remove(struct hash_set *set, const char *key, size_t size)
{
	const void *entry = hash_set_find(set, key, size);

	if (entry == NULL)
		return false;
	fill_gap(set, hash_set_place_of(set, entry));
	set->count--;
	return true;
}

void *hash_set_next(const struct hash_set *set, const void *entry)
{
	size_t place = entry != NULL ? hash_set_place_of(set, entry) + 1 : 0;

	for (size_t places = hash_set_places(set); place < places; place++) {
		if (tag_at(set, place) != 0)
			return hash_set_at(set, place);
	}
	return NULL;
}
