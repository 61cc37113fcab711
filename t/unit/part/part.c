/*
 * part: encoded facts are decoded unchanged; a part that is cut at any byte is refused or damaged
 * and never read past its end; one wrong bit or another key is noticed; fresh and expired parts,
 * with clocks that jump; a copy with other times keeps its facts; keys.
 */
#include "common/part/part.h"
#include "common/dane/tlsa.h"
#include "common/part/layout.h"

#include "t/unit/parts.h"

static bool equal(struct part_bytes bytes, const char *string)
{
	return bytes.size == strlen(string) && memcmp(bytes.bytes, string, bytes.size) == 0;
}

static const struct part_times some_times = {
	.stored_at = 1000000000,
	.refresh_at = 1000003000,
	.expires = 1000003600,
	.stale_until = 1000009999,
	.flags = PART_SECOND_VIEW | PART_STALE,
};

static void check_header(const struct part *part, const char *what, bool failed)
{
	const struct part_header *header = &part->header;
	uint8_t flags = PART_SECOND_VIEW | PART_STALE | (failed ? PART_HAS_FAILURE : 0);

	ok(header->stored_at == some_times.stored_at &&
			header->refresh_at == some_times.refresh_at &&
			header->expires == some_times.expires &&
			header->stale_until == some_times.stale_until && header->flags == flags,
		"%s: times and flags", what);
}

static void check_failure(
	const struct part *part, const struct part_failure *expected, const char *what)
{
	struct part_failure failure;

	memset(&failure, 0x5a, sizeof failure);
	bool found = part_failure(part, &failure);
	if (expected == NULL)
		ok(!found, "%s: nothing failed", what);
	else
		ok(found && failure.failure == expected->failure &&
				failure.type == expected->type &&
				strcmp(failure.name, expected->name) == 0 &&
				strcmp(failure.detail, expected->detail) == 0,
			"%s: what failed", what);
}

/* --- MX sets ------------------------------------------------------------------------------- */

static void fill(char *string, size_t size, char letter)
{
	memset(string, letter, size);
	string[size] = '\0';
}

static void test_mx(enum mx_status status, size_t hosts)
{
	struct mx_set set = {.status = status, .security = DNS_INSECURE, .ttl = 3600};
	struct part part;
	struct part_cursor cursor;
	char what[64];

	snprintf(what, sizeof what, "MX set %s of %zu", mx_status_name(status), hosts);
	set.host_count = hosts;
	set.hosts = calloc(hosts > 0 ? hosts : 1, sizeof *set.hosts);
	for (size_t i = 0; i < hosts; i++) {
		set.hosts[i].preference = (uint16_t)(65535 - i * 600);
		fill(set.hosts[i].name, 1 + i * 252 / (hosts > 1 ? hosts - 1 : 1),
			(char)('a' + i % 26));
	}
	parts_fail(
		&set.failure, DNS_FAILURE_BOGUS, DNS_TYPE_MX, "example.com", "signature expired");
	uint8_t *bytes = parts_mx(&part, &set, &some_times, "example.com");
	ok(part.header.kind == PART_MX && part.header.status == status &&
			part.header.security == DNS_INSECURE && part.header.count == hosts,
		"%s: what it is", what);
	check_header(&part, what, status == MX_FAILED);
	check_failure(&part, status == MX_FAILED ? &set.failure : NULL, what);
	part_cursor_start(&part, &cursor);
	bool good = true;
	for (size_t i = 0; i < hosts; i++) {
		struct part_mx_host host;
		part_next_mx_host(&cursor, &host);
		good = good && host.preference == set.hosts[i].preference &&
		       host.name_size == strlen(set.hosts[i].name) &&
		       memcmp(host.name, set.hosts[i].name, host.name_size) == 0;
	}
	ok(good && !cursor.damaged && cursor.at == cursor.end, "%s: its hosts, and no more", what);
	free(bytes);
	free(set.hosts);
}

/* --- hosts --------------------------------------------------------------------------------- */

static struct host_facts facts;
static struct host_tlsa tlsa[300];
static uint8_t rdata[300][64];

/* All fields of a host, at their largest or at their smallest. */
static void make_facts(enum host_status status, bool large)
{
	memset(&facts, 0, sizeof facts);
	facts.status = status;
	facts.ttl = 300;
	if (large)
		fill(facts.base_domain, 253, 'b');
	facts.question_count = large ? PART_QUESTIONS_MAX : 2;
	for (size_t i = 0; i < facts.question_count; i++) {
		struct host_question *question = &facts.questions[i];
		static const uint16_t types[] = {
			DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_CNAME, DNS_TYPE_TLSA, DNS_TYPE_TLSA};
		question->type = types[i];
		question->outcome = (enum dns_outcome)(i % DNS_OUTCOME_COUNT);
		question->security = (enum dns_security)(i % DNS_SECURITY_COUNT);
		question->failure =
			question->outcome == DNS_FAILED ? DNS_FAILURE_TIMEOUT : DNS_FAILURE_NONE;
		question->ttl = (uint32_t)(i * 100);
		fill(question->name, large ? 255 : 1, 'n');
		fill(question->canonical_name, large ? 255 : 0, 'c');
		fill(question->detail, large ? 255 : 0, 'd');
		question->address_count = i > 1 ? 0 : large ? PART_ADDRESSES_MAX : i;
		for (size_t a = 0; a < question->address_count; a++)
			memset(question->addresses[a], (int)(i * 16 + a), 16);
	}
	facts.tlsa_count = large ? 300 : 0;
	facts.tlsa = tlsa;
	for (size_t i = 0; i < 300; i++) {
		memset(rdata[i], (int)i, sizeof rdata[i]);
		tlsa[i].usability = (uint8_t)(i % TLSA_USABILITY_COUNT);
		tlsa[i].size = (uint16_t)(i % 65);
		tlsa[i].rdata = rdata[i];
	}
	parts_fail(&facts.failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_TLSA, "_25._tcp.mx.example.com",
		"no answer in time");
}

/* Read a whole host part. It must equal `facts`, unless the cursor is damaged. */
static bool host_reads_back(const struct part *part, bool *damaged)
{
	struct part_cursor cursor;
	bool good = true;

	part_cursor_start(part, &cursor);
	good = equal(part_base_domain(&cursor), facts.base_domain);
	for (size_t i = 0; i < part->header.count; i++) {
		struct part_question question;
		part_next_question(&cursor, &question);
		if (cursor.damaged)
			break;
		const struct host_question *expected = &facts.questions[i];
		good = good && question.type == expected->type &&
		       question.outcome == expected->outcome &&
		       question.security == expected->security &&
		       question.failure == expected->failure &&
		       question.expires == some_times.stored_at + expected->ttl &&
		       equal(question.name, expected->name) &&
		       equal(question.canonical_name, expected->canonical_name) &&
		       equal(question.detail, expected->detail) &&
		       question.address_count == expected->address_count &&
		       question.address_size == (expected->type == DNS_TYPE_A ? 4U : 16U);
		for (size_t a = 0; a < question.address_count && good; a++)
			good = memcmp(question.addresses + a * question.address_size,
				       expected->addresses[a], question.address_size) == 0;
	}
	size_t count = cursor.damaged ? 0 : part_tlsa_count(&cursor);
	for (size_t i = 0; i < count && !cursor.damaged; i++) {
		struct part_tlsa record;
		part_next_tlsa(&cursor, &record);
		if (cursor.damaged)
			break;
		good = good && record.usability == tlsa[i].usability &&
		       record.rdata.size == tlsa[i].size &&
		       memcmp(record.rdata.bytes, tlsa[i].rdata, record.rdata.size) == 0;
	}
	*damaged = cursor.damaged;
	return good && (cursor.damaged || (count == facts.tlsa_count && cursor.at == cursor.end));
}

static void test_host(enum host_status status, bool large)
{
	struct part part;
	bool damaged;
	char what[64];

	snprintf(what, sizeof what, "host %s, %s", host_status_name(status),
		large ? "large" : "small");
	make_facts(status, large);
	uint8_t *bytes = parts_host(&part, &facts, &some_times, "mx.example.com", 25);
	ok(part.header.kind == PART_HOST && part.header.status == status &&
			part.header.count == facts.question_count,
		"%s: what it is", what);
	check_header(&part, what, status == HOST_FAILED);
	check_failure(&part, status == HOST_FAILED ? &facts.failure : NULL, what);
	ok(host_reads_back(&part, &damaged) && !damaged, "%s: all that it says", what);
	free(bytes);
}

/* The expiry of a query must not wrap when the clock is near its end (2106). */
/* --- an MTA-STS policy --------------------------------------------------------------------- */

static bool same_strings(const char *one, size_t one_size, const char *other, size_t other_size)
{
	return one_size == other_size && memcmp(one, other, one_size) == 0;
}

static void check_sts(const struct part *part, const struct sts_facts *written)
{
	struct part_cursor cursor;
	struct sts_facts read;
	bool same = true;

	part_cursor_start(part, &cursor);
	part_read_sts(&cursor, &read);
	ok(part->header.status == written->status && read.discovery == written->discovery &&
			strcmp(read.id, written->id) == 0 && read.max_age == written->max_age &&
			read.fetched_at == written->fetched_at &&
			read.asked_at == written->asked_at &&
			read.pattern_count == written->pattern_count,
		"%s: the policy", sts_status_name(written->status));
	ok(read.failures == written->failures && read.failed_at == written->failed_at &&
			read.retry_at == written->retry_at &&
			read.warned_at == written->warned_at &&
			strcmp(read.failed_id, written->failed_id) == 0 &&
			strcmp(read.failure, written->failure) == 0,
		"%s: the failures", sts_status_name(written->status));
	for (size_t i = 0; i < written->pattern_count; i++) {
		struct sts_pattern pattern;
		part_next_sts_pattern(&cursor, &pattern);
		same = same && same_strings(pattern.name, pattern.size, written->patterns[i].name,
				       written->patterns[i].size);
	}
	ok(same, "%s: the patterns", sts_status_name(written->status));
	same = part_sts_line_count(&cursor) == written->line_count;
	for (size_t i = 0; i < written->line_count; i++) {
		struct sts_line line;
		const struct sts_line *was = &written->lines[i];
		part_next_sts_line(&cursor, &line);
		same = same && line.left_out == was->left_out &&
		       same_strings(line.key, line.key_size, was->key, was->key_size) &&
		       same_strings(line.value, line.value_size, was->value, was->value_size);
	}
	ok(same && !cursor.damaged && cursor.at == cursor.end, "%s: the lines",
		sts_status_name(written->status));
}

static void test_sts(void)
{
	static const char *const lines[PARTS_LINES_MAX][2] = {{"version", "STSv1"},
		{"mode", "enforce"}, {"mx", "mx.example.com"}, {"mx", "*.example.net"},
		{"max_age", "86400"}, {"x-note", ""}};
	static const char *const none[PARTS_LINES_MAX][2] = {{NULL, NULL}};
	struct part_times times = parts_times();
	struct parts_sts policy;
	struct part part;

	for (enum sts_status status = 0; status < STS_STATUS_COUNT; status++) {
		parts_sts_facts(&policy, status, sts_has_policy(status) ? lines : none);
		policy.lines[3].left_out = true;
		policy.facts.failures = 3;
		policy.facts.failed_at = PARTS_NOW - 5;
		policy.facts.retry_at = PARTS_NOW + 1200;
		policy.facts.warned_at = PARTS_NOW - 86400;
		snprintf(policy.facts.failed_id, sizeof policy.facts.failed_id, "%s",
			"12345678901234567890123456789012");
		memset(policy.facts.failure, 'x', sizeof policy.facts.failure - 1);
		uint8_t *bytes = parts_sts(&part, &policy.facts, &times, "example.com");
		check_sts(&part, &policy.facts);
		free(bytes);
	}
}

/* A time does not become 0, which means never. */
static uint32_t back(uint32_t time, uint32_t seconds)
{
	return time > seconds ? time - seconds : 1;
}

static void check_set_back(enum sts_status status, uint32_t seconds, const char *what)
{
	static const char *const lines[PARTS_LINES_MAX][2] = {{"mx", "mx.example.com"}};
	struct part_times times = parts_times();
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_STS, "example.com", 11, 0);
	struct parts_sts policy;
	struct part part;

	parts_sts_facts(&policy, status, lines);
	struct sts_facts *sts = &policy.facts;
	sts->failed_at = PARTS_NOW - 50;
	sts->retry_at = PARTS_NOW + 1200;
	times.refresh_at = UINT32_MAX;
	uint8_t *bytes = parts_sts(&part, sts, &times, "example.com");
	part_sts_set_back(bytes, part.size, seconds, key, key_size);
	ok(part_intact(bytes, part.size, key, key_size) &&
			part_open(&part, PART_STS, bytes, part.size),
		"%s: intact", what);
	ok(part.header.stored_at == back(PARTS_NOW, seconds) &&
			part.header.refresh_at == UINT32_MAX &&
			part.header.expires == back(times.expires, seconds),
		"%s: the times of the part", what);
	sts->fetched_at = back(sts->fetched_at, seconds);
	sts->asked_at = back(sts->asked_at, seconds);
	sts->failed_at = back(sts->failed_at, seconds);
	sts->retry_at = back(sts->retry_at, seconds);
	check_sts(&part, sts);
	free(bytes);
}

/* A part that ends early: nothing behind its end changes. */
static void check_set_back_cut(void)
{
	static const char *const none[PARTS_LINES_MAX][2] = {{NULL, NULL}};
	struct part_times times = parts_times();
	struct parts_sts policy;
	struct part part;
	bool good = true;

	parts_sts_facts(&policy, STS_ENFORCE, none);
	uint8_t *whole = parts_sts(&part, &policy.facts, &times, "example.com");
	uint8_t *cut = malloc(part.size);
	for (size_t size = 0; size < part.size; size++) {
		memcpy(cut, whole, part.size);
		part_sts_set_back(cut, size, 3600, "sexample.com", 12);
		good = good && memcmp(cut + size, whole + size, part.size - size) == 0;
	}
	ok(good, "a part that ends early is not written to behind its end");
	free(cut);
	free(whole);
}

/* A time that was not set, or has no end, is not moved. */
static void test_set_back(void)
{
	struct part_times times = parts_times();
	struct mx_set set = {.status = MX_ABSENT};
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_MX, "example.com", 11, 0);
	struct part part;

	check_set_back(STS_ENFORCE, 86400, "set back by a day");
	check_set_back(STS_FAILED, 1, "set back by a second");
	check_set_back(STS_NONE, UINT32_MAX, "set back as far as possible");
	uint8_t *bytes = parts_mx(&part, &set, &times, "example.com");
	part_sts_set_back(bytes, part.size, 86400, key, key_size);
	ok(part_expires(bytes) == times.expires, "a part of another kind is not set back");
	free(bytes);
	check_set_back_cut();
}

/* Lengths and numbers that are larger than their fields. */
static void test_large_sts(void)
{
	enum { LARGE = UINT16_MAX + 2 };
	struct part_times times = parts_times();
	struct sts_line *lines = calloc(LARGE, sizeof *lines);
	struct sts_pattern *patterns = calloc(LARGE, sizeof *patterns);
	char *value = malloc(LARGE);
	struct sts_facts large = {.status = STS_ENFORCE,
		.failures = 1000,
		.pattern_count = LARGE,
		.patterns = patterns,
		.line_count = LARGE,
		.lines = lines};
	struct part_cursor cursor;
	struct sts_pattern pattern;
	struct sts_line line;
	struct part part;

	if (lines == NULL || patterns == NULL || value == NULL)
		bail_out("out of memory");
	memset(value, 'a', LARGE);
	for (size_t i = 0; i < LARGE; i++) {
		patterns[i] = (struct sts_pattern){value, 1};
		lines[i] = (struct sts_line){value, value, 1, 1, false};
	}
	patterns[0].size = lines[0].key_size = 300;
	lines[0].value_size = LARGE;
	uint8_t *bytes = parts_sts(&part, &large, &times, "example.com");
	part_cursor_start(&part, &cursor);
	part_read_sts(&cursor, &large);
	part_next_sts_pattern(&cursor, &pattern);
	ok(large.failures == 255 && large.pattern_count == UINT16_MAX && pattern.size == 255,
		"large numbers are the largest that fit");
	for (size_t i = 1; i < large.pattern_count; i++)
		part_next_sts_pattern(&cursor, &pattern);
	size_t count = part_sts_line_count(&cursor);
	part_next_sts_line(&cursor, &line);
	ok(count == UINT16_MAX && line.key_size == 255 && line.value_size == UINT16_MAX,
		"long strings are cut");
	for (size_t i = 1; i < count; i++)
		part_next_sts_line(&cursor, &line);
	ok(!cursor.damaged && cursor.at == cursor.end, "and the rest can be read");
	free(bytes);
	free(lines);
	free(patterns);
	free(value);
}

static void test_far_expiry(void)
{
	static const uint32_t moments[] = {0x7fffffff, 0x80000001, 0xc0000000, UINT32_MAX - 10};

	many_begin("a question with the longest TTL does not expire before it is stored");
	for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
		struct part_times times = some_times;
		struct part part;
		struct part_cursor cursor;
		struct part_question question;

		times.stored_at = moments[i];
		times.expires = UINT32_MAX;
		make_facts(HOST_NONE, false);
		facts.questions[0].ttl = INT32_MAX;
		uint8_t *bytes = parts_host(&part, &facts, &times, "mx.example.com", 25);
		part_cursor_start(&part, &cursor);
		part_base_domain(&cursor);
		part_next_question(&cursor, &question);
		many(question.expires >= moments[i], "stored at %u, expires at %u", moments[i],
			question.expires);
		free(bytes);
	}
	many_end();
}

/* --- damage -------------------------------------------------------------------------------- */

/* A part of a host or an MX set, cut at every byte, in memory of exactly that size. */
static void cut_everywhere(const char *group, enum part_kind kind, const uint8_t *bytes,
	size_t size, const char *key, size_t key_size)
{
	many_begin(group);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *piece = malloc(cut > 0 ? cut : 1);
		struct part part;
		struct part_failure failure;

		memcpy(piece, bytes, cut);
		many(!part_intact(piece, cut, key, key_size),
			"cut after %zu bytes it is not intact", cut);
		if (!part_open(&part, kind, piece, cut)) {
			many(cut < PART_HEADER_SIZE, "cut after %zu bytes it does not open", cut);
			free(piece);
			continue;
		}
		many(cut >= PART_HEADER_SIZE, "cut after %zu bytes it opens", cut);
		part_failure(&part, &failure);
		many(memchr(failure.name, '\0', sizeof failure.name) != NULL &&
				memchr(failure.detail, '\0', sizeof failure.detail) != NULL,
			"cut after %zu bytes its failure is words", cut);
		if (kind == PART_HOST) {
			bool damaged;
			many(host_reads_back(&part, &damaged) || damaged,
				"cut after %zu bytes it says something else", cut);
			many(damaged, "cut after %zu bytes it seems whole", cut);
		} else {
			struct part_cursor cursor;
			part_cursor_start(&part, &cursor);
			for (unsigned i = 0; i < part.header.count; i++) {
				struct part_mx_host host;
				part_next_mx_host(&cursor, &host);
				many(!cursor.damaged || host.name_size == 0,
					"cut after %zu bytes host %u has a name", cut, i);
			}
			many(cursor.damaged, "cut after %zu bytes it seems whole", cut);
		}
		free(piece);
	}
	many_end();
}

static uint8_t *encode_sample_mx(char *key, size_t *key_size, size_t *size)
{
	static struct mx_host hosts[] = {{10, "mx1.example.com"}, {20, "mx2.example.com"}};
	struct mx_set set = {.status = MX_FAILED, .host_count = 2, .hosts = hosts};

	parts_fail(&set.failure, DNS_FAILURE_SERVFAIL, DNS_TYPE_MX, "example.com", "no answer");
	*key_size = part_named_key(key, PART_MX, "example.com", 11, 0);
	return part_encode_mx(&set, &some_times, key, *key_size, size);
}

static void test_cut(void)
{
	char key[PART_KEY_MAX];
	size_t key_size, size = 0;
	uint8_t *bytes = encode_sample_mx(key, &key_size, &size);

	cut_everywhere("an MX set cut after every byte", PART_MX, bytes, size, key, key_size);
	free(bytes);
	key_size = part_named_key(key, PART_HOST, "mx.example.com", 14, 25);
	for (int large = 0; large < 2; large++) {
		make_facts(HOST_FAILED, large == 1);
		facts.tlsa_count = large == 1 ? 20 : 1;
		/* The last record must not be empty, or the cut before it loses nothing. */
		facts.tlsa[0].size = 35;
		bytes = part_encode_host(&facts, &some_times, key, key_size, &size);
		cut_everywhere(large == 1 ? "a large host cut after every byte"
					  : "a small host cut after every byte",
			PART_HOST, bytes, size, key, key_size);
		free(bytes);
	}
}

static void test_flips(void)
{
	char key[PART_KEY_MAX], other[PART_KEY_MAX];
	size_t key_size, size = 0;
	uint8_t *bytes = encode_sample_mx(key, &key_size, &size);

	ok(part_intact(bytes, size, key, key_size), "as it was made it is intact");
	many_begin("every single bit the other way");
	for (size_t bit = 0; bit < size * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		many(!part_intact(bytes, size, key, key_size), "bit %zu", bit);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	many_end();
	many_begin("every single bit of its key the other way, and shorter keys");
	for (size_t bit = 0; bit < key_size * 8; bit++) {
		memcpy(other, key, key_size);
		other[bit / 8] ^= (char)(1 << bit % 8);
		many(!part_intact(bytes, size, other, key_size), "bit %zu", bit);
	}
	for (size_t shorter = 0; shorter < key_size; shorter++)
		many(!part_intact(bytes, size, key, shorter), "a key of %zu bytes", shorter);
	many_end();
	ok(part_intact(bytes, size, key, key_size), "and back again it is intact");
	free(bytes);
}

/* Random bytes after a correct header: nothing is read past their end. */
static void test_garbage(void)
{
	uint64_t state = 0x1234567;
	unsigned whole = 0;

	many_begin("garbage after a header");
	for (int round = 0; round < 20000; round++) {
		size_t size = PART_HEADER_SIZE + tap_random(&state) % 200;
		uint8_t *bytes = malloc(size);
		struct part part;
		struct part_cursor cursor;
		struct part_failure failure;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(tap_random(&state) % (round % 2 ? 256 : 3));
		enum part_kind kind = round % 3 != 0 ? PART_HOST : PART_MX;
		bytes[PART_AT_VERSION] = PART_VERSION;
		bytes[PART_AT_KIND] = (uint8_t)kind;
		bytes[PART_AT_STATUS] = (uint8_t)(tap_random(&state) % 5);
		bytes[PART_AT_COUNT] = (uint8_t)(tap_random(&state) % (round % 4 ? 4 : 101));
		if (!many(part_open(&part, kind, bytes, size), "round %d opens", round)) {
			free(bytes);
			continue;
		}
		part_failure(&part, &failure);
		part_cursor_start(&part, &cursor);
		if (part.header.kind == PART_HOST)
			part_base_domain(&cursor);
		for (unsigned i = 0; i < part.header.count; i++) {
			struct part_mx_host host = {0};
			struct part_question question = {0};
			if (part.header.kind == PART_MX) {
				part_next_mx_host(&cursor, &host);
				many(cursor.damaged ||
						(const uint8_t *)host.name + host.name_size <=
							bytes + size,
					"round %d: a host's name", round);
			} else {
				part_next_question(&cursor, &question);
				many(cursor.damaged
						? question.address_count == 0
						: question.addresses +
								  question.address_count *
									  question.address_size <=
							  bytes + size,
					"round %d: a host's addresses", round);
			}
		}
		size_t count = part_tlsa_count(&cursor);
		for (size_t i = 0; i < count && !cursor.damaged; i++) {
			struct part_tlsa record;
			part_next_tlsa(&cursor, &record);
			many(cursor.damaged
					? record.rdata.size == 0
					: record.rdata.bytes + record.rdata.size <= bytes + size,
				"round %d: a TLSA record", round);
		}
		many(cursor.at >= bytes && cursor.at <= bytes + size, "round %d: within its bytes",
			round);
		whole += !cursor.damaged;
		free(bytes);
	}
	many(whole > 0, "none was whole: the garbage was too wild to show anything");
	many_end();
}

static void test_open(void)
{
	char key[PART_KEY_MAX];
	size_t key_size, size = 0;
	uint8_t *bytes = encode_sample_mx(key, &key_size, &size);
	struct part part;

	ok(part_open(&part, PART_MX, bytes, size), "an MX set opens as one");
	ok(!part_open(&part, PART_HOST, bytes, size), "and not as a host");
	many_begin("values of the header that there are not");
	for (unsigned value = 0; value < 256; value++) {
		uint8_t kept = bytes[PART_AT_KIND];
		bytes[PART_AT_KIND] = (uint8_t)value;
		many(part_open(&part, PART_MX, bytes, size) == (value == PART_MX), "kind %u",
			value);
		many(part_open(&part, PART_HOST, bytes, size) == (value == PART_HOST), "kind %u",
			value);
		bytes[PART_AT_KIND] = kept;
		kept = bytes[PART_AT_STATUS];
		bytes[PART_AT_STATUS] = (uint8_t)value;
		many(part_open(&part, PART_MX, bytes, size) == (value < MX_STATUS_COUNT),
			"status %u", value);
		bytes[PART_AT_KIND] = PART_HOST;
		many(part_open(&part, PART_HOST, bytes, size) == (value < HOST_STATUS_COUNT),
			"status %u", value);
		bytes[PART_AT_KIND] = PART_MX;
		bytes[PART_AT_STATUS] = kept;
		kept = bytes[PART_AT_COUNT];
		bytes[PART_AT_COUNT] = (uint8_t)value;
		many(part_open(&part, PART_MX, bytes, size) == (value <= PART_HOSTS_MAX),
			"count %u", value);
		bytes[PART_AT_COUNT] = kept;
	}
	many_end();
	free(bytes);
}

/* --- times --------------------------------------------------------------------------------- */

static void test_fresh(void)
{
	static const struct {
		const char *name;
		uint32_t stored_at, expires, now;
		bool fresh;
	} rows[] = {
		{"just stored", 1000, 4600, 1000, true},
		{"in its last second", 1000, 4600, 4599, true},
		{"when it expires", 1000, 4600, 4600, false},
		{"long after", 1000, 4600, 1000000, false},
		{"the clock was set back a second", 1000, 4600, 999, true},
		{"the clock was set back by the slack", 1000, 4600, 940, true},
		{"the clock was set back by a second more", 1000, 4600, 939, false},
		{"the clock was set back by years", 1700000000, 1700003600, 1500000000, false},
		{"the clock was set back to 1970", 1700000000, 1700003600, 0, false},
		{"the clock was wrong when it was stored", 4000000000, 4000003600, 1700000000,
			false},
		{"the clock is at its end", 4294967000, UINT32_MAX, 4294967294, true},
		{"and at its very end", 4294967000, UINT32_MAX, UINT32_MAX, false},
		{"slack does not wrap", 4294967290, UINT32_MAX, 4294967280, true},
		{"a life of nothing", 1000, 1000, 1000, false},
		{"stored at 0", 0, 10, 5, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct part_header header = {
			.stored_at = rows[i].stored_at, .expires = rows[i].expires};
		ok(part_fresh(&header, rows[i].now) == rows[i].fresh, "%s: %s", rows[i].name,
			rows[i].fresh ? "fresh" : "not fresh");
	}
}

/* --- again --------------------------------------------------------------------------------- */

static void check_again(const uint8_t *bytes, size_t size, const char *key, size_t key_size,
	const struct part_failure *failure, const char *what)
{
	static const struct part_times other = {
		.stored_at = 7,
		.refresh_at = 8,
		.expires = 9,
		.stale_until = 10,
		/* The flag for a failure depends on the new failure only, not on the old part. */
		.flags = PART_STALE | PART_HAS_FAILURE,
	};
	size_t again_size = 0;
	struct part part = {0};
	bool damaged;

	uint8_t *again =
		part_encode_again(bytes, size, &other, failure, key, key_size, &again_size);
	ok(again != NULL && part_intact(again, again_size, key, key_size) &&
			part_open(&part, PART_HOST, again, again_size),
		"%s: intact", what);
	ok(part.header.stored_at == 7 && part.header.refresh_at == 8 && part.header.expires == 9 &&
			part.header.stale_until == 10 &&
			part.header.flags ==
				(PART_STALE | (failure != NULL ? PART_HAS_FAILURE : 0)),
		"%s: its new times", what);
	check_failure(&part, failure, what);
	ok(part.header.status == facts.status && host_reads_back(&part, &damaged) && !damaged,
		"%s: says what it said", what);
	free(again);
}

static void test_again(void)
{
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_HOST, "mx.example.com", 14, 25);
	size_t size = 0, failed_size = 0;
	struct part_failure failure, longest;

	parts_fail(
		&failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_A, "mx.example.com", "no answer in time");
	memset(&longest, 0, sizeof longest);
	longest.failure = DNS_FAILURE_BOGUS;
	longest.type = 65535;
	fill(longest.name, 255, 'n');
	fill(longest.detail, 255, 'd');
	make_facts(HOST_USABLE, true);
	uint8_t *bytes = part_encode_host(&facts, &some_times, key, key_size, &size);
	check_again(bytes, size, key, key_size, NULL, "without a failure");
	check_again(bytes, size, key, key_size, &failure, "with a failure");
	check_again(bytes, size, key, key_size, &longest, "with the longest failure");
	/* Again, from a part with a failure: the new failure replaces it. */
	uint8_t *failed =
		part_encode_again(bytes, size, &some_times, &longest, key, key_size, &failed_size);
	check_again(failed, failed_size, key, key_size, &failure, "with another failure");
	check_again(failed, failed_size, key, key_size, NULL, "without its failure");
	free(failed);
	free(bytes);
}

/* --- keys ---------------------------------------------------------------------------------- */

static void test_keys(void)
{
	static const struct {
		const char *name;
		uint16_t port;
		const char *expected;
	} rows[] = {
		{"mx.example.com", 25, "hmx.example.com:25"},
		{"mx.example.com", 587, "hmx.example.com:587"},
		{"mx", 1, "hmx:1"},
		{"mx", 65535, "hmx:65535"},
		{"mx", 0, "hmx:0"},
	};
	struct {
		char key[PART_KEY_MAX];
		char guard[8];
	} memory;
	char longest[DNS_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t size = part_named_key(
			memory.key, PART_HOST, rows[i].name, strlen(rows[i].name), rows[i].port);
		ok(size == strlen(rows[i].expected) &&
				memcmp(memory.key, rows[i].expected, size) == 0,
			"key of %s port %u", rows[i].name, rows[i].port);
	}
	size_t size = part_named_key(memory.key, PART_MX, "example.com", 11, 0);
	ok(size == 12 && memcmp(memory.key, "mexample.com", size) == 0, "key of an MX set");
	fill(longest, DNS_NAME_MAX, 'a');
	memset(&memory, 0x5a, sizeof memory);
	size = part_named_key(memory.key, PART_HOST, longest, DNS_NAME_MAX, 65535);
	ok(size == PART_KEY_MAX && memory.guard[0] == 0x5a, "the longest key fits its memory");
}

static void test_words(void)
{
	is_string(mx_status_name(MX_FOUND), "found", "the name of an MX status");
	is_string(mx_status_name(MX_FAILED), "failed", "of another");
	is_string(mx_status_name(MX_STATUS_COUNT), "unknown", "of one that there is not");
	is_string(host_status_name(HOST_USABLE), "usable", "the name of a host's status");
	is_string(host_status_name(HOST_FAILED), "failed", "of another");
	is_string(host_status_name(HOST_STATUS_COUNT), "unknown", "of one that there is not");
}

int main(void)
{
	for (enum mx_status status = 0; status < MX_STATUS_COUNT; status++)
		test_mx(status, status == MX_FOUND ? 3 : 0);
	test_mx(MX_FOUND, 0);
	test_mx(MX_FOUND, 1);
	test_mx(MX_FOUND, PART_HOSTS_MAX);
	for (enum host_status status = 0; status < HOST_STATUS_COUNT; status++) {
		test_host(status, true);
		test_host(status, false);
	}
	test_sts();
	test_set_back();
	test_large_sts();
	test_far_expiry();
	test_cut();
	test_flips();
	test_garbage();
	test_open();
	test_fresh();
	test_again();
	test_keys();
	test_words();
	return done_testing();
}
