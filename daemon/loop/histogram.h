/*
 * histogram: durations, counted in buckets.
 *
 * One thread writes, without a lock; any thread reads. A reader may see a duration in the buckets
 * that is not yet in the sum; each number by itself never decreases.
 */
#ifndef TLSAD_LOOP_HISTOGRAM_H
#define TLSAD_LOOP_HISTOGRAM_H

#include "common/base/counter.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A reply from the cache takes some 10 us; the default of [resolver] timeout is 20 s. All longer
 * durations are in one more bucket.
 */
enum { HISTOGRAM_BOUNDS = 19 };

struct histogram_bound {
	uint64_t max;     /* [us], inclusive */
	const char *text; /* the same in seconds */
};

extern const struct histogram_bound histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
	counter buckets[HISTOGRAM_BOUNDS + 1]; /* the last one: longer than all bounds */
	counter sum;                           /* [us] */
};

/* Add `count` events that took `microseconds` each. Writing thread only. */
void histogram_add(struct histogram *histogram, uint64_t microseconds, uint64_t count);

/* The sum of one or several histograms, for a reader. Begins as zeroes. */
struct histogram_figures {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* not cumulative */
	uint64_t sum;                           /* [us] */
};

/* Add the histogram's numbers to the figures. Any thread. */
void histogram_read(const struct histogram *histogram, struct histogram_figures *figures);

uint64_t histogram_count(const struct histogram_figures *figures);

#endif
