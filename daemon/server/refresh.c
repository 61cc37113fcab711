#include "daemon/server/refresh.h"

#include "common/base/clock.h"
#include "common/base/hash.h"

void refresh_start(struct refresh_recent *recent, struct lookup *lookup,
	const struct destination *destination, struct lookup_needs needs)
{
	uint64_t seed = destination->port | (uint64_t)destination->kind << 16;
	uint64_t hash = hash_bytes(seed, destination->name, destination->name_length);
	size_t slot = hash % REFRESH_RECENT_SLOTS;
	uint32_t now = clock_steady();

	if (recent->slots[slot].hash == hash &&
		now - recent->slots[slot].at < REFRESH_RECENT_SECONDS)
		return;
	recent->slots[slot].hash = hash;
	recent->slots[slot].at = now;
	lookup_ask(lookup, destination, needs, true, NULL, NULL);
}
