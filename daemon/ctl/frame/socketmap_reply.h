/*
 * socketmap_reply: the reply that a socketmap client reads (socketmap_table(5)), taken apart, and
 * the exit status of a command that got it. No state, no I/O.
 */
#ifndef TLSAD_CTL_FRAME_SOCKETMAP_REPLY_H
#define TLSAD_CTL_FRAME_SOCKETMAP_REPLY_H

#include <stdbool.h>

struct socketmap_reply {
	const char *status; /* `OK`, `NOTFOUND`, `TEMP`, `TIMEOUT` or `PERM` */
	const char *text;   /* the value, or the reason; empty where there is none */
	int exit_status;
};

/* False if the line has none of these statuses. `reply` points into `line` and to constants. */
bool socketmap_reply_parse(struct socketmap_reply *reply, const char *line);

#endif
