/*
 * socketmap: an answer to a lookup is made from what the lookup thread has found, whatever has
 * become of the tables meanwhile that the threads share.
 */
#include "daemon/answer/socketmap.h"
#include "daemon/lookup/ta_lookup.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

static const char key[] = "[mx.example.com]";

static struct conf *conf;
static struct cache *cache;
static struct socketmap socketmap;
static struct evidence evidence;
static struct destination destination;
static uint8_t *part;

static void prepare(void)
{
	static struct socketmap_counters counters;
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
	socketmap.reader = cache_reader_new(cache);
	socketmap.tafiles = ta_files_new(conf);
	socketmap.conf = conf;
	socketmap.counters = &counters;
	if (socketmap.reader == NULL || socketmap.tafiles == NULL)
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

/* Under the key of that evidence, or of none. */
static struct ta_file_finding finding_of(enum ta_file_state state, bool same)
{
	struct pin_settings settings = pinning_settings(conf);
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
	static char bytes[SOCKETMAP_REPLY_MAX + 1];
	static char log[4096];
	static const char payload[] = "pinned [mx.example.com]";
	struct socketmap_request request;
	struct deferral_note deferral = {.quiet = false};
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	socketmap_read(&socketmap, payload, strlen(payload), &request);
	capture_begin();
	socketmap_finish(&socketmap, &request, &evidence, finding, &deferral, 0.0, &text);
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
	is_string(finish(&ready), expected, "a file that the shared table has no more");
	is_string(finish(&none), "OK dane-only", "no file");
	is_string(finish(&unknown), "OK dane-only", "not known in time");
	is_string(finish(&other), "OK dane-only", "a file of other anchors is not taken");
}

int main(void)
{
	prepare();
	make_evidence();
	test_finding();
	free(part);
	ta_files_free(socketmap.tafiles);
	cache_reader_free(socketmap.reader);
	cache_close(cache);
	conf_release(conf);
	return done_testing();
}
