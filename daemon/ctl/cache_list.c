/*
 * cache list: every entry of the cache. Text is printed line by line as entries arrive, JSON when
 * the array is complete.
 */
#include "common/base/text.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/temp_file.h"
#include "daemon/ctl/frame/time_text.h"

#include <string.h>

/* The name is the last column because it can be long. */
#define COLUMNS "%-7s  %-11s  %-8s  %5s  %s\n"

static bool take_line(void *context, const json_t *entry)
{
	size_t *lines = context;
	const char *dnssec = client_string(entry, "dnssec");
	json_int_t port = client_integer(entry, "port");
	char left[TIME_TEXT_SIZE], name[400];
	struct text text;

	text_init(&text, name, sizeof name);
	text_add(&text, client_string(entry, "name"));
	if (port != 0)
		text_add_format(&text, ":%" JSON_INTEGER_FORMAT, port);
	if (json_is_true(json_object_get(entry, "stale")))
		text_add(&text, " (expired, still used)");
	if ((*lines)++ == 0)
		printf(COLUMNS, "KIND", "STATUS", "DNSSEC", "LEFT", "NAME");
	printf(COLUMNS, client_string(entry, "kind"),
		strcmp(client_string(entry, "status"), "") != 0 ? client_string(entry, "status")
								: "-",
		dnssec[0] != '\0' ? dnssec : "-",
		time_text_duration_short(left, client_integer(entry, "ttl")), name);
	/* Stop when the reader has closed the pipe, as head(1) does. */
	return ferror(stdout) == 0;
}

static bool take_element(void *context, const json_t *entry)
{
	return temp_file_add(context, entry);
}

static int list_json(const struct ctl *ctl, json_t *request)
{
	struct temp_file temp;
	int status = EX_IOERR;

	if (temp_file_open(&temp, true)) {
		status = temp_file_finish(&temp, client_stream(ctl, request, take_element, &temp));
	} else {
		json_decref(request);
	}
	temp_file_close(&temp);
	return status;
}

int cache_list_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	size_t lines = 0;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	json_t *request = json_pack("{s:s}", "verb", "list");
	return ctl->json ? list_json(ctl, request) : client_stream(ctl, request, take_line, &lines);
}
