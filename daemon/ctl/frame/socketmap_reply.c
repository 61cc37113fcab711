#include "daemon/ctl/frame/socketmap_reply.h"

#include "daemon/ctl/frame/command.h"

#include <string.h>

static const struct {
	const char *status;
	int exit_status;
} statuses[] = {
	{"OK", CTL_YES},
	{"NOTFOUND", CTL_NO},
	{"TEMP", EX_TEMPFAIL},
	{"TIMEOUT", EX_TEMPFAIL},
	{"PERM", CTL_NO},
};

bool socketmap_reply_parse(struct socketmap_reply *reply, const char *line)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		size_t length = strlen(statuses[i].status);
		if (strncmp(line, statuses[i].status, length) != 0 || line[length] != ' ')
			continue;
		*reply = (struct socketmap_reply){
			statuses[i].status, line + length + 1, statuses[i].exit_status};
		return true;
	}
	return false;
}
