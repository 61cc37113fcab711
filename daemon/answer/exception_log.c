#include "daemon/answer/exception_log.h"

#include "common/base/clock.h"
#include "common/base/log.h"

/*
 * [s] An exception that ended longer ago is not logged at a start: only its line was not removed.
 */
enum { END_AGE_MAX = 24 * 60 * 60 };

/* `example.org = may until 2026-12-31` */
static void describe(const struct exception *exception, char *bytes, size_t size)
{
	struct exception_terms terms = {exception->level, exception->until, ""};
	struct text text;

	text_init(&text, bytes, size);
	text_add_format(&text, "%s = ", exception->key);
	exception_print(&terms, &text);
}

static const char *colon(const struct exception *exception)
{
	return exception->reason[0] != '\0' ? ": " : "";
}

void exception_log_note_use(struct exception *exception, const struct destination *destination)
{
	char words[RULES_KEY_SIZE + 64], key[DESTINATION_KEY_SIZE];

	if (!exception_note_use(exception, clock_wall()))
		return;
	describe(exception, words, sizeof words);
	destination_print(destination, key);
	log_notice("exception %s: used for %s; further uses today are not logged%s%s", words, key,
		colon(exception), exception->reason);
}

void exception_log_note_end(struct exception *exception)
{
	char words[RULES_KEY_SIZE + 64];

	if (!exception_note_end(exception))
		return;
	describe(exception, words, sizeof words);
	log_notice("exception %s: it has ended and can be removed%s%s", words, colon(exception),
		exception->reason);
}

void exception_log_note_ends(const struct rules *rules)
{
	uint32_t now = clock_wall();
	struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(rules, i)) != NULL; i++) {
		if (!exception_in_force(exception, now))
			exception_log_note_end(exception);
	}
}

void exception_log_begin(struct rules *rules, const struct rules *old)
{
	uint32_t now = clock_wall();
	struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(rules, i)) != NULL; i++) {
		if (!exception_in_force(exception, now) && now - exception->until > END_AGE_MAX)
			exception_note_end(exception);
	}
	rules_inherit(rules, old);
}
