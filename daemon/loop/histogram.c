#include "daemon/loop/histogram.h"

const struct histogram_bound histogram_bounds[HISTOGRAM_BOUNDS] = {
	{10, "0.00001"},
	{25, "0.000025"},
	{50, "0.00005"},
	{100, "0.0001"},
	{250, "0.00025"},
	{500, "0.0005"},
	{1000, "0.001"},
	{2500, "0.0025"},
	{5000, "0.005"},
	{10000, "0.01"},
	{25000, "0.025"},
	{50000, "0.05"},
	{100000, "0.1"},
	{250000, "0.25"},
	{500000, "0.5"},
	{1000000, "1"},
	{5000000, "5"},
	{10000000, "10"},
	{30000000, "30"},
};

void histogram_add(struct histogram *histogram, uint64_t microseconds, uint64_t count)
{
	size_t bucket = 0;

	while (bucket < HISTOGRAM_BOUNDS && microseconds > histogram_bounds[bucket].max)
		bucket++;
	counter_add(&histogram->buckets[bucket], count);
	counter_add(&histogram->sum, microseconds * count);
}

void histogram_read(const struct histogram *histogram, struct histogram_figures *figures)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		figures->buckets[i] += counter_read(&histogram->buckets[i]);
	figures->sum += counter_read(&histogram->sum);
}

uint64_t histogram_count(const struct histogram_figures *figures)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += figures->buckets[i];
	return count;
}
