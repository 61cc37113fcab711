/*
 * measure: functions that the programs of t/bench share: a clock, keeping a process on one core,
 * and a histogram of times whose percentiles are exact to 1.6 %.
 */
#ifndef TLSAD_BENCH_MEASURE_H
#define TLSAD_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC [ns]; without a system call if the kernel has a vDSO. */
static inline uint64_t measure_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Log-linear: each power of two is cut into 64 equal parts; below 128 each number has its own. */
enum { HISTOGRAM_BITS = 7, HISTOGRAM_ROW = 1 << HISTOGRAM_BITS };
enum { HISTOGRAM_SLOTS = (64 - HISTOGRAM_BITS + 1) * HISTOGRAM_ROW };

struct histogram {
	uint64_t count;
	uint64_t largest;
	uint64_t slots[HISTOGRAM_SLOTS];
};

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	unsigned shift = 0;
	if (value >= HISTOGRAM_ROW)
		shift = 63U - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS + 1;
	/* A shifted value is in the upper half of its row: 64 to 127. */
	histogram->slots[shift * HISTOGRAM_ROW + (value >> shift)]++;
	histogram->count++;
	if (value > histogram->largest)
		histogram->largest = value;
}

void histogram_clear(struct histogram *histogram);

/* The value that `share` (0 to 1) of the values do not exceed; 0 without any values. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/*
 * Keep this process on one core. If that is refused, it is reported on standard error but is not a
 * failure: the figures are then less steady, which their reader must know.
 */
void measure_pin(const char *program, int cpu);

/* A decimal number of an option, in [least, most]; exits 64 with a line on standard error. */
unsigned long measure_number(const char *program, const char *option, const char *text,
	unsigned long least, unsigned long most);

#endif
