/*
 * dns_answer: parses correct and wrong packets that are built here: outcomes, alias chains and
 * their end, TTLs of positive and negative answers; a malformed, truncated, looping or random
 * packet gives a failed answer or one without contradictions. Also the MX set that dane_read_mx()
 * makes from an answer.
 */
#include "common/dns/dns_answer.h"

#include "common/dane/destination.h"
#include "common/dane/mx_lookup.h"

#include "t/unit/packet.h"

static struct packet packet;

/* The parsed answer; the packet is in memory of exactly its size. */
struct reading {
	struct dns_answer answer;
	uint8_t *bytes;
};

static void read_bytes(struct reading *reading, const char *name, uint16_t type,
	enum dns_security security, const uint8_t *bytes, size_t size)
{
	reading->bytes = malloc(size > 0 ? size : 1);
	memcpy(reading->bytes, bytes, size);
	memset(&reading->answer, 0x5a, sizeof reading->answer);
	dns_answer_parse(&reading->answer, name, type, security, reading->bytes, size);
}

static void read_packet(struct reading *reading, const char *name, uint16_t type)
{
	read_bytes(reading, name, type, DNS_SECURE, packet.bytes, packet.size);
}

static void read_end(struct reading *reading)
{
	dns_answer_clear(&reading->answer);
	ok(reading->answer.records == NULL && reading->answer.record_count == 0,
		"a cleared answer has no records");
	free(reading->bytes);
}

/* This must be true for every answer. */
static bool sane(const struct dns_answer *answer, const uint8_t *bytes, size_t size)
{
	if (answer->outcome >= DNS_OUTCOME_COUNT ||
		memchr(answer->canonical_name, '\0', sizeof answer->canonical_name) == NULL ||
		memchr(answer->detail, '\0', sizeof answer->detail) == NULL)
		return false;
	for (const char *at = answer->detail; *at != '\0'; at++) {
		if (*at < ' ' || *at > '~')
			return false;
	}
	if (answer->outcome == DNS_FAILED)
		return answer->failure != DNS_FAILURE_NONE && answer->detail[0] != '\0' &&
		       answer->ttl == 0 && answer->records == NULL && answer->record_count == 0;
	if (answer->failure != DNS_FAILURE_NONE || answer->detail[0] != '\0' ||
		answer->ttl > INT32_MAX ||
		(answer->record_count > 0) != (answer->outcome == DNS_FOUND) ||
		answer->record_count > DNS_RECORDS_MAX)
		return false;
	for (size_t i = 0; i < answer->record_count; i++) {
		const struct dns_record *record = &answer->records[i];
		if (record->rdata < bytes || record->rdata + record->size > bytes + size)
			return false;
	}
	return true;
}

/* --- answers by table ---------------------------------------------------------------------- */

#define SOME_TLSA "\3\1\1aaaaaaaabbbbbbbbccccccccdddddddd"

struct row_record {
	enum packet_section section;
	uint16_t type;
	uint32_t ttl;
	const char *owner;
	const char *target;
	uint32_t minimum; /* of a SOA */
};

enum {
	ROW_RECORDS = 6,
	TRUNCATED = 0x0200, /* the flag of RFC 1035 4.1.1 */
};

static const struct {
	const char *name;
	const char *question;
	uint16_t type;
	unsigned rcode; /* or TRUNCATED */
	struct row_record records[ROW_RECORDS];
	enum dns_outcome outcome;
	uint32_t ttl;
	const char *canonical; /* NULL: it failed */
	size_t count;
} rows[] = {
	{"one record", "a.example", 1, 0, {{1, 1, 300, "a.example", NULL, 0}}, DNS_FOUND, 300,
		"a.example", 1},
	{"two records, the lesser TTL", "a.example", 1, 0,
		{{1, 1, 300, "a.example", NULL, 0}, {1, 1, 60, "a.example", NULL, 0}}, DNS_FOUND,
		60, "a.example", 2},
	{"owner and question in other case", "A.Example", 1, 0, {{1, 1, 300, "a.eXAMPLE", NULL, 0}},
		DNS_FOUND, 300, "a.example", 1},
	{"a question with its dot", "a.example.", 1, 0, {{1, 1, 300, "a.example", NULL, 0}},
		DNS_FOUND, 300, "a.example", 1},
	{"the root's own records", "", 2, 0, {{1, 2, 300, "", "ns.example", 0}}, DNS_FOUND, 300, "",
		1},
	{"a TTL of 0", "a.example", 1, 0, {{1, 1, 0, "a.example", NULL, 0}}, DNS_FOUND, 0,
		"a.example", 1},
	{"the largest TTL", "a.example", 1, 0, {{1, 1, 0x7fffffff, "a.example", NULL, 0}},
		DNS_FOUND, 0x7fffffff, "a.example", 1},
	{"a TTL with its top bit set is 0", "a.example", 1, 0,
		{{1, 1, 0x80000000, "a.example", NULL, 0}}, DNS_FOUND, 0, "a.example", 1},
	{"the largest number for a TTL is 0", "a.example", 1, 0,
		{{1, 1, 0xffffffff, "a.example", NULL, 0}}, DNS_FOUND, 0, "a.example", 1},
	{"records of other owners do not count", "a.example", 1, 0,
		{{1, 1, 300, "a.example", NULL, 0}, {1, 1, 5, "b.example", NULL, 0}}, DNS_FOUND,
		300, "a.example", 1},
	{"nor do those of other types", "a.example", 1, 0,
		{{1, 1, 300, "a.example", NULL, 0}, {1, 28, 5, "a.example", NULL, 0}}, DNS_FOUND,
		300, "a.example", 1},
	{"nor those of other sections", "a.example", 1, 0,
		{{3, 1, 300, "a.example", NULL, 0}, {2, 6, 60, "example", NULL, 60}}, DNS_NODATA,
		60, "a.example", 0},
	{"a TLSA record", "_25._tcp.a.example", 52, 0,
		{{1, 52, 3600, "_25._tcp.a.example", NULL, 0}}, DNS_FOUND, 3600,
		"_25._tcp.a.example", 1},
	/* aliases */
	{"an alias", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "b.example", 0}, {1, 1, 300, "b.example", NULL, 0}},
		DNS_FOUND, 300, "b.example", 1},
	{"an alias that lives shorter than its end", "a.example", 1, 0,
		{{1, 5, 30, "a.example", "b.example", 0}, {1, 1, 300, "b.example", NULL, 0}},
		DNS_FOUND, 30, "b.example", 1},
	{"an alias to upper case", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "B.EXAMPLE", 0}, {1, 1, 300, "b.example", NULL, 0}},
		DNS_FOUND, 300, "b.example", 1},
	{"a DNAME and its alias", "a.old.example", 1, 0,
		{{1, 39, 90, "old.example", "new.example", 0},
			{1, 5, 600, "a.old.example", "a.new.example", 0},
			{1, 1, 300, "a.new.example", NULL, 0}},
		DNS_FOUND, 90, "a.new.example", 1},
	{"a DNAME with its top bit set", "a.old.example", 1, 0,
		{{1, 39, 0xffffffff, "old.example", "new.example", 0},
			{1, 5, 600, "a.old.example", "a.new.example", 0},
			{1, 1, 300, "a.new.example", NULL, 0}},
		DNS_FOUND, 0, "a.new.example", 1},
	{"an alias itself asked for", "a.example", 5, 0, {{1, 5, 600, "a.example", "b.example", 0}},
		DNS_FOUND, 600, "a.example", 1},
	{"an alias to nothing", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "b.example", 0}, {2, 6, 900, "example", NULL, 120}},
		DNS_NODATA, 120, "b.example", 0},
	{"an alias to what does not exist", "a.example", 1, 3,
		{{1, 5, 50, "a.example", "b.example", 0}, {2, 6, 900, "example", NULL, 120}},
		DNS_NXDOMAIN, 50, "b.example", 0},
	{"an alias to itself", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "a.example", 0}, {2, 6, 900, "example", NULL, 120}},
		DNS_FAILED, 0, NULL, 0},
	{"an alias to itself in other case", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "A.EXAMPLE", 0}, {2, 6, 900, "example", NULL, 120}},
		DNS_FAILED, 0, NULL, 0},
	{"two aliases in a ring", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "b.example", 0}, {1, 5, 600, "b.example", "a.example", 0},
			{2, 6, 900, "example", NULL, 120}},
		DNS_FAILED, 0, NULL, 0},
	{"a loop after an alias", "a.example", 1, 0,
		{{1, 5, 600, "a.example", "b.example", 0}, {1, 5, 600, "b.example", "c.example", 0},
			{1, 5, 600, "c.example", "b.example", 0},
			{2, 6, 900, "example", NULL, 120}},
		DNS_FAILED, 0, NULL, 0},
	/* libunbound puts a chain in order: another order must fail, and must not be NODATA */
	{"two aliases out of order", "a.example", 1, 0,
		{{1, 5, 600, "b.example", "c.example", 0}, {1, 5, 600, "a.example", "b.example", 0},
			{1, 1, 300, "c.example", NULL, 0}, {2, 6, 900, "example", NULL, 120}},
		DNS_FAILED, 0, NULL, 0},
	{"an alias after the records that it leads to", "a.example", 1, 0,
		{{1, 1, 300, "b.example", NULL, 0}, {1, 5, 600, "a.example", "b.example", 0},
			{2, 6, 900, "example", NULL, 120}},
		DNS_FAILED, 0, NULL, 0},
	/* negative answers: RFC 2308 5 */
	{"no data, the SOA's TTL is less", "a.example", 1, 0, {{2, 6, 60, "example", NULL, 900}},
		DNS_NODATA, 60, "a.example", 0},
	{"no data, its MINIMUM is less", "a.example", 1, 0, {{2, 6, 900, "example", NULL, 60}},
		DNS_NODATA, 60, "a.example", 0},
	{"no data, both are equal", "a.example", 1, 0, {{2, 6, 77, "example", NULL, 77}},
		DNS_NODATA, 77, "a.example", 0},
	{"no data and no SOA is not kept", "a.example", 1, 0, {{0}}, DNS_NODATA, 0, "a.example", 0},
	{"no data, a name server but no SOA", "a.example", 1, 0,
		{{2, 2, 900, "example", "ns.example", 0}}, DNS_NODATA, 0, "a.example", 0},
	{"no data, MINIMUM with its top bit set", "a.example", 1, 0,
		{{2, 6, 900, "example", NULL, 0x80000001}}, DNS_NODATA, 0, "a.example", 0},
	{"no data, the SOA's TTL with its top bit set", "a.example", 1, 0,
		{{2, 6, 0x80000001, "example", NULL, 900}}, DNS_NODATA, 0, "a.example", 0},
	{"no data, other records in the authority", "a.example", 1, 0,
		{{2, 2, 5, "example", "ns.example", 0}, {2, 6, 900, "example", NULL, 60}},
		DNS_NODATA, 60, "a.example", 0},
	{"no such name", "a.example", 1, 3, {{2, 6, 60, "example", NULL, 900}}, DNS_NXDOMAIN, 60,
		"a.example", 0},
	{"no such name and no SOA", "a.example", 15, 3, {{0}}, DNS_NXDOMAIN, 0, "a.example", 0},
	/* an error code makes the records worthless */
	{"no answer but a failure", "a.example", 1, 2, {{0}}, DNS_FAILED, 0, NULL, 0},
	{"records beside a failure", "a.example", 1, 2, {{1, 1, 300, "a.example", NULL, 0}},
		DNS_FAILED, 0, NULL, 0},
	{"refused", "a.example", 1, 5, {{0}}, DNS_FAILED, 0, NULL, 0},
	{"cut off, with nothing left", "a.example", 1, TRUNCATED,
		{{2, 6, 60, "example", NULL, 900}}, DNS_FAILED, 0, NULL, 0},
	{"cut off, with records left", "a.example", 1, TRUNCATED,
		{{1, 1, 300, "a.example", NULL, 0}}, DNS_FAILED, 0, NULL, 0},
};

static void add_row_record(const struct row_record *record)
{
	if (record->type == DNS_TYPE_SOA)
		packet_soa(&packet, record->owner, record->ttl, record->minimum);
	else if (record->target != NULL)
		packet_record_name(&packet, record->section, record->owner, record->type,
			record->ttl, record->target);
	else if (record->type == DNS_TYPE_TLSA)
		packet_record(&packet, record->section, record->owner, record->type, record->ttl,
			SOME_TLSA, sizeof SOME_TLSA - 1);
	else
		packet_record(&packet, record->section, record->owner, record->type, record->ttl,
			"\xc0\x00\x02\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\1",
			record->type == DNS_TYPE_A ? 4 : 16);
}

static void build_row(size_t row)
{
	packet_begin(&packet, rows[row].rcode, rows[row].question, rows[row].type);
	for (unsigned section = PACKET_ANSWER; section <= PACKET_ADDITIONAL; section++) {
		for (size_t i = 0; i < ROW_RECORDS && rows[row].records[i].section != 0; i++) {
			if (rows[row].records[i].section == section)
				add_row_record(&rows[row].records[i]);
		}
	}
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct reading reading;
		const struct dns_answer *answer = &reading.answer;

		build_row(i);
		read_packet(&reading, rows[i].question, rows[i].type);
		bool alias = rows[i].canonical != NULL &&
			     !dns_name_equal(rows[i].canonical, rows[i].question);
		if (!ok(answer->outcome == rows[i].outcome && answer->ttl == rows[i].ttl &&
				    answer->record_count == rows[i].count &&
				    answer->security == DNS_SECURE &&
				    sane(answer, reading.bytes, packet.size) &&
				    (rows[i].canonical == NULL ||
					    (strcmp(answer->canonical_name, rows[i].canonical) ==
							    0 &&
						    answer->alias == alias)),
			    "%s: %s", rows[i].name, dns_outcome_name(rows[i].outcome)))
			diag("%s, ttl %u, %zu records at '%s', alias %d",
				dns_outcome_name(answer->outcome), answer->ttl,
				answer->record_count, answer->canonical_name, answer->alias);
		dns_answer_clear(&reading.answer);
		free(reading.bytes);
	}
}

/* The DNSSEC status comes from the caller and is kept, for failures too. */
static void test_security(void)
{
	for (enum dns_security security = 0; security < DNS_SECURITY_COUNT; security++) {
		struct reading reading;

		build_row(0);
		read_bytes(&reading, rows[0].question, rows[0].type, security, packet.bytes,
			packet.size);
		is_number(reading.answer.security, security, "%s stays so",
			dns_security_name(security));
		read_end(&reading);
		read_bytes(&reading, rows[0].question, rows[0].type, security, packet.bytes, 7);
		ok(reading.answer.outcome == DNS_FAILED &&
				reading.answer.failure == DNS_FAILURE_MALFORMED &&
				reading.answer.security == security,
			"%s stays so when the answer cannot be read", dns_security_name(security));
		read_end(&reading);
	}
}

/* RFC 4034 3.1; `cut` octets are missing at its end. */
static void add_signature(
	const char *owner, unsigned covered, uint32_t original_ttl, uint32_t expires, size_t cut)
{
	uint8_t rdata[] = {0, (uint8_t)covered, 13, 3, 0, 0, (uint8_t)(original_ttl >> 8),
		(uint8_t)original_ttl, (uint8_t)(expires >> 24), (uint8_t)(expires >> 16),
		(uint8_t)(expires >> 8), (uint8_t)expires, 0, 0, 0, 1, 0x12, 0x34, 0, 0xaa};

	packet_record(&packet, PACKET_ANSWER, owner, 46, 300, rdata, sizeof rdata - cut);
}

static const struct {
	const char *name;
	enum dns_security security;
	uint32_t alias_ends, end_ends, other_ends; /* 0: no such signature */
	size_t cut;
	uint32_t expires, original_ttl;
} signature_rows[] = {
	{"without signatures", DNS_SECURE, 0, 0, 0, 0, 0, 0},
	{"the alias's ends first", DNS_SECURE, 1000, 2000, 0, 0, 1000, 7200},
	{"the records' own ends first", DNS_SECURE, 2000, 1000, 0, 0, 1000, 7200},
	{"two over the same records", DNS_SECURE, 0, 2000, 1500, 0, 1500, 7200},
	{"beyond 2038", DNS_SECURE, 0, 0xf0000000, 0, 0, 0xf0000000, 7200},
	{"signatures of an insecure answer are ignored", DNS_INSECURE, 1000, 2000, 0, 0, 0, 0},
	{"too short to be read", DNS_SECURE, 0, 2000, 0, 3, 0, 0},
};

static void test_signatures(void)
{
	for (size_t i = 0; i < sizeof signature_rows / sizeof signature_rows[0]; i++) {
		struct reading reading;

		packet_begin(&packet, 0, "a.example", DNS_TYPE_A);
		packet_record_name(&packet, PACKET_ANSWER, "a.example", 5, 300, "b.example");
		if (signature_rows[i].alias_ends != 0)
			add_signature("a.example", 5, 600, signature_rows[i].alias_ends, 0);
		packet_record(&packet, PACKET_ANSWER, "b.example", 1, 300, "\xc0\0\2\1", 4);
		if (signature_rows[i].end_ends != 0)
			add_signature("b.example", 1, 7200, signature_rows[i].end_ends,
				signature_rows[i].cut);
		if (signature_rows[i].other_ends != 0)
			add_signature("b.example", 1, 7200, signature_rows[i].other_ends, 0);
		read_bytes(&reading, "a.example", DNS_TYPE_A, signature_rows[i].security,
			packet.bytes, packet.size);
		ok(reading.answer.outcome == DNS_FOUND && reading.answer.record_count == 1 &&
				reading.answer.signature_expires == signature_rows[i].expires &&
				reading.answer.original_ttl == signature_rows[i].original_ttl,
			"signatures: %s", signature_rows[i].name);
		read_end(&reading);
	}
}

/* Chains of 0 to 13 links: eleven are followed. */
static void test_chains(void)
{
	for (int links = 0; links <= 13; links++) {
		for (int end = 0; end < 2; end++) {
			struct reading reading;
			char name[32] = "c0.example", last[32];

			packet_begin(&packet, 0, name, 1);
			for (int i = 0; i < links; i++) {
				char from[32], to[32];
				snprintf(from, sizeof from, "c%d.example", i);
				snprintf(to, sizeof to, "c%d.example", i + 1);
				packet_record_name(
					&packet, PACKET_ANSWER, from, 5, (uint32_t)(1000 - i), to);
			}
			snprintf(last, sizeof last, "c%d.example", links);
			if (end == 0)
				packet_record(&packet, PACKET_ANSWER, last, 1, 2000, "abcd", 4);
			else
				packet_soa(&packet, "example", 2000, 2000);
			read_packet(&reading, name, 1);
			const struct dns_answer *answer = &reading.answer;
			const char *what = end == 0 ? "an address" : "nothing";
			if (links > 11) {
				ok(answer->outcome == DNS_FAILED &&
						answer->failure == DNS_FAILURE_MALFORMED &&
						sane(answer, reading.bytes, packet.size),
					"a chain of %d links to %s is not followed", links, what);
			} else {
				uint32_t ttl = links == 0 ? 2000 : (uint32_t)(1001 - links);
				ok(answer->outcome == (end == 0 ? DNS_FOUND : DNS_NODATA) &&
						answer->ttl == ttl &&
						answer->alias == (links > 0) &&
						strcmp(answer->canonical_name, last) == 0 &&
						sane(answer, reading.bytes, packet.size),
					"a chain of %d links to %s", links, what);
			}
			read_end(&reading);
		}
	}
}

/* Loops of two to twelve names, which have no end: the answer must fail. */
static void test_rings(void)
{
	for (int links = 1; links <= 12; links++) {
		struct reading reading;

		packet_begin(&packet, 0, "c0.example", 1);
		for (int i = 0; i < links; i++) {
			char from[32], to[32];
			snprintf(from, sizeof from, "c%d.example", i);
			snprintf(to, sizeof to, "c%d.example", (i + 1) % links);
			packet_record_name(&packet, PACKET_ANSWER, from, 5, 1000, to);
		}
		packet_soa(&packet, "example", 900, 900);
		read_packet(&reading, "c0.example", 1);
		ok(reading.answer.outcome == DNS_FAILED, "a ring of %d aliases is a failure",
			links);
		if (reading.answer.outcome != DNS_FAILED)
			diag("%s at '%s'", dns_outcome_name(reading.answer.outcome),
				reading.answer.canonical_name);
		dns_answer_clear(&reading.answer);
		free(reading.bytes);
	}
}

/* --- malformed ----------------------------------------------------------------------------- */

static void expect_malformed(const char *what, const char *name, uint16_t type)
{
	struct reading reading;

	read_packet(&reading, name, type);
	if (!ok(reading.answer.outcome == DNS_FAILED &&
			    reading.answer.failure == DNS_FAILURE_MALFORMED &&
			    sane(&reading.answer, reading.bytes, packet.size),
		    "%s", what))
		diag("%s", dns_outcome_name(reading.answer.outcome));
	dns_answer_clear(&reading.answer);
	free(reading.bytes);
}

static void test_wrong_question(void)
{
	packet_begin(&packet, 0, "b.example", 1);
	packet_record(&packet, PACKET_ANSWER, "a.example", 1, 300, "abcd", 4);
	expect_malformed("another name in the question", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 28);
	packet_record(&packet, PACKET_ANSWER, "a.example", 1, 300, "abcd", 4);
	expect_malformed("another type in the question", "a.example", 1);
	packet_begin(&packet, 0, "a.example.com", 1);
	expect_malformed("a longer name in the question", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 1);
	packet.bytes[5] = 0;
	expect_malformed("a question that is not counted", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 1);
	packet.bytes[5] = 0;
	packet.size = PACKET_HEAD;
	expect_malformed("no question", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 1);
	packet_name(&packet, "a.example");
	packet_u16(&packet, 1);
	packet_u16(&packet, 1);
	packet_count(&packet, 0);
	expect_malformed("two questions", "a.example", 1);
	packet_begin(&packet, 0, "", 1);
	expect_malformed("the root in the question", "a.example", 1);
}

/* Pointers outside the packet, to themselves, forward, or in a loop (RFC 1035 4.1.4). */
static void test_compression(void)
{
	static const unsigned places[] = {0, 5, 12, 13, 100, 0x3fff};
	unsigned question = PACKET_HEAD;

	packet_begin(&packet, 0, "a.example", 1);
	packet_pointer(&packet, question);
	packet_record_end(&packet, packet_record_begin(&packet, PACKET_ANSWER, 1, 300));
	struct reading reading;
	read_packet(&reading, "a.example", 1);
	ok(reading.answer.outcome == DNS_FOUND && reading.answer.record_count == 1,
		"a pointer to the question is its name");
	read_end(&reading);

	packet_begin(&packet, 0, "a.example", 1);
	packet_pointer(&packet, (unsigned)packet.size);
	packet_record_end(&packet, packet_record_begin(&packet, PACKET_ANSWER, 1, 300));
	expect_malformed("an owner that points to itself", "a.example", 1);

	packet_begin(&packet, 0, "a.example", 1);
	packet_pointer(&packet, (unsigned)packet.size + 2);
	packet_pointer(&packet, (unsigned)packet.size - 2);
	packet_record_end(&packet, packet_record_begin(&packet, PACKET_ANSWER, 1, 300));
	struct reading around;
	read_packet(&around, "a.example", 1);
	ok(around.answer.outcome != DNS_FOUND, "two pointers to each other find nothing");
	dns_answer_clear(&around.answer);
	free(around.bytes);

	packet_begin(&packet, 0, "a.example", 1);
	packet.bytes[PACKET_HEAD] = 0xc0;
	packet.bytes[PACKET_HEAD + 1] = PACKET_HEAD;
	expect_malformed("a question that points to itself", "a.example", 1);

	many_begin("an alias and an exchange with a pointer to every place");
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		for (int self = 0; self < 2; self++) {
			packet_begin(&packet, 0, "a.example", 1);
			packet_name(&packet, "a.example");
			size_t at = packet_record_begin(&packet, PACKET_ANSWER, 5, 300);
			packet_pointer(&packet, self ? (unsigned)packet.size : places[i]);
			packet_record_end(&packet, at);
			read_packet(&reading, "a.example", 1);
			many(sane(&reading.answer, reading.bytes, packet.size) &&
					(!self || reading.answer.outcome == DNS_FAILED),
				"an alias that points to %u", places[i]);
			dns_answer_clear(&reading.answer);
			free(reading.bytes);

			packet_begin(&packet, 0, "a.example", 15);
			packet_name(&packet, "a.example");
			at = packet_record_begin(&packet, PACKET_ANSWER, 15, 300);
			packet_u16(&packet, 10);
			packet_pointer(&packet, self ? (unsigned)packet.size : places[i]);
			packet_record_end(&packet, at);
			read_packet(&reading, "a.example", 15);
			uint16_t preference;
			char name[DNS_NAME_SIZE];
			many(reading.answer.outcome == DNS_FOUND, "an exchange that points to %u",
				places[i]);
			if (reading.answer.outcome == DNS_FOUND) {
				bool found = dns_answer_mx(&reading.answer,
					&reading.answer.records[0], &preference, name);
				many(!self || !found, "an exchange that points to itself");
				many(!found || strlen(name) < DNS_NAME_SIZE, "and one to %u",
					places[i]);
			}
			dns_answer_clear(&reading.answer);
			free(reading.bytes);
		}
	}
	many_end();
}

static const char *const long_labels[] = {
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
};

/* An alias whose name does not end at the end of its RDATA is an error. */
static void test_alias_rdata(void)
{
	static const struct {
		const char *name;
		const char *rdata;
		size_t size;
	} alias_rows[] = {
		{"nothing", "", 0},
		{"a name that goes on in the next record", "\1b", 2},
		{"a label that goes on in the next record", "\5b", 2},
		{"a byte after the name", "\1b\0x", 4},
		{"half a pointer", "\300", 1},
	};

	for (size_t i = 0; i < sizeof alias_rows / sizeof alias_rows[0]; i++) {
		char what[128];
		packet_begin(&packet, 0, "a.example", 1);
		packet_record(&packet, PACKET_ANSWER, "a.example", 5, 300, alias_rows[i].rdata,
			alias_rows[i].size);
		packet_record(&packet, PACKET_ANSWER, "b.example", 1, 300, "abcd", 4);
		packet_soa(&packet, "example", 900, 900);
		snprintf(what, sizeof what, "an alias to %s", alias_rows[i].name);
		expect_malformed(what, "a.example", 1);
	}
}

/* Names at the limit, and with bytes that are printed as several characters. */
static void test_long_names(void)
{
	struct reading reading;
	char name[300];

	for (int last = 60; last <= 62; last++) {
		snprintf(name, sizeof name, "%s.%s.%s.%.*s", long_labels[0], long_labels[1],
			long_labels[2], last, long_labels[0]);
		packet_begin(&packet, 0, "a.example", 1);
		packet_record_name(&packet, PACKET_ANSWER, "a.example", 5, 300, name);
		packet_record(&packet, PACKET_ANSWER, name, 1, 300, "abcd", 4);
		read_packet(&reading, "a.example", 1);
		if (last <= 61)
			ok(reading.answer.outcome == DNS_FOUND &&
					strcmp(reading.answer.canonical_name, name) == 0,
				"an alias to a name of %zu octets", strlen(name));
		else
			ok(reading.answer.outcome == DNS_FAILED,
				"an alias to a name of %zu octets, which is too long",
				strlen(name));
		dns_answer_clear(&reading.answer);
		free(reading.bytes);
	}
	many_begin("an alias to a name with each byte in it");
	for (unsigned byte = 0; byte < 256; byte++) {
		for (unsigned count = 1; count <= 63; count += 31) {
			packet_begin(&packet, 0, "a.example", 1);
			packet_name(&packet, "a.example");
			size_t at = packet_record_begin(&packet, PACKET_ANSWER, 5, 300);
			packet_u8(&packet, count);
			for (unsigned i = 0; i < count; i++)
				packet_u8(&packet, byte);
			packet_u8(&packet, 0);
			packet_record_end(&packet, at);
			packet_soa(&packet, "example", 900, 900);
			read_packet(&reading, "a.example", 1);
			const char *text = reading.answer.canonical_name;
			bool printable = true;
			for (const char *c = text; *c != '\0'; c++)
				printable = printable && *c > ' ' && *c <= '~';
			many(sane(&reading.answer, reading.bytes, packet.size) && printable,
				"byte %u, %u times: '%s'", byte, count, text);
			bool host = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
				    byte == '_';
			many(destination_name_valid(text, strlen(text)) ==
					(host && reading.answer.outcome != DNS_FAILED),
				"byte %u, %u times: '%s' is a host name only of letters", byte,
				count, text);
			dns_answer_clear(&reading.answer);
			free(reading.bytes);
		}
	}
	many_end();
}

/* A packet with records of every kind. */
static void build_rich(void)
{
	packet_begin(&packet, 0, "a.old.example", 15);
	packet_record_name(&packet, PACKET_ANSWER, "old.example", 39, 90, "new.example");
	packet_record_name(&packet, PACKET_ANSWER, "a.old.example", 5, 90, "a.new.example");
	packet_mx(&packet, "a.new.example", 300, 10, "mx1.example");
	packet_mx(&packet, "a.new.example", 300, 20, "mx2.example");
	packet_soa(&packet, "example", 900, 900);
	packet_record(&packet, PACKET_ADDITIONAL, "mx1.example", 1, 300, "abcd", 4);
	/* EDNS */
	packet_record(&packet, PACKET_ADDITIONAL, "", 41, 0, "", 0);
}

static void test_truncation(void)
{
	struct reading reading;

	build_rich();
	read_packet(&reading, "a.old.example", 15);
	ok(reading.answer.outcome == DNS_FOUND && reading.answer.record_count == 2 &&
			reading.answer.ttl == 90,
		"a packet with records of every kind");
	read_end(&reading);
	many_begin("the same cut after every byte");
	for (size_t size = 0; size < packet.size; size++) {
		read_bytes(&reading, "a.old.example", 15, DNS_SECURE, packet.bytes, size);
		many(reading.answer.outcome == DNS_FAILED &&
				reading.answer.failure == DNS_FAILURE_MALFORMED &&
				sane(&reading.answer, reading.bytes, size),
			"cut after %zu bytes: %s", size, dns_outcome_name(reading.answer.outcome));
		dns_answer_clear(&reading.answer);
		free(reading.bytes);
	}
	many_end();
	many_begin("the same, cut, that says it has fewer records");
	size_t whole = packet.size;
	for (size_t size = 0; size < whole; size++) {
		for (unsigned fewer = 0; fewer < 16; fewer++) {
			build_rich();
			packet.bytes[7] = (uint8_t)(fewer & 3);
			packet.bytes[9] = (uint8_t)(fewer >> 2 & 1);
			packet.bytes[11] = (uint8_t)(fewer >> 3 & 1);
			read_bytes(&reading, "a.old.example", 15, DNS_SECURE, packet.bytes, size);
			many(sane(&reading.answer, reading.bytes, size), "cut after %zu bytes, %u",
				size, fewer);
			dns_answer_clear(&reading.answer);
			free(reading.bytes);
		}
	}
	many_end();
}

/* Every answer is consistent, and so is the MX set made from it. */
static void check_fuzzed(const uint8_t *bytes, size_t size, const char *name, uint16_t type)
{
	struct reading reading;
	struct mx_set set;

	read_bytes(&reading, name, type, DNS_SECURE, bytes, size);
	many(sane(&reading.answer, reading.bytes, size), "an insane answer: %s",
		dns_outcome_name(reading.answer.outcome));
	if (type == DNS_TYPE_MX) {
		many(dane_read_mx(&reading.answer, name, &set), "an MX set was made");
		many(set.host_count <= PART_HOSTS_MAX, "%zu hosts", set.host_count);
		for (size_t i = 0; i < set.host_count; i++)
			many(destination_name_valid(set.hosts[i].name, strlen(set.hosts[i].name)),
				"host '%s'", set.hosts[i].name);
		free(set.hosts);
	}
	dns_answer_clear(&reading.answer);
	free(reading.bytes);
}

static void test_fuzz(void)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	static uint8_t bytes[2048];

	many_begin("a good packet with bytes changed at random");
	for (int round = 0; round < 30000; round++) {
		build_rich();
		unsigned changes = 1 + (unsigned)(tap_random(&state) % 4);
		for (unsigned i = 0; i < changes; i++)
			packet.bytes[tap_random(&state) % packet.size] =
				(uint8_t)tap_random(&state);
		check_fuzzed(packet.bytes, packet.size, "a.old.example", 15);
	}
	many_end();
	many_begin("every single bit of a good packet");
	build_rich();
	for (size_t bit = 0; bit < packet.size * 8; bit++) {
		packet.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		check_fuzzed(packet.bytes, packet.size, "a.old.example", 15);
		packet.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	many_end();
	many_begin("random bytes after a correct question");
	for (int round = 0; round < 20000; round++) {
		packet_begin(&packet, 0, "a.example", 15);
		packet.bytes[7] = (uint8_t)(tap_random(&state) % 4);
		size_t more = tap_random(&state) % 80;
		for (size_t i = 0; i < more; i++)
			packet_u8(&packet, (unsigned)(tap_random(&state) % 256));
		check_fuzzed(packet.bytes, packet.size, "a.example", 15);
	}
	many_end();
	many_begin("nothing but random bytes");
	for (int round = 0; round < 10000; round++) {
		size_t size = tap_random(&state) % 512;
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)tap_random(&state);
		check_fuzzed(bytes, size, "a.example", 15);
	}
	many_end();
}

/* As many records as fit in a message. */
static void test_many_records(void)
{
	static const unsigned counts[] = {4095, 4096, 4097, 5000, 5400};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct reading reading;
		packet_begin(&packet, 0, "a", 52);
		for (unsigned n = 0; n < counts[i]; n++) {
			packet_pointer(&packet, PACKET_HEAD);
			packet_record_end(
				&packet, packet_record_begin(&packet, PACKET_ANSWER, 52, 300 + n));
		}
		read_packet(&reading, "a", 52);
		ok(reading.answer.outcome == DNS_FOUND && reading.answer.ttl == 300 &&
				reading.answer.record_count ==
					(counts[i] < 4096 ? counts[i] : 4096) &&
				sane(&reading.answer, reading.bytes, packet.size),
			"%u records in one answer: %zu", counts[i], reading.answer.record_count);
		read_end(&reading);
	}
	struct reading reading;
	packet_begin(&packet, 0, "a", 52);
	while (packet.size < 65535 + 1000)
		packet_record(
			&packet, PACKET_ANSWER, "a", 52, 300, SOME_TLSA, sizeof SOME_TLSA - 1);
	read_packet(&reading, "a", 52);
	ok(reading.answer.outcome == DNS_FAILED, "more bytes than a message has");
	read_end(&reading);
}

/* The counts are larger than the number of records. */
static void test_wrong_counts(void)
{
	packet_begin(&packet, 0, "a.example", 1);
	packet_record(&packet, PACKET_ANSWER, "a.example", 1, 300, "abcd", 4);
	packet.bytes[6] = packet.bytes[7] = 255;
	expect_malformed("65,535 answers announced, one there", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 1);
	packet_record(&packet, PACKET_ANSWER, "a.example", 1, 300, "abcd", 4);
	packet.bytes[packet.size - 6] = 255;
	expect_malformed("a record longer than the packet", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 1);
	packet_record(&packet, PACKET_ANSWER, "a.example", 1, 300, "abcd", 4);
	packet_count(&packet, PACKET_AUTHORITY);
	expect_malformed("an authority announced that is not there", "a.example", 1);
	packet_begin(&packet, 0, "a.example", 1);
	packet_record(&packet, PACKET_AUTHORITY, "example", 6, 300, "abc", 3);
	struct reading reading;
	read_packet(&reading, "a.example", 1);
	ok(reading.answer.outcome != DNS_FOUND && reading.answer.ttl == 0,
		"a SOA too short to have a MINIMUM gives no life");
	dns_answer_clear(&reading.answer);
	free(reading.bytes);
}

static void test_fail(void)
{
	struct dns_answer answer = {.outcome = DNS_FOUND, .ttl = 5};
	char detail[600];

	for (enum dns_failure failure = DNS_FAILURE_BOGUS; failure < DNS_FAILURE_COUNT; failure++) {
		memset(detail, 'x', sizeof detail);
		detail[0] = '\n';
		detail[1] = '\x1b';
		detail[sizeof detail - 1] = '\0';
		answer.records = calloc(1, sizeof *answer.records);
		answer.record_count = 1;
		dns_answer_fail(&answer, failure, DNS_BOGUS, detail);
		ok(sane(&answer, NULL, 0) && answer.failure == failure &&
				answer.security == DNS_BOGUS &&
				strncmp(answer.detail, "\\x0a\\x1bxx", 10) == 0,
			"%s: words of any length and content become one printable line",
			dns_failure_name(failure));
	}
	dns_answer_fail(&answer, DNS_FAILURE_TIMEOUT, DNS_UNKNOWN, NULL);
	ok(answer.outcome == DNS_FAILED && answer.detail[0] == '\0', "words may be absent");
	dns_answer_clear(&answer);
}

static void test_names_equal(void)
{
	static const struct {
		const char *one, *other;
		bool equal;
	} pairs[] = {
		{"a.example", "a.example", true},
		{"a.example.", "a.example", true},
		{"A.EXAMPLE", "a.example.", true},
		{"", ".", true},
		{"", "", true},
		{"a.example", "b.example", false},
		{"a.example", "a.example.com", false},
		{"a.example", "", false},
		{"a[.example", "a{.example", false},
		{"a@.example", "a`.example", false},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		ok(dns_name_equal(pairs[i].one, pairs[i].other) == pairs[i].equal &&
				dns_name_equal(pairs[i].other, pairs[i].one) == pairs[i].equal,
			"'%s' and '%s' are %s", pairs[i].one, pairs[i].other,
			pairs[i].equal ? "equal" : "two names");
}

static void test_words(void)
{
	static const struct {
		uint16_t type;
		const char *name;
	} types[] = {{1, "A"}, {2, "NS"}, {5, "CNAME"}, {6, "SOA"}, {15, "MX"}, {16, "TXT"},
		{28, "AAAA"}, {39, "DNAME"}, {46, "RRSIG"}, {52, "TLSA"}, {17, "?"}, {0, "?"},
		{65535, "?"}};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		is_string(dns_type_name(types[i].type), types[i].name, "type %u", types[i].type);
	is_string(dns_outcome_name(DNS_OUTCOME_COUNT), "unknown", "an outcome that there is not");
	is_string(dns_security_name(DNS_SECURITY_COUNT), "unknown", "a security that there is not");
	is_string(dns_failure_name(DNS_FAILURE_COUNT), "unknown", "a failure that there is not");
	is_string(dns_failure_name(DNS_FAILURE_BOGUS), "bogus", "a failure's name");
	is_string(dns_security_name(DNS_INSECURE), "insecure", "a security's name");
}

/* --- MX ------------------------------------------------------------------------------------ */

/* An MX record whose name does not end at the end of its RDATA is ignored. */
static void test_mx_rdata(void)
{
	static const struct {
		const char *name;
		const char *rdata;
		size_t size;
		bool good;
	} mx_rows[] = {
		{"a name", "\0\012\2mx\0", 6, true},
		{"the root", "\0\012\0", 3, true},
		{"nothing", "", 0, false},
		{"no name", "\0\012", 2, false},
		{"half a preference", "\0", 1, false},
		{"a name that goes on in the next record", "\0\012\2mx", 5, false},
		{"a label that goes on in the next record", "\0\012\5m", 4, false},
		{"a byte after the name", "\0\012\2mx\0x", 7, false},
		{"a label type that there is not", "\0\012\100mx\0", 6, false},
	};

	for (size_t i = 0; i < sizeof mx_rows / sizeof mx_rows[0]; i++) {
		struct reading reading;
		uint16_t preference = 0;
		char name[DNS_NAME_SIZE] = "";

		packet_begin(&packet, 0, "a.example", 15);
		packet_record(&packet, PACKET_ANSWER, "a.example", 15, 300, mx_rows[i].rdata,
			mx_rows[i].size);
		packet_mx(&packet, "a.example", 300, 20, "next.example");
		read_packet(&reading, "a.example", 15);
		bool read = reading.answer.outcome == DNS_FOUND &&
			    dns_answer_mx(
				    &reading.answer, &reading.answer.records[0], &preference, name);
		ok(reading.answer.outcome == DNS_FAILED || read == mx_rows[i].good,
			"an exchange of %s", mx_rows[i].name);
		if (read != mx_rows[i].good)
			diag("outcome %s, read %d: '%s'", dns_outcome_name(reading.answer.outcome),
				read, name);
		dns_answer_clear(&reading.answer);
		free(reading.bytes);
	}
}

struct mx_entry {
	unsigned preference;
	const char *exchange;
};

enum { MX_ENTRIES = 6 };

static const struct {
	const char *name;
	struct mx_entry records[MX_ENTRIES];
	enum mx_status status;
	struct mx_entry hosts[MX_ENTRIES];
} mx_sets[] = {
	{"one host", {{10, "mx.example"}}, MX_FOUND, {{10, "mx.example"}}},
	{"sorted by preference", {{30, "c.example"}, {10, "a.example"}, {20, "b.example"}},
		MX_FOUND, {{10, "a.example"}, {20, "b.example"}, {30, "c.example"}}},
	{"then by name", {{10, "c.example"}, {10, "a.example"}, {10, "b.example"}}, MX_FOUND,
		{{10, "a.example"}, {10, "b.example"}, {10, "c.example"}}},
	{"the same host twice counts where it is preferred",
		{{30, "a.example"}, {20, "b.example"}, {10, "a.example"}}, MX_FOUND,
		{{10, "a.example"}, {20, "b.example"}}},
	{"the same host in another case", {{20, "MX.Example"}, {10, "mx.eXAMPLE"}}, MX_FOUND,
		{{10, "mx.example"}}},
	{"the extremes of preference", {{65535, "b.example"}, {0, "a.example"}}, MX_FOUND,
		{{0, "a.example"}, {65535, "b.example"}}},
	{"null MX", {{0, "."}}, MX_NULL, {{0, NULL}}},
	{"a null MX with a preference is not a null MX, and no host", {{10, "."}}, MX_FOUND,
		{{0, NULL}}},
	{"the root beside a host", {{0, "."}, {10, "mx.example"}}, MX_FOUND, {{10, "mx.example"}}},
	{"the root twice", {{0, "."}, {1, "."}}, MX_FOUND, {{0, NULL}}},
	{"a single label", {{10, "mx"}}, MX_FOUND, {{10, "mx"}}},
	{"an address literal", {{10, "192.0.2.1"}}, MX_FOUND, {{0, NULL}}},
	{"an address in brackets", {{10, "[192.0.2.1]"}, {20, "mx.example"}}, MX_FOUND,
		{{20, "mx.example"}}},
	{"an IPv6 address", {{10, "2001:db8::1"}, {20, "mx.example"}}, MX_FOUND,
		{{20, "mx.example"}}},
	{"numbers and dots", {{10, "10.1"}}, MX_FOUND, {{0, NULL}}},
	{"names that no host has",
		{{10, "-a.example"}, {20, "a b.example"}, {30, "a@b.example"}, {40, "*.example"},
			{50, "a\n.example"}, {60, "mx.example"}},
		MX_FOUND, {{60, "mx.example"}}},
	{"an underscore", {{10, "_mx.example"}}, MX_FOUND, {{10, "_mx.example"}}},
	{"UTF-8 unchanged",
		{{10, "b\xc3\xbc"
		      "cher.example"}},
		MX_FOUND, {{0, NULL}}},
	{"an A-label", {{10, "XN--bcher-kva.example"}}, MX_FOUND, {{10, "xn--bcher-kva.example"}}},
};

static void check_mx_set(const char *what, enum mx_status status, const struct mx_entry *hosts)
{
	struct reading reading;
	struct mx_set set;
	size_t count = 0;

	read_packet(&reading, "a.example", 15);
	bool good = dane_read_mx(&reading.answer, "a.example", &set) && set.status == status &&
		    set.security == DNS_SECURE && set.ttl == reading.answer.ttl;
	for (; count < MX_ENTRIES && hosts[count].exchange != NULL; count++)
		good = good && count < set.host_count &&
		       set.hosts[count].preference == hosts[count].preference &&
		       strcmp(set.hosts[count].name, hosts[count].exchange) == 0;
	if (!ok(good && set.host_count == count, "%s", what)) {
		diag("%s, %zu hosts", mx_status_name(set.status), set.host_count);
		for (size_t i = 0; i < set.host_count; i++)
			diag("%u %s", set.hosts[i].preference, set.hosts[i].name);
	}
	free(set.hosts);
	dns_answer_clear(&reading.answer);
	free(reading.bytes);
}

static void test_mx_sets(void)
{
	static const struct mx_entry none[MX_ENTRIES] = {{0, NULL}};

	for (size_t i = 0; i < sizeof mx_sets / sizeof mx_sets[0]; i++) {
		packet_begin(&packet, 0, "a.example", 15);
		for (size_t n = 0; n < MX_ENTRIES && mx_sets[i].records[n].exchange != NULL; n++) {
			packet_mx(&packet, "a.example", 300 + (uint32_t)n,
				mx_sets[i].records[n].preference, mx_sets[i].records[n].exchange);
		}
		check_mx_set(mx_sets[i].name, mx_sets[i].status, mx_sets[i].hosts);
	}
	packet_begin(&packet, 0, "a.example", 15);
	packet_soa(&packet, "example", 60, 900);
	check_mx_set("no MX records: the domain is its own host", MX_ABSENT, none);
	packet_begin(&packet, 3, "a.example", 15);
	packet_soa(&packet, "example", 60, 900);
	check_mx_set("no such domain", MX_NXDOMAIN, none);
	packet_begin(&packet, 0, "a.example", 15);
	packet_record_name(&packet, PACKET_ANSWER, "a.example", 5, 30, "b.example");
	packet_mx(&packet, "b.example", 300, 10, "mx.example");
	check_mx_set("MX records after an alias", MX_FOUND,
		(const struct mx_entry[MX_ENTRIES]){{10, "mx.example"}});
}

/* A dot inside a label does not separate labels. */
static void test_mx_escapes(void)
{
	static const struct mx_entry only[MX_ENTRIES] = {{20, "mx.example"}};

	packet_begin(&packet, 0, "a.example", 15);
	packet_name(&packet, "a.example");
	size_t at = packet_record_begin(&packet, PACKET_ANSWER, 15, 300);
	packet_u16(&packet, 10);
	packet_u8(&packet, 3);
	packet_u8(&packet, 'a');
	packet_u8(&packet, '.');
	packet_u8(&packet, 'b');
	packet_name(&packet, "example");
	packet_record_end(&packet, at);
	packet_mx(&packet, "a.example", 300, 20, "mx.example");
	check_mx_set("a dot within a label", MX_FOUND, only);
	many_begin("every byte in an exchange, as in valid_hostname()");
	for (unsigned byte = 0; byte < 256; byte++) {
		struct reading reading;
		struct mx_set set;
		packet_begin(&packet, 0, "a.example", 15);
		packet_name(&packet, "a.example");
		at = packet_record_begin(&packet, PACKET_ANSWER, 15, 300);
		packet_u16(&packet, 10);
		packet_u8(&packet, 3);
		packet_u8(&packet, 'a');
		packet_u8(&packet, byte);
		packet_u8(&packet, 'b');
		packet_name(&packet, "example");
		packet_record_end(&packet, at);
		read_packet(&reading, "a.example", 15);
		dane_read_mx(&reading.answer, "a.example", &set);
		bool valid = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
			     (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
		many(set.host_count == valid, "byte %u: %zu hosts", byte, set.host_count);
		free(set.hosts);
		dns_answer_clear(&reading.answer);
		free(reading.bytes);
	}
	many_end();
}

/* An MX set is read as a whole or not at all: a set that is too large is a failed lookup. */
static void test_many_hosts(void)
{
	static const unsigned counts[] = {99, 100, 101, 500, 2500};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct reading reading;
		struct mx_set set;
		packet_begin(&packet, 0, "a", 15);
		for (unsigned n = 0; n < counts[i]; n++) {
			char name[32];
			/* In no order: 7 has no factor with any count. */
			unsigned number = n * 7 % counts[i];
			snprintf(name, sizeof name, "m%u.x", number);
			packet_mx(&packet, "a", 300, number, name);
		}
		read_packet(&reading, "a", 15);
		bool good = dane_read_mx(&reading.answer, "a", &set);
		if (counts[i] > PART_HOSTS_MAX)
			good = good && set.status == MX_FAILED && set.host_count == 0 &&
			       set.failure.failure == DNS_FAILURE_MALFORMED &&
			       set.failure.type == DNS_TYPE_MX &&
			       strcmp(set.failure.name, "a") == 0 && set.failure.detail[0] != '\0';
		else
			good = good && set.status == MX_FOUND && set.host_count == counts[i];
		for (unsigned n = 0; good && n < set.host_count; n++) {
			char name[32];
			snprintf(name, sizeof name, "m%u.x", n);
			good = set.hosts[n].preference == n && strcmp(set.hosts[n].name, name) == 0;
		}
		ok(good, "%u hosts: %s", counts[i],
			counts[i] > PART_HOSTS_MAX ? "a failed lookup" : "all count, in order");
		free(set.hosts);
		read_end(&reading);
	}
	/* The limit applies to the number of hosts, not of records. */
	struct reading reading;
	struct mx_set set;
	packet_begin(&packet, 0, "a", 15);
	for (unsigned n = 0; n < 300; n++) {
		char name[32];
		snprintf(name, sizeof name, n % 3 == 0 ? "10.%u" : "M%u.x", n % 150 / 2);
		packet_mx(&packet, "a", 300, 299 - n, name);
	}
	read_packet(&reading, "a", 15);
	ok(dane_read_mx(&reading.answer, "a", &set) && set.status == MX_FOUND &&
			set.host_count > 0 && set.host_count <= 75,
		"300 records of at most 75 hosts are no large set");
	free(set.hosts);
	read_end(&reading);
}

static void test_mx_failed(void)
{
	for (enum dns_failure failure = DNS_FAILURE_BOGUS; failure < DNS_FAILURE_COUNT; failure++) {
		struct dns_answer answer = {.outcome = DNS_FAILED};
		struct mx_set set;
		dns_answer_fail(&answer, failure, DNS_BOGUS, "why");
		ok(dane_read_mx(&answer, "a.example", &set) && set.status == MX_FAILED &&
				set.host_count == 0 && set.failure.failure == failure &&
				set.failure.type == DNS_TYPE_MX &&
				strcmp(set.failure.name, "a.example") == 0 &&
				strcmp(set.failure.detail, "why") == 0,
			"%s: the failure is reported", dns_failure_name(failure));
		free(set.hosts);
	}
}

int main(void)
{
	test_rows();
	test_security();
	test_signatures();
	test_chains();
	test_rings();
	test_wrong_question();
	test_compression();
	test_alias_rdata();
	test_long_names();
	test_truncation();
	test_fuzz();
	test_many_records();
	test_wrong_counts();
	test_fail();
	test_names_equal();
	test_words();
	test_mx_rdata();
	test_mx_sets();
	test_mx_escapes();
	test_many_hosts();
	test_mx_failed();
	return done_testing();
}
