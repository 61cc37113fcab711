/*
 * counter: adding positive and negative numbers; a reader in another thread never sees the value
 * decrease while it is only increased.
 */
#include "common/base/counter.h"

#include "t/unit/tap.h"

#include <pthread.h>

enum { STEPS = 200000, STEP = 3 };

static counter steps;

static void *count_up(void *context)
{
	for (unsigned i = 0; i < STEPS; i++)
		counter_add(&steps, STEP);
	return context;
}

int main(void)
{
	counter gauge = 0;
	pthread_t thread;

	counter_add(&gauge, 2);
	counter_add(&gauge, 1);
	is_number((int64_t)counter_read(&gauge), 3, "added");
	counter_add(&gauge, (uint64_t)-1);
	is_number((int64_t)counter_read(&gauge), 2, "a gauge goes down");
	counter_add(&gauge, UINT64_C(1) << 40);
	is_number((int64_t)counter_read(&gauge), (INT64_C(1) << 40) + 2, "more than 32 bits");

	if (pthread_create(&thread, NULL, count_up, NULL) != 0)
		bail_out("no thread");
	many_begin("what a reader sees while another thread counts");
	for (uint64_t last = 0, seen = 0; seen < (uint64_t)STEPS * STEP; last = seen) {
		seen = counter_read(&steps);
		many(seen >= last && seen % STEP == 0, "%ju after %ju", (uintmax_t)seen,
			(uintmax_t)last);
	}
	many_end();
	pthread_join(thread, NULL);
	return done_testing();
}
