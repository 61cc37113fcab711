/*
 * format: the bytes of one part of each kind, as constants, so that no machine and no change of the
 * code can change the format unnoticed; parts of unknown versions and kinds, which are intact but
 * do not open; names that no host can have; the keys of trust anchors; the table of kinds.
 *
 * For an intended change of the layout, increase PART_VERSION (common/part/part.h) and write the
 * bytes here again according to common/part/layout.h.
 */
#include "common/part/layout.h"
#include "common/part/part.h"

#include "t/unit/parts.h"

enum { STORED_AT = 0x65538000 };

static const struct part_times ordinary_times = {
	.stored_at = STORED_AT,
	.refresh_at = 0x65538ca8,
	.expires = 0x65538e10,
};
static const struct part_times unrefreshed_times = {
	.stored_at = STORED_AT,
	.refresh_at = UINT32_MAX,
	.expires = 0x65538e10,
};
static const struct part_times stale_times = {
	.stored_at = STORED_AT,
	.refresh_at = UINT32_MAX,
	.expires = 0x65538e10,
	.stale_until = 0x65539000,
	.flags = PART_STALE | PART_SECOND_VIEW,
};

static const uint8_t golden_mx[] = {
	0x94,
	0x53,
	0xbd,
	0x7d,
	0x01,
	0x6d,
	0x00,
	0x00,
	0x00,
	0x02,
	0x00,
	0x00,
	0x65,
	0x53,
	0x80,
	0x00,
	0x65,
	0x53,
	0x8c,
	0xa8,
	0x65,
	0x53,
	0x8e,
	0x10,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x0a,
	0x0f,
	0x6d,
	0x78,
	0x31,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
	0x01,
	0x2c,
	0x0f,
	0x6d,
	0x78,
	0x32,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
};

static const uint8_t golden_failed_mx[] = {
	0x2c,
	0xc5,
	0x01,
	0xa1,
	0x01,
	0x6d,
	0x04,
	0x03,
	0x07,
	0x00,
	0x00,
	0x00,
	0x65,
	0x53,
	0x80,
	0x00,
	0xff,
	0xff,
	0xff,
	0xff,
	0x65,
	0x53,
	0x8e,
	0x10,
	0x65,
	0x53,
	0x90,
	0x00,
	0x03,
	0x00,
	0x0f,
	0x0b,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
	0x11,
	0x6e,
	0x6f,
	0x20,
	0x61,
	0x6e,
	0x73,
	0x77,
	0x65,
	0x72,
	0x20,
	0x69,
	0x6e,
	0x20,
	0x74,
	0x69,
	0x6d,
	0x65,
};

static const uint8_t golden_host[] = {
	0xaf,
	0x75,
	0x73,
	0x61,
	0x01,
	0x68,
	0x00,
	0x00,
	0x00,
	0x03,
	0x00,
	0x00,
	0x65,
	0x53,
	0x80,
	0x00,
	0x65,
	0x53,
	0x8c,
	0xa8,
	0x65,
	0x53,
	0x8e,
	0x10,
	0x00,
	0x00,
	0x00,
	0x00,
	0x0e,
	0x6d,
	0x78,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
	0x00,
	0x01,
	0x00,
	0x00,
	0x00,
	0x65,
	0x53,
	0x81,
	0x2c,
	0x0e,
	0x6d,
	0x78,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
	0x0e,
	0x6d,
	0x78,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x6e,
	0x65,
	0x74,
	0x00,
	0x01,
	0xc0,
	0x00,
	0x02,
	0x01,
	0x00,
	0x1c,
	0x03,
	0x02,
	0x01,
	0x65,
	0x53,
	0x80,
	0x00,
	0x0e,
	0x6d,
	0x78,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
	0x00,
	0x11,
	0x73,
	0x69,
	0x67,
	0x6e,
	0x61,
	0x74,
	0x75,
	0x72,
	0x65,
	0x20,
	0x65,
	0x78,
	0x70,
	0x69,
	0x72,
	0x65,
	0x64,
	0x00,
	0x00,
	0x34,
	0x00,
	0x00,
	0x00,
	0x65,
	0x53,
	0x82,
	0x58,
	0x17,
	0x5f,
	0x32,
	0x35,
	0x2e,
	0x5f,
	0x74,
	0x63,
	0x70,
	0x2e,
	0x6d,
	0x78,
	0x2e,
	0x65,
	0x78,
	0x61,
	0x6d,
	0x70,
	0x6c,
	0x65,
	0x2e,
	0x63,
	0x6f,
	0x6d,
	0x00,
	0x00,
	0x00,
	0x00,
	0x02,
	0x00,
	0x00,
	0x05,
	0x03,
	0x01,
	0x01,
	0xaa,
	0xbb,
	0x06,
	0x00,
	0x04,
	0x03,
	0x01,
	0x01,
	0xcc,
};

static const uint8_t golden_ta[] = {
	0x4b,
	0x66,
	0x91,
	0xe5,
	0x01,
	0x61,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x65,
	0x53,
	0x80,
	0x00,
	0xff,
	0xff,
	0xff,
	0xff,
	0x65,
	0x53,
	0x8e,
	0x10,
	0x00,
	0x00,
	0x00,
	0x00,
	0x30,
	0x03,
	0x02,
	0x01,
	0x05,
};

static const uint8_t golden_attempt[] = {
	0x17,
	0x3a,
	0x39,
	0x59,
	0x01,
	0x74,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x65,
	0x53,
	0x80,
	0x00,
	0xff,
	0xff,
	0xff,
	0xff,
	0x65,
	0x53,
	0x8e,
	0x10,
	0x00,
	0x00,
	0x00,
	0x00,
};

/* --- the same bytes ------------------------------------------------------------------------ */

static void check_bytes(const char *what, const uint8_t *bytes, size_t size,
	const uint8_t *expected, size_t expected_size)
{
	size_t at = 0;

	while (at < size && at < expected_size && bytes[at] == expected[at])
		at++;
	if (!ok(bytes != NULL && size == expected_size && at == size, "%s: the bytes written down",
		    what))
		diag("%zu bytes, not %zu; the first other one is %zu", size, expected_size, at);
}

static void test_golden_mx(void)
{
	static struct mx_host hosts[] = {{10, "mx1.example.com"}, {300, "mx2.example.com"}};
	struct mx_set set = {.security = DNS_SECURE, .host_count = 2, .hosts = hosts};
	struct mx_set failed = {.status = MX_FAILED, .security = DNS_UNKNOWN};
	struct part part;

	uint8_t *bytes = parts_mx(&part, &set, &ordinary_times, "example.com");
	check_bytes("an MX set", bytes, part.size, golden_mx, sizeof golden_mx);
	free(bytes);
	parts_fail(&failed.failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_MX, "example.com",
		"no answer in time");
	bytes = parts_mx(&part, &failed, &stale_times, "example.com");
	check_bytes("a failed one", bytes, part.size, golden_failed_mx, sizeof golden_failed_mx);
	free(bytes);
}

static void test_golden_host(void)
{
	static const uint8_t good[] = {3, 1, 1, 0xaa, 0xbb}, bad[] = {3, 1, 1, 0xcc};
	static struct host_tlsa tlsa[] = {
		{TLSA_USABLE, sizeof good, good}, {TLSA_WRONG_DIGEST_LENGTH, sizeof bad, bad}};
	static struct host_facts facts = {
		.status = HOST_USABLE,
		.base_domain = "mx.example.com",
		.question_count = 3,
		.questions =
			{
				{.type = DNS_TYPE_A,
					.outcome = DNS_FOUND,
					.security = DNS_SECURE,
					.ttl = 300,
					.name = "mx.example.com",
					.canonical_name = "mx.example.net",
					.address_count = 1,
					.addresses = {{192, 0, 2, 1}}},
				{.type = DNS_TYPE_AAAA,
					.outcome = DNS_FAILED,
					.security = DNS_BOGUS,
					.failure = DNS_FAILURE_BOGUS,
					.name = "mx.example.com",
					.detail = "signature expired"},
				{.type = DNS_TYPE_TLSA,
					.outcome = DNS_FOUND,
					.security = DNS_SECURE,
					.ttl = 600,
					.name = "_25._tcp.mx.example.com"},
			},
		.tlsa_count = 2,
		.tlsa = tlsa,
	};
	struct part part;
	uint8_t *bytes = parts_host(&part, &facts, &ordinary_times, "mx.example.com", 25);

	check_bytes("a host", bytes, part.size, golden_host, sizeof golden_host);
	free(bytes);
}

static struct ta_digest some_ta(void)
{
	struct ta_digest ta = {.selector = 1, .matching_type = 1};
	memset(ta.digest, 0x5a, 32);
	return ta;
}

static void test_golden_ta(void)
{
	static const uint8_t der[] = {0x30, 3, 2, 1, 5};
	struct ta_digest ta = some_ta();
	char key[PART_TA_ATTEMPT_KEY_MAX];
	size_t size = 0, key_size = part_ta_key(key, &ta);
	uint8_t *bytes = part_encode_bytes(
		PART_TA, der, sizeof der, &unrefreshed_times, key, key_size, &size);

	check_bytes("a trust anchor", bytes, size, golden_ta, sizeof golden_ta);
	free(bytes);
	key_size = part_ta_attempt_key(key, "mx.example.com", 14, 25, &ta);
	bytes = part_encode_bytes(
		PART_TA_ATTEMPT, NULL, 0, &unrefreshed_times, key, key_size, &size);
	check_bytes("an attempt", bytes, size, golden_attempt, sizeof golden_attempt);
	free(bytes);
}

/* --- and back: the bytes written down are read --------------------------------------------- */

static void test_read_golden(void)
{
	struct part part;
	struct part_cursor cursor;
	struct part_mx_host host;
	struct part_question question = {0};
	struct part_tlsa tlsa;
	struct part_failure failure;
	size_t size;

	ok(part_open(&part, PART_MX, golden_mx, sizeof golden_mx) && part.header.count == 2 &&
			part.header.stored_at == STORED_AT &&
			part.header.refresh_at == ordinary_times.refresh_at &&
			part.header.expires == ordinary_times.expires &&
			part_expires(golden_mx) == ordinary_times.expires,
		"an MX set is read: its header");
	part_cursor_start(&part, &cursor);
	part_next_mx_host(&cursor, &host);
	part_next_mx_host(&cursor, &host);
	ok(host.preference == 300 && host.name_size == 15 &&
			memcmp(host.name, "mx2.example.com", 15) == 0 && !cursor.damaged,
		"and its second host");
	ok(part_open(&part, PART_MX, golden_failed_mx, sizeof golden_failed_mx) &&
			part.header.stale_until == stale_times.stale_until &&
			part_failure(&part, &failure) && failure.type == DNS_TYPE_MX &&
			strcmp(failure.detail, "no answer in time") == 0,
		"a failed one, and why");
	ok(part_open(&part, PART_HOST, golden_host, PART_HEADER_SIZE) &&
			part.header.status == HOST_USABLE,
		"of a host the header alone");
	ok(part_open(&part, PART_HOST, golden_host, sizeof golden_host), "all of a host");
	part_cursor_start(&part, &cursor);
	part_base_domain(&cursor);
	for (unsigned i = 0; i < part.header.count; i++)
		part_next_question(&cursor, &question);
	ok(question.type == DNS_TYPE_TLSA && question.expires == STORED_AT + 600,
		"its last question");
	is_number((int64_t)part_tlsa_count(&cursor), 2, "how many TLSA records");
	part_next_tlsa(&cursor, &tlsa);
	part_next_tlsa(&cursor, &tlsa);
	ok(tlsa.usability == TLSA_WRONG_DIGEST_LENGTH && tlsa.rdata.size == 4 &&
			tlsa.rdata.bytes[3] == 0xcc && !cursor.damaged && cursor.at == cursor.end,
		"the last one, and no more");
	ok(part_open(&part, PART_TA, golden_ta, sizeof golden_ta) &&
			part_bytes_of(&part, &size)[0] == 0x30 && size == 5,
		"a trust anchor");
	ok(part_open(&part, PART_TA_ATTEMPT, golden_attempt, sizeof golden_attempt), "an attempt");
}

/* --- what is not known --------------------------------------------------------------------- */

/* The part with another octet at this place, and a correct checksum. */
static void change(uint8_t bytes[256], enum part_offset offset, unsigned value, const char *key)
{
	memcpy(bytes, golden_mx, sizeof golden_mx);
	bytes[offset] = (uint8_t)value;
	layout_put_u32(bytes, layout_checksum(bytes, sizeof golden_mx, key, strlen(key)));
}

static void test_unknown(void)
{
	static const char key[] = "mexample.com";
	uint8_t bytes[256];
	struct part part;

	many_begin("another version does not open and is intact");
	for (unsigned version = 0; version < 256; version++) {
		change(bytes, PART_AT_VERSION, version, key);
		many(part_open(&part, PART_MX, bytes, sizeof golden_mx) ==
				(version == PART_VERSION),
			"version %u opens", version);
		many(part_intact(bytes, sizeof golden_mx, key, strlen(key)), "version %u: damaged",
			version);
		bytes[20] ^= 1;
		many(!part_intact(bytes, sizeof golden_mx, key, strlen(key)),
			"version %u: its damage is not seen", version);
	}
	many_end();
	many_begin("another kind does not open, under its own name either, and is intact");
	for (unsigned kind = 0; kind < 256; kind++) {
		bool known = kind == PART_MX || kind == PART_HOST || kind == PART_STS ||
			     kind == PART_TA || kind == PART_TA_ATTEMPT;
		change(bytes, PART_AT_KIND, kind, key);
		many(part_open(&part, (enum part_kind)kind, bytes, sizeof golden_mx) == known,
			"kind %u opens", kind);
		many(part_intact(bytes, sizeof golden_mx, key, strlen(key)), "kind %u: damaged",
			kind);
		many((strcmp(part_kind_name((enum part_kind)kind), "unknown") == 0) == !known,
			"kind %u has a name", kind);
		many((strcmp(part_status_name((enum part_kind)kind, 0), "unknown") == 0) == !known,
			"kind %u has a status", kind);
	}
	many_end();
	ok(!part_intact(golden_mx, PART_AT_VERSION, key, strlen(key)) &&
			!part_intact(golden_mx, 0, key, strlen(key)),
		"what is too short for a checksum and a version is damaged");
	/* Shorter than our header, from a version with a shorter header. */
	bytes[PART_AT_VERSION] = PART_VERSION + 1;
	layout_put_u32(bytes, layout_checksum(bytes, 9, key, strlen(key)));
	ok(part_intact(bytes, 9, key, strlen(key)) && !part_open(&part, PART_MX, bytes, 9),
		"a short part of another version is intact");
}

/* --- names that are too long --------------------------------------------------------------- */

static void test_long_names(void)
{
	struct mx_host one = {.preference = 10};
	struct mx_set set = {.host_count = 1, .hosts = &one};
	struct part part;
	struct part_cursor cursor;
	struct part_mx_host host;

	for (size_t size = 252; size <= 255; size++) {
		size_t whole = PART_HEADER_SIZE + 2 + 1 + size;
		/* No lookup makes a longer name, so the bytes are made here. */
		uint8_t *bytes = malloc(whole);
		memset(bytes, 'a', whole);
		memcpy(bytes, golden_mx, PART_HEADER_SIZE);
		bytes[PART_AT_COUNT] = 1;
		bytes[PART_HEADER_SIZE + 2] = (uint8_t)size;
		bool opens = part_open(&part, PART_MX, bytes, whole);
		part_cursor_start(&part, &cursor);
		part_next_mx_host(&cursor, &host);
		ok(opens && cursor.damaged == (size > DNS_NAME_MAX) &&
				host.name_size == (size > DNS_NAME_MAX ? 0 : size),
			"an MX host's name of %zu octets is %s", size,
			size > DNS_NAME_MAX ? "refused" : "read");
		free(bytes);
	}
	memset(one.name, 'a', DNS_NAME_MAX);
	uint8_t *bytes = parts_mx(&part, &set, &ordinary_times, "example.com");
	part_cursor_start(&part, &cursor);
	part_next_mx_host(&cursor, &host);
	ok(!cursor.damaged && host.name_size == DNS_NAME_MAX, "the longest name is kept and read");
	free(bytes);
}

/* --- keys ---------------------------------------------------------------------------------- */

static void test_ta_keys(void)
{
	struct ta_digest ta = some_ta();
	struct {
		char key[PART_TA_ATTEMPT_KEY_MAX];
		char guard[8];
	} memory;
	char longest[DNS_NAME_MAX];

	size_t size = part_ta_key(memory.key, &ta);
	ok(size == PART_TA_KEY_SIZE && memory.key[0] == 'a' && memory.key[1] == 1 &&
			memory.key[2] == 1 && memory.key[3] == 0x5a && memory.key[34] == 0x5a &&
			memory.key[35] == 0 && memory.key[66] == 0,
		"key of a trust anchor");
	size = part_ta_attempt_key(memory.key, "mx.example.com", 14, 25, &ta);
	ok(size == 18 + sizeof ta && memcmp(memory.key, "tmx.example.com:25\1\1\x5a", 21) == 0,
		"key of an attempt");
	memset(longest, 'a', sizeof longest);
	memset(&memory, 0x5a, sizeof memory);
	size = part_ta_attempt_key(memory.key, longest, sizeof longest, 65535, &ta);
	ok(size == PART_TA_ATTEMPT_KEY_MAX && memory.guard[0] == 0x5a,
		"the longest key fits its memory");
}

/* --- kinds --------------------------------------------------------------------------------- */

/* Lists of the cache and scripts that read them rely on these words. */
static void test_kinds(void)
{
	static const struct {
		enum part_kind kind;
		const char *name, *first, *last;
		uint8_t status_count;
	} rows[] = {
		{PART_MX, "mx", "found", "failed", MX_STATUS_COUNT},
		{PART_HOST, "host", "usable", "failed", HOST_STATUS_COUNT},
		{PART_TA, "anchor", "learned", "learned", 1},
		{PART_TA_ATTEMPT, "attempt", "failed", "failed", 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct part_kind_format *format = part_kind_format(rows[i].kind);
		ok(format != NULL && format->kind == rows[i].kind &&
				format->status_count == rows[i].status_count,
			"kind %c is in the table", rows[i].kind);
		if (format == NULL)
			continue;
		is_string(part_kind_name(rows[i].kind), rows[i].name, "its name");
		is_string(part_status_name(rows[i].kind, 0), rows[i].first, "its first status");
		is_string(part_status_name(rows[i].kind, format->status_count - 1U), rows[i].last,
			"its last");
		is_string(part_status_name(rows[i].kind, format->status_count), "unknown",
			"and no more");
		for (unsigned status = 0; status < format->status_count; status++)
			if (format->status_names[status] == NULL)
				ok(false, "status %u has a name", status);
	}
}

int main(void)
{
	test_kinds();
	test_golden_mx();
	test_golden_host();
	test_golden_ta();
	test_read_golden();
	test_unknown();
	test_long_names();
	test_ta_keys();
	return done_testing();
}
