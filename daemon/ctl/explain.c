/*
 * explain: shows how the daemon's reply comes about.
 */
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/explanation.h"

int explain_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *key = NULL;
	struct response response;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, &key);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!client_check_argument(command, "DEST", key))
		return EX_USAGE;
	json_t *request = json_pack("{s:s, s:s}", "verb", "explain", "key", key);
	if (client_ask(ctl, request, EX_TEMPFAIL, &response, &status)) {
		status = explanation_print(ctl, json_object_get(response.object, "explanation"));
		response_clear(&response);
	}
	return status;
}
