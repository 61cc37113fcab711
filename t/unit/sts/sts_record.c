/*
 * sts_record: which TXT records announce a policy (RFC 8461 3.1).
 */
#include "common/sts/sts_record.h"

#include "t/unit/tap.h"

enum { VALID = STS_RECORD_VALID, OTHER = STS_RECORD_OTHER, MALFORMED = STS_RECORD_MALFORMED };

static const struct {
	const char *record;
	int result;
	const char *id;
} rows[] = {
	{"v=STSv1; id=20160831085700Z;", VALID, "20160831085700Z"},
	{"v=STSv1; id=20160831085700Z", VALID, "20160831085700Z"},
	{"v=STSv1;id=1", VALID, "1"},
	{"v=STSv1 ; id=1 ; ", VALID, "1"},
	{"v=STSv1\t;\tid=1\t;\t", VALID, "1"},
	{"v=STSv1; id=abcdefghijklmnopqrstuvwxyzABCDEF", VALID, "abcdefghijklmnopqrstuvwxyzABCDEF"},
	{"v=STSv1; id=1; x=y", VALID, "1"},
	{"v=STSv1; x=y; id=1;", VALID, "1"},
	{"v=STSv1; a_b-c.d=!\"#:<>~; id=1;", VALID, "1"},
	{"v=STSv1; abcdefghijklmnopqrstuvwxyz012345=y; id=1", VALID, "1"},
	{"v=STSv1; id=1; id=2", VALID, "1"},
	{"v=STSv1; id=1; id=2.3", VALID, "1"},
	{"v=STSv1; ID=2; id=1", VALID, "1"},
	{"v=STSv1; idx=2; id=1", VALID, "1"},

	{"", OTHER, ""},
	{"v=spf1 -all", OTHER, ""},
	{"v=STSv", OTHER, ""},
	{"v=STSv1", OTHER, ""},
	{"v=STSv1 ", OTHER, ""},
	{"v=STSv10; id=1", OTHER, ""},
	{"v=STSv1 id=1;", OTHER, ""},
	{" v=STSv1; id=1;", OTHER, ""},
	{"V=STSv1; id=1;", OTHER, ""},
	{"v=stsv1; id=1;", OTHER, ""},
	{"v = STSv1; id=1;", OTHER, ""},
	{"v=STSv2; id=1;", OTHER, ""},

	{"v=STSv1;", MALFORMED, ""},
	{"v=STSv1; ", MALFORMED, ""},
	{"v=STSv1; x=y", MALFORMED, ""},
	{"v=STSv1; id=", MALFORMED, ""},
	{"v=STSv1; id=;", MALFORMED, ""},
	{"v=STSv1; id=a.b", MALFORMED, ""},
	{"v=STSv1; id=a-b; id=1", MALFORMED, ""},
	{"v=STSv1; id=abcdefghijklmnopqrstuvwxyz0123456", MALFORMED, ""},
	{"v=STSv1; id=1 ", MALFORMED, ""},
	{"v=STSv1; id=1; x=y ", MALFORMED, ""},
	{"v=STSv1; id=1;;", MALFORMED, ""},
	{"v=STSv1;; id=1", MALFORMED, ""},
	{"v=STSv1; id = 1", MALFORMED, ""},
	{"v=STSv1; id= 1", MALFORMED, ""},
	{"v=STSv1; id=1 x=y", MALFORMED, ""},
	{"v=STSv1; id=1; x", MALFORMED, ""},
	{"v=STSv1; id=1; x=", MALFORMED, ""},
	{"v=STSv1; id=1; =y", MALFORMED, ""},
	{"v=STSv1; id=1; x==y", MALFORMED, ""},
	{"v=STSv1; id=1; -x=y", MALFORMED, ""},
	{"v=STSv1; id=1; abcdefghijklmnopqrstuvwxyz0123456=y", MALFORMED, ""},
	{"v=STSv1; id=1; x=\xc3\xa4", MALFORMED, ""},
	{"v=STSv1; id=1; x=\x01", MALFORMED, ""},
	{"v=STSv1; id=1; x=\x7f", MALFORMED, ""},
	{"v=STSv1; id=1\n", MALFORMED, ""},
	{"v=STSv1; {id=1}", MALFORMED, ""},
};

static void test_one(void)
{
	char id[STS_ID_SIZE];

	many_begin("one record");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int result = sts_record_read(rows[i].record, strlen(rows[i].record), id);
		many(result == rows[i].result && (result != VALID || strcmp(id, rows[i].id) == 0),
			"%s: %d, id '%s'", rows[i].record, result, id);
	}
	many_end();
	ok(sts_record_read("v=STSv1; id=1; x=a\0b", 20, id) == STS_RECORD_MALFORMED, "a NUL byte");
}

/* --- answers ------------------------------------------------------------------------------- */

/* Strings of one record, each with its length before it. */
#define STARTS "\x08v=STSv1;"
#define ID_1 "\x06 id=1;"

static const struct {
	const char *what;
	const char *records[3];
	int result;
	const char *id;
} answers[] = {
	{"no record", {NULL}, STS_NO_RECORD, ""},
	{"one", {"\x0ev=STSv1; id=1;"}, STS_DISCOVERED, "1"},
	{"one of two strings, joined without a blank", {STARTS ID_1}, STS_DISCOVERED, "1"},
	{"an id in two strings",
		{"\x0cv=STSv1; id="
		 "\x02xy"},
		STS_DISCOVERED, "xy"},
	{"an empty string in it", {STARTS "\x01 " ID_1}, STS_DISCOVERED, "1"},
	{"others beside it", {"\x06v=spf1", STARTS ID_1, "\x01x"}, STS_DISCOVERED, "1"},
	{"only others", {"\x06v=spf1", "\x01x"}, STS_NO_RECORD, ""},
	{"two", {STARTS ID_1, STARTS ID_1}, STS_SEVERAL_RECORDS, ""},
	{"a malformed one", {STARTS}, STS_MALFORMED_RECORD, ""},
	{"a malformed one beside a valid one", {STARTS, STARTS ID_1}, STS_SEVERAL_RECORDS, ""},
	{"a string that is longer than the record", {"\x0fv=STSv1; id=1;"}, STS_NO_RECORD, ""},
};

static void test_answers(void)
{
	char id[STS_ID_SIZE];

	many_begin("all records of an answer");
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct dns_record records[3];
		struct dns_answer answer = {.outcome = DNS_FOUND, .records = records};
		for (size_t k = 0; k < 3 && answers[i].records[k] != NULL; k++) {
			records[k].rdata = (const uint8_t *)answers[i].records[k];
			records[k].size = (uint16_t)strlen(answers[i].records[k]);
			answer.record_count++;
		}
		int result = sts_record_find(&answer, id);
		many(result == answers[i].result && strcmp(id, answers[i].id) == 0,
			"%s: %s, id '%s'", answers[i].what, sts_discovery_text(result), id);
	}
	many_end();
	struct dns_answer failed = {.outcome = DNS_FAILED}, none = {.outcome = DNS_NXDOMAIN};
	ok(sts_record_find(&failed, id) == STS_LOOKUP_FAILED, "a failed answer");
	ok(sts_record_find(&none, id) == STS_NO_RECORD, "NXDOMAIN");
}

static void test_name(void)
{
	char longest[DNS_NAME_MAX + 1], name[DNS_NAME_SIZE];

	ok(sts_record_name("example.com", name), "a name");
	is_string(name, "_mta-sts.example.com", "its record");
	memset(longest, 'a', sizeof longest);
	longest[DNS_NAME_MAX - 9] = '\0';
	ok(sts_record_name(longest, name) && strlen(name) == DNS_NAME_MAX, "the longest one");
	longest[DNS_NAME_MAX - 9] = 'a';
	longest[DNS_NAME_MAX - 8] = '\0';
	ok(!sts_record_name(longest, name), "one octet more");
}

int main(void)
{
	test_one();
	test_answers();
	test_name();
	return done_testing();
}
