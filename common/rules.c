/*
 * One table of keys, open addressing. A name's suffixes are hashed from right to left, so that each
 * hash is a step from the one before it. In front of the table stands a filter of a few bits a key,
 * small enough to stay in the processor's cache, and before that it is known how many labels keys
 * have at all: nearly all suffixes end there.
 */
#include "common/rules.h"

#include "common/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOTS_LEAST = 64,
	FILTER_BITS = 8, /* for each slot; of the slots at most half are taken */
	CHUNK_SIZE = 65536,
	NO_MINIMUM = MINIMUM_COUNT,
};

const char *const minimum_names[] = {
	[MINIMUM_NONE] = "none",
	[MINIMUM_ENCRYPTED] = "encrypted",
	[MINIMUM_AUTHENTICATED] = "authenticated",
	[MINIMUM_DANE] = "dane",
	[MINIMUM_COUNT] = NULL,
};

/* Memory that is freed at once. What lies in it never moves. */
struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(8) char bytes[];
};

/* The key is in it, so that to find one is to look at one place in memory behind the slot. */
struct entry {
	struct exception *exception; /* or NULL */
	const char *file;            /* of the minimum, like the next */
	uint32_t line;
	uint8_t minimum; /* enum minimum_level, or NO_MINIMUM */
	uint8_t key_size;
	char key[];
};

struct slot {
	uint64_t hash;
	struct entry *entry; /* NULL: free */
};

struct rules {
	struct chunk *chunks;
	const char *sources[RULES_SOURCES_MOST];
	size_t source_count;

	struct entry **entries; /* in the order in which they were added */
	size_t entry_count, entry_room;
	struct exception **exceptions;
	size_t exception_count, exception_room;
	size_t minimum_count;

	struct slot *slots;
	uint64_t *filter;
	size_t slot_mask; /* number of slots less one */

	uint32_t generation;     /* no other rules have this one */
	const struct entry *all; /* of `*`, or NULL */
	/* For which numbers of labels there are keys, a bit each (label_bit()). */
	uint64_t exact, below;
};

/* --- memory -------------------------------------------------------------------------------- */

static void *allocate(struct rules *rules, size_t size)
{
	struct chunk *chunk = rules->chunks;

	size = (size + 7) & ~(size_t)7;
	if (chunk == NULL || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
		chunk = malloc(sizeof *chunk + room);
		if (chunk == NULL)
			return NULL;
		chunk->next = rules->chunks;
		chunk->size = room;
		chunk->used = 0;
		rules->chunks = chunk;
	}
	void *place = chunk->bytes + chunk->used;
	chunk->used += size;
	return place;
}

static const char *copy_text(struct rules *rules, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = allocate(rules, size);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

struct rules *rules_new(void)
{
	static atomic_uint generation;
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules != NULL)
		rules->generation = atomic_fetch_add(&generation, 1) + 1;
	return rules;
}

void rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	while (rules->chunks != NULL) {
		struct chunk *next = rules->chunks->next;
		free(rules->chunks);
		rules->chunks = next;
	}
	free(rules->entries);
	free(rules->exceptions);
	free(rules->slots);
	free(rules->filter);
	free(rules);
}

const char *rules_source(struct rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->source_count; i++) {
		if (strcmp(rules->sources[i], name) == 0)
			return rules->sources[i];
	}
	if (rules->source_count == RULES_SOURCES_MOST)
		return NULL;
	const char *copy = copy_text(rules, name);
	if (copy != NULL)
		rules->sources[rules->source_count++] = copy;
	return copy;
}

/* --- the table ----------------------------------------------------------------------------- */

/* FNV-1a, from the last byte on. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static uint64_t hash_step(uint64_t hash, char byte)
{
	return (hash ^ (uint8_t)byte) * UINT64_C(0x100000001b3);
}

/* Spread over all bits: those that FNV leaves alike would choose neighbouring slots. */
static uint64_t hash_end(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_key(const char *key, size_t size)
{
	uint64_t hash = HASH_BEGIN;

	while (size > 0)
		hash = hash_step(hash, key[--size]);
	return hash_end(hash);
}

static size_t filter_bit(const struct rules *rules, uint64_t hash)
{
	return (size_t)(hash >> 20) & ((rules->slot_mask + 1) * FILTER_BITS - 1);
}

static bool filter_passes(const struct rules *rules, uint64_t hash)
{
	size_t bit = filter_bit(rules, hash);
	return (rules->filter[bit / 64] >> bit % 64 & 1) != 0;
}

/* Keys of very many labels share the last one. */
static uint64_t label_bit(unsigned labels)
{
	return UINT64_C(1) << (labels < 63 ? labels : 63);
}

static struct entry *find_entry(
	const struct rules *rules, const char *key, size_t size, uint64_t hash)
{
	for (size_t i = (size_t)hash & rules->slot_mask; rules->slots[i].entry != NULL;
		i = (i + 1) & rules->slot_mask) {
		struct entry *entry = rules->slots[i].entry;
		if (rules->slots[i].hash == hash && entry->key_size == size &&
			memcmp(entry->key, key, size) == 0)
			return entry;
	}
	return NULL;
}

static void put_slot(struct rules *rules, struct entry *entry)
{
	uint64_t hash = hash_key(entry->key, entry->key_size);
	size_t bit = filter_bit(rules, hash), i = (size_t)hash & rules->slot_mask;

	while (rules->slots[i].entry != NULL)
		i = (i + 1) & rules->slot_mask;
	rules->slots[i] = (struct slot){hash, entry};
	rules->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Twice the slots, whenever half of them would be taken. */
static bool grow_slots(struct rules *rules)
{
	size_t count = rules->slots == NULL ? SLOTS_LEAST : 2 * (rules->slot_mask + 1);
	struct slot *slots = calloc(count, sizeof *slots);
	uint64_t *filter = calloc(count * FILTER_BITS / 64, sizeof *filter);

	if (slots == NULL || filter == NULL) {
		free(slots);
		free(filter);
		return false;
	}
	free(rules->slots);
	free(rules->filter);
	rules->slots = slots;
	rules->filter = filter;
	rules->slot_mask = count - 1;
	for (size_t i = 0; i < rules->entry_count; i++)
		put_slot(rules, rules->entries[i]);
	return true;
}

static bool grow(void **array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return true;
	size_t wanted = *room == 0 ? 16 : 2 * *room;
	void *larger = realloc(*array, wanted * size);
	if (larger == NULL)
		return false;
	*array = larger;
	*room = wanted;
	return true;
}

static unsigned count_dots(const char *key)
{
	unsigned dots = 0;

	for (; (key = strchr(key, '.')) != NULL; key++)
		dots++;
	return dots;
}

/* The entry of a key in its one form, a new one if need be. NULL and words when there is none. */
static struct entry *need_entry(struct rules *rules, const char *key, char *error)
{
	size_t size = strlen(key);
	struct entry *found =
		rules->slots == NULL ? NULL : find_entry(rules, key, size, hash_key(key, size));

	if (found != NULL)
		return found;
	if (rules->entry_count == RULES_MOST) {
		snprintf(error, RULES_ERROR_SIZE, "there are more than %d rules", RULES_MOST);
		return NULL;
	}
	snprintf(error, RULES_ERROR_SIZE, "out of memory");
	if ((rules->slots == NULL || 2 * (rules->entry_count + 1) > rules->slot_mask) &&
		!grow_slots(rules))
		return NULL;
	void *entries = rules->entries;
	bool grown = grow(&entries, rules->entry_count, &rules->entry_room, sizeof *rules->entries);
	rules->entries = entries;
	struct entry *entry = grown ? allocate(rules, sizeof *entry + size + 1) : NULL;
	if (entry == NULL)
		return NULL;
	*entry = (struct entry){.key_size = (uint8_t)size, .minimum = NO_MINIMUM};
	memcpy(entry->key, key, size + 1);
	if (key[0] == '*')
		rules->all = entry;
	else if (key[0] == '.')
		rules->below |= label_bit(count_dots(key));
	else
		rules->exact |= label_bit(count_dots(key) + 1);
	put_slot(rules, entry);
	rules->entries[rules->entry_count++] = entry;
	return entry;
}

/* --- matching ------------------------------------------------------------------------------ */

static void apply(const struct entry *entry, uint32_t now, struct ruling *ruling)
{
	if (entry->minimum != NO_MINIMUM) {
		ruling->minimum = (enum minimum_level)entry->minimum;
		ruling->minimum_key = entry->key;
		ruling->minimum_place = (struct rule_place){entry->file, entry->line};
	}
	if (entry->exception == NULL)
		return;
	if (exception_in_force(entry->exception, now))
		ruling->exception = entry->exception;
	else
		ruling->ended = entry->exception;
}

static void apply_key(const struct rules *rules, const char *key, size_t size, uint64_t hash,
	uint32_t now, struct ruling *ruling)
{
	const struct entry *entry = find_entry(rules, key, size, hash);
	if (entry != NULL)
		apply(entry, now, ruling);
}

/*
 * From the shortest suffix to the name itself: what is found later is more exact. With a ruling it
 * gets what applies; without one nothing is looked at but the filter.
 */
static inline void walk(const struct rules *rules, const char *name, size_t size, uint32_t now,
	struct ruling *ruling, struct rules_hint *hint)
{
	uint64_t hash = HASH_BEGIN, below = rules->below;
	unsigned labels = 1;
	bool found = false;

	for (const char *at = name + size; at-- > name;) {
		char byte = *at;
		hash = hash_step(hash, byte);
		if (byte != '.')
			continue;
		if ((below & label_bit(labels++)) == 0 || !filter_passes(rules, hash_end(hash)))
			continue;
		found = true;
		if (ruling != NULL)
			apply_key(
				rules, at, (size_t)(name + size - at), hash_end(hash), now, ruling);
	}
	hint->below = found;
	hint->exact = (rules->exact & label_bit(labels)) != 0;
	hint->hash = hash_end(hash);
	hint->generation = rules->generation;
}

void rules_look_ahead(
	const struct rules *rules, const char *name, size_t size, struct rules_hint *hint)
{
	hint->generation = 0;
	if ((rules->below | rules->exact) == 0)
		return;
	walk(rules, name, size, 0, NULL, hint);
	if (hint->exact)
		__builtin_prefetch(&rules->slots[hint->hash & rules->slot_mask]);
}

void rules_match(const struct rules *rules, const char *name, size_t size,
	const struct rules_hint *hint, uint32_t now, struct ruling *ruling)
{
	struct rules_hint own;

	if (rules->all != NULL)
		apply(rules->all, now, ruling);
	if (size == 0 || (rules->below | rules->exact) == 0)
		return;
	if (hint == NULL || hint->generation != rules->generation || hint->below) {
		walk(rules, name, size, now, ruling, &own);
		hint = &own;
	}
	if (hint->exact)
		apply_key(rules, name, size, hint->hash, now, ruling);
	if (ruling->exception != NULL)
		ruling->ended = NULL;
}

void rules_find_key(const struct rules *rules, const char *key, uint32_t now, struct ruling *ruling)
{
	/* A key with a dot in front is the last of its own suffixes. */
	rules_find(rules, key, strlen(key), now, ruling);
}

/* --- adding -------------------------------------------------------------------------------- */

bool rules_key(const char *key, char normal[RULES_KEY_SIZE], char error[RULES_ERROR_SIZE])
{
	bool below = key[0] == '.';
	const char *name = key + below;
	struct destination destination;
	size_t size = strlen(name);

	if (strcmp(key, "*") == 0) {
		strcpy(normal, key);
		return true;
	}
	/* A single label below which names are, `.org`, is a key but no destination. */
	if (destination_name_to_ascii(name, size, destination.name)) {
		snprintf(normal, RULES_KEY_SIZE, "%s%s", below ? "." : "", destination.name);
		if (below || strchr(destination.name, '.') != NULL)
			return true;
	}
	snprintf(error, RULES_ERROR_SIZE,
		"'%.100s' is no domain name; write example.org, .example.org for all names below "
		"it, or * for all",
		key);
	return false;
}

enum second { SECOND_TAKEN, SECOND_PASSED_OVER, SECOND_REFUSED };

/* A rule for a key that has one of its kind already. */
static enum second judge_second(const char *what, const char *key, struct rule_place first,
	struct rule_place second, char error[RULES_ERROR_SIZE])
{
	if (second.line == 0)
		return SECOND_TAKEN;
	if (first.line == 0)
		return SECOND_PASSED_OVER;
	snprintf(error, RULES_ERROR_SIZE, "%.100s has %s already, at %.200s:%u", key, what,
		first.file, first.line);
	return SECOND_REFUSED;
}

static bool find_minimum_name(const char *name, enum minimum_level *level)
{
	for (size_t i = 0; i < MINIMUM_COUNT; i++) {
		if (text_equal_nocase(name, strlen(name), minimum_names[i])) {
			*level = (enum minimum_level)i;
			return true;
		}
	}
	return false;
}

bool rules_add_minimum(struct rules *rules, struct rule_place place, const char *key,
	const char *value, char error[RULES_ERROR_SIZE])
{
	char normal[RULES_KEY_SIZE];
	enum minimum_level level;

	if (!rules_key(key, normal, error))
		return false;
	if (!find_minimum_name(value, &level)) {
		snprintf(error, RULES_ERROR_SIZE,
			"'%.60s' is no minimum level; there are none, encrypted, authenticated, "
			"dane",
			value);
		return false;
	}
	struct entry *entry = need_entry(rules, normal, error);
	if (entry == NULL)
		return false;
	struct rule_place first = {entry->file, entry->line};
	enum second second = entry->minimum == NO_MINIMUM
				     ? SECOND_TAKEN
				     : judge_second("a minimum", normal, first, place, error);
	if (second != SECOND_TAKEN)
		return second == SECOND_PASSED_OVER;
	rules->minimum_count += entry->minimum == NO_MINIMUM;
	entry->minimum = (uint8_t)level;
	entry->file = place.file;
	entry->line = place.line;
	return true;
}

bool rules_add_exception(struct rules *rules, struct rule_place place, const char *key,
	const char *value, char error[RULES_ERROR_SIZE])
{
	char normal[RULES_KEY_SIZE];
	struct exception_terms terms;

	if (!rules_key(key, normal, error) || !exception_parse(value, &terms, error))
		return false;
	if (strcmp(normal, "*") == 0) {
		snprintf(error, RULES_ERROR_SIZE,
			"an exception for * would leave nothing; [dane] mode = monitor answers "
			"nobody, and [dane] site_level is for all others");
		return false;
	}
	struct entry *entry = need_entry(rules, normal, error);
	if (entry == NULL)
		return false;
	struct exception *exception = entry->exception;
	enum second second = exception == NULL ? SECOND_TAKEN
					       : judge_second("an exception", normal,
							 exception->place, place, error);
	if (second != SECOND_TAKEN)
		return second == SECOND_PASSED_OVER;
	const char *reason = copy_text(rules, terms.reason);
	if (exception == NULL) {
		void *exceptions = rules->exceptions;
		bool grown = grow(&exceptions, rules->exception_count, &rules->exception_room,
			sizeof *rules->exceptions);
		rules->exceptions = exceptions;
		exception = grown ? allocate(rules, sizeof *exception) : NULL;
	}
	if (reason == NULL || exception == NULL) {
		snprintf(error, RULES_ERROR_SIZE, "out of memory");
		return false;
	}
	if (entry->exception == NULL)
		rules->exceptions[rules->exception_count++] = exception;
	entry->exception = exception;
	exception->key = entry->key;
	exception->level = terms.level;
	exception->until = terms.until;
	exception->reason = reason;
	exception->place = place;
	atomic_init(&exception->used_on, 0);
	atomic_init(&exception->end_was_noted, false);
	return true;
}

/* --- what there is ------------------------------------------------------------------------- */

size_t rules_minimum_count(const struct rules *rules)
{
	return rules != NULL ? rules->minimum_count : 0;
}

size_t rules_exception_count(const struct rules *rules)
{
	return rules != NULL ? rules->exception_count : 0;
}

size_t rules_key_count(const struct rules *rules)
{
	return rules != NULL ? rules->entry_count : 0;
}

bool rules_minimum(const struct rules *rules, size_t n, const char **key,
	enum minimum_level *minimum, struct rule_place *place)
{
	const struct entry *entry = rules->entries[n];

	if (entry->minimum == NO_MINIMUM)
		return false;
	*key = entry->key;
	*minimum = (enum minimum_level)entry->minimum;
	*place = (struct rule_place){entry->file, entry->line};
	return true;
}

struct exception *rules_exception(const struct rules *rules, size_t n)
{
	return n < rules_exception_count(rules) ? rules->exceptions[n] : NULL;
}

static const struct entry *find_same(const struct rules *rules, const char *key)
{
	size_t size = strlen(key);

	return rules == NULL || rules->slots == NULL
		       ? NULL
		       : find_entry(rules, key, size, hash_key(key, size));
}

bool rules_same_minimums(const struct rules *one, const struct rules *other)
{
	if (rules_minimum_count(one) != rules_minimum_count(other))
		return false;
	for (size_t i = 0; i < rules_key_count(one); i++) {
		const struct entry *entry = one->entries[i];
		if (entry->minimum == NO_MINIMUM)
			continue;
		const struct entry *same = find_same(other, entry->key);
		if (same == NULL || same->minimum != entry->minimum)
			return false;
	}
	return true;
}

static struct exception *find_same_exception(
	const struct rules *rules, const struct exception *exception)
{
	const struct entry *entry = find_same(rules, exception->key);

	return entry != NULL && entry->exception != NULL &&
			       entry->exception->level == exception->level &&
			       entry->exception->until == exception->until
		       ? entry->exception
		       : NULL;
}

bool rules_same_exceptions(const struct rules *one, const struct rules *other)
{
	if (rules_exception_count(one) != rules_exception_count(other))
		return false;
	for (size_t i = 0; i < rules_exception_count(one); i++) {
		const struct exception *same = find_same_exception(other, one->exceptions[i]);
		if (same == NULL || strcmp(same->reason, one->exceptions[i]->reason) != 0)
			return false;
	}
	return true;
}

void rules_inherit(struct rules *rules, const struct rules *old)
{
	for (size_t i = 0; i < rules_exception_count(rules); i++) {
		struct exception *exception = rules->exceptions[i];
		const struct exception *same = find_same_exception(old, exception);

		if (same == NULL)
			continue;
		atomic_store(&exception->used_on, atomic_load(&same->used_on));
		if (atomic_load(&same->end_was_noted))
			atomic_store(&exception->end_was_noted, true);
	}
}

bool exception_note_use(struct exception *exception, uint32_t now)
{
	uint32_t today = now / (24 * 60 * 60);

	return atomic_load_explicit(&exception->used_on, memory_order_relaxed) != today &&
	       atomic_exchange(&exception->used_on, today) != today;
}

bool exception_note_end(struct exception *exception)
{
	return !atomic_load_explicit(&exception->end_was_noted, memory_order_relaxed) &&
	       !atomic_exchange(&exception->end_was_noted, true);
}
