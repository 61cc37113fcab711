#include "common/site/rules_table.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	FILTER_BITS = 8, /* for each place of the set, of which at most two thirds are used */
	CHUNK_SIZE = 65536,
};

/* --- memory -------------------------------------------------------------------------------- */

void *rules_allocate(struct rules *rules, size_t size)
{
	struct rules_chunk *chunk = rules->chunks;

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

const char *rules_copy_text(struct rules *rules, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = rules_allocate(rules, size);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

struct rules *rules_new(void)
{
	static atomic_uint generation;
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL)
		return NULL;
	/* The site chooses the keys: nobody outside can make them collide. */
	hash_set_init(&rules->slots, sizeof(struct rule_slot), rules_slot_has_key);
	rules->generation = atomic_fetch_add(&generation, 1) + 1;
	return rules;
}

void rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	while (rules->chunks != NULL) {
		struct rules_chunk *next = rules->chunks->next;
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
	const char *copy = rules_copy_text(rules, name);
	if (copy != NULL)
		rules->sources[rules->source_count++] = copy;
	return copy;
}

uint8_t rules_source_number(const struct rules *rules, const char *source)
{
	uint8_t number = 0;

	while (number < RULES_SOURCES_MAX && rules->sources[number] != source)
		number++;
	return number;
}

/* --- the table ----------------------------------------------------------------------------- */

static void filter_add(struct rules *rules, uint64_t hash)
{
	size_t bit = rules_filter_bit(rules, hash);
	rules->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Give the filter the size for the number of places, and fill it again if that changed. */
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
		const struct rule_slot *slot = rules_slot_at(rules, i);
		filter_add(rules, rules_hash(rules, rules_slot_key(slot), slot->key_size));
	}
	return true;
}

/* Room for one more slot. If the table had to grow, all slots have new places. */
static bool grow_slots(struct rules *rules)
{
	size_t places = hash_set_places(&rules->slots);
	const struct rule_slot *slot = NULL;

	if (!hash_set_reserve(&rules->slots, rules->slots.count + 1))
		return false;
	if (hash_set_places(&rules->slots) == places)
		return true;
	while ((slot = hash_set_next(&rules->slots, slot)) != NULL)
		rules->order[slot->nth] = (uint32_t)hash_set_place_of(&rules->slots, slot);
	return true;
}

bool rules_grow(void **array, size_t count, size_t *room, size_t size)
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
		rules->below |= rules_label_bit(count_dots(key));
	else
		rules->exact = true;
}

struct rule_slot *rules_need_slot(
	struct rules *rules, const char *key, char error[RULES_ERROR_SIZE])
{
	size_t size = strlen(key);
	uint64_t hash = rules_hash(rules, key, size);
	struct rule_slot *found = rules_find_slot(rules, key, size, hash);

	if (found != NULL)
		return found;
	if (rules->slots.count == RULES_MAX) {
		snprintf(error, RULES_ERROR_SIZE, "there are more than %d rules; remove some",
			RULES_MAX);
		return NULL;
	}
	snprintf(error, RULES_ERROR_SIZE, "out of memory");
	void *order = rules->order;
	bool grown =
		rules_grow(&order, rules->slots.count, &rules->order_room, sizeof *rules->order);
	rules->order = order;
	if (!grown || !grow_slots(rules) || !grow_filter(rules))
		return NULL;
	const char *long_key = size < RULES_KEY_IN_SLOT ? NULL : rules_copy_text(rules, key);
	if (size >= RULES_KEY_IN_SLOT && long_key == NULL)
		return NULL;
	/* grow_slots() made room, so this cannot fail. */
	struct rule_slot *slot = hash_set_add_hashed(&rules->slots, hash);
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
