/*
 * cache show: explains a destination from the cache alone; nothing is looked up.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/explanation.h"

static int report(const struct ctl *ctl, const char *key, const json_t *explanation)
{
	if (json_is_null(explanation)) {
		log_error("%.300s: the cache does not have all of it; \"tlsactl explain\" looks it "
			  "up",
			key);
		return CTL_NO;
	}
	/* Success means that the reply is in the cache, whatever the reply is. */
	return explanation_print(ctl, explanation) == EX_UNAVAILABLE ? EX_UNAVAILABLE : CTL_YES;
}

int cache_show_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *key = NULL;
	struct response response;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, &key);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!client_check_argument(command, "DEST", key))
		return EX_USAGE;
	json_t *request = json_pack("{s:s, s:s}", "verb", "show", "key", key);
	if (client_ask(ctl, request, CTL_NO, &response, &status)) {
		status = report(ctl, key, json_object_get(response.object, "explanation"));
		response_clear(&response);
	}
	return status;
}
