/*
 * socketmap_reply: parses the reply that a socketmap client reads (socketmap_table(5)), and says
 * with which exit status a command reports it. No state, no I/O.
 */
#ifndef TLSAD_CTL_FRAME_SOCKETMAP_REPLY_H
#define TLSAD_CTL_FRAME_SOCKETMAP_REPLY_H

#include <stdbool.h>

struct socketmap_reply {
	const char *status; /* `OK`, `NOTFOUND`, `TEMP`, `TIMEOUT` or `PERM` */
	const char *text;   /* the value or the reason; may be empty */
	int exit_status;
};

/*
 * False if the line does not begin with one of these statuses. `reply` points into `line` and to
 * constants.
 */
bool socketmap_reply_parse(struct socketmap_reply *reply, const char *line);

#endif
