/*
 * hash_set: many random additions, removals and searches give the same results as a plain array,
 * even if all keys collide at a few places; entries are aligned to cache lines; a set that grows
 * loses nothing; if memory runs out, adding fails and the set is unchanged.
 */
#include "common/base/hash_set.h"

#include "t/unit/tap.h"

#include <errno.h>

enum {
	KEYS = 3000, /* from which the random operations choose */
	OPERATIONS = 200000,
	MANY = 50000, /* entries of 64 bytes: a table on huge pages */
};

/* --- memory that runs out ------------------------------------------------------------------ */

static bool no_memory;

/* Replaces the C library's function, which allocates the table. */
int posix_memalign(void **memory, size_t alignment, size_t size)
{
	if (no_memory)
		return ENOMEM;
	size_t whole = (size + alignment - 1) / alignment * alignment;
	*memory = aligned_alloc(alignment, whole);
	return *memory != NULL ? 0 : ENOMEM;
}

/* --- entries ------------------------------------------------------------------------------- */

struct number_entry {
	hash_tag tag;
	uint32_t number; /* its key, as four bytes */
	uint64_t value;  /* computed from the number, to see that entries are moved as a whole */
	char line[48];
};

_Static_assert(sizeof(struct number_entry) == 64, "a cache line");

static bool has_number(const void *entry, const char *key, size_t size)
{
	return size == sizeof(uint32_t) &&
	       memcmp(&((const struct number_entry *)entry)->number, key, size) == 0;
}

static uint64_t value_of(uint32_t number)
{
	return (number + UINT64_C(1)) * 1000003;
}

static struct number_entry *find(const struct hash_set *set, uint32_t number)
{
	return hash_set_find(set, (const char *)&number, sizeof number);
}

static bool add(struct hash_set *set, uint32_t number)
{
	struct number_entry *entry = hash_set_add(set, (const char *)&number, sizeof number);

	if (entry == NULL)
		return false;
	many(entry->number == 0 && entry->value == 0 && entry->line[47] == 0,
		"%u: a new entry is zero", number);
	entry->number = number;
	entry->value = value_of(number);
	entry->line[47] = 'x';
	return true;
}

static bool is_whole(const struct number_entry *entry)
{
	return entry->value == value_of(entry->number) && entry->line[47] == 'x';
}

/* --- against a model ----------------------------------------------------------------------- */

/* Does the set have the entries of the model, and does a walk return each entry once? */
static void compare(const struct hash_set *set, const bool model[KEYS], size_t count)
{
	bool walked[KEYS] = {false};
	size_t steps = 0;

	many(set->count == count, "%zu entries, %zu in the model", set->count, count);
	for (uint32_t i = 0; i < KEYS; i++) {
		const struct number_entry *entry = find(set, i);
		many((entry != NULL) == model[i] && (entry == NULL || is_whole(entry)),
			"%u: found %d, in the model %d", i, entry != NULL, model[i]);
	}
	for (struct number_entry *entry = NULL; (entry = hash_set_next(set, entry)) != NULL;
		steps++) {
		bool good = entry->number < KEYS && !walked[entry->number] && model[entry->number];
		if (many(good, "the walk gets %u", entry->number))
			walked[entry->number] = true;
	}
	many(steps == count, "the walk gets %zu of %zu", steps, count);
}

/* Fill the set and empty it again, several times. */
static void test_random(struct hash_set *set, uint64_t seed, const char *what)
{
	static bool model[KEYS];
	size_t count = 0;

	memset(model, 0, sizeof model);
	many_begin(what);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		uint32_t number = (uint32_t)(tap_random(&seed) % KEYS);
		bool filling = i / (OPERATIONS / 8) % 2 == 0;

		if (tap_random(&seed) % 4 == 0) {
			many((find(set, number) != NULL) == model[number], "%u", number);
		} else if (tap_random(&seed) % 8 < (filling ? 6 : 2)) {
			if (model[number])
				continue;
			many(add(set, number), "%u is added", number);
			model[number] = true;
			count++;
		} else {
			bool removed = hash_set_remove(set, (const char *)&number, sizeof number);
			many(removed == model[number], "%u: removed %d", number, removed);
			count -= model[number];
			model[number] = false;
		}
		if (i % (OPERATIONS / 40) == 0)
			compare(set, model, count);
	}
	compare(set, model, count);
	for (uint32_t i = 0; i < KEYS; i++)
		hash_set_remove(set, (const char *)&i, sizeof i);
	memset(model, 0, sizeof model);
	compare(set, model, 0);
	many_end();
	hash_set_clear(set);
}

/* --- keys whose hashes are equal ----------------------------------------------------------- */

/* Numbers whose hashes end with the bits of the mask. */
static size_t find_crowd(
	const struct hash_set *set, uint32_t mask, uint32_t numbers[], size_t count)
{
	size_t found = 0;

	for (uint32_t i = 0; found < count && i < 100000000; i++) {
		uint64_t hash = hash_set_hash(set, (const char *)&i, sizeof i);
		if ((hash & mask) == mask)
			numbers[found++] = i;
	}
	return found;
}

/* All begin at the last place of the table, so they wrap around its end. */
static void test_crowd(void)
{
	enum { CROWD = 200 };
	uint32_t numbers[CROWD];
	struct hash_set set;

	hash_set_init(&set, sizeof(struct number_entry), has_number);
	size_t count = find_crowd(&set, 0xffff, numbers, CROWD);
	many_begin("keys that all lead to the last place");
	many(count == CROWD, "only %zu such keys", count);
	for (size_t i = 0; i < count; i++)
		many(add(&set, numbers[i]), "%zu is added", i);
	/* Remove from the middle to both ends; all others are still found each time. */
	for (size_t removed = 0; removed < count; removed++) {
		size_t which = (count / 2 + removed * 7) % count;
		many(hash_set_remove(&set, (const char *)&numbers[which], sizeof numbers[which]),
			"%zu is removed", which);
		numbers[which] = UINT32_MAX;
		for (size_t i = 0; i < count; i++) {
			const struct number_entry *entry = find(&set, numbers[i]);
			many((entry != NULL) == (numbers[i] != UINT32_MAX) &&
					(entry == NULL || is_whole(entry)),
				"%zu after %zu were removed", i, removed + 1);
		}
	}
	many(set.count == 0 && hash_set_next(&set, NULL) == NULL, "it is empty");
	many_end();
	hash_set_clear(&set);
}

/* --- entries with the same tag ------------------------------------------------------------- */

struct text_entry {
	hash_tag tag;
	const char *text;
};

static bool has_text(const void *entry, const char *key, size_t size)
{
	const char *text = ((const struct text_entry *)entry)->text;
	return strlen(text) == size && memcmp(text, key, size) == 0;
}

/* A tag is 31 bits of the hash, so different texts can share one: the key must decide. */
static void test_equal_tags(void)
{
	struct hash_set set;
	struct text_entry *entry;

	hash_set_init(&set, sizeof *entry, has_text);
	many_begin("the key decides, not the tag");
	entry = hash_set_add(&set, "one", 3);
	entry->text = "one";
	hash_tag tag = entry->tag;
	/* An entry for another text with the same tag. */
	entry->text = "another";
	many(hash_set_find(&set, "one", 3) == NULL, "another text with the tag");
	entry = hash_set_add(&set, "one", 3);
	entry->text = "one";
	many(entry->tag == tag, "both have the tag");
	many(hash_set_find(&set, "one", 3) == entry, "it is after the other one");
	many(!hash_set_remove(&set, "two", 3), "a text that is not in it");
	many(hash_set_remove(&set, "one", 3), "it is removed");
	many(set.count == 1, "the other one is left");
	entry = hash_set_next(&set, NULL);
	many(entry != NULL && strcmp(entry->text, "another") == 0, "and it is the other");
	many_end();
	hash_set_clear(&set);
}

/* --- large sets ---------------------------------------------------------------------------- */

static void test_growth(void)
{
	struct hash_set set;

	hash_set_init(&set, sizeof(struct number_entry), has_number);
	ok(find(&set, 0) == NULL && hash_set_next(&set, NULL) == NULL &&
			!hash_set_remove(&set, "none", 4),
		"an empty set has nothing");
	many_begin("growth");
	for (uint32_t i = 0; i < MANY; i++)
		many(add(&set, i), "%u is added", i);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct number_entry *entry = find(&set, i);
		if (!many(entry != NULL && is_whole(entry), "%u is there", i))
			continue;
		many(hash_set_at(&set, hash_set_place_of(&set, entry)) == entry, "its place");
		many((uintptr_t)entry % sizeof *entry == 0, "it is in one cache line");
	}
	many(find(&set, MANY) == NULL, "nothing else");
	many_end();
	ok(3 * set.count <= 2 * hash_set_places(&set), "at most two thirds are taken");
	hash_set_clear(&set);
	ok(set.count == 0 && find(&set, 0) == NULL, "a cleared set is empty");
	ok(add(&set, 1) && find(&set, 1) != NULL, "and can be used again");
	hash_set_clear(&set);
}

static void test_reserve(void)
{
	struct hash_set set;

	hash_set_init(&set, sizeof(struct number_entry), has_number);
	ok(hash_set_reserve(&set, 1000), "room for 1000");
	size_t places = hash_set_places(&set);
	many_begin("entries that there is room for stay where they are");
	many(add(&set, 0), "0 is added");
	const struct number_entry *first = find(&set, 0);
	for (uint32_t i = 1; i < 1000; i++) {
		no_memory = true;
		many(add(&set, i) && find(&set, 0) == first, "%u is added", i);
		no_memory = false;
	}
	many(hash_set_places(&set) == places, "the table is the same");
	many_end();
	ok(!hash_set_reserve(&set, (size_t)HASH_SET_PLACES_MAX), "there is a most");
	ok(set.count == 1000 && find(&set, 999) != NULL, "and nothing is lost");
	hash_set_clear(&set);
}

static void test_no_memory(void)
{
	struct hash_set set;
	uint32_t count = 0;

	hash_set_init(&set, sizeof(struct number_entry), has_number);
	no_memory = true;
	ok(!add(&set, 0) && set.count == 0 && find(&set, 0) == NULL, "no memory for the first");
	no_memory = false;
	many_begin("no memory to grow");
	for (unsigned growths = 0; growths < 5;) {
		no_memory = true;
		bool added = add(&set, count);
		no_memory = false;
		if (!added) {
			growths++;
			many(set.count == count && find(&set, count) == NULL, "%u is not there",
				count);
			for (uint32_t i = 0; i < count; i++)
				many(find(&set, i) != NULL, "%u is still there", i);
			many(add(&set, count), "%u is added later", count);
		}
		count++;
	}
	many_end();
	hash_set_clear(&set);
}

int main(void)
{
	struct hash_set set, other;

	test_growth();
	test_reserve();
	test_no_memory();
	hash_set_init(&set, sizeof(struct number_entry), has_number);
	test_random(&set, 1, "random operations");
	ok(hash_set_init_secret(&set, sizeof(struct number_entry), has_number) &&
			hash_set_init_secret(&other, sizeof(struct number_entry), has_number) &&
			set.seed != other.seed,
		"secret seeds differ");
	test_random(&set, 2, "random operations with a secret seed");
	test_crowd();
	test_equal_tags();
	return done_testing();
}
