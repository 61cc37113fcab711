/*
 * cache flush: deletes a destination, or everything, from the daemon's cache.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"

static int report(const struct ctl *ctl, const json_t *response)
{
	json_int_t flushed = client_integer(response, "flushed");

	if (!json_is_integer(json_object_get(response, "flushed"))) {
		client_log_missing("flushed");
		return EX_UNAVAILABLE;
	}
	if (ctl->json)
		printf("{\n  \"flushed\": %" JSON_INTEGER_FORMAT "\n}\n", flushed);
	else
		printf("%" JSON_INTEGER_FORMAT " entr%s deleted from the cache\n", flushed,
			flushed == 1 ? "y" : "ies");
	return CTL_YES;
}

int cache_flush_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *key = NULL;
	bool all = false;
	const struct argument table[] = {
		{"all", 'a', ARGUMENT_FLAG, NULL, "delete everything", &all, 0, 0, NULL},
	};
	struct response response;
	int status = arguments_parse_optional(ctl, command, table, 1, count, arguments, &key);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (all == (key != NULL)) {
		log_error(all ? "cache flush: '%s' and --all cannot be combined"
			      : "cache flush: name a destination, or use --all",
			key);
		arguments_print_usage(command);
		return EX_USAGE;
	}
	if (key != NULL && !client_check_argument(command, "DEST", key))
		return EX_USAGE;
	json_t *request = all ? json_pack("{s:s, s:b}", "verb", "flush", "all", 1)
			      : json_pack("{s:s, s:s}", "verb", "flush", "key", key);
	if (client_ask(ctl, request, CTL_NO, &response, &status)) {
		status = report(ctl, response.object);
		response_clear(&response);
	}
	return status;
}
