/*
 * sts_policy: policy files (RFC 8461 3.2) and patterns (4.1).
 */
#include "common/sts/sts_policy.h"

#include "t/unit/tap.h"

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 86400\n"
#define MX "mx: mx.example.com\n"
#define BAD "x", 0, "", ""

/* What is expected of a file: mode, max_age, patterns and kept lines, or an error. */
static const struct {
	const char *file;
	const char *error; /* NULL: valid */
	const char *mode;
	uint32_t max_age;
	const char *patterns; /* joined with `:` */
	const char *left_out; /* values of the lines that were left out, joined with `|` */
} rows[] = {
	{HEAD MX, NULL, "enforce", 86400, "mx.example.com", ""},
	{"version: STSv1\r\nmode: testing\r\nmx: a.example\r\nmax_age: 1\r\n", NULL, "testing", 1,
		"a.example", ""},
	{"version: STSv1\nmode: none\nmax_age: 60\n", NULL, "none", 60, "", ""},
	{"version: STSv1\nmode: none\nmax_age: 60\n" MX, NULL, "none", 60, "mx.example.com", ""},
	{"max_age: 5\n" MX "mode: enforce\nversion: STSv1\n", NULL, "enforce", 5, "mx.example.com",
		""},
	{HEAD "mx: mx.example.com", NULL, "enforce", 86400, "mx.example.com", ""},
	{HEAD MX "\n\r\n \t\n\n", NULL, "enforce", 86400, "mx.example.com", ""},
	{HEAD MX "   ", NULL, "enforce", 86400, "mx.example.com", ""},
	{"version:STSv1\nmode:\t enforce \t\nmax_age:   7   \nmx:\ta.example\t\r\n", NULL,
		"enforce", 7, "a.example", ""},
	{HEAD "mx: B.Example\nmx: *.C.example\nmx: a.example\n", NULL, "enforce", 86400,
		"b.example:*.c.example:a.example", ""},
	{HEAD "mx: a.example\nmx: A.EXAMPLE.\nmx: b.example\nmx: a.example\n", NULL, "enforce",
		86400, "a.example:b.example", ""},
	{HEAD "mx: *.com\nmx: mx-1_a.example\n", NULL, "enforce", 86400, "*.com:mx-1_a.example",
		""},
	/* A key twice: the first one counts, even if a later one is wrong. */
	{HEAD MX "mode: none\nversion: 2\nmax_age: x\n", NULL, "enforce", 86400, "mx.example.com",
		""},
	{HEAD MX "x-note: hello world\nX_.: y\n0: \xc3\xa4\xe2\x82\xac\n", NULL, "enforce", 86400,
		"mx.example.com", ""},
	{HEAD MX "Mode: none\nMX: other.example\n", NULL, "enforce", 86400, "mx.example.com", ""},
	{HEAD MX "abcdefghijklmnopqrstuvwxyz012345: y\n", NULL, "enforce", 86400, "mx.example.com",
		""},
	{"version: STSv1\nmode: enforce\nmax_age: 0000000009\n" MX, NULL, "enforce", 9,
		"mx.example.com", ""},
	{"version: STSv1\nmode: enforce\nmax_age: 0\n" MX, NULL, "enforce", 0, "mx.example.com",
		""},
	{"version: STSv1\nmode: enforce\nmax_age: 31557600\n" MX, NULL, "enforce", 31557600,
		"mx.example.com", ""},
	{"version: STSv1\nmode: enforce\nmax_age: 9999999999\n" MX, NULL, "enforce", 31557600,
		"mx.example.com", ""},
	/* Lines that are left out. */
	{HEAD MX "mx: 192.0.2.1\nmx: [192.0.2.1]\nmx: *\nmx: a*.x.y\nmx: *.*.x\n", NULL, "enforce",
		86400, "mx.example.com", "192.0.2.1|[192.0.2.1]|*|a*.x.y|*.*.x"},
	{HEAD MX "mx: hostname\nmx: nexthop\nmx: dot-nexthop\nmx: hostname.\n", NULL, "enforce",
		86400, "mx.example.com", "hostname|nexthop|dot-nexthop|hostname."},
	{HEAD MX "mx:\nmx: .\nmx: *.\nmx: .a.example\nmx: a..example\nmx: -a.example\n", NULL,
		"enforce", 86400, "mx.example.com", "|.|*.|.a.example|a..example|-a.example"},
	{HEAD MX "mx: a.example:b.example\nmx: a.example|x\nmx: a.example servername=x\n", NULL,
		"enforce", 86400, "mx.example.com",
		"a.example:b.example|a.example|x|a.example servername=x"},
	{HEAD MX "mx: b\xc3\xbc"
		 "cher.example\nmx: {a.example}\nmx: 2001:db8::1\nmx: a.example..\n",
		NULL, "enforce", 86400, "mx.example.com",
		"b\xc3\xbc"
		"cher.example|{a.example}|2001:db8::1|a.example.."},
	/* Invalid files. */
	{"", "no version", BAD},
	{"\n\n", "no version", BAD},
	{MX "mode: enforce\nmax_age: 1\n", "no version", BAD},
	{MX "version: STSv1\nmax_age: 1\n", "no mode", BAD},
	{MX "version: STSv1\nmode: enforce\n", "no max_age", BAD},
	{"version: STSv2\nmode: enforce\nmax_age: 1\n" MX, "line 1: the version", BAD},
	{"version: stsv1\nmode: enforce\nmax_age: 1\n" MX, "line 1: the version", BAD},
	{"version: STSv1\nmode: Enforce\nmax_age: 1\n" MX, "line 2: the mode", BAD},
	{"version: STSv1\nmode: absent\nmax_age: 1\n" MX, "line 2: the mode", BAD},
	{"version: STSv1\nmode: enforce\nmax_age: -1\n" MX, "line 3: max_age", BAD},
	{"version: STSv1\nmode: enforce\nmax_age: 1 0\n" MX, "line 3: max_age", BAD},
	{"version: STSv1\nmode: enforce\nmax_age: 1d\n" MX, "line 3: max_age", BAD},
	{"version: STSv1\nmode: enforce\nmax_age: 00000000001\n" MX, "line 3: max_age", BAD},
	{HEAD, "no valid mx", BAD},
	{HEAD "mx: localhost\n", "no valid mx", BAD},
	{"version: STSv1\nmode: testing\nmax_age: 1\n", "no valid mx", BAD},
	{HEAD MX "x\n", "line 5: there is no colon", BAD},
	{HEAD "\n" MX, "line 4: there is no colon", BAD},
	{"\n" HEAD MX, "line 1: there is no colon", BAD},
	{"<html>\n", "line 1: there is no colon", BAD},
	{HEAD MX ": x\n", "line 5: before the colon", BAD},
	{HEAD MX "-a: x\n", "line 5: before the colon", BAD},
	{HEAD MX "a b: x\n", "line 5: before the colon", BAD},
	{HEAD MX "abcdefghijklmnopqrstuvwxyz0123456: y\n", "line 5: before the colon", BAD},
	{HEAD " mx: a.example\n", "line 4: before the colon", BAD},
	{HEAD "mx : a.example\n", "line 4: before the colon", BAD},
	{"\xef\xbb\xbf" HEAD MX, "line 1: before the colon", BAD},
	{HEAD MX "x:\n", "line 5: a field without a value", BAD},
	{HEAD MX "x: \t\n", "line 5: a field without a value", BAD},
	{HEAD MX "x: a\tb\n", "line 5: a control character", BAD},
	{HEAD MX "x: a\x01\n", "line 5: a control character", BAD},
	{HEAD MX "x: a\x7f\n", "line 5: a control character", BAD},
	{HEAD MX "x: a\rb\n", "line 5: a control character", BAD},
	{HEAD MX "x: a\r\r\n", "line 5: a control character", BAD},
	{HEAD MX "x: \xc2\x9f\n", "line 5: a control character", BAD},
	{HEAD MX "x: \xc2\xa0\n", NULL, "enforce", 86400, "mx.example.com", ""},
	{HEAD MX "x: \xff\n", "line 5: a control character, or not UTF-8", BAD},
	{HEAD MX "x: \xc0\xaf\n", "line 5: a control character, or not UTF-8", BAD},
	{HEAD MX "x: \xed\xa0\x80\n", "line 5: a control character, or not UTF-8", BAD},
};

static void join_patterns(const struct sts_policy *policy, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < policy->pattern_count; i++) {
		size_t used = strlen(out);
		snprintf(out + used, size - used, "%s%.*s", i > 0 ? ":" : "",
			(int)policy->patterns[i].size, policy->patterns[i].name);
	}
}

static void join_left_out(const struct sts_policy *policy, char *out, size_t size)
{
	bool first = true;

	out[0] = '\0';
	for (size_t i = 0; i < policy->line_count; i++) {
		const struct sts_line *line = &policy->lines[i];
		size_t used = strlen(out);
		if (!line->left_out)
			continue;
		snprintf(out + used, size - used, "%s%.*s", first ? "" : "|", (int)line->value_size,
			line->value);
		first = false;
	}
}

static void test_files(void)
{
	many_begin("policy files");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sts_policy policy;
		char error[200] = "", patterns[500], left_out[500];
		bool good = sts_policy_read(
			&policy, rows[i].file, strlen(rows[i].file), error, sizeof error);

		join_patterns(&policy, patterns, sizeof patterns);
		join_left_out(&policy, left_out, sizeof left_out);
		if (rows[i].error != NULL)
			many(!good && strstr(error, rows[i].error) != NULL && policy.lines == NULL,
				"%s: %s", rows[i].file, good ? "valid" : error);
		else
			many(good && strcmp(sts_status_name(policy.mode), rows[i].mode) == 0 &&
					policy.max_age == rows[i].max_age &&
					strcmp(patterns, rows[i].patterns) == 0 &&
					strcmp(left_out, rows[i].left_out) == 0,
				"%s: '%s' %s %u %s, left out: %s", rows[i].file, error,
				sts_status_name(policy.mode), policy.max_age, patterns, left_out);
		sts_policy_clear(&policy);
	}
	many_end();
}

/* Which lines are kept, and in which order. */
static void test_lines(void)
{
	static const char file[] = HEAD "mx: A.example.\n"
					"note:  two  words \r\n"
					"mx: a.example\n"
					"note: again\n"
					"mx: *\n"
					"mode: testing\n"
					"z: {\"}\n\n";
	static const char *const kept[] = {"version: STSv1", "mode: enforce", "max_age: 86400",
		"mx: A.example.", "note: two  words", "mx: a.example", "mx: *", "z: {\"}"};
	struct sts_policy policy;
	char error[200];

	ok(sts_policy_read(&policy, file, sizeof file - 1, error, sizeof error), "a file is valid");
	is_number((int64_t)policy.line_count, sizeof kept / sizeof kept[0], "number of its lines");
	for (size_t i = 0; i < policy.line_count; i++) {
		char line[100];
		snprintf(line, sizeof line, "%.*s: %.*s", (int)policy.lines[i].key_size,
			policy.lines[i].key, (int)policy.lines[i].value_size,
			policy.lines[i].value);
		is_string(line, kept[i], "line %zu", i);
		is_number(policy.lines[i].left_out, i == 6, "is it left out?");
	}
	struct sts_policy moved;
	size_t count = policy.line_count;
	sts_policy_move(&moved, &policy);
	ok(moved.line_count == count && policy.line_count == 0, "it can be moved");
	sts_policy_clear(&policy);
	is_string(moved.lines[0].value, "STSv1", "and lives on");
	sts_policy_clear(&moved);
}

static void test_sizes(void)
{
	enum { ROOM = STS_FILE_MAX + 1 };
	char *file = malloc(ROOM);
	struct sts_policy policy;
	char error[200];
	size_t used = strlen(HEAD);

	memcpy(file, HEAD, used);
	for (unsigned i = 0; used + 16 <= STS_FILE_MAX; i++)
		used += (size_t)snprintf(file + used, ROOM - used, "mx: %07u.ab\n", i);
	memset(file + used, '\n', ROOM - used);
	ok(sts_policy_read(&policy, file, STS_FILE_MAX, error, sizeof error), "64 KiB");
	ok(policy.pattern_count > 4000, "thousands of patterns: %zu", policy.pattern_count);
	sts_policy_clear(&policy);
	ok(!sts_policy_read(&policy, file, ROOM, error, sizeof error), "one byte more");
	is_string(error, "it is longer than 64 KiB", "and why");
	file[used] = '\0';
	ok(!sts_policy_read(&policy, file, used + 1, error, sizeof error), "a NUL byte");
	is_string(error, "it has a NUL byte", "and why");
	sts_policy_clear(&policy);
	free(file);
}

static const struct {
	const char *pattern, *host;
	bool matches;
} matches[] = {
	{"mx.example.com", "mx.example.com", true},
	{"mx.example.com", "mx2.example.com", false},
	{"mx.example.com", "a.mx.example.com", false},
	{"mx.example.com", "example.com", false},
	{"*.example.com", "mx.example.com", true},
	{"*.example.com", "a.mx.example.com", false},
	{"*.example.com", "example.com", false},
	{"*.example.com", ".example.com", false},
	{"*.example.com", "xexample.com", false},
	{"*.com", "example.com", true},
	{"*.com", "com", false},
	{"*.com", "mx.example.com", false},
};

static void test_matches(void)
{
	many_begin("patterns and hosts");
	for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
		struct sts_pattern pattern = {matches[i].pattern, strlen(matches[i].pattern)};
		many(sts_pattern_matches(&pattern, matches[i].host, strlen(matches[i].host)) ==
				matches[i].matches,
			"%s, %s", matches[i].pattern, matches[i].host);
	}
	many_end();
}

static void test_long_pattern(void)
{
	char value[STS_PATTERN_MAX + 2], pattern[STS_PATTERN_MAX + 1];
	size_t size;

	/* Labels of 63 octets, and a shorter last one. */
	memcpy(value, "*.", 2);
	for (size_t i = 2; i < sizeof value; i++)
		value[i] = (i - 2) % 64 == 63 ? '.' : 'a';
	ok(sts_pattern_read(value, STS_PATTERN_MAX, pattern, &size) && size == STS_PATTERN_MAX,
		"the longest pattern");
	ok(!sts_pattern_read(value, STS_PATTERN_MAX + 1, pattern, &size), "one octet more");
	value[STS_PATTERN_MAX] = '.';
	ok(sts_pattern_read(value, STS_PATTERN_MAX + 1, pattern, &size) && size == STS_PATTERN_MAX,
		"the longest pattern with a dot at its end");
}

int main(void)
{
	test_files();
	test_lines();
	test_sizes();
	test_matches();
	test_long_pattern();
	return done_testing();
}
