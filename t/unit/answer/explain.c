/*
 * explain: one line of valid JSON within its limit, parsed here, with everything from the parts;
 * hosts that do not fit are left out and counted; bytes from strangers are escaped.
 */
#include "daemon/answer/explain.h"

#include "t/unit/parts.h"

#include <jansson.h>

static struct destination destination;
static struct evidence evidence;
static uint8_t *bytes[PART_HOSTS_MAX + 1];
static size_t byte_count;

static void begin(const char *key)
{
	memset(&evidence, 0, sizeof evidence);
	evidence.destination = &destination;
	if (destination_parse(key, strlen(key), &destination) != DESTINATION_OK)
		bail_out("no destination");
}

static void end(void)
{
	while (byte_count > 0)
		free(bytes[--byte_count]);
}

static char *line_of(const struct explanation *explanation, size_t limit)
{
	json_t *object = explain_object(explanation, limit);
	char *line = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	json_decref(object);
	return line;
}

/* Make the line, check it as every line must be, and parse it. */
static json_t *explain(const char *what, const struct explanation *explanation, size_t limit)
{
	json_error_t error;
	char *line = line_of(explanation, limit);

	ok(line != NULL && strlen(line) <= limit, "%s: %zu bytes, the limit is %zu", what,
		line != NULL ? strlen(line) : 0, limit);
	if (line == NULL)
		return NULL;
	bool printable = true;
	for (const char *at = line; *at != '\0'; at++)
		printable = printable && *at >= ' ' && *at <= '~';
	ok(printable, "%s: one line of printable ASCII", what);
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!ok(object != NULL && json_is_object(object), "%s: is valid JSON", what))
		diag("%s: %.200s", error.text, line);
	free(line);
	return object;
}

static const char *string_of(const json_t *object, const char *member)
{
	const char *string = json_string_value(json_object_get(object, member));
	return string != NULL ? string : "(none)";
}

static json_int_t number_of(const json_t *object, const char *member)
{
	const json_t *number = json_object_get(object, member);
	return json_is_integer(number) ? json_integer_value(number) : -1;
}

static struct pin_settings pin = {.digest = TLSA_SHA256, .tas = true, .learn = true};

static bool ta_known(void *context, const struct tlsa_record *record)
{
	return context == &pin && record->data[0] == 0xde;
}

static struct pins pins = {
	.form = PIN_FINGERPRINTS, .count = 1, .size = 2, .entries = {0xde, 0xad}};

static struct explanation explanation_of(
	enum verdict_level level, enum reason reason, struct reply reply)
{
	struct reply pinned = reply_level(TLS_LEVEL_FINGERPRINT);

	pinned.match = MATCH_DIGESTS;
	pinned.pins = &pins;
	return (struct explanation){
		.parsed = DESTINATION_OK,
		.evidence = &evidence,
		.verdict = {level, reason},
		.reply = reply,
		.native = reply,
		.pinned = pinned,
		.not_pinned = "because",
		.pin = &pin,
		.ta_known = ta_known,
		.context = &pin,
		.cached = true,
		.now = PARTS_NOW + 100,
	};
}

static const uint8_t good_rdata[35] = {3, 1, 1, 0xde, 0xad, 0xbe, 0xef};
static uint8_t long_rdata[2003] = {3, 0, 0, 0x30, 0x82};
static struct host_tlsa some_tlsa[] = {
	{TLSA_USABLE, sizeof good_rdata, good_rdata},
	{TLSA_BAD_CERTIFICATE, sizeof long_rdata, long_rdata},
	{TLSA_SHORT, 2, good_rdata},
	{TLSA_SHORT, 0, good_rdata},
};

enum { MANY_TLSA = 100, TLSA_SHOWN = 32 };

/* Adds a host with this number of TLSA records that are usable. */
static void add_host_of(size_t index, size_t count, const struct part_times *times)
{
	static struct host_tlsa many_tlsa[MANY_TLSA];
	struct evidence_host *host = &evidence.hosts[index];
	struct host_facts facts;
	char name[DNS_NAME_SIZE];

	for (size_t i = 0; i < count; i++)
		many_tlsa[i] = some_tlsa[0];
	snprintf(name, sizeof name, "%.*s", host->name_size, host->name);
	parts_host_facts(&facts, HOST_USABLE, name, many_tlsa, count);
	bytes[byte_count++] =
		parts_host(&host->part, &facts, times, name, evidence.destination->port);
}

static void add_host(size_t index, enum host_status status, const struct part_times *times)
{
	struct evidence_host *host = &evidence.hosts[index];
	struct host_facts facts;
	char name[DNS_NAME_SIZE];

	snprintf(name, sizeof name, "%.*s", host->name_size, host->name);
	parts_host_facts(&facts, status, name, some_tlsa,
		status == HOST_USABLE ? sizeof some_tlsa / sizeof some_tlsa[0] : 0);
	if (status == HOST_FAILED) {
		facts.questions[1].outcome = DNS_FAILED;
		facts.questions[1].security = DNS_BOGUS;
		facts.questions[1].failure = DNS_FAILURE_BOGUS;
		snprintf(facts.questions[1].detail, DNS_DETAIL_SIZE, "signature expired");
	}
	snprintf(facts.questions[0].canonical_name, DNS_NAME_SIZE, "alias.%.200s", name);
	bytes[byte_count++] =
		parts_host(&host->part, &facts, times, name, evidence.destination->port);
}

static void add_mx(
	enum mx_status status, struct mx_host *hosts, size_t count, const struct part_times *times)
{
	struct mx_set set = {
		.status = status, .security = DNS_SECURE, .hosts = hosts, .host_count = count};

	parts_fail(
		&set.failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_MX, "example.com", "no answer in time");
	bytes[byte_count++] = parts_mx(&evidence.mx, &set, times, evidence.destination->name);
	evidence_list_hosts(&evidence);
}

enum { LIMIT = 99000 };

static void test_domain(void)
{
	static struct mx_host hosts[] = {{10, "mx1.example.com"}, {20, "mx2.example.com"}};
	struct part_times times = parts_times(), stale = parts_times();
	struct explanation explanation = explanation_of(
		VERDICT_DANE_ONLY, REASON_DANE_FULL, reply_level(TLS_LEVEL_DANE_ONLY));

	stale.flags = PART_STALE;
	stale.expires = PARTS_NOW + 130;
	stale.stale_until = PARTS_NOW + 3000;
	begin("example.com:587");
	add_mx(MX_FOUND, hosts, 2, &times);
	add_host(0, HOST_USABLE, &stale);
	add_host(1, HOST_FAILED, &times);
	json_t *line = explain("a domain", &explanation, LIMIT);
	is_string(string_of(line, "destination"), "example.com:587", "the destination");
	is_string(string_of(line, "reply"), "OK dane-only", "the reply");
	is_string(string_of(line, "native"), "OK dane-only", "the native reply");
	is_string(string_of(line, "pinned"), "OK fingerprint match=DE:AD", "the pinned reply");
	is_string(string_of(line, "not_pinned"), "because", "why they are equal");
	is_string(string_of(line, "reason"), "dane-full", "the reason");
	is_string(string_of(line, "rule"), reason_rule(REASON_DANE_FULL), "the rule");
	is_string(string_of(line, "kind"), "domain", "the kind");
	is_number(number_of(line, "port"), 587, "the port");
	is_number(
		number_of(line, "ttl"), 30, "the remaining lifetime is the shortest of all parts");
	ok(json_is_true(json_object_get(line, "cached")), "cached");
	const json_t *mx = json_object_get(line, "mx");
	is_string(string_of(mx, "status"), "found", "the MX status");
	is_string(string_of(mx, "dnssec"), "secure", "the MX security");
	is_number(number_of(mx, "ttl"), 3500, "the MX set's time left");
	ok(json_object_get(mx, "stale") == NULL, "it is not stale");
	const json_t *array = json_object_get(line, "hosts");
	is_number((int64_t)json_array_size(array), 2, "both hosts");
	ok(json_object_get(line, "hosts_not_shown") == NULL, "none is left out");
	const json_t *host = json_array_get(array, 0);
	is_string(string_of(host, "name"), "mx1.example.com", "a host's name");
	is_string(string_of(host, "status"), "usable", "its status");
	is_string(string_of(host, "base_domain"), "mx1.example.com", "its TLSA base domain");
	is_number(number_of(host, "preference"), 10, "its preference");
	is_number(number_of(host, "port"), 587, "its port");
	ok(json_is_true(json_object_get(host, "stale")) &&
			number_of(host, "stale_until") == PARTS_NOW + 3000,
		"it is stale, and stale_until");
	const json_t *lookups = json_object_get(host, "lookups");
	is_number((int64_t)json_array_size(lookups), 2, "its lookups");
	const json_t *lookup = json_array_get(lookups, 0);
	is_string(string_of(lookup, "type"), "A", "a lookup's type");
	is_string(string_of(lookup, "status"), "found", "its status");
	is_string(string_of(lookup, "dnssec"), "secure", "its security");
	is_string(string_of(lookup, "canonical_name"), "alias.mx1.example.com", "its alias");
	is_number(number_of(lookup, "ttl"), 200, "its time left");
	is_string(json_string_value(json_array_get(json_object_get(lookup, "addresses"), 0)),
		"192.0.2.1", "its address");
	const json_t *tlsa = json_object_get(host, "tlsa");
	is_number((int64_t)json_array_size(tlsa), 4, "its TLSA records");
	const json_t *record = json_array_get(tlsa, 0);
	ok(number_of(record, "usage") == 3 && number_of(record, "selector") == 1 &&
			number_of(record, "matching_type") == 1 &&
			number_of(record, "size") == 32 &&
			json_is_true(json_object_get(record, "usable")),
		"a record's fields");
	ok(strncmp(string_of(record, "match"), "DE:AD:BE:EF:00:", 15) == 0 &&
			json_object_get(record, "not_pinned") == NULL,
		"its digest in a pinned reply");
	is_string(string_of(record, "data"),
		"DEADBEEF00000000000000000000000000000000000000000000000000000000", "its data");
	record = json_array_get(tlsa, 1);
	ok(number_of(record, "size") == 2000 && strlen(string_of(record, "data")) == 128 &&
			json_is_false(json_object_get(record, "usable")),
		"long data is shown in part, its size whole");
	is_string(string_of(record, "why"), tlsa_usability_text(TLSA_BAD_CERTIFICATE),
		"why it is unusable");
	ok(json_object_get(record, "match") == NULL, "an unusable one gives nothing");
	ok(json_is_false(json_object_get(json_array_get(tlsa, 3), "usable")),
		"a record without a byte is there");
	host = json_array_get(array, 1);
	is_string(string_of(host, "status"), "failed", "the other host's status");
	is_string(string_of(host, "failure"),
		"_25._tcp.mx2.example.com TLSA: servfail: no name server gave a usable answer",
		"its failure");
	lookup = json_array_get(json_object_get(host, "lookups"), 1);
	is_string(string_of(lookup, "failure"), "bogus", "the lookup's failure");
	is_string(string_of(lookup, "detail"), "signature expired", "and its text");
	json_decref(line);
	end();
}

/* Records that name trust anchors, or a digest that Postfix does not compare. */
static void test_pins(void)
{
	static const uint8_t known[35] = {2, 1, 1, 0xde}, unknown[67] = {2, 0, 2, 0xaf},
			     whole[6] = {2, 1, 0, 1, 2, 3}, other[67] = {3, 1, 2, 0xde};
	static struct host_tlsa tlsa[] = {{TLSA_USABLE, sizeof known, known},
		{TLSA_USABLE, sizeof unknown, unknown}, {TLSA_USABLE, sizeof whole, whole},
		{TLSA_USABLE, sizeof other, other}};
	static const char *const anchors[] = {"learned", "unknown", "published", "(none)"};
	struct part_times times = parts_times();
	struct explanation explanation = explanation_of(
		VERDICT_DANE_ONLY, REASON_DANE_FULL, reply_level(TLS_LEVEL_DANE_ONLY));
	struct host_facts facts;
	char long_reply[20000];

	memset(long_reply, 'x', sizeof long_reply - 1);
	long_reply[sizeof long_reply - 1] = '\0';
	explanation.pinned =
		(struct reply){.kind = REPLY_OK, .content = REPLY_TEXT, .text = long_reply};
	begin("[mx.example.com]");
	evidence_list_hosts(&evidence);
	parts_host_facts(&facts, HOST_USABLE, "mx.example.com", tlsa, 4);
	bytes[byte_count++] =
		parts_host(&evidence.hosts[0].part, &facts, &times, "mx.example.com", 25);
	json_t *line = explain("trust anchors", &explanation, 9000);
	ok(strlen(string_of(line, "pinned")) == 4099 &&
			strstr(string_of(line, "pinned"), "x...") != NULL,
		"a long reply is shown in part");
	const json_t *host = json_array_get(json_object_get(line, "hosts"), 0);
	const json_t *records = json_object_get(host, "tlsa");
	for (size_t i = 0; i < 4; i++) {
		const json_t *record = json_array_get(records, i);
		is_string(string_of(record, "trust_anchor"), anchors[i], "a record's trust anchor");
		ok(json_object_get(record, "match") == NULL, "it gives no digest");
		is_string(string_of(record, "not_pinned"),
			i == 3   ? pin_obstacle_text(PIN_OTHER_DIGEST)
			: i == 1 ? pin_obstacle_text(PIN_TA_UNKNOWN)
				 : "(none)",
			"why it is not pinned");
	}
	json_decref(line);
	end();
}

static void test_others(void)
{
	struct part_times times = parts_times();
	struct explanation explanation =
		explanation_of(VERDICT_TEMP, REASON_TIMEOUT, reply_temp("example.com MX: timeout"));

	begin("example.com");
	add_mx(MX_FAILED, NULL, 0, &times);
	explanation.cached = false;
	json_t *line = explain("a failed MX lookup", &explanation, LIMIT);
	is_string(string_of(json_object_get(line, "mx"), "failure"),
		"example.com MX: timeout: no answer in time", "what failed");
	ok(json_is_false(json_object_get(line, "cached")), "not cached");
	is_number((int64_t)json_array_size(json_object_get(line, "hosts")), 0, "no hosts");
	json_decref(line);
	end();

	begin("[mx.example.com]");
	evidence_list_hosts(&evidence);
	add_host(0, HOST_NONE, &times);
	explanation.now = PARTS_NOW + 100000;
	line = explain("a host, long expired", &explanation, LIMIT);
	is_string(string_of(line, "kind"), "host", "the kind");
	is_string(string_of(line, "destination"), "[mx.example.com]", "the destination");
	ok(json_is_null(json_object_get(line, "mx")), "it has no MX set");
	is_number(number_of(line, "ttl"), 0, "no time is left, and not less than none");
	json_decref(line);
	end();
}

/* A key that is not a destination, with any bytes. */
static void test_no_destination(void)
{
	char key[10000];
	struct explanation explanation = {
		.key = key,
		.parsed = DESTINATION_INVALID,
		.verdict = {VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION},
		.reply = reply_notfound(),
		.native = reply_notfound(),
		.pinned = reply_notfound(),
		.not_pinned = "",
	};

	for (int i = 0; i < 256; i++)
		key[i] = (char)i;
	explanation.key_size = 256;
	json_t *line = explain("a key of all bytes", &explanation, LIMIT);
	ok(strncmp(string_of(line, "destination"), "\\x00\\x01\\x02", 12) == 0 &&
			strstr(string_of(line, "destination"), "\\x7f\\x80") != NULL &&
			strstr(string_of(line, "destination"), "abc") != NULL,
		"the key, escaped");
	is_string(string_of(line, "reason"), "not-a-destination", "the reason");
	json_decref(line);
	memset(key, 0xff, sizeof key);
	explanation.key_size = sizeof key;
	line = explain("the longest key", &explanation, LIMIT);
	ok(strlen(string_of(line, "destination")) <= 4 * 256, "the key, cut");
	json_decref(line);
	explanation.key_size = 0;
	line = explain("no key", &explanation, LIMIT);
	is_string(string_of(line, "destination"), "", "an empty key");
	json_decref(line);
}

/* Records that are not shown are counted. */
static void test_many_records(void)
{
	static const size_t counts[] = {0, TLSA_SHOWN - 1, TLSA_SHOWN, TLSA_SHOWN + 1, MANY_TLSA};
	struct part_times times = parts_times();
	struct explanation explanation = explanation_of(
		VERDICT_DANE_ONLY, REASON_DANE_FULL, reply_level(TLS_LEVEL_DANE_ONLY));

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		size_t shown = counts[i] < TLSA_SHOWN ? counts[i] : TLSA_SHOWN;
		begin("[mx.example.com]");
		evidence_list_hosts(&evidence);
		add_host_of(0, counts[i], &times);
		json_t *line = explain("a host with many records", &explanation, LIMIT);
		const json_t *host = json_array_get(json_object_get(line, "hosts"), 0);
		is_number((int64_t)json_array_size(json_object_get(host, "tlsa")), (int64_t)shown,
			"%zu records: those that are shown", counts[i]);
		is_number(number_of(host, "tlsa_not_shown"),
			counts[i] > shown ? (int64_t)(counts[i] - shown) : -1,
			"%zu records: the number of the others", counts[i]);
		json_decref(line);
		end();
	}
}

/* The largest possible evidence, at every limit. */
static void test_limits(void)
{
	static struct mx_host hosts[PART_HOSTS_MAX];
	static const size_t limits[] = {1000000, 99000, 50000, 20000, 10000, 5000, 2500};
	struct part_times times = parts_times();
	struct explanation explanation = explanation_of(
		VERDICT_DANE_ONLY, REASON_DANE_FULL, reply_level(TLS_LEVEL_DANE_ONLY));

	for (size_t i = 0; i < PART_HOSTS_MAX; i++) {
		hosts[i].preference = (uint16_t)i;
		snprintf(hosts[i].name, sizeof hosts[i].name, "mx%zu.%s%s", i,
			"a-long-label-that-makes-the-line-long.and-another-one-of-those.",
			"example.com");
	}
	begin("example.com");
	add_mx(MX_FOUND, hosts, PART_HOSTS_MAX, &times);
	for (size_t i = 0; i < PART_HOSTS_MAX; i++)
		add_host(i, HOST_USABLE, &times);
	size_t before = PART_HOSTS_MAX;
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		json_t *line = explain("a hundred hosts", &explanation, limits[i]);
		size_t shown = json_array_size(json_object_get(line, "hosts"));
		json_int_t left = number_of(line, "hosts_not_shown");
		ok(shown <= before && (json_int_t)shown + (left > 0 ? left : 0) == PART_HOSTS_MAX,
			"within %zu bytes %zu hosts are shown, and the rest is counted", limits[i],
			shown);
		before = shown;
		json_decref(line);
	}
	ok(before < PART_HOSTS_MAX, "the last limits were too small for all");
	/* If not even the frame fits there is no line, and never one over the limit. */
	many_begin("limits that nothing fits in");
	for (size_t limit = 0; limit < 300; limit += 50) {
		char *line = line_of(&explanation, limit);
		many(line == NULL || strlen(line) <= limit, "limit %zu: %zu bytes", limit,
			line != NULL ? strlen(line) : 0);
		free(line);
	}
	many_end();
	end();
}

/* Cut or changed parts: still valid JSON. */
static void test_damaged(void)
{
	struct part_times times = parts_times();
	struct explanation explanation =
		explanation_of(VERDICT_DANE_ONLY, REASON_DANE_FULL, reply_level(TLS_LEVEL_DANE));
	uint64_t state = 0xabcdef;

	begin("[mx.example.com]");
	evidence_list_hosts(&evidence);
	add_host(0, HOST_USABLE, &times);
	size_t whole = evidence.hosts[0].part.size;
	many_begin("a host's part cut after every byte, and with bytes changed");
	for (size_t round = 0; round < 600; round++) {
		size_t size = round < 300 ? PART_HEADER_SIZE + round * (whole / 301) : whole;
		uint8_t *piece = malloc(size);
		memcpy(piece, bytes[0], size);
		for (int i = 0; round >= 300 && i < 5; i++)
			piece[PART_HEADER_SIZE + tap_random(&state) % 150] =
				(uint8_t)tap_random(&state);
		if (!part_open(&evidence.hosts[0].part, PART_HOST, piece, size))
			bail_out("a changed part does not open");
		char *line = line_of(&explanation, LIMIT);
		json_t *object = line != NULL ? json_loads(line, JSON_ALLOW_NUL, NULL) : NULL;
		many(object != NULL, "round %zu: %.100s", round, line != NULL ? line : "no line");
		json_decref(object);
		free(line);
		free(piece);
	}
	many_end();
	end();
}

int main(void)
{
	test_domain();
	test_pins();
	test_others();
	test_no_destination();
	test_many_records();
	test_limits();
	test_damaged();
	return done_testing();
}
