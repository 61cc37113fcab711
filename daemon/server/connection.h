/*
 * connection: one connection of a client: bytes in, requests in their order, bytes out.
 *
 * The thread's two buffers serve all its connections. A connection keeps bytes of its own only
 * while a request is incomplete, while a lookup keeps requests waiting, or while its client does
 * not read; as long as one of the last two lasts nothing more is read from it.
 *
 * A turn of the event loop first reads from every connection that has sent something, and then
 * replies: what a reply needs is fetched from memory while the next connection is read from.
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

/* What was read from a connection in this turn of the event loop and is not handled yet. */
struct arrival {
	struct connection *connection; /* NULL when it has gone */
	const char *bytes;             /* in worker->input */
	size_t size;
	size_t first_size; /* of the frame of the first request; 0 when it is not whole, or none */
	union request first; /* if it is */
};

/* Bytes of a connection that have to wait. */
struct backlog {
	char *bytes; /* malloc()ed, NULL when there are none */
	uint32_t size;
	uint32_t done; /* of these, already written */
};

struct connection {
	TAILQ_ENTRY(connection) link; /* in worker->idle, unless it waits for a lookup */
	struct worker *worker;
	const struct protocol *protocol;
	struct event event;
	int fd;
	uint64_t last_active;    /* [us], clock_steady_us() */
	bool heard;              /* there was a request */
	struct wait *wait;       /* what it waits for, or NULL */
	struct arrival *arrival; /* in this turn of the loop, or NULL */
	struct backlog input;    /* a beginning of a request, or requests behind one that waits */
	struct backlog output;
};

/* Serve an accepted socket; closes it when there is no memory. */
void connection_open(struct worker *worker, int fd, const struct protocol *protocol);

void connection_close(struct connection *connection);

/* Answer what has arrived in this turn of the event loop: an event's callback. */
void connection_handle_arrivals(evutil_socket_t fd, short what, void *worker);

/*
 * The lookup that a connection waits for has a result, or `result` is NULL and `why` tells. The
 * caller has made sure that the connection is still there, and frees `wait`.
 */
void connection_resume(struct wait *wait, const struct lookup_result *result, const char *why);

#endif
