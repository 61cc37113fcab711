/*
 * lookup: what Postfix would get.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/socketmap_reply.h"

static void print_json(const char *key, const char *map, const struct socketmap_reply *reply)
{
	json_t *object = json_object();
	bool found = reply->exit_status == CTL_YES;

	json_object_set_new(object, "key", json_string(key));
	json_object_set_new(object, "map", json_string(map));
	json_object_set_new(object, "status", json_string(reply->status));
	json_object_set_new(object, "value", found ? json_string(reply->text) : json_null());
	json_object_set_new(object, "detail",
		found || reply->text[0] == '\0' ? json_null() : json_string(reply->text));
	json_output_print_new(object);
}

static int report(const struct ctl *ctl, const char *key, const char *map, const char *line)
{
	struct socketmap_reply reply;

	/* The reply has the published form (socketmap_table(5)): it is read as Postfix reads it. */
	if (!socketmap_reply_parse(&reply, line)) {
		log_error("tlsad answered '%.100s', which is not a reply", line);
		return EX_UNAVAILABLE;
	}
	if (ctl->json)
		print_json(key, map, &reply);
	else if (reply.exit_status == CTL_YES)
		puts(reply.text);
	else if (reply.text[0] != '\0')
		log_error("%s: %s", reply.status, reply.text);
	return reply.exit_status;
}

int lookup_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *map = "policy", *key = NULL;
	const struct argument table[] = {
		{"map", 'm', ARGUMENT_TEXT, "NAME", "ask this map, default policy", &map, 0, 0,
			NULL},
	};
	struct response response;
	int status = arguments_parse(ctl, command, table, 1, count, arguments, &key);

	if (status != ARGUMENTS_GO_ON)
		return status;
	json_t *request = json_pack("{s:s, s:s, s:s}", "verb", "lookup", "map", map, "key", key);
	if (client_ask(ctl, request, EX_TEMPFAIL, &response, &status)) {
		status = report(ctl, key, map, client_string(response.object, "reply"));
		response_clear(&response);
	}
	return status;
}
