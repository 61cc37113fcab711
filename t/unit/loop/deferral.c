/*
 * deferral: the first TEMP reply is logged, later ones once in an interval with the number of those
 * left out; a destination with another reply, or without requests, is forgotten; their number is
 * limited.
 */
#include "daemon/loop/deferral.h"

#include "t/unit/tap.h"

enum { BEGIN = 1000 }; /* [s] */

static struct deferrals *deferrals;

static void is_note(
	struct deferral_note got, bool quiet, uint32_t left_out, uint32_t seconds, const char *what)
{
	ok(got.quiet == quiet && got.left_out == left_out && got.seconds == seconds,
		"%s: quiet %d, left out %u, %u s", what, got.quiet, got.left_out, got.seconds);
}

static void test_lines(void)
{
	struct deferral_note note;

	is_number(deferrals_oldest(deferrals), UINT32_MAX, "nothing is deferred");
	is_note(deferral_note(deferrals, "a.example", BEGIN, true), false, 0, 0, "the first");
	is_note(deferral_note(deferrals, "a.example", BEGIN, true), true, 1, 0, "at once again");
	is_note(deferral_note(deferrals, "b.example", BEGIN + 1, true), false, 0, 0, "another one");
	is_note(deferral_note(deferrals, "a.example", BEGIN + DEFERRAL_INTERVAL - 1, true), true, 2,
		DEFERRAL_INTERVAL - 1, "within the interval");
	is_note(deferral_note(deferrals, "a.example", BEGIN + DEFERRAL_INTERVAL, true), false, 2,
		DEFERRAL_INTERVAL, "after it, with those left out");
	is_note(deferral_note(deferrals, "a.example", BEGIN + DEFERRAL_INTERVAL + 1, true), true, 1,
		DEFERRAL_INTERVAL + 1, "and again");
	is_number((int64_t)deferrals_count(deferrals), 2, "two are deferred");
	is_number(deferrals_oldest(deferrals), BEGIN, "since the first of them");
	ok(deferral_end(deferrals, "a.example", BEGIN + 2 * DEFERRAL_INTERVAL, &note), "it ends");
	is_note(note, false, 1, 2 * DEFERRAL_INTERVAL, "its end");
	ok(!deferral_end(deferrals, "a.example", BEGIN, &note), "it ends once");
	is_number(deferrals_oldest(deferrals), BEGIN + 1, "the other one is left");
	is_note(deferral_note(deferrals, "a.example", 5000, true), false, 0, 0, "it begins again");
}

static void test_forgetting(void)
{
	deferral_note(deferrals, "b.example", 6000, true);
	deferrals_forget(deferrals, 5001);
	is_number((int64_t)deferrals_count(deferrals), 1, "one is not requested any more");
	is_number(deferrals_oldest(deferrals), BEGIN + 1, "and the other one stays");
	deferrals_forget(deferrals, 6001);
	is_number((int64_t)deferrals_count(deferrals), 0, "none is left");
}

/* The requests of an administrator are limited in the log, but not counted. */
static void test_administrator(void)
{
	struct deferral_note note;

	is_note(deferral_note(deferrals, "c.example", 6100, false), false, 0, 0, "explain");
	is_note(deferral_note(deferrals, "c.example", 6110, false), true, 1, 10, "explain again");
	is_number((int64_t)deferrals_count(deferrals), 0, "there may be no mail");
	is_number(deferrals_oldest(deferrals), UINT32_MAX, "so nothing is deferred");
	is_note(deferral_note(deferrals, "c.example", 6120, true), true, 2, 20, "Postfix");
	is_note(deferral_note(deferrals, "c.example", 6130, false), true, 3, 30, "explain, then");
	is_number((int64_t)deferrals_count(deferrals), 1, "one is deferred");
	is_number(deferrals_oldest(deferrals), 6120, "since the first reply to Postfix");
	deferral_note(deferrals, "d.example", 6140, false);
	deferrals_forget(deferrals, 6130);
	is_number((int64_t)deferrals_count(deferrals), 0, "without mail it is forgotten");
	ok(deferral_end(deferrals, "d.example", 6150, &note), "the other one is remembered");
}

static void test_most(void)
{
	char key[32];
	struct deferral_note note;

	for (unsigned i = 0; i < DEFERRALS_MAX + 10; i++) {
		snprintf(key, sizeof key, "d%u.example", i);
		deferral_note(deferrals, key, 7000 + i, true);
		/* This one is requested again and again. */
		deferral_note(deferrals, "d0.example", 7000 + i, true);
	}
	is_number((int64_t)deferrals_count(deferrals), DEFERRALS_MAX, "the number is limited");
	ok(!deferral_end(deferrals, "d1.example", 30000, &note),
		"the one without requests for longest is forgotten");
	ok(deferral_end(deferrals, "d0.example", 30000, &note), "the requested one is not");
	deferral_note(deferrals, "d0.example", 30000, true);
	uint32_t oldest = deferrals_oldest(deferrals);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "a%u.example", i);
		ok(!deferral_note(deferrals, key, 30001, false).quiet,
			"an administrator's request is logged");
	}
	is_number((int64_t)deferrals_count(deferrals), DEFERRALS_MAX, "and displaces none");
	is_number(deferrals_oldest(deferrals), oldest, "not the oldest either");
}

int main(void)
{
	deferrals = deferrals_new();
	test_lines();
	test_forgetting();
	test_administrator();
	test_most();
	deferrals_free(deferrals);
	return done_testing();
}
