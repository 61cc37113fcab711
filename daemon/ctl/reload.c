/*
 * reload: makes the daemon read its configuration again, like SIGHUP, and prints what has changed.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/terminal.h"

enum { LABEL_WIDTH = 8 };

static size_t print_settings(const struct terminal *terminal, const json_t *settings,
	enum terminal_style style, const char *label, const char *words)
{
	const json_t *setting;
	size_t i;

	json_array_foreach(settings, i, setting)
	{
		const char *name = json_string_value(setting);
		terminal_print_row(terminal, 0, style, label, LABEL_WIDTH, "%s%s",
			name != NULL ? name : "", words);
	}
	return json_array_size(settings);
}

static void print_text(const json_t *changed, const json_t *restart)
{
	struct terminal terminal;

	terminal_open(&terminal, stdout);
	if (print_settings(&terminal, changed, TERMINAL_GOOD, "changed", "") +
			print_settings(&terminal, restart, TERMINAL_WARNING, "restart",
				": applied when tlsad restarts") ==
		0)
		puts("nothing has changed");
}

static void print_json(json_t *changed, json_t *restart)
{
	json_t *object = json_object();

	json_object_set(object, "changed", changed);
	json_object_set(object, "restart", restart);
	json_output_print_new(object);
}

int reload_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct response response;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!client_ask(ctl, json_pack("{s:s}", "verb", "reload"), CTL_NO, &response, &status))
		return status;
	status = CTL_YES;
	json_t *changed = json_object_get(response.object, "changed");
	json_t *restart = json_object_get(response.object, "restart");
	if (!json_is_array(changed) || !json_is_array(restart)) {
		client_log_missing("changed");
		status = EX_UNAVAILABLE;
	} else if (ctl->json) {
		print_json(changed, restart);
	} else {
		print_text(changed, restart);
	}
	response_clear(&response);
	return status;
}
