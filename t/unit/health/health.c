/*
 * health: each thread that is stuck, each state of the resolver, and which of several problems is
 * reported.
 */
#include "daemon/health/health.h"

#include "daemon/loop/heartbeat.h"
#include "t/unit/tap.h"

/* The functions that health.c calls, instead of server.c and lookup.c. */
static struct lookup_counters counters;
static uint32_t serving_age, looking_age;

uint32_t server_heartbeat_age(const struct server *server)
{
	(void)server;
	return serving_age;
}

uint32_t lookup_heartbeat_age(const struct lookup *lookup)
{
	(void)lookup;
	return looking_age;
}

const struct lookup_counters *lookup_counters(const struct lookup *lookup)
{
	(void)lookup;
	return &counters;
}

static const struct {
	uint32_t serving, looking; /* [s] since their last beat */
	enum probe_result result;
	bool expected;
	const char *words;
} rows[] = {
	{0, 0, PROBE_WORKS, true, "ok"},
	{HEARTBEAT_STUCK - 1, HEARTBEAT_STUCK - 1, PROBE_WORKS, true, "ok"},
	/* Only trust anchors of other zones: as configured. */
	{0, 0, PROBE_NO_ANCHOR, true, "ok"},
	{HEARTBEAT_STUCK, 0, PROBE_WORKS, true, "a serving thread has been stuck for 10 seconds"},
	{0, 3600, PROBE_WORKS, true, "the lookup thread has been stuck for 3600 seconds"},
	{20, 20, PROBE_NO_ROUTE, false, "a serving thread has been stuck for 20 seconds"},
	{0, 20, PROBE_NO_ROUTE, false, "the lookup thread has been stuck for 20 seconds"},
	{0, 0, PROBE_UNKNOWN, false, "the resolver has not answered yet"},
	{0, 0, PROBE_NO_ROUTE, false,
		"DNSSEC validation does not work: no answer from the root servers or the "
		"configured resolvers"},
	{0, 0, PROBE_NO_ANCHOR, false,
		"DNSSEC validation does not work: no trust anchor covers the root"},
	{0, 0, PROBE_CLOCK, false,
		"DNSSEC validation does not work: the root's signatures have expired or are "
		"not valid yet: check the clock"},
};

int main(void)
{
	char words[HEALTH_WORDS_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		serving_age = rows[i].serving;
		looking_age = rows[i].looking;
		counters.resolver.result = rows[i].result;
		counters.resolver.expected = rows[i].expected;
		bool healthy = health_check(NULL, NULL, words);
		is_string(words, rows[i].words, "row %zu", i);
		ok(healthy == (strcmp(rows[i].words, "ok") == 0), "row %zu: %s", i,
			healthy ? "healthy" : "not healthy");
	}
	many_begin("every state fits into the line");
	counters.resolver.expected = false;
	for (int result = 0; result < PROBE_RESULT_COUNT; result++) {
		serving_age = looking_age = 0;
		counters.resolver.result = result;
		many(!health_check(NULL, NULL, words) && strlen(words) < HEALTH_WORDS_SIZE - 1,
			"%s", words);
	}
	many_end();
	return done_testing();
}
