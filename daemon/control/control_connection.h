/*
 * control_connection: what control.c, the verbs, and control_stream.c, the lists, share.
 */
#ifndef TLSAD_CONTROL_CONTROL_CONNECTION_H
#define TLSAD_CONTROL_CONTROL_CONNECTION_H

#include "daemon/answer/socketmap.h"
#include "daemon/control/control.h"
#include "daemon/loop/mailbox.h"

#include <event2/bufferevent.h>
#include <sys/queue.h>

enum {
	/* [bytes] A list goes on when no more than this waits to be written. */
	CONTROL_OUTPUT_LOW = 16384,
	CONTROL_OUTPUT_HIGH = 65536,  /* and pauses above */
	CONTROL_UNREAD_MAX = 4 << 20, /* of other answers; then no request is read */
	CONTROL_PAUSE = 1,            /* [s] until accepting is tried again */
};

struct control_stream;

struct control_connection {
	TAILQ_ENTRY(control_connection) link;
	struct control *control;
	struct bufferevent *buffer;
	unsigned wait_count;           /* lookups and flushes under way */
	struct control_stream *stream; /* a list that is being sent, or NULL */
};

struct control {
	struct control_services services;
	struct conf *conf;
	struct listeners *listeners; /* NULL: nothing is accepted any more */
	struct event **accepting;    /* one for each */
	struct event *resuming;      /* accepting, which is paused for want of descriptors */
	struct mailbox mailbox;
	uint32_t started; /* [s], clock_steady() */
	unsigned connection_count;
	TAILQ_HEAD(, control_connection) connections;
	TAILQ_HEAD(, control_wait) waits;
	struct socketmap_counters counters; /* of no interest: nobody asks them as Postfix */
	struct socketmap socketmap;
	char reply[SOCKETMAP_REPLY_MAX + 1]; /* of a map */
};

/* Each takes the object; `id` may be NULL. */
void control_answer(struct control_connection *connection, json_t *id, json_t *object);
void control_entry(struct control_connection *connection, json_t *id, json_t *entry);
void control_refuse(struct control_connection *connection, json_t *id, const char *words);

/* Something is no longer in the way: handle what waits in the input. The connection may end. */
void control_read_on(struct control_connection *connection);

/* --- control_stream.c ---------------------------------------------------------------------- */

void control_list(struct control_connection *connection, json_t *id, json_t *request);
void control_export(struct control_connection *connection, json_t *id, json_t *request);
void control_continue_stream(struct control_connection *connection);
void control_end_stream(struct control_connection *connection);

#endif
