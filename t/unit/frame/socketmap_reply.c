/*
 * socketmap_reply: every status with its exit status, and lines that are not a reply.
 */
#include "daemon/ctl/frame/socketmap_reply.h"

#include "t/unit/tap.h"

#include <sysexits.h>

static const struct {
	const char *line;
	const char *status; /* NULL: not a reply */
	const char *text;
	int exit_status;
} rows[] = {
	{"OK dane-only", "OK", "dane-only", 0},
	{"OK secure match=a:b", "OK", "secure match=a:b", 0},
	{"NOTFOUND ", "NOTFOUND", "", 1},
	{"TEMP no answer", "TEMP", "no answer", EX_TEMPFAIL},
	{"TIMEOUT ", "TIMEOUT", "", EX_TEMPFAIL},
	{"PERM no such map", "PERM", "no such map", 1},
	{"", NULL, NULL, 0},
	{"OK", NULL, NULL, 0},
	{"OKAY dane-only", NULL, NULL, 0},
	{"ok dane-only", NULL, NULL, 0},
	{" OK dane-only", NULL, NULL, 0},
};

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct socketmap_reply reply = {.exit_status = -1};
		bool good = socketmap_reply_parse(&reply, rows[i].line);

		if (!ok(good == (rows[i].status != NULL), "'%s'", rows[i].line) || !good)
			continue;
		is_string(reply.status, rows[i].status, "'%s': status", rows[i].line);
		is_string(reply.text, rows[i].text, "'%s': text", rows[i].line);
		is_number(
			reply.exit_status, rows[i].exit_status, "'%s': exit status", rows[i].line);
	}
	return done_testing();
}
