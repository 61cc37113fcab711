#include "daemon/ctl/moment.h"

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

const char *moment_duration(char words[MOMENT_SIZE], int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{MOMENT_DAY, "days"}, {60 * 60, "hours"}, {60, "minutes"}, {1, "seconds"}};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		int64_t count = seconds / units[i].seconds;
		if (count >= 2) {
			snprintf(words, MOMENT_SIZE, "%" PRId64 " %s", count, units[i].name);
			return words;
		}
	}
	snprintf(words, MOMENT_SIZE, seconds == 1 ? "1 second" : "%" PRId64 " seconds", seconds);
	return words;
}
