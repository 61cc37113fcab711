#include "common/site/exception.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY = 24 * 60 * 60 };

/*
 * Levels of smtp_tls_policy_maps that need no attributes (postconf(5)). `fingerprint` is missing:
 * it needs digests, which an exception cannot give.
 */
static const enum tls_level levels[] = {
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_DANE,
	TLS_LEVEL_DANE_ONLY,
	TLS_LEVEL_VERIFY,
	TLS_LEVEL_SECURE,
};

enum { LEVEL_COUNT = sizeof levels / sizeof levels[0] };

const char *exception_level(size_t n)
{
	return n < LEVEL_COUNT ? tls_level_names[levels[n]] : NULL;
}

bool exception_parse_level(const char *word, size_t size, enum tls_level *level)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++) {
		if (text_equal_nocase(word, size, tls_level_names[levels[i]])) {
			*level = levels[i];
			return true;
		}
	}
	return false;
}

/* --- dates --------------------------------------------------------------------------------- */

/* Does the word have this form, in which 0 means any digit? */
static bool has_form(const char *word, size_t size, const char *form)
{
	if (size != strlen(form))
		return false;
	for (size_t i = 0; i < size; i++) {
		bool digit = word[i] >= '0' && word[i] <= '9';
		if (form[i] == '0' ? !digit : word[i] != form[i])
			return false;
	}
	return true;
}

static int digits(const char *word, size_t count)
{
	int value = 0;
	for (size_t i = 0; i < count; i++)
		value = value * 10 + (word[i] - '0');
	return value;
}

/* The last day whose end is below EXCEPTION_FOREVER. */
#define LAST_DATE "2106-02-06"

static bool read_moment(const char *word, size_t size, int64_t *time)
{
	bool day = has_form(word, size, "0000-00-00");
	bool seconds = has_form(word, size, "0000-00-00T00:00:00Z");
	struct tm moment = {.tm_isdst = 0};

	if (!day && !seconds && !has_form(word, size, "0000-00-00T00:00Z"))
		return false;
	moment.tm_year = digits(word, 4) - 1900;
	moment.tm_mon = digits(word + 5, 2) - 1;
	moment.tm_mday = digits(word + 8, 2);
	moment.tm_hour = day ? 0 : digits(word + 11, 2);
	moment.tm_min = day ? 0 : digits(word + 14, 2);
	moment.tm_sec = seconds ? digits(word + 17, 2) : 0;
	struct tm as_written = moment;
	*time = timegm(&moment);
	/* timegm() makes the 31st of February a day in March; here it is an error. */
	if (moment.tm_mon != as_written.tm_mon || moment.tm_mday != as_written.tm_mday ||
		moment.tm_hour != as_written.tm_hour || moment.tm_min != as_written.tm_min ||
		moment.tm_sec != as_written.tm_sec)
		return false;
	if (day)
		*time += DAY;
	return *time >= 0;
}

bool exception_parse_date(
	const char *word, size_t size, uint32_t *until, char error[EXCEPTION_ERROR_SIZE])
{
	enum { SHOWN_MAX = 60 };
	int shown = (int)(size < SHOWN_MAX ? size : SHOWN_MAX);
	int64_t time = 0;

	if (!read_moment(word, size, &time)) {
		snprintf(error, EXCEPTION_ERROR_SIZE,
			"'%.*s' is not a date; write 2026-12-31 or 2026-12-31T18:00Z (UTC)", shown,
			word);
		return false;
	}
	if (time >= EXCEPTION_FOREVER) {
		snprintf(error, EXCEPTION_ERROR_SIZE,
			"'%.*s' is too late: the last possible date is " LAST_DATE
			"; without a date an exception does not end",
			shown, word);
		return false;
	}
	*until = (uint32_t)time;
	return true;
}

const char *exception_print_date(uint32_t until, char date[EXCEPTION_DATE_SIZE])
{
	/* An end at midnight is written as the day before, which is its last day. */
	time_t shown = until % DAY == 0 && until > 0 ? (time_t)until - DAY : (time_t)until;
	const char *form = until % DAY == 0 && until > 0 ? "%Y-%m-%d"
			   : until % 60 == 0             ? "%Y-%m-%dT%H:%MZ"
							 : "%Y-%m-%dT%H:%M:%SZ";
	struct tm moment;

	date[0] = '\0';
	if (until != EXCEPTION_FOREVER && gmtime_r(&shown, &moment) != NULL)
		strftime(date, EXCEPTION_DATE_SIZE, form, &moment);
	return date;
}

/* --- the whole ----------------------------------------------------------------------------- */

bool exception_check_reason(const char *reason, char error[EXCEPTION_ERROR_SIZE])
{
	const char *words = NULL;

	if (strlen(reason) > EXCEPTION_REASON_MAX)
		words = "the reason is longer than 500 bytes; shorten it";
	/* It is shown on terminals and in logs. */
	else if (!text_is_showable(reason))
		words = "the reason is not UTF-8 or contains a control character";
	if (words != NULL)
		snprintf(error, EXCEPTION_ERROR_SIZE, "%s", words);
	return words == NULL;
}

static size_t blanks(const char *text)
{
	return strspn(text, " \t");
}

static bool refuse_level(const char *word, size_t size, char error[EXCEPTION_ERROR_SIZE])
{
	struct text text;

	text_init(&text, error, EXCEPTION_ERROR_SIZE);
	text_add_format(&text, "'%.*s' is not a level for an exception; use one of",
		(int)(size < 60 ? size : 60), word);
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		text_add_format(&text, "%s %s", i > 0 ? "," : "", tls_level_names[levels[i]]);
	return false;
}

bool exception_parse(
	const char *text, struct exception_terms *terms, char error[EXCEPTION_ERROR_SIZE])
{
	static const char ends[] = " \t;";
	static const char until[] = "until";
	const char *word = text + blanks(text);
	size_t size = strcspn(word, ends);

	*terms = (struct exception_terms){.until = EXCEPTION_FOREVER, .reason = ""};
	if (!exception_parse_level(word, size, &terms->level))
		return refuse_level(word, size, error);
	word += size;
	word += blanks(word);
	size = strcspn(word, ends);
	if (size > 0 && text_equal_nocase(word, size, until)) {
		word += size;
		word += blanks(word);
		size = strcspn(word, ends);
		if (!exception_parse_date(word, size, &terms->until, error))
			return false;
		word += size;
		word += blanks(word);
	}
	if (*word == ';') {
		terms->reason = word + 1 + blanks(word + 1);
		return exception_check_reason(terms->reason, error);
	}
	if (*word == '\0')
		return true;
	snprintf(error, EXCEPTION_ERROR_SIZE,
		"'%.60s' is not understood; write LEVEL [until DATE] [; REASON]", word);
	return false;
}

void exception_print(const struct exception_terms *terms, struct text *out)
{
	char date[EXCEPTION_DATE_SIZE];

	text_add(out, tls_level_names[terms->level]);
	if (terms->until != EXCEPTION_FOREVER)
		text_add_format(out, " until %s", exception_print_date(terms->until, date));
	if (terms->reason[0] != '\0')
		text_add_format(out, " ; %s", terms->reason);
}
