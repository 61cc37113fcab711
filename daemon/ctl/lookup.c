/*
 * lookup: prints the reply that Postfix would get. Standard output has only the value, like that of
 * "postmap -q", so that scripts can use it; standard error says why there is no value.
 */
#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/answer/maps.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/socketmap_reply.h"

#include <string.h>

enum { KEY_SHOWN_MAX = 300 };

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

/* Not an error: Postfix gets this reply for most destinations. */
static void print_not_found(const char *key, const char *map)
{
	const struct map *found = map_find(map, strlen(map));
	char shown[4 * KEY_SHOWN_MAX + 1];
	struct text text;

	text_init(&text, shown, sizeof shown);
	text_add_escaped(&text, key, strnlen(key, KEY_SHOWN_MAX));
	if (found != NULL && map_is_policy_table(found))
		fprintf(stderr,
			"NOTFOUND: tlsad gives no policy for %s, so Postfix uses its "
			"smtp_tls_security_level; \"tlsactl explain %s\" shows why\n",
			shown, shown);
	else
		fprintf(stderr, "NOTFOUND: the map %.32s has no value for %s\n",
			found != NULL ? found->name : "", shown);
}

static int report(const struct ctl *ctl, const char *key, const char *map, const char *line)
{
	struct socketmap_reply reply;

	if (!socketmap_reply_parse(&reply, line)) {
		log_error("tlsad sent '%.100s', which is not a socketmap reply; do tlsad and "
			  "tlsactl have the same version?",
			line);
		return EX_UNAVAILABLE;
	}
	if (ctl->json)
		print_json(key, map, &reply);
	else if (reply.exit_status == CTL_YES)
		puts(reply.text);
	else if (strcmp(reply.status, "NOTFOUND") == 0)
		print_not_found(key, map);
	else if (strcmp(reply.status, "PERM") == 0)
		log_error("PERM: --map %.100s: %s", map, reply.text);
	else
		log_error("%s: %s", reply.status, reply.text);
	return reply.exit_status;
}

int lookup_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *map = "policy", *key = NULL;
	const struct argument table[] = {
		{"map", 'm', ARGUMENT_TEXT, "NAME", "the map to ask, default policy", &map, 0, 0,
			NULL},
	};
	struct response response;
	int status = arguments_parse(ctl, command, table, 1, count, arguments, &key);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!client_check_argument(command, "--map", map) ||
		!client_check_argument(command, "DEST", key))
		return EX_USAGE;
	json_t *request = json_pack("{s:s, s:s, s:s}", "verb", "lookup", "map", map, "key", key);
	if (client_ask(ctl, request, EX_TEMPFAIL, &response, &status)) {
		status = report(ctl, key, map, client_string(response.object, "reply"));
		response_clear(&response);
	}
	return status;
}
