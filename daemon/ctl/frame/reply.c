#include "daemon/ctl/frame/reply.h"

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

bool reply_read(struct reply_words *words, const char *reply)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		size_t length = strlen(statuses[i].status);
		if (strncmp(reply, statuses[i].status, length) != 0 || reply[length] != ' ')
			continue;
		*words = (struct reply_words){
			statuses[i].status, reply + length + 1, statuses[i].exit_status};
		return true;
	}
	return false;
}
