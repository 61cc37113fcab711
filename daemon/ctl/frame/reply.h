/*
 * reply: what a socketmap client gets (socketmap_table(5)), and the exit status it makes.
 */
#ifndef TLSAD_CTL_FRAME_REPLY_H
#define TLSAD_CTL_FRAME_REPLY_H

#include <stdbool.h>

struct reply_words {
	const char *status; /* `OK`, `NOTFOUND`, `TEMP`, `TIMEOUT` or `PERM` */
	const char *text;   /* the value, or the reason; empty where there is none */
	int exit_status;
};

/* False when it is none of these. `words` points into `reply` and to constants. */
bool reply_read(struct reply_words *words, const char *reply);

#endif
