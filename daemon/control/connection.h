/*
 * connection: one client of the control socket: requests in, responses out, in netstrings. What the
 * requests ask for is verbs.h's business.
 *
 * Main thread.
 */
#ifndef TLSAD_CONTROL_CONNECTION_H
#define TLSAD_CONTROL_CONNECTION_H

#include "common/verdict/render.h"
#include "daemon/answer/map_service.h"
#include "daemon/control/control.h"
#include "daemon/loop/mailbox.h"

#include <event2/bufferevent.h>
#include <sys/queue.h>

enum {
	/* [bytes] A list goes on when no more than this waits to be written. */
	CONTROL_OUTPUT_LOW = 16384,
	CONTROL_OUTPUT_HIGH = 65536,  /* and pauses above */
	CONTROL_UNREAD_MAX = 4 << 20, /* of other responses; then no request is read */
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
	unsigned connection_count;
	TAILQ_HEAD(, control_connection) connections;
	TAILQ_HEAD(, control_wait) waits;
	struct map_counters counters; /* of no interest: nobody asks here as Postfix does */
	struct reply_context context;
	struct map_service maps;
	char reply[RENDER_REPLY_MAX + 1]; /* as text */
};

/* --- responses: each takes the object; `id` may be NULL ------------------------------------- */

void control_respond(struct control_connection *connection, json_t *id, json_t *object);
void control_send_entry(struct control_connection *connection, json_t *id, json_t *entry);
void control_send_error(struct control_connection *connection, json_t *id, const char *words);

/* --- connections --------------------------------------------------------------------------- */

/* Take over an accepted socket; closed when there is no memory. */
void control_connection_open(struct control *control, int accepted);
void control_connection_free(struct control_connection *connection);

/* Say that there are too many connections, and close the socket. */
void control_connection_refuse(int accepted);

/* Something is no longer in the way: handle what waits in the input. The connection may end. */
void control_connection_resume(struct control_connection *connection);

#endif
