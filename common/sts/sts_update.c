#include "common/sts/sts_update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t later(uint32_t now, uint32_t seconds)
{
	return seconds > UINT32_MAX - now ? UINT32_MAX : now + seconds;
}

static uint32_t earliest(uint32_t one, uint32_t other)
{
	return one < other ? one : other;
}

/* --- the old part -------------------------------------------------------------------------- */

static bool holds(const struct part *part, uint32_t now)
{
	return part != NULL && sts_has_policy(part->header.status) &&
	       part_fresh(&part->header, now);
}

static void read_facts(const struct part *part, struct sts_facts *facts)
{
	struct part_cursor cursor;

	memset(facts, 0, sizeof *facts);
	if (part == NULL)
		return;
	part_cursor_start(part, &cursor);
	part_read_sts(&cursor, facts);
	facts->status = part->header.status;
}

/*
 * [s] The time from a download to the next one with the same id: a day, or the last tenth of a
 * shorter max_age, so that the policy does not end before.
 */
static uint32_t download_delay(uint32_t max_age)
{
	return earliest(STS_DAILY, max_age - max_age / 10);
}

/* Is the file with this id not to be downloaded before retry_at? */
static bool must_wait(const struct sts_facts *old, const struct sts_update *update)
{
	/* A retry_at far in the future was written under another clock. */
	return old->failures > 0 && update->now < old->retry_at &&
	       old->retry_at - update->now <= STS_RETRY_MAX &&
	       strcmp(old->failed_id, update->id) == 0;
}

bool sts_update_needs_file(const struct sts_update *update)
{
	struct sts_facts old;

	if (update->discovery != STS_DISCOVERED)
		return false;
	read_facts(update->old, &old);
	if (update->mismatch)
		return true;
	if (must_wait(&old, update))
		return false;
	if (!holds(update->old, update->now) || strcmp(old.id, update->id) != 0)
		return true;
	return update->now < old.fetched_at ||
	       update->now - old.fetched_at >= download_delay(old.max_age);
}

bool sts_update_is_due(const struct part *part, uint32_t now, uint32_t keep)
{
	struct sts_facts facts;

	if (!holds(part, now) || now < part->header.refresh_at)
		return false;
	read_facts(part, &facts);
	if (now > facts.asked_at && now - facts.asked_at > keep)
		return false;
	uint32_t delay = download_delay(facts.max_age);
	if (delay < STS_RETRY_MAX)
		delay = STS_RETRY_MAX;
	return now >= later(facts.fetched_at, delay) && now >= facts.retry_at;
}

bool sts_update_mismatch_is_due(const struct part *part, uint32_t now)
{
	struct sts_facts facts;

	read_facts(part, &facts);
	uint32_t last = facts.failed_at > facts.fetched_at ? facts.failed_at : facts.fetched_at;
	return now < last || now - last >= STS_MISMATCH_MIN;
}

/* --- the new one --------------------------------------------------------------------------- */

static uint32_t limit_ttl(const struct sts_update *update)
{
	uint32_t ttl = update->ttl;

	if (ttl < update->min_ttl)
		ttl = update->min_ttl;
	return ttl > update->max_ttl ? update->max_ttl : ttl;
}

/* When the TXT record is to be looked up again. */
static uint32_t record_expires(const struct sts_update *update)
{
	return later(update->now,
		update->discovery == STS_LOOKUP_FAILED ? update->failure_ttl : limit_ttl(update));
}

/* Patterns and lines of the old part. */
static bool copy_policy(const struct part *old, struct sts_updated *updated)
{
	struct sts_facts *facts = &updated->facts;
	struct part_cursor cursor;

	part_cursor_start(old, &cursor);
	part_read_sts(&cursor, facts);
	facts->status = old->header.status;
	updated->patterns = calloc(facts->pattern_count + 1, sizeof *updated->patterns);
	if (updated->patterns == NULL)
		return false;
	for (size_t i = 0; i < facts->pattern_count; i++)
		part_next_sts_pattern(&cursor, &updated->patterns[i]);
	facts->line_count = part_sts_line_count(&cursor);
	updated->lines = calloc(facts->line_count + 1, sizeof *updated->lines);
	if (updated->lines == NULL)
		return false;
	for (size_t i = 0; i < facts->line_count; i++)
		part_next_sts_line(&cursor, &updated->lines[i]);
	facts->patterns = updated->patterns;
	facts->lines = updated->lines;
	return true;
}

/* Once a day, if a policy is in use that cannot be refreshed. */
static bool should_warn(const struct sts_facts *facts, uint32_t now)
{
	return (facts->status == STS_ENFORCE || facts->status == STS_TESTING) &&
	       (facts->warned_at == 0 || now < facts->warned_at ||
		       now - facts->warned_at >= STS_DAILY);
}

/* The old policy, if it still holds; otherwise none. */
static bool begin(const struct sts_update *update, struct sts_updated *updated)
{
	struct sts_facts *facts = &updated->facts, old;

	memset(updated, 0, sizeof *updated);
	read_facts(update->old, &old);
	if (!holds(update->old, update->now)) {
		facts->status = update->discovery == STS_DISCOVERED ||
						update->discovery == STS_LOOKUP_FAILED
					? STS_FAILED
					: STS_ABSENT;
		facts->failures = old.failures;
		facts->failed_at = old.failed_at;
		facts->retry_at = old.retry_at;
		facts->warned_at = old.warned_at;
		memcpy(facts->failed_id, old.failed_id, sizeof facts->failed_id);
		memcpy(facts->failure, old.failure, sizeof facts->failure);
	} else if (!copy_policy(update->old, updated)) {
		sts_updated_clear(updated);
		return false;
	}
	facts->discovery = update->discovery;
	facts->asked_at = update->asked ? update->now : old.asked_at;
	return true;
}

/* The times; `again` is when to look again at the latest. */
static void set_times(const struct sts_update *update, struct sts_updated *updated, uint32_t again)
{
	struct part_times *times = &updated->times;

	times->stored_at = update->now;
	if (holds(update->old, update->now)) {
		times->expires = update->old->header.expires;
		times->refresh_at = again;
	} else {
		times->expires = again;
		/* Without a policy there is nothing to use until it has been refreshed. */
		times->refresh_at = UINT32_MAX;
	}
}

bool sts_update_without_file(const struct sts_update *update, struct sts_updated *updated)
{
	uint32_t again = record_expires(update);

	if (!begin(update, updated))
		return false;
	/* That tlsad was too busy for a download is of no interest any more. */
	if (updated->facts.failures == 0)
		updated->facts.failure[0] = '\0';
	if (update->discovery == STS_DISCOVERED) {
		struct sts_facts *facts = &updated->facts;
		uint32_t due = must_wait(facts, update)
				       ? facts->retry_at
				       : later(facts->fetched_at, download_delay(facts->max_age));
		again = earliest(again, due);
	}
	/* Nothing was downloaded because of the mismatch: not again within five minutes. */
	if (update->mismatch)
		updated->facts.failed_at = update->now;
	set_times(update, updated, again);
	return true;
}

void sts_update_with_policy(const struct sts_update *update, const struct sts_policy *policy,
	struct sts_updated *updated)
{
	struct sts_facts *facts = &updated->facts, old;
	uint32_t age = policy->max_age > update->min_ttl ? policy->max_age : update->min_ttl;

	memset(updated, 0, sizeof *updated);
	read_facts(update->old, &old);
	facts->status = policy->mode;
	facts->discovery = update->discovery;
	snprintf(facts->id, sizeof facts->id, "%s", update->id);
	facts->max_age = policy->max_age;
	facts->fetched_at = update->now;
	facts->pattern_count = policy->pattern_count;
	facts->patterns = policy->patterns;
	facts->line_count = policy->line_count;
	facts->lines = policy->lines;
	facts->asked_at = update->asked ? update->now : old.asked_at;
	facts->warned_at = old.warned_at;
	updated->times = (struct part_times){
		.stored_at = update->now,
		.expires = later(update->now, age),
		.refresh_at =
			earliest(record_expires(update), later(update->now, download_delay(age))),
	};
}

bool sts_update_after_failure(
	const struct sts_update *update, const char *why, struct sts_updated *updated)
{
	struct sts_facts *facts = &updated->facts;
	uint32_t delay = STS_RETRY_MIN;

	if (!begin(update, updated))
		return false;
	/* RFC 8461 3.3 counts the five minutes for each id. */
	if (strcmp(facts->failed_id, update->id) != 0)
		facts->failures = 0;
	for (unsigned i = 0; i < facts->failures && delay < STS_RETRY_MAX; i++)
		delay *= 2;
	if (delay > STS_RETRY_MAX)
		delay = STS_RETRY_MAX;
	facts->failures++;
	facts->failed_at = update->now;
	facts->retry_at = later(update->now, delay);
	snprintf(facts->failed_id, sizeof facts->failed_id, "%s", update->id);
	snprintf(facts->failure, sizeof facts->failure, "%s", why);
	updated->warn = should_warn(facts, update->now);
	if (updated->warn)
		facts->warned_at = update->now;
	set_times(update, updated, earliest(record_expires(update), facts->retry_at));
	return true;
}

bool sts_update_when_busy(
	const struct sts_update *update, const char *why, struct sts_updated *updated)
{
	struct sts_facts *facts = &updated->facts;
	uint32_t again = later(update->now, update->failure_ttl);

	if (!begin(update, updated))
		return false;
	if (!must_wait(facts, update))
		facts->retry_at = again;
	facts->failed_at = update->now;
	snprintf(facts->failure, sizeof facts->failure, "%s", why);
	set_times(update, updated, again);
	return true;
}

void sts_updated_clear(struct sts_updated *updated)
{
	free(updated->patterns);
	free(updated->lines);
	memset(updated, 0, sizeof *updated);
}
