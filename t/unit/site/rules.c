/*
 * rules: which rule applies to a name, which rules are refused, and that many rules cost no more
 * time than few.
 */
#include "common/site/rules.h"

#include "t/unit/scratch.h"

#include <time.h>

enum { NOW = 1000000, MANY = 100000 };

static const char *source(struct rules *rules)
{
	return rules_source(rules, "rules");
}

static void minimum(struct rules *rules, unsigned line, const char *key, const char *value)
{
	char error[RULES_ERROR_SIZE];
	struct rule_place place = {source(rules), line};

	if (!rules_add_minimum(rules, place, key, value, error))
		diag("%s = %s: %s", key, value, error);
}

static void exception(struct rules *rules, unsigned line, const char *key, const char *value)
{
	char error[RULES_ERROR_SIZE];
	struct rule_place place = {source(rules), line};

	if (!rules_add_exception(rules, place, key, value, error))
		diag("%s = %s: %s", key, value, error);
}

static struct ruling find(const struct rules *rules, const char *name, uint32_t now)
{
	struct ruling ruling;

	rules_find(rules, name, strlen(name), now, &ruling);
	return ruling;
}

/* The same with a hint of rules_look_ahead(). */
static struct ruling find_hinted(const struct rules *rules, const char *name)
{
	struct ruling ruling = {.minimum = MINIMUM_NONE};
	struct rules_hint hint;

	rules_look_ahead(rules, name, strlen(name), &hint);
	rules_match(rules, name, strlen(name), &hint, NOW, &ruling);
	return ruling;
}

static const char sixty[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff";

/* --- minimums ------------------------------------------------------------------------------ */

static const struct {
	const char *name, *key;
	enum minimum_level level;
} matches[] = {
	{"example.org", "example.org", MINIMUM_DANE},
	{"www.example.org", ".example.org", MINIMUM_AUTHENTICATED},
	{"a.b.example.org", ".b.example.org", MINIMUM_NONE},
	{"b.example.org", ".example.org", MINIMUM_AUTHENTICATED},
	{"x.a.b.example.org", ".b.example.org", MINIMUM_NONE},
	{"exact.b.example.org", "exact.b.example.org", MINIMUM_ENCRYPTED},
	{"x.exact.b.example.org", ".b.example.org", MINIMUM_NONE},
	{"example.com", ".com", MINIMUM_AUTHENTICATED},
	{"example.net", "*", MINIMUM_ENCRYPTED},
	{"wexample.org", "*", MINIMUM_ENCRYPTED},
	{"example.org.net", "*", MINIMUM_ENCRYPTED},
	{"ample.org", "*", MINIMUM_ENCRYPTED},
	{"xn--bcher-kva.example", "xn--bcher-kva.example", MINIMUM_DANE},
	{"mx.xn--bcher-kva.example", ".xn--bcher-kva.example", MINIMUM_DANE},
	{"upper.example", "upper.example", MINIMUM_DANE},
	{"", "*", MINIMUM_ENCRYPTED},
};

static void check_minimums(void)
{
	struct rules *rules = rules_new();
	struct ruling ruling;

	minimum(rules, 1, "example.org", "dane");
	minimum(rules, 2, ".example.org", "authenticated");
	minimum(rules, 3, ".b.example.org", "none");
	minimum(rules, 4, "exact.b.example.org", "encrypted");
	minimum(rules, 5, ".com", "authenticated");
	minimum(rules, 6, "*", "Encrypted");
	minimum(rules, 7,
		"b\xc3\xbc"
		"cher.example",
		"dane");
	minimum(rules, 8,
		".B\xc3\x9c"
		"CHER.example.",
		"dane");
	minimum(rules, 9, "UPPER.Example.", "DANE");
	many_begin("the key that applies");
	for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
		ruling = find_hinted(rules, matches[i].name);
		many(ruling.minimum_key != NULL && strcmp(ruling.minimum_key, matches[i].key) == 0,
			"%s, looked ahead: by %s", matches[i].name,
			ruling.minimum_key != NULL ? ruling.minimum_key : "nothing");
		ruling = find(rules, matches[i].name, NOW);
		many(ruling.minimum == matches[i].level && ruling.minimum_key != NULL &&
				strcmp(ruling.minimum_key, matches[i].key) == 0 &&
				ruling.exception == NULL,
			"%s: %s by %s", matches[i].name, minimum_names[ruling.minimum],
			ruling.minimum_key != NULL ? ruling.minimum_key : "nothing");
	}
	many_end();
	is_number((int64_t)rules_minimum_count(rules), 9, "the number of minimums");
	is_number((int64_t)rules_exception_count(rules), 0, "and no exception");
	rules_find_nameless(rules, &ruling);
	is_string(ruling.minimum_key, "*", "what has no name has the minimum of all");
	rules_find_key(rules, ".x.example.org", NOW, &ruling);
	is_string(ruling.minimum_key, ".example.org", "of a key for the names below it");
	rules_free(rules);

	ruling = find(NULL, "example.org", NOW);
	ok(ruling.minimum == MINIMUM_NONE && ruling.minimum_key == NULL, "without rules: none");
	rules = rules_new();
	ruling = find(rules, "example.org", NOW);
	ok(ruling.minimum == MINIMUM_NONE && ruling.minimum_key == NULL,
		"and with no rule in them");
	rules_free(rules);
}

/* --- exceptions ---------------------------------------------------------------------------- */

static void check_exceptions(void)
{
	struct rules *rules = rules_new();
	struct ruling ruling;

	exception(rules, 1, "example.org", "may until 1970-01-12T13:46:41Z ; a ticket");
	exception(rules, 2, ".example.org", "encrypt");
	exception(rules, 3, "sub.example.org", "none until 1970-01-12T13:46:40Z");
	exception(rules, 4, "ended.example", "none until 1970-01-02");
	minimum(rules, 5, ".org", "dane");

	ruling = find(rules, "example.org", NOW);
	ok(ruling.exception != NULL && ruling.exception->level == TLS_LEVEL_MAY &&
			ruling.exception->place.line == 1 && ruling.ended == NULL,
		"in force in its last second");
	is_string(ruling.exception != NULL ? ruling.exception->reason : NULL, "a ticket",
		"its reason");
	is_string(ruling.minimum_key, ".org", "the minimum beside it is reported");
	ruling = find(rules, "example.org", NOW + 1);
	ok(ruling.exception == NULL && ruling.ended != NULL && ruling.ended->place.line == 1,
		"a second later it has ended");
	ruling = find(rules, "sub.example.org", NOW);
	ok(ruling.exception != NULL && ruling.exception->place.line == 2 && ruling.ended == NULL,
		"one that has ended hides none that is in force");
	ruling = find(rules, "ended.example", NOW);
	ok(ruling.exception == NULL && ruling.ended != NULL, "ended");
	ok(find(rules, "example.net", NOW).exception == NULL, "no exception");
	rules_find_nameless(rules, &ruling);
	ok(ruling.exception == NULL, "what has no name has none");

	struct exception *first = rules_exception(rules, 0);
	ok(exception_note_use(first, NOW), "its first use of a day");
	ok(!exception_note_use(first, NOW + 10), "and its second");
	ok(exception_note_use(first, NOW + 86400), "the next day");
	ok(exception_note_end(first), "its end");
	ok(!exception_note_end(first), "once");

	struct rules *next = rules_new();
	exception(next, 7, "example.org", "may until 1970-01-12T13:46:41Z ; another ticket");
	exception(next, 8, ".example.org", "may");
	rules_inherit(next, rules);
	ok(!exception_note_end(rules_exception(next, 0)), "what was noted of it is remembered");
	ok(exception_note_end(rules_exception(next, 1)), "but not of one that has changed");
	ok(!rules_same_exceptions(rules, next) && !rules_same_exceptions(next, rules),
		"they differ");
	ok(rules_exception(next, 2) == NULL, "NULL after the last one");
	rules_free(next);
	rules_free(rules);
}

/* Keys of every length, in a table that grows meanwhile; long keys are not mixed up. */
static void check_lengths(void)
{
	enum { LONGEST = 200 };
	struct rules *rules = rules_new();
	char name[LONGEST + 16];
	size_t right = 0, wrong = 0;

	for (int size = 1; size <= LONGEST; size++) {
		snprintf(name, sizeof name, "%.*s.%.*s.%.*s.%.*s.x", size / 4 + 1, sixty,
			size / 4 + 1, sixty, size / 4 + 1, sixty, size % 4 + 1, sixty);
		minimum(rules, (unsigned)size, name, size % 2 == 0 ? "dane" : "encrypted");
		exception(rules, (unsigned)size, name, "may ; long");
	}
	for (int size = 1; size <= LONGEST; size++) {
		snprintf(name, sizeof name, "%.*s.%.*s.%.*s.%.*s.x", size / 4 + 1, sixty,
			size / 4 + 1, sixty, size / 4 + 1, sixty, size % 4 + 1, sixty);
		struct ruling ruling = find_hinted(rules, name);
		right += ruling.minimum == (size % 2 == 0 ? MINIMUM_DANE : MINIMUM_ENCRYPTED) &&
			 ruling.minimum_key != NULL && strcmp(ruling.minimum_key, name) == 0 &&
			 ruling.exception != NULL && strcmp(ruling.exception->key, name) == 0;
		name[0] = 'b';
		wrong += find_hinted(rules, name).minimum != MINIMUM_NONE;
	}
	is_number((int64_t)right, LONGEST, "keys of every length are found");
	is_number((int64_t)wrong, 0, "and no others");
	rules_free(rules);
}

/* A hint from other rules, or an empty hint, hides no rule. */
static void check_old_hint(void)
{
	struct rules *empty = rules_new(), *one = rules_new(), *other = rules_new();
	struct ruling ruling = {.minimum = MINIMUM_NONE};
	struct rules_hint hint;

	minimum(one, 1, "example.net", "dane");
	minimum(other, 1, ".example.org", "dane");
	rules_look_ahead(one, "a.example.org", 13, &hint);
	rules_match(other, "a.example.org", 13, &hint, NOW, &ruling);
	is_number(ruling.minimum, MINIMUM_DANE, "a hint of other rules");
	ruling = (struct ruling){.minimum = MINIMUM_NONE};
	rules_look_ahead(empty, "a.example.org", 13, &hint);
	rules_match(other, "a.example.org", 13, &hint, NOW, &ruling);
	is_number(ruling.minimum, MINIMUM_DANE, "a hint of no rules");
	rules_free(empty);
	rules_free(one);
	rules_free(other);
}

static void check_same(void)
{
	struct rules *one = rules_new(), *other = rules_new();

	minimum(one, 1, "example.org", "dane");
	minimum(one, 2, "example.net", "dane");
	minimum(other, 10, "example.net", "dane");
	ok(!rules_same_minimums(one, other) && !rules_same_minimums(other, one), "one less");
	minimum(other, 11, "example.org", "encrypted");
	ok(!rules_same_minimums(one, other), "another level");
	minimum(other, 0, "example.org", "dane");
	minimum(other, 12, "example.org", "none");
	ok(rules_same_minimums(one, other), "an override replaces both, in another order too");
	ok(!rules_same_minimums(one, NULL) && !rules_same_minimums(NULL, one), "or nothing at all");
	ok(rules_same_exceptions(one, NULL) && rules_same_exceptions(NULL, NULL), "no exceptions");
	exception(one, 3, "example.org", "may ; a");
	exception(other, 3, "example.org", "may ; b");
	ok(!rules_same_exceptions(one, other), "another reason");
	exception(other, 0, "example.org", "may ; a");
	ok(rules_same_exceptions(one, other), "the same exceptions");
	is_number((int64_t)rules_exception_count(other), 1, "an override is not a second one");
	rules_free(one);
	rules_free(other);
}

/* --- what is refused ----------------------------------------------------------------------- */

static const struct {
	rules_adder *add;
	const char *key, *value, *words;
} refused[] = {
	{rules_add_minimum, "", "dane", "'' is not a domain name"},
	{rules_add_minimum, ".", "dane", "'.' is not a domain name"},
	{rules_add_minimum, "..example.org", "dane", "is not a domain name"},
	{rules_add_minimum, "org", "dane", "'org' is not a domain name"},
	{rules_add_minimum, "exa mple.org", "dane", "is not a domain name"},
	{rules_add_minimum, "-example.org", "dane", "is not a domain name"},
	{rules_add_minimum, "*.example.org", "dane", "is not a domain name"},
	{rules_add_minimum, "192.0.2.1", "dane", "is not a domain name"},
	{rules_add_minimum, "[mx.example.org]", "dane", "is not a domain name"},
	{rules_add_minimum, "example.org:25", "dane", "is not a domain name"},
	{rules_add_minimum, "user@example.org", "dane", "is not a domain name"},
	{rules_add_minimum,
		"b\xfc"
		"cher.example",
		"dane", "is not a domain name"},
	{rules_add_minimum, "example.org", "", "'' is not a minimum level"},
	{rules_add_minimum, "example.org", "dane-only",
		"write none, encrypted, authenticated or dane"},
	{rules_add_exception, "*", "may", "mode = monitor"},
	{rules_add_exception, "example.org", "maybe", "'maybe' is not a level"},
	{rules_add_exception, "org", "may", "is not a domain name"},
	{rules_add_exception, "192.0.2.1", "may",
		"write example.org, or .example.org for all names below it"},
	{rules_add_minimum, "Twice.example", "dane",
		"twice.example already has a minimum, at rules:1"},
	{rules_add_exception, "TWICE.example", "may",
		"twice.example already has an exception, at rules:2"},
};

static void check_refused(void)
{
	struct rules *rules = rules_new();
	char error[RULES_ERROR_SIZE];

	minimum(rules, 1, "twice.example", "dane");
	exception(rules, 2, "twice.example", "may");
	many_begin("what is refused");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct rule_place place = {source(rules), 9};
		strcpy(error, "it was taken");
		bool taken = refused[i].add(rules, place, refused[i].key, refused[i].value, error);
		many(!taken && strstr(error, refused[i].words) != NULL, "%s = %s: %s",
			refused[i].key, refused[i].value, error);
	}
	many_end();
	is_number((int64_t)rules_minimum_count(rules), 1, "and left out");
	is_number((int64_t)rules_exception_count(rules), 1, "of the exceptions too");
	rules_free(rules);
}

/* --- files --------------------------------------------------------------------------------- */

static bool read_text(const char *text, size_t size, rules_adder *add, struct rules **rules,
	char error[RULES_ERROR_SIZE])
{
	const char *path = scratch_path("rules");

	scratch_write(path, text, size);
	*rules = rules_new();
	return rules_read(*rules, path, true, add, error);
}

static void check_file(void)
{
	static const char good[] = "# a comment\n; another = one\n\n  \t\nexample.org dane\r\n"
				   "example.net = encrypted  \n\t.example.com=\tnone\n"
				   "last.example\tdane";
	static const char exceptions[] = "example.org = may until 2026-12-31 ; a ; b\n"
					 "example.net none\n";
	static const struct {
		const char *text;
		size_t size;
		const char *words;
	} bad[] = {
		{"example.org dane\nexample.net\n", 29, "rules:2: '' is not a minimum level"},
		{"example.org dane\nexample.org dane\n", 34,
			":2: example.org already has a minimum"},
		{"example.org dane\0\nx.example dane\n", 33,
			"rules:1: the line contains a NUL byte"},
		{"\0", 1, "rules:1: the line contains a NUL byte"},
	};
	struct rules *rules;
	char error[RULES_ERROR_SIZE] = "";
	struct rule_place place;
	enum minimum_level level;
	const char *key;

	scratch_begin();
	ok(read_text(good, strlen(good), rules_add_minimum, &rules, error), "a file: %s", error);
	is_number((int64_t)rules_key_count(rules), 4, "all of it");
	ok(rules_minimum(rules, 3, &key, &level, &place) && strcmp(key, "last.example") == 0 &&
			level == MINIMUM_DANE && place.line == 8,
		"and its place");
	rules_free(rules);
	ok(read_text(exceptions, strlen(exceptions), rules_add_exception, &rules, error),
		"exceptions: %s", error);
	is_string(rules_exception(rules, 0)->reason, "a ; b", "the reason is whole");
	rules_free(rules);
	many_begin("files that cannot be read");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		strcpy(error, "it was taken");
		many(!read_text(bad[i].text, bad[i].size, rules_add_minimum, &rules, error) &&
				strstr(error, bad[i].words) != NULL,
			"%s: %s", bad[i].text, error);
		rules_free(rules);
	}
	char *longest = malloc(RULES_LINE_MAX + 8);
	memset(longest, '#', RULES_LINE_MAX + 8);
	longest[RULES_LINE_MAX] = '\n';
	many(read_text(longest, RULES_LINE_MAX + 1, rules_add_minimum, &rules, error),
		"the longest line: %s", error);
	rules_free(rules);
	longest[RULES_LINE_MAX] = '#';
	longest[RULES_LINE_MAX + 1] = '\n';
	many(!read_text(longest, RULES_LINE_MAX + 2, rules_add_minimum, &rules, error) &&
			strstr(error, "longer than 2000 bytes; shorten it") != NULL,
		"a longer one: %s", error);
	rules_free(rules);
	free(longest);
	rules = rules_new();
	many(!rules_read(rules, scratch_path("none"), true, rules_add_minimum, error) &&
			strstr(error, "No such file") != NULL,
		"no file: %s", error);
	many(!rules_read(rules, scratch_directory, false, rules_add_minimum, error) &&
			strstr(error, "it is not a regular file") != NULL,
		"a directory: %s", error);
	many_end();
	ok(rules_read(rules, scratch_path("none"), false, rules_add_minimum, error),
		"one that need not exist");
	rules_free(rules);
}

/* --- many ---------------------------------------------------------------------------------- */

/* Some do not fit in a slot of the table. */
static const char *many_name(char name[128], const char *before, unsigned i)
{
	snprintf(name, 128, "%sd%u.%sexample", before, i,
		i % 10 == 0 ? "a-label-that-makes-the-name-a-long-one." : "");
	return name;
}

/*
 * Each key is found and no other name is, in a table of any size, and the keys are listed in the
 * order of adding.
 */
static void check_many(void)
{
	struct rules *rules = rules_new();
	struct rule_place place;
	enum minimum_level level;
	const char *listed;
	char key[128];

	for (unsigned i = 0; i < MANY; i++)
		minimum(rules, i + 1, many_name(key, i % 3 == 0 ? "." : "", i),
			minimum_names[i % MINIMUM_COUNT]);
	is_number((int64_t)rules_minimum_count(rules), MANY, "100,000 minimums");
	many_begin("each is found");
	for (unsigned i = 0; i < MANY; i++) {
		many_name(key, i % 3 == 0 ? "www." : "", i);
		struct ruling ruling = find_hinted(rules, key);
		many(ruling.minimum_key != NULL && ruling.minimum == i % MINIMUM_COUNT, "%s", key);
		many_name(key, i % 3 == 0 ? "" : "www.", i);
		many(find(rules, key, NOW).minimum_key == NULL &&
				find_hinted(rules, key).minimum_key == NULL,
			"%s", key);
	}
	many_end();
	many_begin("each is listed in its place");
	for (unsigned i = 0; i < MANY; i++) {
		many_name(key, i % 3 == 0 ? "." : "", i);
		many(rules_minimum(rules, i, &listed, &level, &place) && strcmp(listed, key) == 0 &&
				level == i % MINIMUM_COUNT && place.line == i + 1 &&
				strcmp(place.file, "rules") == 0,
			"%s", key);
	}
	many_end();
	rules_free(rules);
}

int main(void)
{
	check_minimums();
	check_exceptions();
	check_lengths();
	check_old_hint();
	check_same();
	check_refused();
	check_file();
	check_many();
	return done_testing();
}
