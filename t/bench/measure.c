#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_setaffinity */
#endif
#include "measure.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof *histogram);
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	uint64_t seen = 0;
	double wanted = share * (double)histogram->count;

	for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
		seen += histogram->slots[slot];
		if (seen > 0 && (double)seen >= wanted) {
			unsigned shift = slot / HISTOGRAM_ROW;
			uint64_t upper = ((uint64_t)(slot % HISTOGRAM_ROW + 1) << shift) - 1;
			return upper < histogram->largest ? upper : histogram->largest;
		}
	}
	return histogram->largest;
}

void measure_pin(const char *program, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		fprintf(stderr, "%s: cannot stay on core %d: %s\n", program, cpu, strerror(errno));
}

unsigned long measure_number(const char *program, const char *option, const char *text,
	unsigned long least, unsigned long most)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number >= least &&
		number <= most)
		return number;
	fprintf(stderr, "%s: --%s needs a number from %lu to %lu, not \"%s\"\n", program, option,
		least, most, text);
	exit(64);
}
