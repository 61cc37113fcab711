/*
 * One set of keys. An entry, called a slot, is a cache line that holds the key too, unless that is
 * long: what is found is found with one look at memory, which can be on its way before it is
 * needed. The suffixes of a name are looked up only where there are keys with as many labels, and
 * only those that pass a filter of a few bits a key, small enough to stay in the processor's cache:
 * nearly all suffixes end there.
 */
#include "common/site/rules.h"

#include "common/base/hash_set.h"
#include "common/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOT_SIZE = 64,  /* a cache line */
	FILTER_BITS = 8, /* for each slot; of the slots at most two thirds are taken */
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

enum { KEY_IN_SLOT = 40 };

struct slot {
	hash_tag tag;
	uint32_t line;               /* of the minimum, like the source */
	struct exception *exception; /* or NULL */
	uint32_t nth;                /* the key is the n-th that was added */
	uint8_t source;              /* number of rules->sources */
	uint8_t minimum;             /* enum minimum_level, or NO_MINIMUM */
	uint8_t key_size;
	union {
		char key[KEY_IN_SLOT]; /* with an end, if it fits with it */
		const char *long_key;
	};
};

_Static_assert(sizeof(struct slot) == SLOT_SIZE, "a cache line");

struct rules {
	struct chunk *chunks;
	const char *sources[RULES_SOURCES_MAX + 1]; /* the last is NULL */
	size_t source_count;

	uint32_t *order; /* the places of the slots, in the order in which they were added */
	size_t order_room;
	struct exception **exceptions;
	size_t exception_count, exception_room;
	size_t minimum_count;

	struct hash_set slots;
	uint64_t *filter;
	size_t filter_mask; /* number of its bits less one */

	uint32_t generation; /* no other rules have this one */
	size_t all;          /* 1 + the number of `*` in the order, or 0 */
	bool exact;          /* is there a key of one name? */
	uint64_t below;      /* label_bit() of the keys for the names below one */
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

static const char *key_of(const struct slot *slot)
{
	return slot->key_size < KEY_IN_SLOT ? slot->key : slot->long_key;
}

static bool has_key(const void *entry, const char *key, size_t size)
{
	const struct slot *slot = entry;

	return slot->key_size == size && memcmp(key_of(slot), key, size) == 0;
}

struct rules *rules_new(void)
{
	static atomic_uint generation;
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL)
		return NULL;
	/* The keys are the site's own: nobody outside can make them crowd together. */
	hash_set_init(&rules->slots, sizeof(struct slot), has_key);
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
	free(rules->order);
	free(rules->exceptions);
	hash_set_clear(&rules->slots);
	free(rules->filter);
	free(rules);
}

const char *rules_source(struct rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->source_count; i++) {
		if (strcmp(rules->sources[i], name) == 0)
			return rules->sources[i];
	}
	if (rules->source_count == RULES_SOURCES_MAX)
		return NULL;
	const char *copy = copy_text(rules, name);
	if (copy != NULL)
		rules->sources[rules->source_count++] = copy;
	return copy;
}

static uint8_t source_number(const struct rules *rules, const char *source)
{
	uint8_t number = 0;

	while (number < RULES_SOURCES_MAX && rules->sources[number] != source)
		number++;
	return number;
}

/* --- the table ----------------------------------------------------------------------------- */

static uint64_t hash_key(const struct rules *rules, const char *key, size_t size)
{
	return hash_set_hash(&rules->slots, key, size);
}

static struct slot *find_slot(
	const struct rules *rules, const char *key, size_t size, uint64_t hash)
{
	return hash_set_find_hashed(&rules->slots, hash, has_key, key, size);
}

static const struct slot *nth_slot(const struct rules *rules, size_t n)
{
	return hash_set_at(&rules->slots, rules->order[n]);
}

/* Keys of very many labels share the last one. */
static uint64_t label_bit(unsigned labels)
{
	return UINT64_C(1) << (labels < 63 ? labels : 63);
}

static size_t filter_bit(const struct rules *rules, uint64_t hash)
{
	return (size_t)(hash >> 20) & rules->filter_mask;
}

static bool filter_passes(const struct rules *rules, uint64_t hash)
{
	size_t bit = filter_bit(rules, hash);
	return (rules->filter[bit / 64] >> bit % 64 & 1) != 0;
}

static void filter_add(struct rules *rules, uint64_t hash)
{
	size_t bit = filter_bit(rules, hash);
	rules->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* As large as the number of slots demands. */
static bool grow_filter(struct rules *rules)
{
	size_t bits = hash_set_places(&rules->slots) * FILTER_BITS;

	if (rules->filter != NULL && bits == rules->filter_mask + 1)
		return true;
	uint64_t *filter = calloc((bits + 63) / 64, sizeof *filter);
	if (filter == NULL)
		return false;
	free(rules->filter);
	rules->filter = filter;
	rules->filter_mask = bits - 1;
	for (size_t i = 0; i < rules->slots.count; i++) {
		const struct slot *slot = nth_slot(rules, i);
		filter_add(rules, hash_key(rules, key_of(slot), slot->key_size));
	}
	return true;
}

/* Room for one more slot. All have new places when there was none. */
static bool grow_slots(struct rules *rules)
{
	size_t places = hash_set_places(&rules->slots);
	const struct slot *slot = NULL;

	if (!hash_set_reserve(&rules->slots, rules->slots.count + 1))
		return false;
	if (hash_set_places(&rules->slots) == places)
		return true;
	while ((slot = hash_set_next(&rules->slots, slot)) != NULL)
		rules->order[slot->nth] = (uint32_t)hash_set_place_of(&rules->slots, slot);
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

static void note_kind(struct rules *rules, const char *key)
{
	if (key[0] == '*')
		rules->all = rules->slots.count;
	else if (key[0] == '.')
		rules->below |= label_bit(count_dots(key));
	else
		rules->exact = true;
}

/*
 * The slot of a key in its one form, a new one if need be; it is there until the next key is added.
 * NULL and words when there is none.
 */
static struct slot *need_slot(struct rules *rules, const char *key, char *error)
{
	size_t size = strlen(key);
	uint64_t hash = hash_key(rules, key, size);
	struct slot *found = find_slot(rules, key, size, hash);

	if (found != NULL)
		return found;
	if (rules->slots.count == RULES_MAX) {
		snprintf(error, RULES_ERROR_SIZE, "there are more than %d rules", RULES_MAX);
		return NULL;
	}
	snprintf(error, RULES_ERROR_SIZE, "out of memory");
	void *order = rules->order;
	bool grown = grow(&order, rules->slots.count, &rules->order_room, sizeof *rules->order);
	rules->order = order;
	if (!grown || !grow_slots(rules) || !grow_filter(rules))
		return NULL;
	const char *long_key = size < KEY_IN_SLOT ? NULL : copy_text(rules, key);
	if (size >= KEY_IN_SLOT && long_key == NULL)
		return NULL;
	/* There is room for it. */
	struct slot *slot = hash_set_add_hashed(&rules->slots, hash);
	slot->nth = (uint32_t)(rules->slots.count - 1);
	slot->minimum = NO_MINIMUM;
	slot->key_size = (uint8_t)size;
	if (long_key != NULL)
		slot->long_key = long_key;
	else
		memcpy(slot->key, key, size + 1);
	rules->order[slot->nth] = (uint32_t)hash_set_place_of(&rules->slots, slot);
	filter_add(rules, hash);
	note_kind(rules, key);
	return slot;
}

/* --- matching ------------------------------------------------------------------------------ */

static struct rule_place minimum_place(const struct rules *rules, const struct slot *slot)
{
	return (struct rule_place){rules->sources[slot->source], slot->line};
}

static void apply(
	const struct rules *rules, const struct slot *slot, uint32_t now, struct ruling *ruling)
{
	if (slot->minimum != NO_MINIMUM) {
		ruling->minimum = (enum minimum_level)slot->minimum;
		ruling->minimum_key = key_of(slot);
		ruling->minimum_place = minimum_place(rules, slot);
	}
	if (slot->exception == NULL)
		return;
	if (exception_in_force(slot->exception, now))
		ruling->exception = slot->exception;
	else
		ruling->ended = slot->exception;
}

static void apply_key(const struct rules *rules, const char *key, size_t size, uint64_t hash,
	uint32_t now, struct ruling *ruling)
{
	const struct slot *slot = find_slot(rules, key, size, hash);
	if (slot != NULL)
		apply(rules, slot, now, ruling);
}

/*
 * From the shortest suffix to the longest: what is found later is more exact. With a ruling it gets
 * what applies; without one nothing is looked at but the filter. True when one passed it.
 */
static bool walk_below(const struct rules *rules, const char *name, size_t size, uint32_t now,
	struct ruling *ruling)
{
	unsigned labels = 1;
	bool found = false;

	for (const char *at = name + size; at-- > name;) {
		if (*at != '.' || (rules->below & label_bit(labels++)) == 0)
			continue;
		size_t rest = (size_t)(name + size - at);
		uint64_t hash = hash_key(rules, at, rest);
		if (!filter_passes(rules, hash))
			continue;
		found = true;
		if (ruling != NULL)
			apply_key(rules, at, rest, hash, now, ruling);
	}
	return found;
}

void rules_look_ahead(
	const struct rules *rules, const char *name, size_t size, struct rules_hint *hint)
{
	hint->generation = rules->generation;
	hint->below = rules->below != 0 && walk_below(rules, name, size, 0, NULL);
	if (!rules->exact)
		return;
	/* The filter would be one more place to wait for; here the slot itself is on its way. */
	hint->hash = hash_key(rules, name, size);
	hash_set_prefetch(&rules->slots, hint->hash);
}

void rules_match(const struct rules *rules, const char *name, size_t size,
	const struct rules_hint *hint, uint32_t now, struct ruling *ruling)
{
	bool hinted = hint != NULL && hint->generation == rules->generation;

	if (rules->all != 0)
		apply(rules, nth_slot(rules, rules->all - 1), now, ruling);
	if (size == 0)
		return;
	if (hinted ? hint->below : rules->below != 0)
		walk_below(rules, name, size, now, ruling);
	if (rules->exact)
		apply_key(rules, name, size, hinted ? hint->hash : hash_key(rules, name, size), now,
			ruling);
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
	struct slot *slot = need_slot(rules, normal, error);
	if (slot == NULL)
		return false;
	struct rule_place first = minimum_place(rules, slot);
	enum second second = slot->minimum == NO_MINIMUM
				     ? SECOND_TAKEN
				     : judge_second("a minimum", normal, first, place, error);
	if (second != SECOND_TAKEN)
		return second == SECOND_PASSED_OVER;
	rules->minimum_count += slot->minimum == NO_MINIMUM;
	slot->minimum = (uint8_t)level;
	slot->source = source_number(rules, place.file);
	slot->line = place.line;
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
	struct slot *slot = need_slot(rules, normal, error);
	if (slot == NULL)
		return false;
	struct exception *exception = slot->exception;
	enum second second = exception == NULL ? SECOND_TAKEN
					       : judge_second("an exception", normal,
							 exception->place, place, error);
	if (second != SECOND_TAKEN)
		return second == SECOND_PASSED_OVER;
	const char *reason = copy_text(rules, terms.reason), *kept_key = NULL;
	if (exception != NULL) {
		kept_key = exception->key;
	} else {
		kept_key = copy_text(rules, normal);
		void *exceptions = rules->exceptions;
		bool grown = grow(&exceptions, rules->exception_count, &rules->exception_room,
			sizeof *rules->exceptions);
		rules->exceptions = exceptions;
		exception = grown ? allocate(rules, sizeof *exception) : NULL;
	}
	if (reason == NULL || kept_key == NULL || exception == NULL) {
		snprintf(error, RULES_ERROR_SIZE, "out of memory");
		return false;
	}
	if (slot->exception == NULL)
		rules->exceptions[rules->exception_count++] = exception;
	slot->exception = exception;
	exception->key = kept_key;
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
	return rules != NULL ? rules->slots.count : 0;
}

bool rules_minimum(const struct rules *rules, size_t n, const char **key,
	enum minimum_level *minimum, struct rule_place *place)
{
	const struct slot *slot = nth_slot(rules, n);

	if (slot->minimum == NO_MINIMUM)
		return false;
	*key = key_of(slot);
	*minimum = (enum minimum_level)slot->minimum;
	*place = minimum_place(rules, slot);
	return true;
}

struct exception *rules_exception(const struct rules *rules, size_t n)
{
	return n < rules_exception_count(rules) ? rules->exceptions[n] : NULL;
}

static const struct slot *find_key(const struct rules *rules, const char *key)
{
	size_t size = strlen(key);

	return rules == NULL ? NULL : find_slot(rules, key, size, hash_key(rules, key, size));
}

bool rules_same_minimums(const struct rules *one, const struct rules *other)
{
	if (rules_minimum_count(one) != rules_minimum_count(other))
		return false;
	for (size_t i = 0; i < rules_key_count(one); i++) {
		const struct slot *slot = nth_slot(one, i);
		if (slot->minimum == NO_MINIMUM)
			continue;
		const struct slot *same = find_key(other, key_of(slot));
		if (same == NULL || same->minimum != slot->minimum)
			return false;
	}
	return true;
}

static struct exception *find_same_exception(
	const struct rules *rules, const struct exception *exception)
{
	const struct slot *slot = find_key(rules, exception->key);

	return slot != NULL && slot->exception != NULL &&
			       slot->exception->level == exception->level &&
			       slot->exception->until == exception->until
		       ? slot->exception
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
