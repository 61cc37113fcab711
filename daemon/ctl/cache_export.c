/*
 * cache export: the answers that are in the cache as a table for postmap(1). Nothing of it is
 * shown before all of it is there: destinations that are missing from a table go out without DANE.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/spool.h"

#include <string.h>

struct table {
	struct spool spool;
	bool odd; /* a key that is none has come */
};

static bool take_line(void *context, const json_t *entry)
{
	struct table *table = context;
	struct spool *spool = &table->spool;
	const char *key = client_string(entry, "key"), *value = client_string(entry, "value");

	/* What would not be a line with a key and a value to postmap(1). */
	if (key[0] == '\0' || key[0] == '#' || strchr(key, ' ') != NULL || value[0] == '\0') {
		log_error("tlsad gave '%.300s' as a key, which is none", key);
		table->odd = true;
		return false;
	}
	if (spool->json)
		return spool_add(spool, entry);
	return fprintf(spool->file, "%s %s\n", key, value) > 0;
}

int cache_export_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *map = "policy";
	const struct argument table[] = {
		{"map", 'm', ARGUMENT_TEXT, "NAME", "policy (the default), native or pinned", &map,
			0, 0, NULL},
	};
	struct table lines = {.odd = false};
	int status = arguments_parse(ctl, command, table, 1, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	status = EX_IOERR;
	if (spool_open(&lines.spool, ctl->json)) {
		status = client_stream(ctl, json_pack("{s:s, s:s}", "verb", "export", "map", map),
			take_line, &lines);
		if (lines.odd)
			status = EX_UNAVAILABLE;
		/* When writing to the spool failed, its words. */
		else if ((status == CTL_YES || ferror(lines.spool.file) != 0) &&
			 !spool_print(&lines.spool, ""))
			status = EX_IOERR;
	}
	spool_close(&lines.spool);
	return status;
}
