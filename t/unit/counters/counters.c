/*
 * counters: numbers of two threads are added, each number gets to its row, sums by label, the log
 * line at the end.
 */
#include "daemon/counters/counters.h"

#include "common/base/counter.h"
#include "daemon/server/serving_counters.h"
#include "t/unit/tap.h"

enum { THREADS = 2, LINE_SIZE = 4096 };

static struct serving_counters serving[THREADS];
static struct lookup_counters lookups;
static struct dns_counters dns;
static const struct store_figures stored = {.entries = 5, .bytes = 6, .evicted = 7};
static struct daemon_figures figures = {.workers = THREADS,
	.uptime = 60,
	.started = 1700000000,
	.cache_max = 1 << 20,
	.deferred_longest = 77,
	.minimums = 15,
	.exceptions = 16};
static struct counters counters;

static uint64_t find(const char *path)
{
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		if ((row->status != NULL && strcmp(row->status, path) == 0) ||
			(row->total != NULL && strcmp(row->total, path) == 0))
			return counters_total(&counters, i);
	}
	return UINT64_MAX;
}

static const struct {
	const char *path;
	uint64_t value;
} rows[] = {
	{"requests", 111},
	{"hits", 3},
	{"misses", 30},
	{"accepted", 5},
	{"connections", 4},
	{"policy.requests", 8},
	{"policy.unreadable", 2},
	{"lookups.requests", 12},
	{"lookups.failures", 1},
	{"lookups.reasons", 9},
	{"deferred.longest", 77},
	{"dns", 20},
	{"cache.entries", 5},
	{"cache.size", 6},
	{"cache.evicted", 7},
	{"cache.max_size", 1 << 20},
	{"workers", THREADS},
	{"started", 1700000000},
	{"uptime", 60},
	{"rules.minimums", 15},
	{"rules.exceptions", 16},
};

static void count(void)
{
	counter_add(&serving[0].maps.replies[0][REPLY_OK], 1);
	counter_add(&serving[0].maps.replies[1][REPLY_OK], 10);
	counter_add(&serving[1].maps.replies[MAP_COUNT][REPLY_PERM], 100);
	counter_add(&serving[0].maps.hits, 1);
	counter_add(&serving[1].maps.hits, 2);
	counter_add(&serving[1].maps.misses, 30);
	counter_add(&serving[0].accepted, 5);
	counter_add(&serving[0].connections, 5);
	counter_add(&serving[0].connections, (uint64_t)-1);
	counter_add(&serving[1].policy.replies[POLICY_DEFER], 8);
	counter_add(&serving[1].policy.unreadable, 2);
	histogram_add(&serving[0].seconds, 20, 3);
	histogram_add(&serving[1].seconds, 20, 4);
	counter_add(&lookups.requests, 12);
	counter_add(&lookups.failures, 1);
	counter_add(&lookups.reasons[REASON_COUNT - 1], 9);
	counter_add(&dns.queries[DNS_COUNTED_MX][DNS_STATUS_BOGUS], 7);
	counter_add(&dns.queries[DNS_COUNTED_OTHER][DNS_STATUS_BOGUS], 6);
	counter_add(&dns.queries[DNS_COUNTED_OTHER][DNS_STATUS_LOCAL], 7);
	figures.resolver_states[PROBE_CLOCK] = 1;
}

/* Every log name of the table is in the line: no section is missing. */
static void words_are_in(const char *line)
{
	char padded[LINE_SIZE + 1], word[64];

	snprintf(padded, sizeof padded, " %s", line);
	many_begin("the line has every name of the table");
	for (size_t i = 0; i < counter_table_rows; i++) {
		if (counter_table[i].log == NULL)
			continue;
		snprintf(word, sizeof word, " %s=", counter_table[i].log);
		many(strstr(padded, word) != NULL, "%s", word);
	}
	many_end();
}

static void collect(void)
{
	counters_begin(&counters);
	for (size_t i = 0; i < THREADS; i++)
		counters_add(&counters, COUNTER_OF_SERVING, &serving[i]);
	counters_add(&counters, COUNTER_OF_LOOKUP, &lookups);
	counters_add(&counters, COUNTER_OF_DNS, &dns);
	counters_add(&counters, COUNTER_OF_STORE, &stored);
	counters_add(&counters, COUNTER_OF_DAEMON, &figures);
}

static size_t row_of(const char *metric)
{
	size_t i = 0;

	while (i < counter_table_rows &&
		(counter_table[i].metric == NULL || strcmp(counter_table[i].metric, metric) != 0))
		i++;
	if (i == counter_table_rows)
		bail_out(metric);
	return i;
}

int main(void)
{
	struct histogram_figures seconds;
	char line[LINE_SIZE];
	struct text text;

	count();
	collect();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		is_number((int64_t)find(rows[i].path), (int64_t)rows[i].value, "%s", rows[i].path);

	size_t requests = row_of("tlsad_requests_total"),
	       queries = row_of("tlsad_dns_queries_total");
	is_number((int64_t)counters_of_value(&counters, requests, REPLY_OK), 11, "OK of all maps");
	is_number((int64_t)counters_of_value(&counters, requests, REPLY_PERM), 100, "PERM");
	is_number((int64_t)counters_of_value(&counters, queries, DNS_STATUS_BOGUS), 13,
		"bogus ones of all types");
	counters_histogram(&counters, row_of("tlsad_request_seconds"), &seconds);
	is_number((int64_t)histogram_count(&seconds), 7, "times of both threads");
	is_number((int64_t)seconds.sum, 140, "and their sum");
	const uint64_t *states = counters_row(&counters, row_of("tlsad_resolver_state"));
	many_begin("the resolver is in one state");
	for (int state = 0; state < PROBE_RESULT_COUNT; state++)
		many(states[state] == (state == PROBE_CLOCK), "%s",
			probe_result_name((enum probe_result)state));
	many_end();

	text_init(&text, line, sizeof line);
	counters_print(&counters, &text);
	words_are_in(line);
	is_string(line,
		"requests=111 hits=3 misses=30 invalid=0 lookups=12 joined=0 parts=0 failed=1 sts_fetches=0 "
		"entries=5 evicted=7 connections=5 refused=0 policy_requests=8 policy_unreadable=2",
		"the line at the end");
	return done_testing();
}
