/*
 * pin: every combination of usage, selector, matching type and digest, and whether a reply can
 * express it; the union over all hosts, sorted and without duplicates, in any order of the hosts;
 * which hosts are ignored; and the texts and replies made from it.
 */
#include "common/verdict/pin.h"
#include "common/verdict/render.h"

#include "t/unit/parts.h"

#include <openssl/sha.h>

static struct pins pins;

/* --- one record ---------------------------------------------------------------------------- */

/* The rules of t/lab/dane-cases, "From hosts to the answer (pinned)", written again here. */
static enum pin_obstacle expected_of(
	const struct pin_settings *settings, unsigned usage, unsigned matching_type)
{
	if (usage == TLSA_DANE_EE)
		return matching_type == TLSA_FULL || matching_type == settings->digest
			       ? PIN_CLEAR
			       : PIN_OTHER_DIGEST;
	if (!settings->tas)
		return PIN_NO_DIRECTORY;
	return matching_type == TLSA_FULL || settings->learn ? PIN_CLEAR : PIN_ONLY_DIGEST;
}

static void check_record(const struct pin_settings *settings, unsigned usage, unsigned selector,
	unsigned matching_type)
{
	static const size_t sizes[] = {200, 32, 64};
	uint8_t data[200], digest[SHA512_DIGEST_LENGTH], entry[sizeof(struct ta_digest)];
	struct tlsa_record record = {(uint8_t)usage, (uint8_t)selector, (uint8_t)matching_type,
		data, sizes[matching_type]};
	size_t size = 0;

	memset(data, 0x40 + (int)selector, sizeof data);
	enum pin_obstacle expected = expected_of(settings, usage, matching_type);
	bool good = pin_record(settings, &record, entry, &size) == expected;
	if (good && expected == PIN_CLEAR && usage == TLSA_DANE_EE) {
		const uint8_t *right = data;
		if (matching_type == TLSA_FULL)
			right = settings->digest == TLSA_SHA256 ? SHA256(data, sizeof data, digest)
								: SHA512(data, sizeof data, digest);
		good = size == (settings->digest == TLSA_SHA256 ? 32 : 64) &&
		       memcmp(entry, right, size) == 0;
	} else if (good && expected == PIN_CLEAR) {
		const struct ta_digest *anchor = (const struct ta_digest *)entry;
		const uint8_t *right =
			matching_type == TLSA_FULL ? SHA256(data, sizeof data, digest) : data;
		good = size == sizeof *anchor && anchor->selector == selector &&
		       anchor->matching_type ==
			       (matching_type == TLSA_FULL ? TLSA_SHA256 : matching_type) &&
		       memcmp(anchor->digest, right, anchor->matching_type == 1 ? 32 : 64) == 0;
	}
	ok(good, "%u %u %u with sha%s%s%s: %s", usage, selector, matching_type,
		settings->digest == TLSA_SHA256 ? "256" : "512",
		settings->tas ? ", a directory" : "", settings->learn ? ", learning" : "",
		pin_obstacle_text(expected));
}

static void test_records(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct pin_settings settings = {
			.digest = (i & 1) != 0 ? TLSA_SHA512 : TLSA_SHA256,
			.tas = (i & 2) != 0,
			.learn = (i & 4) != 0,
		};
		for (unsigned usage = TLSA_DANE_TA; usage <= TLSA_DANE_EE; usage++) {
			for (unsigned selector = 0; selector < 2; selector++) {
				for (unsigned matching = 0; matching < 3; matching++)
					check_record(&settings, usage, selector, matching);
			}
		}
	}
}

/* --- all hosts ----------------------------------------------------------------------------- */

/* A host of a case: a letter is a record whose data consists of that byte. */
struct host_case {
	enum host_status status;
	const char *records; /* "E" DANE-EE by SHA-256, "e" by SHA-512, "T" DANE-TA, "u" unusable */
	const char *data;
};

struct set_case {
	const char *name;
	struct verdict verdict;
	struct host_case hosts[4];
	enum pin_form form;
	enum pin_obstacle obstacle;
	const char *entries; /* the first octet of each */
};

#define FULL                                                                                       \
	{                                                                                          \
		VERDICT_DANE_ONLY, REASON_DANE_FULL                                                \
	}
#define INSECURE                                                                                   \
	{                                                                                          \
		VERDICT_DANE, REASON_DANE_INSECURE_MX                                              \
	}

static const struct set_case set_cases[] = {
	{"one record", FULL, {{HOST_USABLE, "E", "a"}}, PIN_FINGERPRINTS, PIN_CLEAR, "a"},
	{"the union over all hosts, sorted", FULL,
		{{HOST_USABLE, "EE", "dc"}, {HOST_USABLE, "E", "a"}, {HOST_USABLE, "E", "b"}},
		PIN_FINGERPRINTS, PIN_CLEAR, "abcd"},
	{"each once", FULL, {{HOST_USABLE, "EEE", "aba"}, {HOST_USABLE, "EE", "ba"}},
		PIN_FINGERPRINTS, PIN_CLEAR, "ab"},
	{"unusable records beside usable ones give nothing", FULL, {{HOST_USABLE, "uEu", "xay"}},
		PIN_FINGERPRINTS, PIN_CLEAR, "a"},
	{"failed hosts do not count", FULL,
		{{HOST_FAILED, "", ""}, {HOST_USABLE, "E", "a"}, {HOST_FAILED, "", ""}},
		PIN_FINGERPRINTS, PIN_CLEAR, "a"},
	{"nor do unreachable ones", FULL, {{HOST_UNREACHABLE, "", ""}, {HOST_USABLE, "E", "a"}},
		PIN_FINGERPRINTS, PIN_CLEAR, "a"},
	{"insecure MX, every host usable", INSECURE,
		{{HOST_USABLE, "E", "b"}, {HOST_USABLE, "E", "a"}, {HOST_FAILED, "", ""}},
		PIN_FINGERPRINTS, PIN_CLEAR, "ab"},
	{"insecure MX, one without DANE", INSECURE, {{HOST_USABLE, "E", "a"}, {HOST_NONE, "", ""}},
		PIN_NOTHING, PIN_NOT_ALL_HOSTS, ""},
	{"insecure MX, one with unusable records", INSECURE,
		{{HOST_USABLE, "E", "a"}, {HOST_UNUSABLE, "u", "x"}}, PIN_NOTHING,
		PIN_NOT_ALL_HOSTS, ""},
	{"partial", {VERDICT_DANE, REASON_DANE_PARTIAL},
		{{HOST_USABLE, "E", "a"}, {HOST_NONE, "", ""}}, PIN_NOTHING, PIN_NOT_ALL_HOSTS, ""},
	{"partial, with an MTA-STS policy: the other hosts get no mail",
		{VERDICT_DANE_ONLY, REASON_DANE_PARTIAL_STS},
		{{HOST_NONE, "", ""}, {HOST_USABLE, "E", "b"}, {HOST_UNUSABLE, "u", "x"},
			{HOST_USABLE, "E", "a"}},
		PIN_FINGERPRINTS, PIN_CLEAR, "ab"},
	{"unusable", {VERDICT_DANE, REASON_DANE_UNUSABLE}, {{HOST_UNUSABLE, "u", "x"}}, PIN_ENCRYPT,
		PIN_CLEAR, ""},
	{"another digest", FULL, {{HOST_USABLE, "e", "a"}}, PIN_NOTHING, PIN_OTHER_DIGEST, ""},
	{"another digest beside the right one", FULL, {{HOST_USABLE, "Ee", "aa"}}, PIN_NOTHING,
		PIN_OTHER_DIGEST, ""},
	{"another digest at another host", FULL, {{HOST_USABLE, "E", "a"}, {HOST_USABLE, "e", "b"}},
		PIN_NOTHING, PIN_OTHER_DIGEST, ""},
	{"trust anchors", FULL, {{HOST_USABLE, "TT", "ba"}, {HOST_USABLE, "T", "b"}}, PIN_TAS,
		PIN_CLEAR, "ab"},
	{"both usages at one host", FULL, {{HOST_USABLE, "ET", "ab"}}, PIN_NOTHING,
		PIN_MIXED_USAGES, ""},
	{"both usages at one host, the other way round", FULL, {{HOST_USABLE, "TE", "ab"}},
		PIN_NOTHING, PIN_MIXED_USAGES, ""},
	{"each host one usage", FULL, {{HOST_USABLE, "E", "a"}, {HOST_USABLE, "T", "b"}},
		PIN_NOTHING, PIN_MIXED_USAGES, ""},
	{"no DANE", {VERDICT_NOTFOUND, REASON_NO_TLSA}, {{HOST_NONE, "", ""}}, PIN_NOTHING,
		PIN_NO_DANE, ""},
	{"not known", {VERDICT_TEMP, REASON_LOOKUP_FAILED}, {{HOST_FAILED, "", ""}}, PIN_NOTHING,
		PIN_NO_DANE, ""},
};

static struct destination destination;
static struct evidence evidence;
static uint8_t *parts[PART_HOSTS_MAX];
static uint8_t rdata[PART_HOSTS_MAX][16][3 + 64];

static void begin(const char *key)
{
	memset(&evidence, 0, sizeof evidence);
	evidence.destination = &destination;
	if (destination_parse(key, strlen(key), &destination) != DESTINATION_OK)
		bail_out("no destination");
}

static void end(void)
{
	for (size_t i = 0; i < evidence.host_count; i++)
		free(parts[i]);
}

static void add_host(const char *name, const char *base_domain, const struct host_case *host)
{
	struct part_times times = parts_times();
	struct host_tlsa tlsa[16];
	struct host_facts facts;
	size_t count = strlen(host->records), index = evidence.host_count++;

	for (size_t i = 0; i < count; i++) {
		uint8_t *octets = rdata[index][i];
		bool long_digest = host->records[i] == 'e';
		octets[0] = host->records[i] == 'T' ? 2 : host->records[i] == 'u' ? 1 : 3;
		octets[1] = 1;
		octets[2] = long_digest ? 2 : 1;
		memset(octets + 3, host->data[i], 64);
		tlsa[i] =
			(struct host_tlsa){host->records[i] == 'u' ? TLSA_PKIX_USAGE : TLSA_USABLE,
				long_digest ? 67 : 35, octets};
	}
	parts_host_facts(&facts, host->status, name, tlsa, count);
	snprintf(facts.base_domain, sizeof facts.base_domain, "%s", base_domain);
	evidence.hosts[index].name = name;
	evidence.hosts[index].name_size = (uint8_t)strlen(name);
	parts[index] = parts_host(&evidence.hosts[index].part, &facts, &times, name, 25);
}

static const char *const names[] = {
	"mx1.example.com", "mx2.example.com", "mx3.example.com", "mx4.example.com"};

/* The hosts from `from` on, then the others: their order must not matter. */
static void add_hosts(const struct host_case *hosts, size_t from)
{
	size_t count = 0;

	while (count < 4 && hosts[count].records != NULL)
		count++;
	for (size_t i = 0; i < count; i++) {
		size_t index = (i + from) % count;
		add_host(names[index], names[index], &hosts[index]);
	}
}

static void test_sets(void)
{
	struct pin_settings settings = {.digest = TLSA_SHA256, .tas = true, .learn = true};

	for (size_t i = 0; i < sizeof set_cases / sizeof set_cases[0]; i++) {
		const struct set_case *expected = &set_cases[i];
		bool good = true;

		for (size_t from = 0; from < 4; from++) {
			begin("example.com");
			add_hosts(expected->hosts, from);
			pin_collect(&settings, &evidence, expected->verdict, &pins);
			good = good && pins.form == expected->form &&
			       (pins.form != PIN_NOTHING || pins.obstacle == expected->obstacle) &&
			       (pins.form == PIN_NOTHING ||
				       pins.count == strlen(expected->entries));
			for (size_t j = 0; good && pins.form != PIN_NOTHING && j < pins.count;
				j++) {
				size_t at = pins.form == PIN_TAS ? 2 : 0;
				good = pins.entries[j * pins.size + at] ==
				       (uint8_t)expected->entries[j];
			}
			end();
		}
		ok(good, "%s", expected->name);
	}
}

/* If the site's own level is stronger, keys do not suffice when the MX records are not signed. */
static void test_strict_site(void)
{
	static const struct verdict full = FULL, insecure = INSECURE;
	static const struct host_case host = {HOST_USABLE, "E", "a"};
	struct pin_settings settings = {.digest = TLSA_SHA256, .strict_site = true};

	begin("example.com");
	add_host("mx.example.com", "mx.example.com", &host);
	pin_collect(&settings, &evidence, insecure, &pins);
	ok(pins.form == PIN_NOTHING && pins.obstacle == PIN_INSECURE_MX,
		"a strict site, insecure MX: nothing");
	pin_collect(&settings, &evidence, full, &pins);
	ok(pins.form == PIN_FINGERPRINTS, "a strict site, secure MX: digests");
	end();
}

static const char *words_of(void (*add)(struct text *text))
{
	static char bytes[100000];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	add(&text);
	return bytes;
}

static void explain(struct text *text)
{
	pin_explain(&pins, &evidence, text);
}

static void fingerprints(struct text *text)
{
	struct reply reply = reply_level(TLS_LEVEL_FINGERPRINT);

	reply.match = MATCH_DIGESTS;
	reply.pins = &pins;
	render_reply(text, &reply);
}

static void anchors(struct text *text)
{
	struct reply reply = reply_level(TLS_LEVEL_SECURE);

	reply.match = MATCH_HOSTS;
	reply.evidence = &evidence;
	reply.ta_file = "/t/tlsad-x.pem";
	render_reply(text, &reply);
}

static void records(struct text *text)
{
	struct reply reply = {.kind = REPLY_OK, .content = REPLY_TLSA, .evidence = &evidence};
	size_t count, size, begin = text->used;

	render_value(text, &reply);
	if (!render_measure_tlsa(&evidence.hosts[0].part, &count, &size) ||
		size != text->used - begin)
		bail_out("the records are not as long as was measured");
}

#define A                                                                                          \
	"61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61:61"
#define B                                                                                          \
	"62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62:62"

static void test_words(void)
{
	static const struct verdict full = FULL;
	static const struct host_case two = {HOST_USABLE, "EE", "ba"},
				      mixed = {HOST_USABLE, "Ee", "aa"},
				      anchor = {HOST_USABLE, "T", "a"};
	struct pin_settings settings = {.digest = TLSA_SHA256, .tas = true, .learn = true};

	begin("example.com");
	add_host("mx1.example.com", "mx1.example.com", &two);
	pin_collect(&settings, &evidence, full, &pins);
	is_string(words_of(fingerprints), "OK fingerprint match=" A "|" B, "digests");
	is_string(words_of(records),
		"3 1 1 6161616161616161616161616161616161616161616161616161616161616161, "
		"3 1 1 6262626262626262626262626262626262626262626262626262626262626262",
		"records, sorted");
	end();

	begin("example.com");
	add_host("mx1.example.com", "mx1.example.com", &two);
	add_host("mx2.example.com", "mx2.example.com", &mixed);
	pin_collect(&settings, &evidence, full, &pins);
	is_string(words_of(explain),
		"mx2.example.com, TLSA 3 1 2: its digest algorithm is not that of [dane] "
		"fingerprint_digest",
		"what is in the way, and where");
	end();

	begin("example.com");
	add_host("mx.example.com", "base.example.net", &anchor);
	add_host("mx2.example.com", "base.example.net", &anchor);
	add_host("example.com", "example.com", &anchor);
	is_string(words_of(anchors),
		"OK secure match=base.example.net:mx.example.com:mx2.example.com:example.com "
		"tafile=/t/tlsad-x.pem",
		"names: TLSA base domains, hosts, the mail domain, each once");
	end();

	begin("[mx.example.com]");
	add_host("mx.example.com", "mx.example.com", &anchor);
	is_string(words_of(anchors), "OK secure match=mx.example.com tafile=/t/tlsad-x.pem",
		"of a host its own");
	end();

	begin("example.com");
	add_host("hostname", "nexthop", &anchor);
	is_string(words_of(anchors), "OK secure match=example.com tafile=/t/tlsad-x.pem",
		"never a word that Postfix would replace");
	end();

	begin("example.com");
	add_host("mx.example.com", "a b.example.com", &anchor);
	add_host("mx2.example.com", "a:b.example.com", &anchor);
	is_string(words_of(anchors),
		"OK secure match=mx.example.com:mx2.example.com:example.com tafile=/t/tlsad-x.pem",
		"nor a name that is none");
	end();
}

static void test_encrypt(void)
{
	static const bool encrypts[] = {
		[TLS_LEVEL_NONE] = true,
		[TLS_LEVEL_MAY] = true,
		[TLS_LEVEL_ENCRYPT] = true,
		[TLS_LEVEL_DANE] = true,
		[TLS_LEVEL_DANE_ONLY] = false,
		[TLS_LEVEL_FINGERPRINT] = false,
		[TLS_LEVEL_VERIFY] = false,
		[TLS_LEVEL_SECURE] = false,
	};

	for (unsigned site = TLS_LEVEL_NONE; site <= TLS_LEVEL_SECURE; site++)
		ok((reply_encrypt(site).kind == REPLY_OK) == encrypts[site] &&
				(reply_encrypt(site).kind == REPLY_NOTFOUND) == !encrypts[site],
			"encrypt at level %u of the site: %s", site,
			encrypts[site] ? "yes" : "that would be weaker");
}

/* As many digests as fit, and one more. */
static void test_many(void)
{
	static const struct verdict full = FULL;
	struct pin_settings settings = {.digest = TLSA_SHA256};
	struct part_times times = parts_times();
	enum { MOST = PIN_OCTETS_MAX / 32 };
	static uint8_t octets[MOST + 1][35];
	static struct host_tlsa tlsa[MOST + 1];
	static char bytes[99001];

	for (size_t i = 0; i <= MOST; i++) {
		size_t number = (i * 7919) % (MOST + 1);
		memset(octets[i], 0, sizeof octets[i]);
		octets[i][0] = 3;
		octets[i][2] = 1;
		octets[i][3] = (uint8_t)(number >> 8);
		octets[i][4] = (uint8_t)number;
		tlsa[i] = (struct host_tlsa){TLSA_USABLE, 35, octets[i]};
	}
	for (size_t count = MOST; count <= MOST + 1; count++) {
		struct host_facts facts;
		struct text text;

		begin("[mx.example.com]");
		evidence_list_hosts(&evidence);
		parts_host_facts(&facts, HOST_USABLE, "mx.example.com", tlsa, count);
		parts[0] =
			parts_host(&evidence.hosts[0].part, &facts, &times, "mx.example.com", 25);
		pin_collect(&settings, &evidence, full, &pins);
		ok(count > MOST ? pins.form == PIN_NOTHING && pins.obstacle == PIN_TOO_MANY
				: pins.form == PIN_FINGERPRINTS && pins.count == MOST,
			"%zu digests", count);
		text_init(&text, bytes, sizeof bytes);
		fingerprints(&text);
		ok(count > MOST || (!text.cut && text.used <= RENDER_REPLY_MAX),
			"what fits makes a whole reply");
		bool sorted = true;
		for (size_t i = 1; i < pins.count; i++)
			sorted = sorted &&
				 memcmp(pins.entries + (i - 1) * 32, pins.entries + i * 32, 32) < 0;
		ok(sorted, "sorted, each once");
		end();
	}
}

/* A part that was cut anywhere gives no entry that was not in it. */
static void test_damaged(void)
{
	static const struct verdict full = FULL;
	static const struct host_case host = {HOST_USABLE, "EE", "ba"};
	struct pin_settings settings = {.digest = TLSA_SHA256};

	begin("[mx.example.com]");
	add_host("mx.example.com", "mx.example.com", &host);
	size_t whole = evidence.hosts[0].part.size;
	many_begin("a host's part cut after every byte");
	for (size_t size = PART_HEADER_SIZE; size < whole; size++) {
		evidence.hosts[0].part.size = size;
		pin_collect(&settings, &evidence, full, &pins);
		many(pins.form == PIN_NOTHING && pins.obstacle == PIN_DAMAGED, "%zu of %zu bytes",
			size, whole);
	}
	many_end();
	evidence.hosts[0].part.size = whole;
	end();
}

int main(void)
{
	test_records();
	test_sets();
	test_strict_site();
	test_words();
	test_encrypt();
	test_many();
	test_damaged();
	return done_testing();
}
