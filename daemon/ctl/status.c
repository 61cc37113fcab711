/*
 * status: what the daemon says of itself.
 */
#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/terminal.h"
#include "daemon/ctl/frame/time_text.h"

#include <string.h>

enum { INDENT = 2, LABEL_SIZE = 64, WORDS_SIZE = 2048 };

/* A member's name in words: `max_size` is "max size". */
static const char *label_of(char label[LABEL_SIZE], const char *member)
{
	snprintf(label, LABEL_SIZE, "%s", member);
	for (char *at = label; (at = strchr(at, '_')) != NULL;)
		*at = ' ';
	return label;
}

static void add_value(struct text *text, const json_t *value)
{
	const json_t *element;
	size_t i;

	if (json_is_string(value))
		text_add(text, json_string_value(value));
	else if (json_is_integer(value))
		text_add_format(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		text_add_format(text, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		text_add(text, json_is_true(value) ? "yes" : "no");
	else if (!json_is_array(value))
		text_add(text, "-");
	json_array_foreach(value, i, element)
	{
		if (i > 0)
			text_add(text, ", ");
		add_value(text, element);
	}
}

static unsigned widest(const json_t *object)
{
	const char *member;
	json_t *value;
	size_t width = 0;

	json_object_foreach((json_t *)object, member, value)
	{
		if (!json_is_object(value) && strlen(member) > width)
			width = strlen(member);
	}
	return (unsigned)width;
}

/* Members that are durations and dates: how long the daemon runs, and since when. */
static void add_known(struct text *text, const char *member, const json_t *value)
{
	char words[TIME_TEXT_SIZE];

	if (json_is_integer(value) && strcmp(member, "uptime") == 0)
		text_add(text, time_text_duration(words, json_integer_value(value)));
	else if (json_is_integer(value) && strcmp(member, "started") == 0)
		text_add(text, time_text_date(words, json_integer_value(value)));
	else
		add_value(text, value);
}

/* Values first, then what has members of its own, under a heading. */
static void print_object(const struct terminal *terminal, const json_t *object, unsigned indent)
{
	char label[LABEL_SIZE], words[WORDS_SIZE];
	unsigned width = widest(object);
	const char *member;
	json_t *value;
	struct text text;

	json_object_foreach((json_t *)object, member, value)
	{
		if (json_is_object(value))
			continue;
		text_init(&text, words, sizeof words);
		add_known(&text, member, value);
		terminal_print_row(terminal, indent, TERMINAL_PLAIN, label_of(label, member), width,
			"%s", words);
	}
	json_object_foreach((json_t *)object, member, value)
	{
		if (!json_is_object(value))
			continue;
		if (indent == 0)
			terminal_print_blank(terminal);
		terminal_print_row(
			terminal, indent, TERMINAL_STRONG, label_of(label, member), 0, "%s", "");
		print_object(terminal, value, indent + INDENT);
	}
}

static int report(const struct ctl *ctl, const json_t *status)
{
	struct terminal terminal;

	if (!json_is_object(status)) {
		log_error("tlsad answered without a status");
		return EX_UNAVAILABLE;
	}
	if (ctl->json) {
		json_output_print(status);
	} else {
		terminal_open(&terminal, stdout);
		print_object(&terminal, status, 0);
	}
	return CTL_YES;
}

int status_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct response response;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	json_t *request = json_pack("{s:s}", "verb", "status");
	if (client_ask(ctl, request, EX_UNAVAILABLE, &response, &status)) {
		status = report(ctl, json_object_get(response.object, "status"));
		response_clear(&response);
	}
	return status;
}
