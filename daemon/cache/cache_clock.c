#include "common/base/clock.h"
#include "daemon/cache/cache_internal.h"

#include <stdlib.h>
#include <string.h>

static int64_t clock_offset(void)
{
	return (int64_t)clock_wall() - clock_steady();
}

void cache_start_clock(struct cache *cache)
{
	atomic_init(&cache->clock_change.offset, clock_offset());
}

void cache_notice_clock(struct cache *cache)
{
	struct clock_change *clock_change = &cache->clock_change;
	int64_t known = atomic_load_explicit(&clock_change->offset, memory_order_relaxed);
	int64_t offset = clock_offset();

	if (offset > known) {
		atomic_compare_exchange_strong(&clock_change->offset, &known, offset);
	} else if (offset + PART_CLOCK_SLACK < known &&
		   atomic_compare_exchange_strong(&clock_change->offset, &known, offset)) {
		atomic_fetch_add(&clock_change->set_back, known - offset);
		cache_drop_copies(cache);
	}
}

uint32_t cache_clock(struct cache *cache)
{
	cache_notice_clock(cache);
	return (uint32_t)(clock_wall() + cache_not_corrected(cache));
}

enum set_back { SET_BACK_MORE, SET_BACK_END, SET_BACK_FAILED };

/* The first policy after `position`, which moves on to it. */
static enum set_back set_back_policy(
	struct cache *cache, struct cache_position *position, uint32_t seconds)
{
	const char *key;
	const uint8_t *bytes;
	struct part part;
	size_t size;

	if (!store_next(cache->store, position->key, position->key_size, &key, &position->key_size,
		    &bytes, &size) ||
		key[0] != PART_STS)
		return SET_BACK_END;
	memcpy(position->key, key, position->key_size);
	if (!part_open(&part, PART_STS, bytes, size))
		return SET_BACK_MORE;
	/* A value moves with the next change of the store. */
	uint8_t *copy = malloc(size);
	/* No policy is better than one that may be too old. */
	if (copy == NULL)
		return store_delete(cache->store, position->key, position->key_size)
			       ? SET_BACK_MORE
			       : SET_BACK_FAILED;
	memcpy(copy, bytes, size);
	part_sts_set_back(copy, size, seconds, position->key, position->key_size);
	bool good = store_put(
		cache->store, position->key, position->key_size, copy, size, part_expires(copy));
	free(copy);
	return good ? SET_BACK_MORE : SET_BACK_FAILED;
}

/*
 * Policies keep their age, because it limits their use (RFC 8461 3.2). With their old times they
 * would be used for too long, or, while the clock says that they are from the future, not at all.
 * A few at a time, since a policy may be large and a transaction is in memory. If that fails, the
 * same ones are tried once more, because a commit makes room in a store that is full.
 */
static void set_back_policies(struct cache *cache, uint32_t seconds)
{
	struct cache_position done = {.key = {PART_STS}, .key_size = 1};
	enum set_back result = SET_BACK_MORE;
	unsigned failures = 0;

	while (result != SET_BACK_END && failures < 2) {
		struct cache_position position = done;
		result = SET_BACK_MORE;
		for (unsigned i = 0; i < CACHE_COMMIT_PARTS_MAX && result == SET_BACK_MORE; i++)
			result = set_back_policy(cache, &position, seconds);
		bool good = result != SET_BACK_FAILED;
		if (!good)
			cache_note_result(cache, false);
		if (cache_commit(cache) && good) {
			done = position;
			failures = 0;
		} else {
			result = SET_BACK_MORE;
			failures++;
		}
	}
}

bool cache_correct_clock(struct cache *cache, uint32_t *seconds)
{
	struct clock_change *clock_change = &cache->clock_change;
	int64_t step = cache_not_corrected(cache), now = clock_wall();

	if (step == 0)
		return false;
	/* What the clock would say if it had not been set back. */
	uint32_t from = now + step < UINT32_MAX ? (uint32_t)(now + step) : UINT32_MAX - 1;
	*seconds = step < UINT32_MAX ? (uint32_t)step : UINT32_MAX;
	/* If the store cannot be written, the same ones would come again. */
	while (store_expire(cache->store, from + 1, CACHE_SWEEP_PARTS_MAX) >=
			CACHE_SWEEP_PARTS_MAX &&
		cache_commit(cache))
		;
	cache_commit(cache);
	set_back_policies(cache, *seconds);
	cache_drop_copies(cache);
	cache_forget_copies(cache);
	atomic_fetch_add(&clock_change->corrected, step);
	return true;
}
