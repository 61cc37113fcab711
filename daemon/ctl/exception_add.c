/*
 * exception add: sets the policy of a destination by hand, until a date.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "daemon/ctl/exception/exception_edit.h"
#include "daemon/ctl/frame/arguments.h"

#include <string.h>

static bool read_level(const char *word, struct exception_terms *terms)
{
	char words[256];
	struct text text;

	if (exception_parse_level(word, strlen(word), &terms->level))
		return true;
	text_init(&text, words, sizeof words);
	for (size_t i = 0; exception_level(i) != NULL; i++)
		text_add_format(&text, "%s%s", i > 0 ? ", " : "", exception_level(i));
	log_error("'%s' is not a level for an exception; use one of %s", word, words);
	return false;
}

static bool read_terms(const char *level, const char *until, struct exception_terms *terms)
{
	char error[EXCEPTION_ERROR_SIZE];

	if (!read_level(level, terms))
		return false;
	if (until != NULL && !exception_parse_date(until, strlen(until), &terms->until, error)) {
		log_error("--until: %s", error);
		return false;
	}
	if (until != NULL && terms->until <= clock_wall()) {
		log_error("--until %s: this is in the past", until);
		return false;
	}
	if (exception_check_reason(terms->reason, error))
		return true;
	log_error("--reason: %s", error);
	return false;
}

int exception_add_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct exception_terms terms = {.until = EXCEPTION_FOREVER, .reason = ""};
	const char *operands[2], *until = NULL;
	const struct argument table[] = {
		{"until", 'u', ARGUMENT_TEXT, "DATE",
			"the last day, as 2026-12-31, or a time in UTC", &until, 0, 0, NULL},
		{"reason", 'r', ARGUMENT_TEXT, "TEXT", "why; shown wherever the exception is",
			&terms.reason, 0, 0, NULL},
	};
	char value[EXCEPTION_REASON_MAX + 64], date[EXCEPTION_DATE_SIZE];
	struct text text;
	int status =
		arguments_parse_operands(ctl, command, table, 2, count, arguments, 2, operands);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!read_terms(operands[1], until, &terms)) {
		arguments_print_usage(command);
		return EX_USAGE;
	}
	text_init(&text, value, sizeof value);
	exception_print(&terms, &text);
	json_t *object = json_object();
	json_object_set_new(object, "level", json_string(tls_level_names[terms.level]));
	json_object_set_new(object, "until",
		until == NULL ? json_null() : json_string(exception_print_date(terms.until, date)));
	json_object_set_new(object, "why", json_string(terms.reason));
	return exception_edit(ctl, operands[0], value, object);
}
