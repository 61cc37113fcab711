/*
 * lifetime: min_ttl and max_ttl, prefetch, the lifetime of a failure, and the old part after a
 * failed refresh; near the end of time and with a clock that was set back.
 */
#include "daemon/cache/lifetime.h"
#include "daemon/lookup/part_kind.h"

#include "t/unit/tap.h"

static const struct lifetime_settings defaults = {
	.min_ttl = 30,
	.max_ttl = 86400,
	.failure_ttl = 30,
	.serve_stale = 3600,
	.prefetch = 10,
};

enum { NOW = 1700000000 };

/* --- answers ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t ttl, min_ttl, max_ttl, prefetch, now;
	uint32_t life, ahead; /* [s]; `ahead` NEVER: no refresh */
} answers[] = {
#define NEVER UINT32_MAX
	{"an ordinary TTL", 3600, 30, 86400, 10, NOW, 3600, 360},
	{"a TTL of 0 becomes min_ttl", 0, 30, 86400, 10, NOW, 30, 3},
	{"one below min_ttl", 29, 30, 86400, 10, NOW, 30, 3},
	{"one that is min_ttl", 30, 30, 86400, 10, NOW, 30, 3},
	{"one above min_ttl", 31, 30, 86400, 10, NOW, 31, 3},
	{"one that is max_ttl", 86400, 30, 86400, 10, NOW, 86400, 8640},
	{"one above max_ttl", 86401, 30, 86400, 10, NOW, 86400, 8640},
	{"the largest TTL", INT32_MAX, 30, 86400, 10, NOW, 86400, 8640},
	{"more than any TTL", UINT32_MAX, 30, 86400, 10, NOW, 86400, 8640},
	{"no min_ttl", 0, 0, 86400, 10, NOW, 0, 0},
	{"min_ttl and max_ttl are one", 77, 60, 60, 10, NOW, 60, 6},
	{"no refresh ahead", 3600, 30, 86400, 0, NOW, 3600, NEVER},
	{"the largest share", 3600, 30, 86400, 90, NOW, 3600, 3240},
	{"a share of less than a second", 30, 30, 86400, 1, NOW, 30, 0},
	{"a lifetime that does not fit into 32 bits times 100", 86400 * 30, 30, 86400 * 30, 90, NOW,
		86400 * 30, 86400 * 27},
	{"the longest possible lifetime", INT32_MAX, 30, UINT32_MAX, 90, NOW, INT32_MAX,
		1932735282},
	{"at the beginning of time", 3600, 30, 86400, 10, 0, 3600, 360},
	{"an hour before its end", 3600, 30, 86400, 10, UINT32_MAX - 3600, 3600, 360},
};

static void test_answers(void)
{
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct lifetime_settings settings = defaults;
		settings.min_ttl = answers[i].min_ttl;
		settings.max_ttl = answers[i].max_ttl;
		settings.prefetch = answers[i].prefetch;
		struct part_times times =
			lifetime_of_answer(&settings, answers[i].now, answers[i].ttl);
		uint32_t refresh = answers[i].ahead == NEVER
					   ? UINT32_MAX
					   : answers[i].now + answers[i].life - answers[i].ahead;
		if (!ok(times.stored_at == answers[i].now &&
				    times.expires == answers[i].now + answers[i].life &&
				    times.refresh_at == refresh && times.flags == 0 &&
				    times.stale_until == 0,
			    "%s", answers[i].name))
			diag("stored %u, refresh %u, expires %u, stale until %u, flags %u",
				times.stored_at, times.refresh_at, times.expires, times.stale_until,
				times.flags);
	}
	many_begin("min_ttl never extends the TTL of a host by more than a minute");
	for (uint32_t min_ttl = 0; min_ttl < 4000; min_ttl += 37) {
		struct lifetime_settings settings = defaults;
		settings.min_ttl = min_ttl;
		for (uint32_t ttl = 0; ttl < 300; ttl += 13) {
			uint32_t least = min_ttl > ttl + 60 ? ttl + 60 : min_ttl;
			struct part_times times = lifetime_of_host(&settings, NOW, ttl);
			many(times.expires == NOW + (ttl > least ? ttl : least),
				"min_ttl %u, TTL %u: %u", min_ttl, ttl, times.expires - NOW);
		}
	}
	many_end();
	/* Nothing overflows: a lifetime past the end of time ends there. */
	many_begin("near the end of time");
	for (uint32_t left = 0; left < 4000; left++) {
		uint32_t now = UINT32_MAX - left;
		struct part_times times = lifetime_of_answer(&defaults, now, 3600);
		many(times.expires == (left < 3600 ? UINT32_MAX : now + 3600) &&
				times.expires >= now && times.refresh_at <= times.expires,
			"%u seconds before it: expires %u, refresh %u", left, times.expires,
			times.refresh_at);
		times = lifetime_of_failure(&defaults, now);
		many(times.expires == (left < 30 ? UINT32_MAX : now + 30), "a failure %u before it",
			left);
	}
	many_end();
	many_begin("a refresh is never before the answer itself");
	for (uint32_t ttl = 0; ttl < 200; ttl++) {
		for (uint32_t prefetch = 0; prefetch <= 90; prefetch++) {
			struct lifetime_settings settings = defaults;
			settings.min_ttl = 0;
			settings.prefetch = prefetch;
			struct part_times times = lifetime_of_answer(&settings, NOW, ttl);
			many(times.refresh_at >= NOW &&
					(prefetch == 0 || times.refresh_at <= times.expires),
				"ttl %u, %u percent: %u", ttl, prefetch, times.refresh_at);
		}
	}
	many_end();
}

static void test_failures(void)
{
	struct part_times times = lifetime_of_failure(&defaults, NOW);

	ok(times.stored_at == NOW && times.expires == NOW + 30 && times.refresh_at == UINT32_MAX &&
			times.flags == 0 && times.stale_until == 0,
		"a failure is valid for failure_ttl and has no prefetch");
	struct lifetime_settings settings = defaults;
	settings.failure_ttl = 1;
	is_number(lifetime_of_failure(&settings, NOW).expires, NOW + 1, "for any value");
}

/* --- after a failed refresh ---------------------------------------------------------------- */

/* With the rule of its kind. */
static enum lifetime_choice after_failure(const struct lifetime_settings *settings, uint32_t now,
	const struct part_header *old, struct part_times *times)
{
	bool may_be_stale = part_kind_find((enum part_kind)old->kind)->may_be_stale(old->status);
	return lifetime_after_failure(settings, now, old, may_be_stale, times);
}

static const char *choice_name(enum lifetime_choice choice)
{
	return choice == LIFETIME_KEEP ? "keep" : choice == LIFETIME_STALE ? "stale" : "replace";
}

#define M PART_MX
#define H PART_HOST

/* Times are seconds from NOW. */
static const struct {
	const char *name;
	uint8_t kind, status, flags;
	int32_t stored, expires, stale_until;
	uint32_t serve_stale;
	enum lifetime_choice choice;
	int32_t new_expires, new_refresh, new_stale_until; /* NONE: UINT32_MAX; unused: 0 */
} rows[] = {
#define NONE INT32_MAX
	/* still valid: kept, and tried again later */
	{"good, a usable host", H, HOST_USABLE, 0, -100, 500, 0, 3600, LIFETIME_KEEP, 500, 30, 0},
	{"good, a host without DANE", H, HOST_NONE, 0, -100, 500, 0, 3600, LIFETIME_KEEP, 500, 30,
		0},
	{"good, an MX set", M, MX_FOUND, 0, -100, 500, 0, 3600, LIFETIME_KEEP, 500, 30, 0},
	{"good, no such domain", M, MX_NXDOMAIN, 0, -100, 500, 0, 3600, LIFETIME_KEEP, 500, 30, 0},
	{"good for a second", H, HOST_USABLE, 0, -100, 1, 0, 3600, LIFETIME_KEEP, 1, 30, 0},
	{"good, without staleness", H, HOST_USABLE, 0, -100, 1, 0, 0, LIFETIME_KEEP, 1, 30, 0},
	{"good, the clock was set back a little", H, HOST_USABLE, 0, 60, 500, 0, 3600,
		LIFETIME_KEEP, 500, 30, 0},
	/* expired: it is still used if it has DANE */
	{"expired now, a usable host", H, HOST_USABLE, 0, -100, 0, 0, 3600, LIFETIME_STALE, 30,
		NONE, 3600},
	{"expired, a usable host", H, HOST_USABLE, 0, -1000, -100, 0, 3600, LIFETIME_STALE, 30,
		NONE, 3500},
	{"expired, an unusable host", H, HOST_UNUSABLE, 0, -1000, -100, 0, 3600, LIFETIME_STALE, 30,
		NONE, 3500},
	{"expired, an MX set", M, MX_FOUND, 0, -1000, -100, 0, 3600, LIFETIME_STALE, 30, NONE,
		3500},
	{"expired, a domain without MX", M, MX_ABSENT, 0, -1000, -100, 0, 3600, LIFETIME_STALE, 30,
		NONE, 3500},
	{"expired, 20 s of staleness left", H, HOST_USABLE, 0, -9000, -3580, 0, 3600,
		LIFETIME_STALE, 20, NONE, 20},
	{"expired, 1 s left", H, HOST_USABLE, 0, -9000, -3599, 0, 3600, LIFETIME_STALE, 1, NONE, 1},
	{"expired, none left", H, HOST_USABLE, 0, -9000, -3600, 0, 3600, LIFETIME_REPLACE, 0, 0, 0},
	{"expired long ago", H, HOST_USABLE, 0, -90000, -80000, 0, 3600, LIFETIME_REPLACE, 0, 0, 0},
	{"expired, staleness is off", H, HOST_USABLE, 0, -100, 0, 0, 0, LIFETIME_REPLACE, 0, 0, 0},
	/* a part without DANE is never used after it has expired */
	{"expired, a host without DANE", H, HOST_NONE, 0, -1000, -1, 0, 3600, LIFETIME_REPLACE, 0,
		0, 0},
	{"expired, an unreachable host", H, HOST_UNREACHABLE, 0, -1000, -1, 0, 3600,
		LIFETIME_REPLACE, 0, 0, 0},
	{"expired, a failed host", H, HOST_FAILED, PART_HAS_FAILURE, -1000, -1, 0, 3600,
		LIFETIME_REPLACE, 0, 0, 0},
	{"expired, no such domain", M, MX_NXDOMAIN, 0, -1000, -1, 0, 3600, LIFETIME_REPLACE, 0, 0,
		0},
	{"expired, a null MX", M, MX_NULL, 0, -1000, -1, 0, 3600, LIFETIME_REPLACE, 0, 0, 0},
	{"expired, a failed MX", M, MX_FAILED, PART_HAS_FAILURE, -1000, -1, 0, 3600,
		LIFETIME_REPLACE, 0, 0, 0},
	/* stale already: its end stays */
	{"stale, in its first round", H, HOST_USABLE, PART_STALE, -10, 20, 3000, 3600,
		LIFETIME_STALE, 30, NONE, 3000},
	{"stale, its round is over", H, HOST_USABLE, PART_STALE, -30, 0, 3000, 3600, LIFETIME_STALE,
		30, NONE, 3000},
	{"stale, the last round is short", H, HOST_USABLE, PART_STALE, -30, 0, 12, 3600,
		LIFETIME_STALE, 12, NONE, 12},
	{"stale, at its end", H, HOST_USABLE, PART_STALE, -30, 0, 0, 3600, LIFETIME_REPLACE, 0, 0,
		0},
	{"stale, past its end", H, HOST_USABLE, PART_STALE, -30, -5, -5, 3600, LIFETIME_REPLACE, 0,
		0, 0},
	{"stale, a longer setting does not lengthen it", H, HOST_USABLE, PART_STALE, -30, 0, 100,
		360000, LIFETIME_STALE, 30, NONE, 100},
	{"stale, an MX set", M, MX_FOUND, PART_STALE, -30, 0, 3000, 3600, LIFETIME_STALE, 30, NONE,
		3000},
	/* the clock was set back */
	{"from the future, an hour", H, HOST_USABLE, 0, 3600, 7200, 0, 3600, LIFETIME_REPLACE, 0, 0,
		0},
	{"from the future, a second beyond the slack", H, HOST_USABLE, 0, 61, 500, 0, 3600,
		LIFETIME_REPLACE, 0, 0, 0},
	{"from the future, stale", H, HOST_USABLE, PART_STALE, 3600, 3630, 7200, 3600,
		LIFETIME_REPLACE, 0, 0, 0},
	{"stale, the clock was set back a little", H, HOST_USABLE, PART_STALE, 60, 90, 3000, 3600,
		LIFETIME_STALE, 30, NONE, 3000},
	/* other flags are kept */
	{"good, from the second view", H, HOST_USABLE, PART_SECOND_VIEW, -100, 500, 0, 3600,
		LIFETIME_KEEP, 500, 30, 0},
	{"expired, from the second view", H, HOST_USABLE, PART_SECOND_VIEW, -100, -1, 0, 3600,
		LIFETIME_STALE, 30, NONE, 3599},
};

static uint32_t moment(int32_t seconds)
{
	return seconds == NONE ? UINT32_MAX : (uint32_t)(NOW + seconds);
}

static void test_after_failure(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct lifetime_settings settings = defaults;
		struct part_times times;
		struct part_header old = {
			.kind = rows[i].kind,
			.status = rows[i].status,
			.flags = rows[i].flags,
			.stored_at = moment(rows[i].stored),
			.refresh_at = moment(rows[i].stored),
			.expires = moment(rows[i].expires),
			.stale_until = rows[i].flags & PART_STALE ? moment(rows[i].stale_until) : 0,
		};
		settings.serve_stale = rows[i].serve_stale;
		memset(&times, 0x5a, sizeof times);
		enum lifetime_choice choice = after_failure(&settings, NOW, &old, &times);
		bool good = choice == rows[i].choice;
		if (choice == LIFETIME_KEEP)
			good = good && times.stored_at == old.stored_at &&
			       times.flags == old.flags &&
			       times.expires == moment(rows[i].new_expires) &&
			       times.refresh_at == moment(rows[i].new_refresh);
		if (choice == LIFETIME_STALE)
			good = good && times.stored_at == NOW &&
			       times.flags == (old.flags | PART_STALE) &&
			       times.expires == moment(rows[i].new_expires) &&
			       times.refresh_at == moment(rows[i].new_refresh) &&
			       times.stale_until == moment(rows[i].new_stale_until);
		if (!ok(good, "%s: %s", rows[i].name, choice_name(rows[i].choice)))
			diag("%s, stored %u, refresh %u, expires %u, stale until %u, flags %u",
				choice_name(choice), times.stored_at, times.refresh_at,
				times.expires, times.stale_until, times.flags);
	}
}

/* Refreshes that always fail: stale for exactly serve_stale, then replaced. */
static void test_whole_life(void)
{
	struct part_times times = lifetime_of_answer(&defaults, NOW, 600);
	struct part_header header = {.kind = PART_HOST, .status = HOST_USABLE};
	uint32_t now = NOW, served_until = NOW;
	unsigned kept = 0, stale = 0;

	for (int round = 0; round < 100000; round++) {
		header.stored_at = times.stored_at;
		header.refresh_at = times.refresh_at;
		header.expires = times.expires;
		header.stale_until = times.stale_until;
		header.flags = times.flags;
		served_until = header.expires;
		/* The time of the next failed refresh: when it is due, or at the expiry. */
		now = header.refresh_at < header.expires ? header.refresh_at : header.expires;
		enum lifetime_choice choice = after_failure(&defaults, now, &header, &times);
		kept += choice == LIFETIME_KEEP;
		stale += choice == LIFETIME_STALE;
		if (choice == LIFETIME_REPLACE)
			break;
	}
	is_number(served_until, NOW + 600 + 3600,
		"refreshes that always fail: served for its TTL and serve_stale");
	is_number(now, NOW + 600 + 3600, "and replaced then");
	ok(kept == 2 && stale == 120,
		"tried again every failure_ttl: %u times while good, %u stale", kept, stale);
}

static void test_end_of_time(void)
{
	many_begin("a failed refresh near the end of time");
	for (uint32_t left = 0; left < 4000; left++) {
		uint32_t now = UINT32_MAX - left;
		struct part_times times;
		struct part_header old = {.kind = PART_HOST,
			.status = HOST_USABLE,
			.stored_at = now - 100,
			.expires = now};
		enum lifetime_choice choice = after_failure(&defaults, now, &old, &times);
		many(left == 0 || choice == LIFETIME_STALE, "%u before: %s", left,
			choice_name(choice));
		if (choice == LIFETIME_STALE)
			many(times.expires > now && times.expires <= times.stale_until &&
					times.stale_until ==
						(left < 3600 ? UINT32_MAX : now + 3600),
				"%u before: expires %u, stale until %u", left, times.expires,
				times.stale_until);
		old.expires = UINT32_MAX;
		choice = after_failure(&defaults, now, &old, &times);
		if (left > 0)
			many(choice == LIFETIME_KEEP && times.refresh_at > now,
				"%u before: kept, %u", left, times.refresh_at);
	}
	many_end();
}

int main(void)
{
	test_answers();
	test_failures();
	test_after_failure();
	test_whole_life();
	test_end_of_time();
	return done_testing();
}
