/*
 * map_service: the reply after a lookup is made from the lookup thread's result, even if the shared
 * tables have changed meanwhile. Requests without a map or a key.
 */
#include "common/verdict/render.h"
#include "daemon/answer/socketmap.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

static const char key[] = "[mx.example.com]";

static struct conf *conf;
static struct cache *cache;
static struct reply_context context;
static struct map_counters counters;
static struct map_service service = {.context = &context, .counters = &counters};
static struct evidence evidence;
static struct destination destination;
static uint8_t *part;

static void prepare(void)
{
	char error[CONF_ERROR_SIZE], words[STORE_ERROR_SIZE], path[2][SCRATCH_PATH_SIZE + 32];

	scratch_begin();
	snprintf(path[0], sizeof path[0], "cache.path=%s", scratch_directory);
	snprintf(path[1], sizeof path[1], "dane.tafile_dir=%s", scratch_directory);
	char *overrides[] = {path[0], path[1], "dane.learn_trust_anchors=yes"};
	conf = conf_load("/nonexistent", false, overrides, 3, error);
	if (conf == NULL)
		bail_out(error);
	cache = cache_open(conf, words);
	if (cache == NULL)
		bail_out(words);
	context.reader = cache_reader_new(cache);
	context.ta_files = ta_files_new(conf);
	context.conf = conf;
	if (context.reader == NULL || context.ta_files == NULL)
		bail_out("out of memory");
}

/* A host with one trust anchor, of which DNS has the digest. */
static void make_evidence(void)
{
	static const char name[] = "mx.example.com";
	static uint8_t rdata[35] = {2, 1, 1, 'a'};
	struct host_tlsa tlsa = {TLSA_USABLE, sizeof rdata, rdata};
	struct host_facts facts;
	struct part_times times = parts_times();

	if (destination_parse(key, strlen(key), &destination) != DESTINATION_OK)
		bail_out("no destination");
	evidence.destination = &destination;
	if (!evidence_list_hosts(&evidence))
		bail_out("no hosts");
	parts_host_facts(&facts, HOST_USABLE, name, &tlsa, 1);
	part = parts_host(&evidence.hosts[0].part, &facts, &times, name, 25);
}

/* With the key of that evidence, or of other evidence. */
static struct ta_file_finding finding_of(enum ta_file_state state, bool same)
{
	struct pin_settings settings = conf_pin_settings(conf);
	struct ta_file_finding finding = {.state = state, .obstacle = PIN_NOT_WRITTEN};
	struct decide_facts facts;
	static struct pins pins;

	evidence_facts(&evidence, &facts);
	pin_collect(&settings, &evidence, decide(&facts), &pins);
	if (same && !ta_file_key(&finding.key, &pins, &evidence))
		bail_out("out of memory");
	memset(finding.digest, 0xab, sizeof finding.digest);
	return finding;
}

static const char *finish(const struct ta_file_finding *finding)
{
	static char bytes[RENDER_REPLY_MAX + 1];
	static char log[4096];
	static const char payload[] = "pinned [mx.example.com]";
	struct lookup_result found = {.evidence = evidence, .file = *finding};
	struct map_request request;
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	socketmap_read(&service, payload, strlen(payload), &request);
	capture_begin();
	map_finish(&service, &request, &found, 0.0, &text);
	capture_end(log, sizeof log);
	return bytes;
}

static void test_finding(void)
{
	struct ta_file_finding ready = finding_of(TA_FILE_READY, true);
	struct ta_file_finding other = finding_of(TA_FILE_READY, false);
	struct ta_file_finding none = finding_of(TA_FILE_IMPOSSIBLE, true);
	struct ta_file_finding unknown = finding_of(TA_FILE_UNKNOWN, true);
	char expected[512];

	snprintf(expected, sizeof expected, "OK secure match=mx.example.com tafile=%s/tlsad-%s.pem",
		conf->dane.tafile_dir,
		"abababababababababababababababababababababababababababababababab");
	is_string(finish(&ready), expected, "a file that is no longer in the shared table");
	is_string(finish(&none), "OK dane-only", "no file");
	is_string(finish(&unknown), "OK dane-only", "not known in time");
	is_string(finish(&other), "OK dane-only", "a file of other trust anchors is not used");
}

/* A destination whose lookup was too late: one log line, until a lookup is in time. */
static void test_given_up(void)
{
	struct ta_file_finding none = finding_of(TA_FILE_IMPOSSIBLE, true);
	static char bytes[RENDER_REPLY_MAX + 1], log[4096];
	static const char payload[] = "pinned [mx.example.com]";
	struct map_request request;
	struct text text;

	service.given_up = deferrals_new();
	if (service.given_up == NULL)
		bail_out("out of memory");
	socketmap_read(&service, payload, strlen(payload), &request);
	for (unsigned i = 0; i < 3; i++) {
		text_init(&text, bytes, sizeof bytes);
		capture_begin();
		map_give_up(&service, &request, "too late", 9.0, &text);
		capture_end(log, sizeof log);
		is_string(bytes, "TEMP too late", "given up");
		ok((strstr(log, "reason=given-up") != NULL) == (i != 1), "%s",
			i != 1 ? "a line" : "no second one");
		if (i == 1)
			finish(&none);
	}
	deferrals_free(service.given_up);
	service.given_up = NULL;
}

/* Requests of socketmap clients, and the replies without a lookup. */
static void test_payloads(void)
{
	static const struct {
		const char *payload;
		enum map_state state;
		const char *reply; /* its beginning; NULL: no reply yet */
	} cases[] = {
		{"policy", MAP_REPLIED, "PERM a request is a map, a space and a key"},
		{"", MAP_REPLIED, "PERM a request is a map, a space and a key"},
		{" example.com", MAP_REPLIED,
			"PERM no such map; the maps are policy, native, pinned,"},
		{"polic example.com", MAP_REPLIED,
			"PERM no such map; the maps are policy, native,"},
		{"policy .example.com", MAP_REPLIED, "NOTFOUND "},
		{"PoLiCy [192.0.2.1]", MAP_REPLIED, "NOTFOUND "},
		{"native localhost", MAP_REPLIED, "NOTFOUND "},
		{"tlsa /socket", MAP_REPLIED, "NOTFOUND "},
		{"explain a b", MAP_REPLIED, "OK {\"destination\":\"a b\","},
		{"policy example.com", MAP_LOOKUP, NULL},
		{"explain example.com", MAP_LOOKUP, NULL},
	};
	static char bytes[RENDER_REPLY_MAX + 1];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct map_request request;
		struct text text;

		text_init(&text, bytes, sizeof bytes);
		socketmap_read(&service, cases[i].payload, strlen(cases[i].payload), &request);
		enum map_state state = map_reply(&service, &request, &text);
		ok(state == cases[i].state &&
				(cases[i].reply != NULL ? strncmp(bytes, cases[i].reply,
								  strlen(cases[i].reply)) == 0
							: text.used == 0),
			"\"%s\": %.60s", cases[i].payload, bytes);
	}
	is_number((int64_t)counter_read(&counters.replies[MAP_COUNT][REPLY_PERM]), 4,
		"refusals are counted separately");
	is_number((int64_t)counter_read(&counters.invalid), 3,
		"so are keys that are not a destination");
	is_number((int64_t)counter_read(&counters.misses), 2, "and requests that need a lookup");
}

/* The table. */
static void test_maps(void)
{
	for (size_t i = 0; i < MAP_COUNT; i++) {
		char upper[32];
		size_t size = strlen(maps[i].name);

		for (size_t j = 0; j <= size; j++)
			upper[j] = (char)(maps[i].name[j] >= 'a' && maps[i].name[j] <= 'z'
						  ? maps[i].name[j] - 32
						  : maps[i].name[j]);
		ok(map_find(maps[i].name, size) == &maps[i] && map_find(upper, size) == &maps[i],
			"%s is found in either case", maps[i].name);
		ok(map_is_policy_table(&maps[i]) ==
				(maps[i].form != MAP_TLSA && maps[i].form != MAP_EXPLAIN &&
					maps[i].form != MAP_REQUIRETLS),
			"%s: for smtp_tls_policy_maps or not", maps[i].name);
	}
	ok(map_find("policy", 5) == NULL && map_find("", 0) == NULL, "nothing else is");
}

int main(void)
{
	prepare();
	make_evidence();
	test_finding();
	test_given_up();
	test_payloads();
	test_maps();
	free(part);
	ta_files_free(context.ta_files);
	cache_reader_free(context.reader);
	cache_close(cache);
	conf_release(conf);
	return done_testing();
}
