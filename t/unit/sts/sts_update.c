/*
 * sts_update: what happens to a policy in the course of time (RFC 8461 3.1, 3.3, 5.1, 10.2).
 *
 * A story is a list of events, each with what is expected after it. Times are seconds after START.
 */
#include "common/sts/sts_update.h"

#include "t/unit/tap.h"

enum { START = 1800000000, MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

enum event_kind { END, POLICY, FAILURE, BUSY, KEPT };

/* What is expected: was a file wanted, and what holds afterwards. */
struct event {
	uint32_t at;
	enum sts_discovery discovery;
	const char *id;
	uint32_t ttl;
	enum event_kind kind; /* KEPT: the file was not wanted; others: it was */
	const char *mode;     /* of POLICY */
	uint32_t max_age;
	enum sts_status status;
	uint32_t refresh_at, expires; /* UINT32_MAX: never */
	unsigned failures;
	bool warn, mismatch;
};

#define NEVER UINT32_MAX
#define ENFORCES(age) POLICY, "enforce", (age)
#define FAILS FAILURE, NULL, 0
#define IS_BUSY BUSY, NULL, 0
#define STAYS KEPT, NULL, 0
#define FOUND(id) STS_DISCOVERED, id
#define NONE STS_NO_RECORD, NULL
#define LOST STS_LOOKUP_FAILED, NULL

static const struct story {
	const char *what;
	struct event events[12];
} stories[] = {
	{"no record", {{0, NONE, 600, STAYS, STS_ABSENT, NEVER, 600, 0, false, false},
			      {600, NONE, 5, STAYS, STS_ABSENT, NEVER, 630, 0, false, false},
			      {700, NONE, 10 * DAY, STAYS, STS_ABSENT, NEVER, 700 + DAY, 0, false,
				      false}}},
	{"several records, a malformed record",
		{{0, STS_SEVERAL_RECORDS, NULL, 600, STAYS, STS_ABSENT, NEVER, 600, 0, false,
			 false},
			{600, STS_MALFORMED_RECORD, NULL, 600, STAYS, STS_ABSENT, NEVER, 1200, 0,
				false, false}}},
	{"the lookup of the record fails, no policy is cached",
		{{0, LOST, 0, STAYS, STS_FAILED, NEVER, 20, 0, false, false}}},
	{"tlsad is too busy, no policy is cached",
		{{0, FOUND("1"), HOUR, IS_BUSY, STS_FAILED, NEVER, 20, 0, false, false},
			{20, FOUND("1"), HOUR, FAILS, STS_FAILED, NEVER, 20 + 5 * MINUTE, 1, false,
				false},
			{20 + 5 * MINUTE, FOUND("1"), HOUR, IS_BUSY, STS_FAILED, NEVER,
				40 + 5 * MINUTE, 1, false, false},
			{40 + 5 * MINUTE, FOUND("1"), HOUR, ENFORCES(DAY), STS_ENFORCE,
				HOUR + 40 + 5 * MINUTE, DAY + 40 + 5 * MINUTE, 0, false, false}}},
	{"tlsad is too busy, a policy is cached",
		{{0, FOUND("1"), HOUR, ENFORCES(10 * DAY), STS_ENFORCE, HOUR, 10 * DAY, 0, false,
			 false},
			{DAY, FOUND("1"), HOUR, IS_BUSY, STS_ENFORCE, DAY + 20, 10 * DAY, 0, false,
				false},
			{DAY + 20, FOUND("1"), HOUR, FAILS, STS_ENFORCE, DAY + 20 + 5 * MINUTE,
				10 * DAY, 1, true, false}}},
	{"tlsad is too busy for another look at a policy that no host matches",
		{{0, FOUND("1"), HOUR, ENFORCES(10 * DAY), STS_ENFORCE, HOUR, 10 * DAY, 0, false,
			 false},
			{HOUR, FOUND("1"), HOUR, IS_BUSY, STS_ENFORCE, HOUR + 20, 10 * DAY, 0,
				false, true},
			{HOUR + 20, FOUND("1"), HOUR, STAYS, STS_ENFORCE, 2 * HOUR + 20, 10 * DAY,
				0, false, false}}},
	{"the id stays the same, the file is downloaded once a day",
		{{0, FOUND("1"), HOUR, ENFORCES(10 * DAY), STS_ENFORCE, HOUR, 10 * DAY, 0, false,
			 false},
			{HOUR, FOUND("1"), HOUR, STAYS, STS_ENFORCE, 2 * HOUR, 10 * DAY, 0, false,
				false},
			{DAY - 1, FOUND("1"), HOUR, STAYS, STS_ENFORCE, DAY, 10 * DAY, 0, false,
				false},
			{DAY, FOUND("1"), HOUR, ENFORCES(10 * DAY), STS_ENFORCE, DAY + HOUR,
				11 * DAY, 0, false, false}}},
	{"a new id", {{0, FOUND("1"), HOUR, ENFORCES(10 * DAY), STS_ENFORCE, HOUR, 10 * DAY, 0,
			      false, false},
			     {HOUR, FOUND("2"), HOUR, POLICY, "none", 60, STS_NONE, HOUR + 54,
				     HOUR + 60, 0, false, false}}},
	{"the record goes: the policy stays to its end",
		{{0, FOUND("1"), HOUR, ENFORCES(2 * DAY), STS_ENFORCE, HOUR, 2 * DAY, 0, false,
			 false},
			{HOUR, NONE, 600, STAYS, STS_ENFORCE, HOUR + 600, 2 * DAY, 0, false, false},
			{DAY + HOUR, NONE, 600, STAYS, STS_ENFORCE, DAY + HOUR + 600, 2 * DAY, 0,
				false, false},
			{2 * DAY, NONE, 600, STAYS, STS_ABSENT, NEVER, 2 * DAY + 600, 0, false,
				false}}},
	{"the lookup of the record fails: the policy stays",
		{{0, FOUND("1"), HOUR, ENFORCES(2 * DAY), STS_ENFORCE, HOUR, 2 * DAY, 0, false,
			 false},
			{HOUR, LOST, 0, STAYS, STS_ENFORCE, HOUR + 20, 2 * DAY, 0, false, false},
			{2 * DAY, LOST, 0, STAYS, STS_FAILED, NEVER, 2 * DAY + 20, 0, false,
				false}}},
	{"downloads fail, no policy is cached: five minutes, doubling up to an hour",
		{{0, FOUND("1"), DAY, FAILS, STS_FAILED, NEVER, 5 * MINUTE, 1, false, false},
			{5 * MINUTE - 1, FOUND("1"), DAY, STAYS, STS_FAILED, NEVER, 5 * MINUTE, 1,
				false, false},
			{5 * MINUTE, FOUND("1"), DAY, FAILS, STS_FAILED, NEVER, 15 * MINUTE, 2,
				false, false},
			{15 * MINUTE, FOUND("1"), DAY, FAILS, STS_FAILED, NEVER, 35 * MINUTE, 3,
				false, false},
			{HOUR, FOUND("1"), DAY, FAILS, STS_FAILED, NEVER, HOUR + 40 * MINUTE, 4,
				false, false},
			{2 * HOUR, FOUND("1"), DAY, FAILS, STS_FAILED, NEVER, 3 * HOUR, 5, false,
				false},
			{4 * HOUR, FOUND("1"), DAY, FAILS, STS_FAILED, NEVER, 5 * HOUR, 6, false,
				false},
			/* A new id is tried at once, and counts from the beginning. */
			{4 * HOUR + 1, FOUND("2"), DAY, FAILS, STS_FAILED, NEVER,
				4 * HOUR + 1 + 5 * MINUTE, 1, false, false},
			{5 * HOUR, FOUND("2"), HOUR, ENFORCES(2 * DAY), STS_ENFORCE, 6 * HOUR,
				2 * DAY + 5 * HOUR, 0, false, false}}},
	{"the record's TTL is shorter than the wait",
		{{0, FOUND("1"), 60, FAILS, STS_FAILED, NEVER, 60, 1, false, false},
			{60, FOUND("1"), 60, STAYS, STS_FAILED, NEVER, 120, 1, false, false},
			{299, FOUND("1"), 60, STAYS, STS_FAILED, NEVER, 300, 1, false, false}}},
	{"downloads fail, a policy is cached: it stays, with a warning once a day",
		{{0, FOUND("1"), HOUR, ENFORCES(3 * DAY), STS_ENFORCE, HOUR, 3 * DAY, 0, false,
			 false},
			{DAY, FOUND("1"), HOUR, FAILS, STS_ENFORCE, DAY + 5 * MINUTE, 3 * DAY, 1,
				true, false},
			{DAY + 5 * MINUTE, FOUND("1"), HOUR, FAILS, STS_ENFORCE, DAY + 15 * MINUTE,
				3 * DAY, 2, false, false},
			{2 * DAY, FOUND("1"), HOUR, FAILS, STS_ENFORCE, 2 * DAY + 20 * MINUTE,
				3 * DAY, 3, true, false},
			{3 * DAY, FOUND("1"), HOUR, FAILS, STS_FAILED, NEVER, 3 * DAY + 40 * MINUTE,
				4, false, false}}},
	{"no warning about the mode none",
		{{0, FOUND("1"), HOUR, POLICY, "none", 3 * DAY, STS_NONE, HOUR, 3 * DAY, 0, false,
			 false},
			{DAY, FOUND("1"), HOUR, FAILS, STS_NONE, DAY + 5 * MINUTE, 3 * DAY, 1,
				false, false}}},
	{"a new id whose file fails: the old policy stays",
		{{0, FOUND("1"), HOUR, ENFORCES(3 * DAY), STS_ENFORCE, HOUR, 3 * DAY, 0, false,
			 false},
			{HOUR, FOUND("2"), HOUR, FAILS, STS_ENFORCE, HOUR + 5 * MINUTE, 3 * DAY, 1,
				true, false},
			{HOUR + MINUTE, FOUND("2"), HOUR, STAYS, STS_ENFORCE, HOUR + 5 * MINUTE,
				3 * DAY, 1, false, false},
			{HOUR + 2 * MINUTE, FOUND("1"), HOUR, STAYS, STS_ENFORCE,
				2 * HOUR + 2 * MINUTE, 3 * DAY, 1, false, false},
			{HOUR + 3 * MINUTE, FOUND("3"), HOUR, POLICY, "testing", DAY, STS_TESTING,
				2 * HOUR + 3 * MINUTE, DAY + HOUR + 3 * MINUTE, 0, false, false}}},
	{"max_age 0 counts for min_ttl",
		{{0, FOUND("1"), HOUR, ENFORCES(0), STS_ENFORCE, 27, 30, 0, false, false},
			{30, FOUND("1"), HOUR, ENFORCES(1), STS_ENFORCE, 57, 60, 0, false, false}}},
	{"the policy is refreshed before it ends",
		{{0, FOUND("1"), HOUR, ENFORCES(1000), STS_ENFORCE, 900, 1000, 0, false, false}}},
	{"no host matches: the file is downloaded, whatever the id and the wait",
		{{0, FOUND("1"), HOUR, ENFORCES(3 * DAY), STS_ENFORCE, HOUR, 3 * DAY, 0, false,
			 false},
			{10 * MINUTE, FOUND("1"), HOUR, FAILS, STS_ENFORCE, 15 * MINUTE, 3 * DAY, 1,
				true, true},
			{11 * MINUTE, FOUND("1"), HOUR, ENFORCES(3 * DAY), STS_ENFORCE,
				HOUR + 11 * MINUTE, 3 * DAY + 11 * MINUTE, 0, false, true},
			{12 * MINUTE, NONE, HOUR, STAYS, STS_ENFORCE, HOUR + 12 * MINUTE,
				3 * DAY + 11 * MINUTE, 0, false, true}}},
};

static char key[] = "sexample.com";

struct stored {
	uint8_t *bytes;
	size_t size;
	struct part part;
};

static void store(struct stored *stored, const struct sts_updated *updated)
{
	uint8_t *bytes = part_encode_sts(
		&updated->facts, &updated->times, key, sizeof key - 1, &stored->size);

	free(stored->bytes);
	stored->bytes = bytes;
	ok(part_intact(bytes, stored->size, key, sizeof key - 1) &&
			part_open(&stored->part, PART_STS, bytes, stored->size),
		"the part can be read");
}

static bool make_policy(const struct event *event, struct sts_policy *policy)
{
	char file[200], error[200];

	snprintf(file, sizeof file, "version: STSv1\nmode: %s\nmax_age: %u\nmx: a.example\nx: y\n",
		event->mode, event->max_age);
	return sts_policy_read(policy, file, strlen(file), error, sizeof error);
}

/* UINT32_MAX or seconds since START. */
static int64_t since(uint32_t time)
{
	return time == UINT32_MAX ? UINT32_MAX : (int64_t)time - START;
}

static void tell(const struct story *story, bool asked)
{
	struct stored stored = {.bytes = NULL};

	for (const struct event *event = story->events; event->kind != END; event++) {
		struct sts_policy policy;
		struct sts_updated updated;
		struct sts_update update = {
			.old = stored.bytes != NULL ? &stored.part : NULL,
			.now = START + event->at,
			.asked = asked,
			.mismatch = event->mismatch,
			.discovery = event->discovery,
			.id = event->id,
			.ttl = event->ttl,
			.min_ttl = 30,
			.max_ttl = DAY,
			.failure_ttl = 20,
		};
		bool made = true, needs = sts_update_needs_file(&update);
		bool wanted = event->kind != KEPT;

		ok(needs == wanted, "%s, %u: the file is %swanted", story->what, event->at,
			wanted ? "" : "not ");
		if (event->kind == POLICY && (made = make_policy(event, &policy)))
			sts_update_with_policy(&update, &policy, &updated);
		else if (event->kind == FAILURE)
			made = sts_update_after_failure(&update, "why", &updated);
		else if (event->kind == BUSY)
			made = sts_update_when_busy(&update, "busy", &updated);
		else
			made = sts_update_without_file(&update, &updated);
		ok(made, "and there is a result");
		is_string(sts_status_name(updated.facts.status), sts_status_name(event->status),
			"its status");
		is_number(since(updated.times.refresh_at), event->refresh_at, "when to look again");
		is_number(since(updated.times.expires), event->expires, "how long it holds");
		is_number(updated.facts.discovery, event->discovery, "the record");
		is_number(updated.facts.failures, event->failures, "failures");
		if (event->kind == FAILURE || event->kind == BUSY)
			is_string(updated.facts.failure, event->kind == BUSY ? "busy" : "why",
				"why there is no file");
		else if (event->failures == 0)
			is_string(updated.facts.failure, "", "nothing has failed");
		is_number(updated.warn, event->warn, "a warning?");
		is_number(updated.facts.asked_at, asked ? update.now : 0, "asked for");
		bool has_policy = sts_has_policy(event->status);
		is_number((int64_t)updated.facts.pattern_count, has_policy, "patterns");
		is_number((int64_t)updated.facts.line_count, has_policy ? 5 : 0, "lines");
		store(&stored, &updated);
		sts_updated_clear(&updated);
		if (event->kind == POLICY)
			sts_policy_clear(&policy);
	}
	free(stored.bytes);
}

/* --- to be kept fresh ---------------------------------------------------------------------- */

static void test_due(void)
{
	enum { KEEP = 30 * DAY };
	static const struct {
		const char *what;
		enum sts_status status;
		uint32_t max_age, asked_at, fetched_at, retry_at, refresh_at, expires, now;
		bool due;
	} rows[] = {
		{"an hour after the download", STS_ENFORCE, 90 * DAY, 0, 0, 0, HOUR, 90 * DAY, HOUR,
			false},
		{"a day after it", STS_ENFORCE, 90 * DAY, 0, 0, 0, HOUR, 90 * DAY, DAY, true},
		{"also a policy of mode testing", STS_TESTING, 90 * DAY, 0, 0, 0, HOUR, 90 * DAY,
			DAY, true},
		{"also a policy of mode none", STS_NONE, 90 * DAY, 0, 0, 0, HOUR, 90 * DAY, DAY,
			true},
		{"the record was looked up just now", STS_ENFORCE, 90 * DAY, 0, 0, 0, DAY + 9,
			90 * DAY, DAY + 8, false},
		{"a download failed just now", STS_ENFORCE, 90 * DAY, 0, 0, DAY + 9, HOUR, 90 * DAY,
			DAY + 8, false},
		{"the end of that wait", STS_ENFORCE, 90 * DAY, 0, 0, DAY + 9, HOUR, 90 * DAY,
			DAY + 9, true},
		{"nobody asked for 30 days", STS_ENFORCE, 90 * DAY, 0, 20 * DAY, 0, HOUR, 90 * DAY,
			30 * DAY, true},
		{"nobody asked for longer", STS_ENFORCE, 90 * DAY, 0, 20 * DAY, 0, HOUR, 90 * DAY,
			30 * DAY + 1, false},
		{"it has expired", STS_ENFORCE, 90 * DAY, 0, 0, 0, HOUR, 2 * DAY, 2 * DAY, false},
		{"no policy", STS_ABSENT, 90 * DAY, 0, 0, 0, HOUR, 90 * DAY, DAY, false},
		{"no policy could be downloaded", STS_FAILED, 90 * DAY, 0, 0, 0, HOUR, 90 * DAY,
			DAY, false},
		{"almost the last tenth of half a day", STS_ENFORCE, 10 * HOUR, 0, 0, 0, 8 * HOUR,
			10 * HOUR, 9 * HOUR - 1, false},
		{"the last tenth of half a day", STS_ENFORCE, 10 * HOUR, 0, 0, 0, 8 * HOUR,
			10 * HOUR, 9 * HOUR, true},
		{"an hour is the shortest time", STS_ENFORCE, HOUR + 1, 0, 0, 0, 60, HOUR + 60,
			HOUR - 1, false},
		{"and then it is due", STS_ENFORCE, HOUR + 1, 0, 0, 0, 60, HOUR + 60, HOUR, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stored stored = {.bytes = NULL};
		struct sts_updated updated = {
			.facts =
				{
					.status = rows[i].status,
					.max_age = rows[i].max_age,
					.asked_at = START + rows[i].asked_at,
					.fetched_at = START + rows[i].fetched_at,
					.retry_at = START + rows[i].retry_at,
				},
			.times =
				{
					.stored_at = START,
					.refresh_at = START + rows[i].refresh_at,
					.expires = START + rows[i].expires,
				},
		};
		store(&stored, &updated);
		ok(sts_update_is_due(&stored.part, START + rows[i].now, KEEP) == rows[i].due,
			"%s: %s", rows[i].what, rows[i].due ? "due" : "not due");
		free(stored.bytes);
	}
}

/* A policy is never older than its max_age, and one from the future does not count. */
static void test_clock(void)
{
	struct stored stored = {.bytes = NULL};
	struct sts_updated updated = {
		.facts = {.status = STS_ENFORCE, .id = "1", .fetched_at = START},
		.times = {.stored_at = START, .refresh_at = START, .expires = START + DAY},
	};
	struct sts_update update = {.old = &stored.part, .discovery = STS_NO_RECORD, .ttl = 60};
	static const struct {
		const char *what;
		int64_t now;
		enum sts_status status;
	} rows[] = {
		{"a second before its end", DAY - 1, STS_ENFORCE},
		{"its end", DAY, STS_ABSENT},
		{"years later", 1000 * DAY, STS_ABSENT},
		{"the clock is a minute back", -MINUTE, STS_ENFORCE},
		{"the clock is further back", -MINUTE - 1, STS_ABSENT},
	};

	store(&stored, &updated);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		update.now = (uint32_t)(START + rows[i].now);
		update.max_ttl = DAY;
		ok(sts_update_without_file(&update, &updated) &&
				updated.facts.status == rows[i].status,
			"%s: %s", rows[i].what, sts_status_name(updated.facts.status));
		sts_updated_clear(&updated);
	}
	/* Times of failures from the future do not stop downloads for ever. */
	struct sts_updated failed = {
		.facts = {.status = STS_FAILED, .failures = 1, .failed_id = "1"},
		.times = {.stored_at = START, .refresh_at = START, .expires = START + 1},
	};
	failed.facts.retry_at = START + 300 * DAY;
	store(&stored, &failed);
	update.now = START;
	update.discovery = STS_DISCOVERED;
	update.id = "1";
	ok(sts_update_needs_file(&update), "a wait that is longer than possible does not count");
	free(stored.bytes);
}

static void test_mismatch(void)
{
	struct stored stored = {.bytes = NULL};
	struct sts_updated updated = {
		.facts = {.status = STS_ENFORCE, .fetched_at = START},
		.times = {.stored_at = START, .refresh_at = START, .expires = START + DAY},
	};

	store(&stored, &updated);
	ok(!sts_update_mismatch_is_due(&stored.part, START + 5 * MINUTE - 1),
		"not within five minutes after a download");
	ok(sts_update_mismatch_is_due(&stored.part, START + 5 * MINUTE), "five minutes after it");
	updated.facts.failed_at = START + 5 * MINUTE;
	store(&stored, &updated);
	ok(!sts_update_mismatch_is_due(&stored.part, START + 10 * MINUTE - 1),
		"nor after one that failed");
	ok(sts_update_mismatch_is_due(&stored.part, START - 1), "the clock was set back");
	free(stored.bytes);
}

int main(void)
{
	for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		tell(&stories[i], true);
		tell(&stories[i], false);
	}
	test_due();
	test_clock();
	test_mismatch();
	return done_testing();
}
