#include "daemon/ctl/frame/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *moment_date(char words[MOMENT_SIZE], int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm parts;

	if (gmtime_r(&time, &parts) == NULL ||
		strftime(words, MOMENT_SIZE, "%Y-%m-%d %H:%M UTC", &parts) == 0)
		snprintf(words, MOMENT_SIZE, "%" PRId64 " s after 1970", seconds);
	return words;
}

static const struct unit {
	int64_t seconds;
	const char *name;
} units[] = {{MOMENT_DAY, "days"}, {60 * 60, "hours"}, {60, "minutes"}, {1, "seconds"}};

/* The largest unit of which there are two or more. */
static const struct unit *choose_unit(int64_t seconds)
{
	const struct unit *unit = units;

	while (unit->seconds > 1 && seconds / unit->seconds < 2)
		unit++;
	return unit;
}

const char *moment_duration(char words[MOMENT_SIZE], int64_t seconds)
{
	const struct unit *unit = choose_unit(seconds);

	snprintf(words, MOMENT_SIZE, seconds == 1 ? "1 second" : "%" PRId64 " %s",
		seconds / unit->seconds, unit->name);
	return words;
}

const char *moment_brief(char words[MOMENT_SIZE], int64_t seconds)
{
	const struct unit *unit = choose_unit(seconds);

	snprintf(words, MOMENT_SIZE, "%" PRId64 "%c", seconds / unit->seconds, unit->name[0]);
	return words;
}
