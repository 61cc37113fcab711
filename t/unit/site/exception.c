/*
 * exception: reading and writing the text form of an exception.
 */
#include "common/site/exception.h"

#include "t/unit/tap.h"

/* 2026-12-31T00:00:00Z */
#define NEW_YEARS_EVE 1798675200u
#define DAY 86400u

static const struct {
	const char *text;
	enum tls_level level;
	uint32_t until;
	const char *reason;
} good[] = {
	{"none", TLS_LEVEL_NONE, EXCEPTION_FOREVER, ""},
	{"may", TLS_LEVEL_MAY, EXCEPTION_FOREVER, ""},
	{"encrypt", TLS_LEVEL_ENCRYPT, EXCEPTION_FOREVER, ""},
	{"dane", TLS_LEVEL_DANE, EXCEPTION_FOREVER, ""},
	{"dane-only", TLS_LEVEL_DANE_ONLY, EXCEPTION_FOREVER, ""},
	{"verify", TLS_LEVEL_VERIFY, EXCEPTION_FOREVER, ""},
	{"secure", TLS_LEVEL_SECURE, EXCEPTION_FOREVER, ""},
	{"  MAY  ", TLS_LEVEL_MAY, EXCEPTION_FOREVER, ""},
	{"may until 2026-12-31", TLS_LEVEL_MAY, NEW_YEARS_EVE + DAY, ""},
	{"may UNTIL\t2026-12-31", TLS_LEVEL_MAY, NEW_YEARS_EVE + DAY, ""},
	{"may until 2026-12-31T18:00Z", TLS_LEVEL_MAY, NEW_YEARS_EVE + 18 * 3600, ""},
	{"may until 2026-12-31T18:00:07Z", TLS_LEVEL_MAY, NEW_YEARS_EVE + 18 * 3600 + 7, ""},
	{"may until 2028-02-29", TLS_LEVEL_MAY, 1835481600u, ""},
	{"may until 1970-01-01", TLS_LEVEL_MAY, DAY, ""},
	{"may until 2106-02-06", TLS_LEVEL_MAY, 4294944000u, ""},
	{"may;broken", TLS_LEVEL_MAY, EXCEPTION_FOREVER, "broken"},
	{"may ; ticket 4711; until spring ; k\xc3\xbcrzer", TLS_LEVEL_MAY, EXCEPTION_FOREVER,
		"ticket 4711; until spring ; k\xc3\xbcrzer"},
	{"encrypt until 2026-12-31;", TLS_LEVEL_ENCRYPT, NEW_YEARS_EVE + DAY, ""},
	{"encrypt until 2026-12-31 ; x", TLS_LEVEL_ENCRYPT, NEW_YEARS_EVE + DAY, "x"},
};

static const struct {
	const char *text, *words;
} bad[] = {
	{"", "'' is not a level"},
	{"fingerprint", "'fingerprint' is not a level"},
	{"authenticated", "use one of none, may, encrypt, dane, dane-only, verify, secure"},
	{"may 2026-12-31", "'2026-12-31' is not understood"},
	{"may untill 2026-12-31", "'untill 2026-12-31' is not understood"},
	{"may until", "'' is not a date"},
	{"may until ; reason", "'' is not a date"},
	{"may until tomorrow", "'tomorrow' is not a date"},
	{"may until 2106-02-07", "'2106-02-07' is too late: the last possible date is 2106-02-06"},
	{"may until 2200-12-31T00:00Z", "is too late: the last possible date is 2106-02-06"},
	{"may until 31.12.2026", "is not a date"},
	{"may until 2026-2-1", "is not a date"},
	{"may until 2026-02-29", "is not a date"},
	{"may until 2026-13-01", "is not a date"},
	{"may until 2026-00-01", "is not a date"},
	{"may until 2026-12-00", "is not a date"},
	{"may until 2026-12-31T24:00Z", "is not a date"},
	{"may until 2026-12-31T18:60Z", "is not a date"},
	{"may until 2026-12-31T18:00:60Z", "is not a date"},
	{"may until 2026-12-31T18:00", "is not a date"},
	{"may until 2026-12-31T18Z", "is not a date"},
	{"may until 2026-12-31T18:00+01:00", "is not a date"},
	{"may until 1969-12-30", "is not a date"},
	{"may until 2106-02-08", "is too late"},
	{"may until 2026-12-31 18:00", "'18:00' is not understood"},
	{"may encrypt", "'encrypt' is not understood"},
	{"may ; a\tb", "control character"},
	{"may ; \x1b[31m", "control character"},
	{"may ; \xfc", "not UTF-8"},
	{"may ; \xc0\xaf", "not UTF-8"},
	{"may ; \xed\xa0\x80", "not UTF-8"},
	{"may ; \xf4\x90\x80\x80", "not UTF-8"},
	{"may ; \xe2\x82", "not UTF-8"},
	{"may ; \xc2\x9b[31m", "control character"},
};

static void check_good(void)
{
	struct exception_terms terms, again;
	char error[EXCEPTION_ERROR_SIZE], printed[EXCEPTION_REASON_MAX + 64];
	struct text text;

	many_begin("what can be read, and is printed so that it reads the same");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		bool read = exception_parse(good[i].text, &terms, error);
		many(read && terms.level == good[i].level && terms.until == good[i].until &&
				strcmp(terms.reason, good[i].reason) == 0,
			"%s: %s, until %u (expected %u), %s", good[i].text,
			read ? tls_level_names[terms.level] : error, terms.until, good[i].until,
			read ? terms.reason : "");
		text_init(&text, printed, sizeof printed);
		exception_print(&terms, &text);
		many(read && exception_parse(printed, &again, error) &&
				again.level == terms.level && again.until == terms.until &&
				strcmp(again.reason, terms.reason) == 0,
			"%s: printed as %s", good[i].text, printed);
	}
	many_end();
}

static void check_bad(void)
{
	struct exception_terms terms;
	char error[EXCEPTION_ERROR_SIZE];
	char longest[EXCEPTION_REASON_MAX + 16] = "may;";

	many_begin("what cannot be read");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		strcpy(error, "it was taken");
		bool read = exception_parse(bad[i].text, &terms, error);
		many(!read && strstr(error, bad[i].words) != NULL, "%s: %s", bad[i].text, error);
	}
	many_end();
	memset(longest + 4, 'x', EXCEPTION_REASON_MAX);
	ok(exception_parse(longest, &terms, error), "the longest reason");
	longest[4 + EXCEPTION_REASON_MAX] = 'x';
	ok(!exception_parse(longest, &terms, error), "and one that is longer");
}

static void check_dates(void)
{
	char date[EXCEPTION_DATE_SIZE];

	is_string(exception_print_date(NEW_YEARS_EVE + DAY, date), "2026-12-31", "a whole day");
	is_string(exception_print_date(NEW_YEARS_EVE + 60, date), "2026-12-31T00:01Z", "a minute");
	is_string(
		exception_print_date(NEW_YEARS_EVE + 1, date), "2026-12-31T00:00:01Z", "a second");
	is_string(exception_print_date(EXCEPTION_FOREVER, date), "", "without an end");
	is_string(exception_print_date(0, date), "1970-01-01T00:00Z", "the beginning");
}

int main(void)
{
	check_good();
	check_bad();
	check_dates();
	return done_testing();
}
