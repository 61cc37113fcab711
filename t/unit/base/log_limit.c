/*
 * log_limit: the limit is allowed in each span and no more; the first line of a later span gets the
 * number of lines left out before it; several threads at once are not allowed more, and no number
 * is lost.
 */
#include "common/base/log_limit.h"

#include "t/unit/tap.h"

#include <pthread.h>

enum { THREADS = 4, ASKED = 50000 };

/* Each row wants to log a line this number of times. */
static const struct {
	uint32_t lines, seconds;
	struct {
		uint32_t now, times;
		uint32_t allowed;  /* the number of lines that are allowed */
		uint32_t left_out; /* the number that the first of them gets */
	} rows[6];
	const char *what;
} cases[] = {
	{1, 1, {{100, 1, 1, 0}, {100, 3, 0, 0}, {101, 1, 1, 3}, {102, 1, 1, 0}}, "one a second"},
	{5, 1, {{100, 5, 5, 0}, {100, 1, 0, 0}, {101, 7, 5, 1}, {109, 2, 2, 2}, {110, 1, 1, 0}},
		"five a second"},
	{5, 1, {{100, 3, 3, 0}, {100, 2, 2, 0}, {100, 4, 0, 0}}, "five of one second in pieces"},
	{2, 10, {{100, 1, 1, 0}, {109, 2, 1, 0}, {110, 1, 1, 1}, {119, 2, 1, 0}, {121, 1, 1, 1}},
		"a span begins with its first line"},
	{1, 60, {{0, 1, 1, 0}, {0, 1, 0, 0}, {59, 1, 0, 0}, {60, 1, 1, 2}}, "from 0 on"},
	{1, 60, {{30, 1, 1, 0}, {61, 1, 0, 0}, {89, 1, 0, 0}, {90, 1, 1, 2}}, "soon after 0"},
	{1, 1, {{100, 1, 1, 0}, {99, 1, 0, 0}, {100, 1, 0, 0}, {101, 1, 1, 2}},
		"a clock that was read a little earlier begins no span"},
	{1, 10, {{UINT32_MAX - 4, 2, 1, 0}, {4, 1, 0, 0}, {5, 1, 1, 2}}, "past the largest time"},
};

static void test_cases(void)
{
	many_begin("lines in order of time");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct log_limit limit = LOG_LIMIT(cases[i].lines, cases[i].seconds);

		for (size_t row = 0; row < 6 && cases[i].rows[row].times > 0; row++) {
			uint32_t allowed = 0, first = 0, later = 0;
			for (uint32_t n = 0; n < cases[i].rows[row].times; n++) {
				uint32_t left_out = 12345;
				allowed +=
					log_limit_allows(&limit, cases[i].rows[row].now, &left_out);
				if (n == 0)
					first = left_out;
				else
					later += left_out;
			}
			many(allowed == cases[i].rows[row].allowed &&
					first == cases[i].rows[row].left_out && later == 0,
				"%s, row %zu: %u allowed, %u and %u left out", cases[i].what, row,
				allowed, first, later);
		}
	}
	many_end();
}

static void test_very_many(void)
{
	struct log_limit limit = LOG_LIMIT(2, 1);
	uint32_t left_out;

	log_limit_allows(&limit, 100, &left_out);
	/* As if this number of lines had been wanted. */
	atomic_store(&limit.state, UINT64_C(100) << 32 | UINT32_MAX);
	ok(!log_limit_allows(&limit, 100, &left_out), "the largest number is left out too");
	ok(log_limit_allows(&limit, 101, &left_out), "the next span");
	is_number(left_out, UINT32_MAX - 2, "its number stays at the most");
}

static struct log_limit shared = LOG_LIMIT(3, 1);
static atomic_uint now, allowed, left_out_sum;

static void *ask(void *context)
{
	for (unsigned i = 0; i < ASKED; i++) {
		uint32_t left_out, time = i % 1000 == 0 ? atomic_fetch_add(&now, 1) + 1 : now;
		allowed += log_limit_allows(&shared, time, &left_out);
		left_out_sum += left_out;
	}
	return context;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	uint32_t left_out;

	atomic_store(&now, 100);
	for (unsigned i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, ask, NULL) != 0)
			bail_out("no thread");
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_limit_allows(&shared, now + 1, &left_out);
	uint32_t spans = now - 100;
	ok(allowed <= 3 * spans && allowed >= 3, "%u allowed in %u spans", allowed, spans);
	is_number((int64_t)allowed + left_out_sum + left_out, (int64_t)THREADS * ASKED,
		"each line is allowed or counted");
}

int main(void)
{
	test_cases();
	test_very_many();
	test_threads();
	return done_testing();
}
