/*
 * connection: one client of the control socket: reads requests and writes responses, in netstrings.
 * verbs.h handles the requests. Internal to daemon/control.
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
	/* [bytes] of output: a list continues below the first, and pauses above the second. */
	CONTROL_OUTPUT_LOW = 16384,
	CONTROL_OUTPUT_HIGH = 65536,
	CONTROL_UNREAD_MAX = 4 << 20, /* [bytes] of output above which no request is read */
};

struct control_stream;

struct control_connection {
	TAILQ_ENTRY(control_connection) link;
	struct control *control;
	struct bufferevent *buffer;
	unsigned wait_count;           /* running lookups and flushes */
	struct control_stream *stream; /* a list that is being sent, or NULL */
};

struct control {
	struct control_services services;
	struct conf *conf;
	struct listeners *listeners; /* NULL: control_stop() was called */
	struct event **accepting;    /* one for each listener */
	struct event *resuming;      /* accepts again after a pause without descriptors */
	struct mailbox mailbox;
	unsigned connection_count;
	TAILQ_HEAD(, control_connection) connections;
	TAILQ_HEAD(, control_wait) waits;
	struct map_counters counters; /* not shown anywhere: requests of tlsactl do not count */
	struct reply_context context;
	struct map_service maps;
	char reply[RENDER_REPLY_MAX + 1]; /* as text */
};

/* --- responses: each owns the object it gets; `id` may be NULL ------------------------------- */

void control_respond(struct control_connection *connection, json_t *id, json_t *object);
void control_send_entry(struct control_connection *connection, json_t *id, json_t *entry);
void control_send_error(struct control_connection *connection, json_t *id, const char *words);

/* --- connections --------------------------------------------------------------------------- */

/* Serve an accepted socket. Out of memory, the socket is closed. */
void control_connection_open(struct control *control, int accepted);
void control_connection_free(struct control_connection *connection);

/* Send the error that there are too many connections, and close the socket. */
void control_connection_refuse(int accepted);

/* A wait is over: handle requests in the input. It may free the connection. */
void control_connection_resume(struct control_connection *connection);

#endif
