/*
 * submitters: who matches the lists, valid and invalid entries, files, and a list with many
 * entries.
 */
#include "common/site/submitters.h"

#include "t/unit/scratch.h"
#include "t/unit/tap.h"

#include <stdio.h>

static char error[SUBMITTERS_ERROR_SIZE];

static bool has(const struct submitters *submitters, const char *sender, const char *username,
	const char *address)
{
	struct submitter person = {
		sender, strlen(sender), username, strlen(username), address, strlen(address)};

	return submitters_has(submitters, &person);
}

static const char *const senders[] = {"Boss@Example.ORG", "example.net", ".example.com",
	"m\xc3\xbcller@b\xc3\xbc"
	"cher.example",
	"b\xc3\xbc"
	"cher.test",
	"host", "\"a@b\"@quoted.example"};

static const struct {
	const char *sender;
	bool expected;
} sender_rows[] = {
	{"boss@example.org", true},
	{"BOSS@EXAMPLE.org", true},
	{"boss@example.org.", true},
	{"clerk@example.org", false},
	{"boss@sub.example.org", false},
	{"boss@xexample.org", false},
	{"anybody@example.net", true},
	{"anybody@EXAMPLE.NET", true},
	{"anybody@sub.example.net", false},
	{"anybody@example.com", false},
	{"anybody@sub.example.com", true},
	{"anybody@a.b.c.example.com", true},
	{"anybody@xexample.com", false},
	{"m\xc3\xbcller@xn--bcher-kva.example", true},
	{"m\xc3\xbcller@b\xc3\xbc"
	 "cher.example",
		true},
	{"meier@xn--bcher-kva.example", false},
	{"meier@xn--bcher-kva.test", true},
	{"root@host", true},
	{"a@b@quoted.example", false},
	{"\"a@b\"@quoted.example", true},
	{"", false},
	{"@", false},
	{"@example.net", false},
	{"example.net", false},
	{"x@", false},
	{"x@exa mple.net", false},
	{"x@[192.0.2.1]", false},
};

static void test_senders(void)
{
	struct submitters *submitters = submitters_new();
	static char longest[5000];

	many_begin("senders");
	for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++)
		many(submitters_check(SUBMITTERS_SENDERS, senders[i], error) &&
				submitters_add(submitters, SUBMITTERS_SENDERS, senders[i], error),
			"%s: %s", senders[i], error);
	for (size_t i = 0; i < sizeof sender_rows / sizeof sender_rows[0]; i++)
		many(has(submitters, sender_rows[i].sender, "", "") == sender_rows[i].expected,
			"%s", sender_rows[i].sender);
	memset(longest, 'a', sizeof longest - 1);
	many(!has(submitters, longest, "", ""), "5,000 bytes without a domain");
	memcpy(longest + sizeof longest - 13, "@example.net", 12);
	many(!has(submitters, longest, "", ""), "and with one");
	many_end();
	submitters_free(submitters);
}

static void test_clients(void)
{
	static const char *const networks[] = {
		"192.0.2.0/24", "198.51.100.7", "2001:db8::/33", "2001:db8:ffff::1", "10.1.2.3/7"};
	static const struct {
		const char *address;
		bool expected;
	} rows[] = {
		{"192.0.2.0", true},
		{"192.0.2.255", true},
		{"192.0.3.0", false},
		{"198.51.100.7", true},
		{"198.51.100.6", false},
		{"::ffff:198.51.100.7", true},
		{"2001:db8:7fff::5", true},
		{"2001:db8:8000::5", false},
		{"2001:DB8:FFFF:0::1", true},
		{"2001:db8:ffff::2", false},
		{"11.255.255.255", true},
		{"12.0.0.0", false},
		{"unknown", false},
		{"", false},
		{"192.0.2.0/24", false},
		{"192.0.2.1 ", false},
	};
	struct submitters *submitters = submitters_new();
	char address[80];

	many_begin("clients");
	for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
		many(submitters_add(submitters, SUBMITTERS_CLIENTS, networks[i], error), "%s: %s",
			networks[i], error);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		many(has(submitters, "", "", rows[i].address) == rows[i].expected, "%s",
			rows[i].address);
	memset(address, '1', sizeof address - 1);
	address[sizeof address - 1] = '\0';
	many(!has(submitters, "", "", address), "a long one");
	many_end();
	ok(submitters_add(submitters, SUBMITTERS_CLIENTS, "0.0.0.0/0", error) &&
			has(submitters, "", "", "203.0.113.1") &&
			!has(submitters, "", "", "3fff::1"),
		"all of IPv4");
	ok(submitters_add(submitters, SUBMITTERS_CLIENTS, "::/0", error) &&
			has(submitters, "", "", "3fff::1"),
		"all there is");
	submitters_free(submitters);
}

static void test_any(void)
{
	struct submitters *submitters = submitters_new();

	ok(has(NULL, "", "", ""), "without any there is everybody");
	ok(has(submitters, "", "", ""), "with empty lists, too");
	submitters_add(submitters, SUBMITTERS_SASL_USERNAMES, "Alice", error);
	ok(has(submitters, "", "Alice", ""), "a user name");
	ok(!has(submitters, "", "alice", ""), "exactly");
	ok(!has(submitters, "", "Alic", "") && !has(submitters, "", "Alice2", ""), "and whole");
	ok(!has(submitters, "a@example.org", "", "192.0.2.1"), "nobody else");
	submitters_add(submitters, SUBMITTERS_CLIENTS, "192.0.2.1", error);
	submitters_add(submitters, SUBMITTERS_SENDERS, "example.org", error);
	ok(has(submitters, "a@example.net", "Alice", "192.0.2.9"), "any of the three: the first");
	ok(has(submitters, "a@example.org", "Bob", "192.0.2.9"), "the second");
	ok(has(submitters, "a@example.net", "Bob", "192.0.2.1"), "the third");
	ok(!has(submitters, "a@example.net", "Bob", "192.0.2.9"), "none of them");
	submitters_free(submitters);
}

static void test_mistakes(void)
{
	static const struct {
		enum submitters_list list;
		const char *entry, *words;
	} rows[] = {
		{SUBMITTERS_SENDERS, "", "1 to"},
		{SUBMITTERS_SENDERS, "@example.org", "is not a sender"},
		{SUBMITTERS_SENDERS, "a@", "is not a sender"},
		{SUBMITTERS_SENDERS, "a@b..c", "is not a sender"},
		{SUBMITTERS_SENDERS, ".", "is not a sender"},
		{SUBMITTERS_SENDERS, "..example.org", "is not a sender"},
		{SUBMITTERS_SENDERS, "-x.example", "is not a sender"},
		{SUBMITTERS_CLIENTS, "192.0.2", "expected a network"},
		{SUBMITTERS_CLIENTS, "192.0.2.0/33", "expected a network"},
		{SUBMITTERS_CLIENTS, "host.example.org", "expected a network"},
		{SUBMITTERS_SASL_USERNAMES, "", "1 to"},
		{SUBMITTERS_SENDERS, "file:senders", "absolute path"},
		{SUBMITTERS_SASL_USERNAMES, "file:", "absolute path"},
	};

	many_begin("no entries");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		many(!submitters_check(rows[i].list, rows[i].entry, error) &&
				strstr(error, rows[i].words) != NULL,
			"%s: %s", rows[i].entry, error);
	many_end();
}

static void add_file(struct submitters *submitters, enum submitters_list list, const char *text,
	const char *words)
{
	char entry[SCRATCH_PATH_SIZE + 8];

	scratch_write_text(scratch_path("list"), text);
	snprintf(entry, sizeof entry, "file:%s", scratch_path("list"));
	bool added = submitters_add(submitters, list, entry, error);
	if (words == NULL)
		ok(added, "a file is read");
	else
		ok(!added && strstr(error, words) != NULL && strstr(error, "list") != NULL,
			"one that is wrong: %s", error);
}

static void test_files(void)
{
	struct submitters *submitters = submitters_new();
	char text[4096];

	add_file(submitters, SUBMITTERS_SASL_USERNAMES, "", NULL);
	ok(!has(submitters, "", "alice", ""), "an empty one has nobody in it");
	add_file(submitters, SUBMITTERS_SASL_USERNAMES,
		"# users\n\n  alice  \r\n;bob\ncarol\nalice\n\tdave", NULL);
	ok(has(submitters, "", "alice", "") && has(submitters, "", "carol", "") &&
			has(submitters, "", "dave", ""),
		"those of the file");
	ok(!has(submitters, "", "bob", "") && !has(submitters, "", ";bob", ""), "not a comment");
	add_file(submitters, SUBMITTERS_SENDERS, "a@example.org\n\nb@\n",
		"list:3: 'b@' is not a sender");
	add_file(submitters, SUBMITTERS_CLIENTS, "192.0.2.1 OK\n",
		"list:1: write one entry per line");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	add_file(submitters, SUBMITTERS_SASL_USERNAMES, text,
		"list:1: the line is longer than 2048 bytes; shorten it");
	ok(!submitters_add(submitters, SUBMITTERS_SENDERS, "file:/nonexistent/x", error) &&
			strstr(error, "/nonexistent/x: cannot read the file: No such") != NULL,
		"none: %s", error);
	if (mkfifo(scratch_path("pipe"), 0600) != 0)
		bail_out("cannot make a pipe");
	snprintf(text, sizeof text, "file:%s", scratch_path("pipe"));
	/* If the test waits here for a writer, it has failed. */
	alarm(20);
	ok(!submitters_add(submitters, SUBMITTERS_SENDERS, text, error) &&
			strstr(error, "pipe: cannot read the file") != NULL,
		"a pipe: %s", error);
	alarm(0);
	scratch_write(scratch_path("list"), "alice\nbob\0", 10);
	snprintf(text, sizeof text, "file:%s", scratch_path("list"));
	ok(!submitters_add(submitters, SUBMITTERS_SASL_USERNAMES, text, error) &&
			strstr(error, "list:2: the line contains a NUL byte") != NULL,
		"a NUL byte in the last line: %s", error);
	ok(!submitters_add(submitters, SUBMITTERS_SENDERS, "file:/", error) &&
			strstr(error, "/: cannot read the file") != NULL,
		"a directory: %s", error);
	submitters_free(submitters);
}

static void test_many(void)
{
	struct submitters *submitters = submitters_new();
	char name[64];
	unsigned missing = 0, strangers = 0;

	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "user%u@d%u.example", i, i % 1000);
		submitters_add(submitters, SUBMITTERS_SENDERS, name, error);
	}
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "user%u@d%u.example", i, i % 1000);
		missing += !has(submitters, name, "", "");
		snprintf(name, sizeof name, "user%u@d%u.example", i, (i + 1) % 1000);
		strangers += has(submitters, name, "", "");
	}
	is_number(missing, 0, "100,000 senders are found");
	is_number(strangers, 0, "and no others");
	submitters_free(submitters);
}

int main(void)
{
	scratch_begin();
	test_senders();
	test_clients();
	test_any();
	test_mistakes();
	test_files();
	test_many();
	scratch_end();
	return done_testing();
}
