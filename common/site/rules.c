#include "common/site/rules_table.h"

#include <string.h>

const char *const minimum_names[] = {
	[MINIMUM_NONE] = "none",
	[MINIMUM_ENCRYPTED] = "encrypted",
	[MINIMUM_AUTHENTICATED] = "authenticated",
	[MINIMUM_DANE] = "dane",
	[MINIMUM_COUNT] = NULL,
};

/* --- matching ------------------------------------------------------------------------------ */

static void apply(const struct rules *rules, const struct rule_slot *slot, uint32_t now,
	struct ruling *ruling)
{
	if (slot->minimum != NO_MINIMUM) {
		ruling->minimum = (enum minimum_level)slot->minimum;
		ruling->minimum_key = rules_slot_key(slot);
		ruling->minimum_place = rules_minimum_place(rules, slot);
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
	const struct rule_slot *slot = rules_find_slot(rules, key, size, hash);
	if (slot != NULL)
		apply(rules, slot, now, ruling);
}

/*
 * Try the suffixes of a name from the shortest to the longest, so that a more specific key, found
 * later, overwrites the ruling. Without a ruling, only the filter is read. True if a suffix passed
 * the filter.
 */
static bool walk_below(const struct rules *rules, const char *name, size_t size, uint32_t now,
	struct ruling *ruling)
{
	unsigned labels = 1;
	bool found = false;

	for (const char *at = name + size; at-- > name;) {
		if (*at != '.' || (rules->below & rules_label_bit(labels++)) == 0)
			continue;
		size_t rest = (size_t)(name + size - at);
		uint64_t hash = rules_hash(rules, at, rest);
		if (!rules_filter_passes(rules, hash))
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
	/* The filter would cost another cache miss, so the slot itself is prefetched. */
	hint->hash = rules_hash(rules, name, size);
	hash_set_prefetch(&rules->slots, hint->hash);
}

void rules_match(const struct rules *rules, const char *name, size_t size,
	const struct rules_hint *hint, uint32_t now, struct ruling *ruling)
{
	bool hinted = hint != NULL && hint->generation == rules->generation;

	if (rules->all != 0)
		apply(rules, rules_slot_at(rules, rules->all - 1), now, ruling);
	if (size == 0)
		return;
	if (hinted ? hint->below : rules->below != 0)
		walk_below(rules, name, size, now, ruling);
	if (rules->exact)
		apply_key(rules, name, size, hinted ? hint->hash : rules_hash(rules, name, size),
			now, ruling);
	if (ruling->exception != NULL)
		ruling->ended = NULL;
}

void rules_find_key(const struct rules *rules, const char *key, uint32_t now, struct ruling *ruling)
{
	/* `.example.org` is the longest of its own suffixes, so the key itself is tried too. */
	rules_find(rules, key, strlen(key), now, ruling);
}

/* --- counting, listing, comparing ---------------------------------------------------------- */

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
	const struct rule_slot *slot = rules_slot_at(rules, n);

	if (slot->minimum == NO_MINIMUM)
		return false;
	*key = rules_slot_key(slot);
	*minimum = (enum minimum_level)slot->minimum;
	*place = rules_minimum_place(rules, slot);
	return true;
}

struct exception *rules_exception(const struct rules *rules, size_t n)
{
	return n < rules_exception_count(rules) ? rules->exceptions[n] : NULL;
}

static const struct rule_slot *find_key(const struct rules *rules, const char *key)
{
	size_t size = strlen(key);

	return rules == NULL ? NULL
			     : rules_find_slot(rules, key, size, rules_hash(rules, key, size));
}

bool rules_same_minimums(const struct rules *one, const struct rules *other)
{
	if (rules_minimum_count(one) != rules_minimum_count(other))
		return false;
	for (size_t i = 0; i < rules_key_count(one); i++) {
		const struct rule_slot *slot = rules_slot_at(one, i);
		if (slot->minimum == NO_MINIMUM)
			continue;
		const struct rule_slot *same = find_key(other, rules_slot_key(slot));
		if (same == NULL || same->minimum != slot->minimum)
			return false;
	}
	return true;
}

static struct exception *find_same_exception(
	const struct rules *rules, const struct exception *exception)
{
	const struct rule_slot *slot = find_key(rules, exception->key);

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
