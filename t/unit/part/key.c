/*
 * key: part_key_read() reads each key that the functions for making keys produce, and refuses all
 * other keys, also those cut at any octet.
 */
#include "common/part/key.h"

#include "t/unit/tap.h"

/* --- read back ----------------------------------------------------------------------------- */

static struct ta_digest some_ta(void)
{
	struct ta_digest ta = {.selector = 1, .matching_type = 2};
	/* Octets that look like a colon and digits are not the port. */
	memset(ta.digest, ':', sizeof ta.digest);
	memset(ta.digest + 8, '7', 8);
	return ta;
}

static bool says(const struct part_key *key, enum part_kind kind, const char *name, uint16_t port,
	const struct ta_digest *ta)
{
	static const struct ta_digest no_ta;

	return key->kind == kind && key->name_size == strlen(name) &&
	       (key->name_size > 0 ? memcmp(key->name, name, key->name_size) == 0
				   : key->name == NULL) &&
	       key->port == port && memcmp(&key->ta, ta != NULL ? ta : &no_ta, sizeof *ta) == 0;
}

static void test_read_back(void)
{
	static const struct {
		const char *name;
		uint16_t port;
	} rows[] = {
		{"example.com", 25},
		{"mx1.example.com", 587},
		{"xn--bcher-kva.example", 1},
		{"_under_score.example", 65535},
		{"localhost", 0},
		{"0.7", 10},
	};
	char longest[DNS_NAME_MAX + 1], key[PART_TA_ATTEMPT_KEY_MAX];
	struct ta_digest ta = some_ta();
	struct part_key read;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *name = rows[i].name;
		size_t size = part_named_key(key, PART_MX, name, strlen(name), 0);
		ok(part_key_read(&read, key, size) && says(&read, PART_MX, name, 0, NULL),
			"%s: an MX set", name);
		size = part_named_key(key, PART_HOST, name, strlen(name), rows[i].port);
		ok(part_key_read(&read, key, size) &&
				says(&read, PART_HOST, name, rows[i].port, NULL),
			"%s: a host, port %u", name, rows[i].port);
		size = part_ta_attempt_key(key, name, strlen(name), rows[i].port, &ta);
		ok(part_key_read(&read, key, size) &&
				says(&read, PART_TA_ATTEMPT, name, rows[i].port, &ta),
			"%s: an attempt, port %u", name, rows[i].port);
	}
	size_t size = part_ta_key(key, &ta);
	ok(part_key_read(&read, key, size) && says(&read, PART_TA, "", 0, &ta), "a trust anchor");
	memset(longest, 'a', DNS_NAME_MAX);
	longest[DNS_NAME_MAX] = '\0';
	size = part_ta_attempt_key(key, longest, DNS_NAME_MAX, 65535, &ta);
	ok(size == sizeof key && part_key_read(&read, key, size) &&
			says(&read, PART_TA_ATTEMPT, longest, 65535, &ta),
		"the longest key");
}

/* --- refused ------------------------------------------------------------------------------- */

static void test_refused(void)
{
	static const struct {
		const char *what, *key;
		size_t size;
	} rows[] = {
#define KEY(text) text, sizeof(text) - 1
		{"nothing", KEY("")},
		{"another kind", KEY("xexample.com")},
		{"a kind above ASCII", KEY("\xed"
					   "example.com")},
		{"a kind in upper case", KEY("Mexample.com")},
		{"an MX set without a name", KEY("m")},
		{"an MX set with a port", KEY("mexample.com:25")},
		{"a NUL byte after the name", KEY("mexample.com\0")},
		{"a NUL byte in the name", KEY("mexample\0com")},
		{"upper case", KEY("mExample.com")},
		{"a dot at the end", KEY("mexample.com.")},
		{"a dot at the beginning", KEY("m.example.com")},
		{"an empty label", KEY("mexample..com")},
		{"a space", KEY("mexample com")},
		{"an escape", KEY("mexample\\.com")},
		{"UTF-8", KEY("mb\xc3\xbc"
			      "cher.example")},
		{"a host without a port", KEY("hmx.example.com")},
		{"a host with an empty port", KEY("hmx.example.com:")},
		{"a host without a name", KEY("h:25")},
		{"a port alone", KEY("h25")},
		{"a leading zero", KEY("hmx.example.com:025")},
		{"two zeros", KEY("hmx.example.com:00")},
		{"a port above the highest", KEY("hmx.example.com:65536")},
		{"a port of six digits", KEY("hmx.example.com:100000")},
		{"a very long port", KEY("hmx.example.com:99999999999999999999")},
		{"a port below zero", KEY("hmx.example.com:-25")},
		{"a port that is not a number", KEY("hmx.example.com:smtp")},
		{"a number with more after it", KEY("hmx.example.com:25x")},
		{"two ports", KEY("hmx.example.com:25:25")},
		{"an attempt without a TA", KEY("tmx.example.com:25")},
		{"a TA without a digest", KEY("a\1\1")},
#undef KEY
	};
	struct part_key read;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ok(!part_key_read(&read, rows[i].key, rows[i].size), "%s is refused", rows[i].what);
}

static void test_sizes(void)
{
	char key[PART_TA_ATTEMPT_KEY_MAX + 1], name[DNS_NAME_MAX + 1];
	struct ta_digest ta = some_ta();
	struct part_key read;

	memset(name, 'a', sizeof name);
	key[0] = PART_MX;
	memcpy(key + 1, name, sizeof name);
	ok(!part_key_read(&read, key, 1 + sizeof name), "a name that is too long is refused");
	size_t size = part_ta_key(key, &ta);
	key[size] = 0;
	many_begin("of a trust anchor no other size is read");
	for (size_t other = 0; other <= size + 1; other++)
		many(part_key_read(&read, key, other) == (other == size), "%zu octets", other);
	many_end();
	size = part_ta_attempt_key(key, "mx.example.com", 14, 25, &ta);
	key[size] = 0;
	many_begin("of an attempt no other size is read");
	for (size_t other = 0; other <= size + 1; other++)
		many(part_key_read(&read, key, other) == (other == size), "%zu octets", other);
	many_end();
}

static void test_tas(void)
{
	static const struct {
		const char *what;
		struct ta_digest ta;
		bool good;
	} rows[] = {
		{"SHA-256 of a certificate", {0, 1, {1, [31] = 1}}, true},
		{"SHA-512 of a key", {1, 2, {1, [63] = 1}}, true},
		{"another selector", {2, 1, {1}}, false},
		{"no digest", {1, 0, {1}}, false},
		{"another matching type", {1, 3, {1}}, false},
		{"more than a SHA-256", {1, 1, {1, [32] = 1}}, false},
		{"more at the end", {1, 1, {1, [63] = 1}}, false},
	};
	char key[PART_TA_ATTEMPT_KEY_MAX];
	struct part_key read;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t size = part_ta_key(key, &rows[i].ta);
		bool good = part_key_read(&read, key, size);
		size = part_ta_attempt_key(key, "mx", 2, 25, &rows[i].ta);
		ok(good == rows[i].good && part_key_read(&read, key, size) == good, "%s is %s",
			rows[i].what, rows[i].good ? "read" : "refused");
	}
}

/* Each key that can be read is exactly the key made from its fields: no two keys are equivalent. */
static void test_one_way(void)
{
	static const char bytes[] = "mhat:.0129a-\1";
	uint64_t state = 0x7654321;
	unsigned good = 0;

	many_begin("keys at random");
	for (int round = 0; round < 200000; round++) {
		char key[12], again[PART_KEY_MAX];
		size_t size = tap_random(&state) % sizeof key;
		struct part_key read;

		for (size_t i = 0; i < size; i++)
			key[i] = bytes[tap_random(&state) % (sizeof bytes - 1)];
		if (!part_key_read(&read, key, size))
			continue;
		good++;
		size_t again_size =
			part_named_key(again, read.kind, read.name, read.name_size, read.port);
		many(again_size == size && memcmp(again, key, size) == 0, "%.*s", (int)size, key);
	}
	many(good > 1000, "only %u were keys", good);
	many_end();
}

int main(void)
{
	test_read_back();
	test_refused();
	test_sizes();
	test_tas();
	test_one_way();
	return done_testing();
}
