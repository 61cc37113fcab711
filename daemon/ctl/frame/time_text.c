#include "daemon/ctl/frame/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *time_text_date(char text[TIME_TEXT_SIZE], int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm parts;

	if (gmtime_r(&time, &parts) == NULL ||
		strftime(text, TIME_TEXT_SIZE, "%Y-%m-%d %H:%M UTC", &parts) == 0)
		snprintf(text, TIME_TEXT_SIZE, "%" PRId64 " s after 1970", seconds);
	return text;
}

static const struct unit {
	int64_t seconds;
	const char *name;
} units[] = {{24 * 60 * 60, "days"}, {60 * 60, "hours"}, {60, "minutes"}, {1, "seconds"}};

/* The largest unit of which there are at least two. */
static const struct unit *choose_unit(int64_t seconds)
{
	const struct unit *unit = units;

	while (unit->seconds > 1 && seconds / unit->seconds < 2)
		unit++;
	return unit;
}

const char *time_text_duration(char text[TIME_TEXT_SIZE], int64_t seconds)
{
	const struct unit *unit = choose_unit(seconds);

	snprintf(text, TIME_TEXT_SIZE, seconds == 1 ? "1 second" : "%" PRId64 " %s",
		seconds / unit->seconds, unit->name);
	return text;
}

const char *time_text_duration_short(char text[TIME_TEXT_SIZE], int64_t seconds)
{
	const struct unit *unit = choose_unit(seconds);

	snprintf(text, TIME_TEXT_SIZE, "%" PRId64 "%c", seconds / unit->seconds, unit->name[0]);
	return text;
}
