/*
 * assess: a destination from the cache and the site's rules: hit, due for refresh, missing, decided
 * by an exception; how deep the cache is read; a lookup's result. By table.
 */
#include "daemon/answer/assess.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

#include <event2/event.h>

/* Hosts in the cache, by their first letter. */
static const struct {
	const char *domain, *host;
	enum host_status status;
	uint32_t refresh_at; /* [s] from PARTS_NOW on */
} stored[] = {
	{"full.example.com", "full-mx.example.com", HOST_USABLE, 3000},
	{"due.example.com", "due-mx.example.com", HOST_USABLE, 50},
	{"none.example.com", "none-mx.example.com", HOST_NONE, 3000},
	{"failed.example.com", "failed-mx.example.com", HOST_FAILED, 3000},
	{"half.example.com", NULL, HOST_NONE, 3000}, /* its host is not in the cache */
};

static const struct {
	const char *key;
	bool thorough, ruled;
	enum assess_state state;
	enum verdict_level level;
	enum reason reason;
	enum minimum_level minimum;
} cases[] = {
	{"full.example.com", false, true, ASSESS_HIT, VERDICT_DANE_ONLY, REASON_DANE_FULL,
		MINIMUM_NONE},
	{"[full-mx.example.com]", false, true, ASSESS_HIT, VERDICT_DANE_ONLY, REASON_DANE_FULL,
		MINIMUM_NONE},
	{"due.example.com", false, true, ASSESS_REFRESH, VERDICT_DANE_ONLY, REASON_DANE_FULL,
		MINIMUM_DANE},
	{"due.example.com", false, false, ASSESS_REFRESH, VERDICT_DANE_ONLY, REASON_DANE_FULL,
		MINIMUM_NONE},
	{"none.example.com", false, true, ASSESS_HIT, VERDICT_NOTFOUND, REASON_NO_TLSA,
		MINIMUM_NONE},
	{"failed.example.com", false, true, ASSESS_HIT, VERDICT_TEMP, REASON_LOOKUP_FAILED,
		MINIMUM_NONE},
	{"half.example.com", false, true, ASSESS_MISS, VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION,
		MINIMUM_NONE},
	{"missing.example.com", false, true, ASSESS_MISS, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_NONE},
	{"full.example.com:26", false, true, ASSESS_MISS, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_NONE},
	/* An exception decides without the cache, unless `thorough` is set or no rules apply. */
	{"excepted.example.net", false, true, ASSESS_EXCEPTION, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_NONE},
	{"excepted.example.net", true, true, ASSESS_MISS, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_NONE},
	{"excepted.example.net", false, false, ASSESS_MISS, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_NONE},
	/* An exception that the minimum overrules does not decide. */
	{"overruled.example.net", false, true, ASSESS_MISS, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_DANE},
	{"[192.0.2.1]", false, true, ASSESS_NO_DESTINATION, VERDICT_NOTFOUND,
		REASON_NOT_A_DESTINATION, MINIMUM_NONE},
	{"localhost", true, true, ASSESS_NO_DESTINATION, VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION,
		MINIMUM_NONE},
};

static struct conf *conf;
static struct cache *cache;
static struct cache_reader *reader;

static void put(char *key, size_t key_size, uint8_t *bytes, size_t size)
{
	if (bytes == NULL)
		bail_out("out of memory");
	cache_put(cache, key, key_size, bytes, size);
	free(bytes);
}

static void store(size_t i)
{
	static const uint8_t rdata[35] = {3, 1, 1, 0xab};
	struct host_tlsa tlsa = {TLSA_USABLE, sizeof rdata, rdata};
	struct mx_host host = {.preference = 10};
	struct mx_set set = {
		.status = MX_FOUND, .security = DNS_SECURE, .host_count = 1, .hosts = &host};
	struct part_times times = parts_times();
	struct host_facts facts;
	char key[PART_KEY_MAX];
	size_t size = 0;

	times.refresh_at = PARTS_NOW + stored[i].refresh_at;
	snprintf(host.name, sizeof host.name, "%s",
		stored[i].host != NULL ? stored[i].host : "absent-mx.example.com");
	size_t key_size =
		part_named_key(key, PART_MX, stored[i].domain, strlen(stored[i].domain), 0);
	uint8_t *bytes = part_encode_mx(&set, &times, key, key_size, &size);
	put(key, key_size, bytes, size);
	if (stored[i].host == NULL)
		return;
	parts_host_facts(&facts, stored[i].status, stored[i].host, &tlsa,
		stored[i].status == HOST_USABLE ? 1 : 0);
	key_size = part_named_key(key, PART_HOST, stored[i].host, strlen(stored[i].host), 25);
	bytes = part_encode_host(&facts, &times, key, key_size, &size);
	put(key, key_size, bytes, size);
}

static void prepare(void)
{
	char error[CONF_ERROR_SIZE], words[STORE_ERROR_SIZE], path[SCRATCH_PATH_SIZE + 32];
	char *overrides[] = {path, "minimum.due.example.com=dane",
		"minimum.overruled.example.net=dane", "exception.excepted.example.net=may",
		"exception.overruled.example.net=may"};
	struct event_base *base = event_base_new();

	scratch_begin();
	snprintf(path, sizeof path, "cache.path=%s", scratch_directory);
	conf = conf_load("/nonexistent", false, overrides, 5, error);
	if (conf == NULL || !conf_load_rules(conf, error))
		bail_out(error);
	cache = cache_open(conf, words);
	if (cache == NULL)
		bail_out(words);
	if (base == NULL || !cache_start_writing(cache, base))
		bail_out("out of memory");
	for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++)
		store(i);
	cache_stop_writing(cache);
	event_base_free(base);
	reader = cache_reader_new(cache);
	if (reader == NULL)
		bail_out("out of memory");
}

static struct assess_question question_of(
	const char *key, struct destination *destination, enum assess_depth depth)
{
	struct assess_question question = {
		.parsed = destination_parse(key, strlen(key), destination),
		.destination = destination,
		.ruled = true,
		.depth = depth,
		.now = PARTS_NOW + 100,
	};

	if (question.parsed == DESTINATION_OK)
		question.place = cache_prefetch(reader, destination);
	return question;
}

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct destination destination;
		struct assess_question question =
			question_of(cases[i].key, &destination, ASSESS_FAILURES);
		static struct assessment got;

		question.thorough = cases[i].thorough;
		question.ruled = cases[i].ruled;
		assess(&got, &question, conf, reader);
		bool read = got.state == ASSESS_HIT || got.state == ASSESS_REFRESH;
		ok(got.state == cases[i].state && got.verdict.level == cases[i].level &&
				got.verdict.reason == cases[i].reason && got.cached == read &&
				(got.evidence != NULL) == read,
			"%s: state %d, %s", cases[i].key, got.state,
			reason_name(got.verdict.reason));
		ok((got.ruling != NULL) == cases[i].ruled &&
				(got.ruling == NULL || got.ruling->minimum == cases[i].minimum),
			"its rules");
		assess_end(reader);
	}
}

/* Only the header of a host is read, unless the text of a failure or everything is needed. */
static void test_depth(void)
{
	static const struct {
		const char *key;
		enum assess_depth depth;
		bool whole;
	} depths[] = {
		{"[full-mx.example.com]", ASSESS_STATUS, false},
		{"[full-mx.example.com]", ASSESS_FAILURES, false},
		{"[full-mx.example.com]", ASSESS_WHOLE, true},
		{"[failed-mx.example.com]", ASSESS_STATUS, false},
		{"[failed-mx.example.com]", ASSESS_FAILURES, true},
		{"[failed-mx.example.com]", ASSESS_WHOLE, true},
	};
	static struct assessment got;

	/* The first time a part is read from the store, completely; then from its copy. */
	for (int time = 0; time < 2; time++) {
		for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
			struct destination destination;
			struct assess_question question =
				question_of(depths[i].key, &destination, depths[i].depth);
			struct part_failure failure;

			assess(&got, &question, conf, reader);
			bool whole = got.evidence->hosts[0].part.size > PART_HEADER_SIZE;
			if (time > 0)
				ok(whole == depths[i].whole, "%s, depth %d: %s", depths[i].key,
					depths[i].depth, whole ? "whole" : "the header");
			if (depths[i].whole && depths[i].key[1] == 'f' && depths[i].key[2] == 'a')
				ok(evidence_failure(got.evidence, &failure) &&
						failure.type == DNS_TYPE_TLSA,
					"%s: the failure is there", depths[i].key);
			assess_end(reader);
		}
	}
}

/* A lookup's result stays the caller's, and is assessed like evidence from the cache. */
static void test_result(void)
{
	struct destination destination;
	struct assess_question question =
		question_of("due.example.com", &destination, ASSESS_WHOLE);
	static struct assessment cached, got;
	static struct evidence evidence;

	assess(&cached, &question, conf, reader);
	evidence = *cached.evidence;
	assess_result(&got, &question, conf, &evidence);
	ok(got.evidence == &evidence && !got.cached && got.state == ASSESS_HIT,
		"the evidence stays where it is");
	ok(got.verdict.reason == cached.verdict.reason && got.ruling->minimum == MINIMUM_DANE,
		"the same verdict, the same rules");
	assess_end(reader);
}

int main(void)
{
	prepare();
	test_cases();
	test_depth();
	test_result();
	cache_reader_free(reader);
	cache_close(cache);
	conf_release(conf);
	return done_testing();
}
