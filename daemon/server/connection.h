/*
 * connection: one connection of a client. It reads bytes, handles the requests in their order and
 * writes the replies.
 *
 * All connections of a thread share its input and its output buffer. A connection has bytes of its
 * own only while a request is incomplete, while a request waits for a lookup, or while the client
 * does not read its replies. In the last two cases nothing more is read from the client, so a
 * client cannot make tlsad store an unlimited number of requests or replies.
 *
 * A turn of the event loop first reads from every connection that has sent something, and then
 * replies to all of them: while one connection is read, the memory that the reply to another one
 * needs is prefetched.
 *
 * A connection belongs to the serving thread that accepted it, which also frees it.
 */
#ifndef TLSAD_SERVER_CONNECTION_H
#define TLSAD_SERVER_CONNECTION_H

#include "daemon/server/protocol.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct lookup_result;
struct wait;
struct worker;

/* Bytes that were read from a connection in this turn of the event loop and are not handled yet. */
struct arrival {
	struct connection *connection; /* NULL if it was closed since */
	const char *bytes;             /* in worker->input */
	size_t size;
	size_t first_size;   /* frame size of the first request; 0 if it is incomplete or invalid */
	union request first; /* if first_size > 0 */
};

/* Bytes of a connection that cannot be handled or written yet. */
struct backlog {
	char *bytes; /* malloc()ed, NULL if empty */
	uint32_t size;
	uint32_t done; /* number of these bytes already written */
};

struct connection {
	TAILQ_ENTRY(connection) link; /* in worker->idle, unless it waits for a lookup */
	struct worker *worker;
	const struct protocol *protocol;
	struct event event;
	int fd;
	uint64_t last_active;    /* [us], clock_steady_us() */
	bool heard;              /* bytes have arrived at least once */
	struct wait *wait;       /* the lookup that its request waits for, or NULL */
	struct arrival *arrival; /* in this turn of the loop, or NULL */
	struct backlog input;    /* an incomplete request, or requests after one that waits */
	struct backlog output;   /* replies that the client has not read */
};

/* Serve an accepted socket. Out of memory, the socket is closed. */
void connection_open(struct worker *worker, int fd, const struct protocol *protocol);

void connection_close(struct connection *connection);

/* Callback of an event: reply to the requests that arrived in this turn of the event loop. */
void connection_handle_arrivals(evutil_socket_t fd, short what, void *worker);

/*
 * The wait is over: `result` is the lookup's result; if it is NULL, `why` is the reason.
 * wait->connection must not be NULL. The caller frees `wait`.
 */
void connection_resume(struct wait *wait, const struct lookup_result *result, const char *why);

#endif
