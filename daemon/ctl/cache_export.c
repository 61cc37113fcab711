/*
 * cache export: the policies in the cache as a table for postmap(1). Nothing is printed until the
 * table is complete: mail to a destination that is missing from it would go out without DANE.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/temp_file.h"

#include <string.h>

struct table {
	struct temp_file temp;
	bool bad_key; /* the daemon sent a key that postmap(1) cannot read */
};

static bool take_line(void *context, const json_t *entry)
{
	struct table *table = context;
	struct temp_file *temp = &table->temp;
	const char *key = client_string(entry, "key"), *value = client_string(entry, "value");

	/* postmap(1) would read this line as something other than a key and a value. */
	if (key[0] == '\0' || key[0] == '#' || strchr(key, ' ') != NULL || value[0] == '\0') {
		log_error("tlsad sent the key '%.300s', which postmap(1) cannot read, so no table "
			  "was printed: flush that destination from the cache",
			key);
		table->bad_key = true;
		return false;
	}
	if (temp->json)
		return temp_file_add(temp, entry);
	return fprintf(temp->file, "%s %s\n", key, value) > 0;
}

int cache_export_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *map = "policy";
	const struct argument table[] = {
		{"map", 'm', ARGUMENT_TEXT, "NAME",
			"the map whose policies to print, default policy", &map, 0, 0, NULL},
	};
	struct table lines = {.bad_key = false};
	int status = arguments_parse(ctl, command, table, 1, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!client_check_argument(command, "--map", map))
		return EX_USAGE;
	status = EX_IOERR;
	if (temp_file_open(&lines.temp, ctl->json)) {
		status = client_stream(ctl, json_pack("{s:s, s:s}", "verb", "export", "map", map),
			take_line, &lines);
		status = lines.bad_key ? EX_UNAVAILABLE : temp_file_finish(&lines.temp, status);
	}
	temp_file_close(&lines.temp);
	return status;
}
