/*
 * exception list: the exceptions in the configuration and in exceptions_file, each with its state.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/minimum.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/configuration.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/terminal.h"

#include <jansson.h>
#include <string.h>

struct exception_state {
	const char *words;
	enum terminal_style style;
};

static struct exception_state state_of(
	const struct conf *conf, const struct exception *exception, uint32_t now)
{
	struct ruling ruling;

	if (!exception_in_force(exception, now))
		return (struct exception_state){"ended", TERMINAL_FAINT};
	rules_find_key(conf->rules, exception->key, now, &ruling);
	enum exception_effect effect = exception_effect(ruling.minimum, exception->level);
	return (struct exception_state){exception_effect_text(effect),
		effect == EXCEPTION_HOLDS ? TERMINAL_WARNING : TERMINAL_PLAIN};
}

static void print_text(const struct conf *conf, uint32_t now)
{
	const struct exception *exception;
	struct terminal terminal;
	size_t width = 0;

	terminal_open(&terminal, stdout);
	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++)
		width = strlen(exception->key) > width ? strlen(exception->key) : width;
	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++) {
		struct exception_state state = state_of(conf, exception, now);
		char date[EXCEPTION_DATE_SIZE];

		exception_print_date(exception->until, date);
		terminal_print_row(&terminal, 0, state.style, exception->key, (unsigned)width,
			"%s%s%s, %s, %s:%u%s%s", tls_level_names[exception->level],
			date[0] != '\0' ? " until " : "", date, state.words, exception->place.file,
			exception->place.line, exception->reason[0] != '\0' ? "; " : "",
			exception->reason);
	}
}

static json_t *exception_object(
	const struct conf *conf, const struct exception *exception, uint32_t now)
{
	json_t *object = json_object();
	char date[EXCEPTION_DATE_SIZE];

	json_object_set_new(object, "domain", json_string(exception->key));
	json_object_set_new(object, "level", json_string(tls_level_names[exception->level]));
	json_object_set_new(object, "until",
		exception->until == EXCEPTION_FOREVER
			? json_null()
			: json_string(exception_print_date(exception->until, date)));
	json_object_set_new(object, "why", json_string(exception->reason));
	json_object_set_new(object, "state", json_string(state_of(conf, exception, now).words));
	json_object_set_new(object, "file", json_string(exception->place.file));
	json_object_set_new(object, "line", json_integer(exception->place.line));
	return object;
}

static void print_json(const struct conf *conf, uint32_t now)
{
	json_t *array = json_array();
	const struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++)
		json_array_append_new(array, exception_object(conf, exception, now));
	json_output_print_new(array);
}

int exception_list_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	char error[CONF_ERROR_SIZE];
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	struct conf *conf = configuration_load(ctl, error);
	if (conf == NULL || !conf_load_rules(conf, error)) {
		log_error("%s", error);
		status = EX_CONFIG;
	} else {
		status = CTL_YES;
		if (ctl->json)
			print_json(conf, clock_wall());
		else
			print_text(conf, clock_wall());
	}
	conf_release(conf);
	return status;
}
