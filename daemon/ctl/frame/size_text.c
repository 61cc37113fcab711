#include "daemon/ctl/frame/size_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *size_text(char text[SIZE_TEXT_SIZE], uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t whole = bytes, rest = 0;
	const char *unit = NULL;

	for (size_t i = 0; whole >= 1024; i++) {
		rest = whole % 1024;
		whole /= 1024;
		unit = units[i];
	}
	uint64_t tenths = rest * 10 / 1024;
	if (unit == NULL)
		snprintf(text, SIZE_TEXT_SIZE, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
	else if (tenths == 0)
		snprintf(text, SIZE_TEXT_SIZE, "%" PRIu64 " %s", whole, unit);
	else
		snprintf(text, SIZE_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, unit);
	return text;
}
