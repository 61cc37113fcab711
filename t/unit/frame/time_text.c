/*
 * time_text: durations in the largest unit that is exact enough, and dates, on both sides of 2038.
 */
#include "daemon/ctl/frame/time_text.h"

#include "t/unit/tap.h"

static const struct {
	int64_t seconds;
	const char *expected, *brief;
} durations[] = {
	{0, "0 seconds", "0s"},
	{1, "1 second", "1s"},
	{2, "2 seconds", "2s"},
	{119, "119 seconds", "119s"},
	{120, "2 minutes", "2m"},
	{3600, "60 minutes", "60m"},
	{7199, "119 minutes", "119m"},
	{7200, "2 hours", "2h"},
	{86400, "24 hours", "24h"},
	{172799, "47 hours", "47h"},
	{172800, "2 days", "2d"},
	{14 * 86400 - 1, "13 days", "13d"},
	{INT64_C(400) * 86400, "400 days", "400d"},
};

static const struct {
	int64_t seconds;
	const char *expected;
} dates[] = {
	{0, "1970-01-01 00:00 UTC"},
	{1795575600, "2026-11-25 03:00 UTC"},
	{INT64_C(4102444800), "2100-01-01 00:00 UTC"},
	{INT64_C(253402300799), "9999-12-31 23:59 UTC"},
};

int main(void)
{
	char words[TIME_TEXT_SIZE];

	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		is_string(time_text_duration(words, durations[i].seconds), durations[i].expected,
			"%jd s", (intmax_t)durations[i].seconds);
		is_string(time_text_duration_short(words, durations[i].seconds), durations[i].brief,
			"%jd s in brief", (intmax_t)durations[i].seconds);
	}
	for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
		is_string(time_text_date(words, dates[i].seconds), dates[i].expected, "%jd",
			(intmax_t)dates[i].seconds);
	ok(strlen(time_text_date(words, INT64_MAX)) < TIME_TEXT_SIZE, "a date that is none fits");
	return done_testing();
}
