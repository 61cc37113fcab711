/*
 * histogram: every duration is in the bucket with the first bound that is not less; bounds ascend
 * and have the same value as text in seconds; sums of several histograms are right.
 */
#include "daemon/loop/histogram.h"

#include "t/unit/tap.h"

static size_t bucket_of(uint64_t microseconds)
{
	static struct histogram histogram;
	struct histogram_figures figures = {.sum = 0};
	size_t found = HISTOGRAM_BOUNDS + 1;

	memset(&histogram, 0, sizeof histogram);
	histogram_add(&histogram, microseconds, 3);
	histogram_read(&histogram, &figures);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		if (figures.buckets[i] == 3)
			found = i;
	}
	return histogram_count(&figures) == 3 ? found : HISTOGRAM_BOUNDS + 1;
}

static void test_bounds(void)
{
	many_begin("bounds");
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		const struct histogram_bound *bound = &histogram_bounds[i];
		double seconds = strtod(bound->text, NULL);
		double off = seconds * 1e6 - (double)bound->max;

		many(off < 0.001 && off > -0.001, "%s is %ju us", bound->text,
			(uintmax_t)bound->max);
		many(i == 0 || bound->max > bound[-1].max, "%s ascends", bound->text);
		many(bucket_of(bound->max) == i, "%s belongs to its bucket", bound->text);
		many(bucket_of(bound->max + 1) == i + 1, "more than %s does not", bound->text);
	}
	many(bucket_of(0) == 0, "0 is in the first");
	many(bucket_of(UINT64_MAX / 4) == HISTOGRAM_BOUNDS, "longer than all bounds");
	many_end();
}

static void test_sums(void)
{
	static struct histogram one, other;
	struct histogram_figures figures = {.sum = 0};

	histogram_add(&one, 10, 5);
	histogram_add(&one, 1000, 1);
	histogram_add(&other, 10, 2);
	histogram_add(&other, 40000000, 1);
	histogram_read(&one, &figures);
	histogram_read(&other, &figures);
	is_number((int64_t)histogram_count(&figures), 9, "the count of both");
	is_number((int64_t)figures.sum, 50 + 1000 + 20 + 40000000, "the sum of both");
	is_number((int64_t)figures.buckets[0], 7, "a bucket of both");
}

int main(void)
{
	test_bounds();
	test_sums();
	return done_testing();
}
