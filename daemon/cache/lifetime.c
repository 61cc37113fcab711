#include "daemon/cache/lifetime.h"

static uint32_t later(uint32_t now, uint32_t seconds)
{
	return seconds > UINT32_MAX - now ? UINT32_MAX : now + seconds;
}

struct part_times lifetime_of_answer(
	const struct lifetime_settings *settings, uint32_t now, uint32_t ttl)
{
	if (ttl < settings->min_ttl)
		ttl = settings->min_ttl;
	if (ttl > settings->max_ttl)
		ttl = settings->max_ttl;
	struct part_times times = {
		.stored_at = now,
		.expires = later(now, ttl),
		.refresh_at = UINT32_MAX,
	};
	if (settings->prefetch > 0) {
		uint32_t ahead = (uint32_t)((uint64_t)ttl * settings->prefetch / 100);
		times.refresh_at = times.expires - ahead;
	}
	return times;
}

struct part_times lifetime_of_host(
	const struct lifetime_settings *settings, uint32_t now, uint32_t ttl)
{
	struct lifetime_settings limited = *settings;
	uint32_t lowest = later(ttl, LIFETIME_MIN_TTL_BEYOND);

	if (limited.min_ttl > lowest)
		limited.min_ttl = lowest;
	return lifetime_of_answer(&limited, now, ttl);
}

struct part_times lifetime_of_failure(const struct lifetime_settings *settings, uint32_t now)
{
	return (struct part_times){
		.stored_at = now,
		.expires = later(now, settings->failure_ttl),
		/* A failure is not refreshed before it expires. */
		.refresh_at = UINT32_MAX,
	};
}

enum lifetime_choice lifetime_after_failure(const struct lifetime_settings *settings, uint32_t now,
	const struct part_header *old, bool may_be_stale, struct part_times *times)
{
	bool stale = (old->flags & PART_STALE) != 0;

	if (part_fresh(old, now) && !stale) {
		*times = (struct part_times){
			.stored_at = old->stored_at,
			.expires = old->expires,
			.refresh_at = later(now, settings->failure_ttl),
			.flags = old->flags,
		};
		return LIFETIME_KEEP;
	}
	uint32_t end = stale ? old->stale_until : later(old->expires, settings->serve_stale);
	/* If the clock was set back, a part can be from the future: its age is then unknown. */
	if (!may_be_stale || now >= end ||
		(uint64_t)old->stored_at > (uint64_t)now + PART_CLOCK_SLACK)
		return LIFETIME_REPLACE;
	uint32_t again = later(now, settings->failure_ttl);
	*times = (struct part_times){
		.stored_at = now,
		.expires = again < end ? again : end,
		.refresh_at = UINT32_MAX,
		.stale_until = end,
		.flags = (uint8_t)(old->flags | PART_STALE),
	};
	return LIFETIME_STALE;
}
