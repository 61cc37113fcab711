/*
 * histogram: how long something took, counted in buckets.
 *
 * One thread writes, without a lock; any thread reads. A reader may see a time in the buckets and
 * not yet in the sum; each number by itself never goes back.
 */
#ifndef TLSAD_LOOP_HISTOGRAM_H
#define TLSAD_LOOP_HISTOGRAM_H

#include "common/base/counter.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A reply from the cache takes some 10 us; [resolver] timeout is 20 s unless it is set. What takes
 * longer than the last bound is counted together.
 */
enum { HISTOGRAM_BOUNDS = 19 };

struct histogram_bound {
	uint64_t max;     /* [us], inclusive */
	const char *text; /* the same in seconds */
};

extern const struct histogram_bound histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
	counter buckets[HISTOGRAM_BOUNDS + 1]; /* the last: longer than all bounds */
	counter sum;                           /* [us] */
};

/* `count` events took that long, each. By the writer. */
void histogram_add(struct histogram *histogram, uint64_t microseconds, uint64_t count);

/* What a reader makes of one or several. */
struct histogram_figures {
	uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* as above: not summed up */
	uint64_t sum;                           /* [us] */
};

/* Add what the histogram has counted. By any thread. */
void histogram_read(const struct histogram *histogram, struct histogram_figures *figures);

uint64_t histogram_count(const struct histogram_figures *figures);

#endif
