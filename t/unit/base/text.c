/*
 * text: a text never writes past its memory, always ends with a NUL byte and remembers that it was
 * cut; escaping leaves nothing unprintable; names compare without regard to ASCII case only; a
 * mistyped word finds its candidate and a different word does not.
 */
#include "common/base/text.h"

#include "t/unit/tap.h"

#include <locale.h>

/* Memory with a guard on both sides, to see a write past its ends without AddressSanitizer. */
struct guarded {
	char before[16];
	char bytes[512];
	char after[16];
};

static void guard(struct guarded *memory)
{
	memset(memory, 0x5a, sizeof *memory);
}

static bool guarded_well(const struct guarded *memory, size_t size)
{
	for (size_t i = 0; i < sizeof memory->before; i++) {
		if (memory->before[i] != 0x5a)
			return false;
	}
	for (size_t i = size; i < sizeof memory->bytes; i++) {
		if (memory->bytes[i] != 0x5a)
			return false;
	}
	return true;
}

/* The same words into memory of every size: exactly the beginning that fits. */
static void check_cut(const char *name, void (*add)(struct text *), const char *expected)
{
	size_t length = strlen(expected);

	for (size_t size = 1; size < length + 8; size++) {
		struct guarded memory;
		struct text text;

		guard(&memory);
		text_init(&text, memory.bytes, size);
		add(&text);
		bool fits = size > length;
		many(text.cut == !fits, "%s into %zu: cut is %d", name, size, text.cut);
		many(text.used < size && memory.bytes[text.used] == '\0' &&
				strlen(memory.bytes) == text.used,
			"%s into %zu: ends in a NUL byte after %zu", name, size, text.used);
		many(strncmp(memory.bytes, expected, text.used) == 0,
			"%s into %zu: '%s' is its beginning", name, size, memory.bytes);
		many(text.used == (fits ? length : size - 1), "%s into %zu: %zu bytes used", name,
			size, text.used);
		many(guarded_well(&memory, size), "%s into %zu: nothing else is written", name,
			size);
	}
}

static void add_words(struct text *text)
{
	text_add(text, "one ");
	text_add(text, "");
	text_add(text, "two");
}

static void add_numbers(struct text *text)
{
	text_add_number(text, 0);
	text_add_number(text, 10);
	text_add_number(text, UINT64_MAX);
}

static void add_formats(struct text *text)
{
	text_add_format(text, "%s=%d", "key", -7);
	text_add_format(text, ";%05u", 42U);
}

static void add_hex_digits(struct text *text)
{
	text_add_hex(text, "\x00\x7f\x80\xff\xa5", 5);
}

static void add_escapes(struct text *text)
{
	text_add_escaped(text, "a\\b\nc\x7f\x1b[0m", 10);
}

static void test_cut(void)
{
	many_begin("into memory of every size");
	check_cut("words", add_words, "one two");
	check_cut("numbers", add_numbers, "01018446744073709551615");
	check_cut("formats", add_formats, "key=-7;00042");
	check_cut("hexadecimal digits", add_hex_digits, "007F80FFA5");
	check_cut("escapes", add_escapes, "a\\x5cb\\x0ac\\x7f\\x1b[0m");
	many_end();
}

/* After a cut, adding more changes nothing and `cut` stays set. */
static void test_cut_stays(void)
{
	char bytes[8];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_add(&text, "1234567");
	ok(!text.cut, "what fits exactly is not cut");
	text_add(&text, "");
	ok(!text.cut, "nothing more still fits");
	text_add(&text, "8");
	ok(text.cut, "one byte more is cut");
	text_add_format(&text, "%d", 9);
	text_add_number(&text, 9);
	text_add_escaped(&text, "\n", 1);
	is_string(bytes, "1234567", "and nothing that follows changes the beginning");
	text_init(&text, bytes, sizeof bytes);
	ok(!text.cut && text.used == 0 && bytes[0] == '\0', "started again, it is empty");
}

static void test_escaping(void)
{
	many_begin("each byte escaped");
	for (int byte = 0; byte < 256; byte++) {
		char bytes[16], expected[16];
		struct text text;
		char one = (char)byte;
		bool plain = byte >= ' ' && byte <= '~' && byte != '\\';

		text_init(&text, bytes, sizeof bytes);
		text_add_escaped(&text, &one, 1);
		snprintf(expected, sizeof expected, plain ? "%c" : "\\x%02x", byte);
		many(strcmp(bytes, expected) == 0, "byte %d: '%s', expected '%s'", byte, bytes,
			expected);
	}
	many_end();
	many_begin("each byte as hexadecimal digits");
	for (int byte = 0; byte < 256; byte++) {
		char bytes[16], expected[16];
		struct text text;
		uint8_t one = (uint8_t)byte;

		text_init(&text, bytes, sizeof bytes);
		text_add_hex(&text, &one, 1);
		snprintf(expected, sizeof expected, "%02X", byte);
		many(strcmp(bytes, expected) == 0, "byte %d: '%s'", byte, bytes);
	}
	many_end();
}

static void test_fingerprint(void)
{
	char bytes[16];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_add(&text, "=");
	text_add_fingerprint(&text, "\x00\xa5\xff", 3);
	is_string(bytes, "=00:A5:FF", "a fingerprint");
	text_add_fingerprint(&text, "", 0);
	is_string(bytes, "=00:A5:FF", "of nothing is nothing");
	ok(!text.cut, "it fits");
	text_add_fingerprint(&text, "\x01\x02\x03", 3);
	ok(text.cut, "what does not fit is left away, all of it");
	is_string(bytes, "=00:A5:FF", "and what was there stays");
	text_cut(&text, 1);
	ok(!text.cut && text.used == 1 && strcmp(bytes, "=") == 0, "taken back to its beginning");
	text_add_fingerprint(&text, "\x01\x02\x03\x04", 4);
	is_string(bytes, "=01:02:03:04", "then there is room again");
}

static void test_numbers(void)
{
	static const uint64_t numbers[] = {0, 1, 9, 10, 99, 100, 65535, 65536, UINT32_MAX,
		UINT64_C(10000000000000000000), UINT64_MAX - 1, UINT64_MAX};

	many_begin("numbers as printf(3) writes them");
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char bytes[32], expected[32];
		struct text text;

		text_init(&text, bytes, sizeof bytes);
		text_add_number(&text, numbers[i]);
		snprintf(expected, sizeof expected, "%ju", (uintmax_t)numbers[i]);
		many(strcmp(bytes, expected) == 0 && text.used == strlen(expected), "%s: '%s'",
			expected, bytes);
	}
	many_end();
}

static void test_lower(void)
{
	many_begin("lower case, every byte");
	for (int byte = 0; byte < 256; byte++) {
		char expected = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : (char)byte;
		many(text_lower((char)byte) == expected, "byte %d: %d", byte,
			text_lower((char)byte));
	}
	many_end();
}

static void test_equal(void)
{
	static const struct {
		const char *one;
		size_t size;
		const char *other;
		bool equal;
	} rows[] = {
		{"policy", 6, "policy", true},
		{"POLICY", 6, "policy", true},
		{"policy", 6, "POLICY", true},
		{"QUERYwithTLSRPT", 15, "querywithtlsrpt", true},
		{"policy", 5, "policy", false},
		{"policy key", 6, "policy", true},
		{"policyx", 7, "policy", false},
		{"polic", 5, "policy", false},
		{"", 0, "", true},
		{"", 0, "a", false},
		{"a", 1, "", false},
		{"po\0icy", 6, "policy", false},
		{"\0", 1, "", false},
		{"[", 1, "{", false},
		{"@", 1, "`", false},
		{"\xc4", 1, "\xe4", false},
		{"K", 1, "\xe2\x84\xaa", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *one = malloc(rows[i].size > 0 ? rows[i].size : 1);
		memcpy(one, rows[i].one, rows[i].size);
		ok(text_equal_nocase(one, rows[i].size, rows[i].other) == rows[i].equal,
			"the first %zu of '%s' %s '%s'", rows[i].size, rows[i].one,
			rows[i].equal ? "equal" : "differ from", rows[i].other);
		free(one);
	}
}

static void test_mark_cut(void)
{
	static const struct {
		const char *words;
		size_t size;
		const char *expected;
	} rows[] = {
		{"123456789", 10, "123456789"},
		{"1234567890", 10, "123456..."},
		{"12345\xc3\xbc"
		 "7890",
			10, "12345..."},
		{"1234\xc3\xbc"
		 "7890",
			10, "1234\xc3\xbc..."},
		{"1234", 4, "..."},
		{"\xc3\xbc"
		 "1234",
			5, "..."},
		{"1234", 3, "12"},
		{"", 1, ""},
	};
	char bytes[16];
	struct text text;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		text_init(&text, bytes, rows[i].size);
		text_add(&text, rows[i].words);
		text_mark_cut(&text);
		is_string(
			bytes, rows[i].expected, "'%s' in %zu bytes", rows[i].words, rows[i].size);
		is_number(text.used, (int64_t)strlen(rows[i].expected), "its length");
		is_number(text.cut, strlen(rows[i].words) >= rows[i].size, "cut");
	}
}

static void test_nearest(void)
{
	static const char *const words[] = {"socketmap", "allow", "workers", "socket_mode",
		"max_connections", "idle_timeout", "timeout", "trust_anchor"};
	static const struct {
		const char *word;
		const char *expected;
	} rows[] = {
		{"socketmap", "socketmap"},
		{"Socketmap", "socketmap"},
		{"socketmaps", "socketmap"},
		{"sockmap", "socketmap"},
		{"worker", "workers"},
		{"wrokers", "workers"},
		{"alow", "allow"},
		{"timeuot", "timeout"},
		{"idletimeout", "idle_timeout"},
		{"socketmode", "socket_mode"},
		{"max-connections", "max_connections"},
		{"trustanchor", "trust_anchor"},
		{"completely-different", NULL},
		{"zzz", NULL},
		{"x", NULL},
		{"", NULL},
		/* Longer than any row of the table of distances. */
		{"timeouttimeouttimeouttimeouttimeouttimeouttimeouttimeouttimeouttimeout", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *got = text_nearest(rows[i].word, words, sizeof words / sizeof words[0]);
		ok(got == rows[i].expected ||
				(got && rows[i].expected && strcmp(got, rows[i].expected) == 0),
			"'%s' is near to %s", rows[i].word,
			rows[i].expected != NULL ? rows[i].expected : "none");
		if (got != NULL && rows[i].expected == NULL)
			diag("got %s", got);
	}
	ok(text_nearest("a", words, 0) == NULL, "there is nothing near in an empty list");
	const char *const longest[] = {
		"a word of the table that is far longer than the longest that is compared at all"};
	ok(text_nearest(longest[0], longest, 1) == NULL, "nor in a list of words too long");
}

int main(void)
{
	/* A locale must not change this: bytes above 127 are not letters. */
	setlocale(LC_ALL, "C.UTF-8");
	test_cut();
	test_cut_stays();
	test_escaping();
	test_numbers();
	test_fingerprint();
	test_lower();
	test_equal();
	test_mark_cut();
	test_nearest();
	return done_testing();
}
