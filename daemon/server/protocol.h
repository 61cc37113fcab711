/*
 * protocol: the interface between connection.c, which moves bytes and keeps requests in their
 * order, and the services that reply to requests.
 *
 * Every listener, and thus every connection, has one protocol. Runs in the serving thread.
 */
#ifndef TLSAD_SERVER_PROTOCOL_H
#define TLSAD_SERVER_PROTOCOL_H

#include "common/verdict/evidence.h"
#include "daemon/answer/map_service.h"
#include "daemon/answer/policy.h"

#include <stdbool.h>
#include <stddef.h>

struct connection;
struct lookup_result;
struct wait;
struct worker;

/* The part of the thread's output buffer that has replies for this connection. */
struct batch {
	size_t begin, end;
};

/* A request after parsing. */
union request {
	struct map_request map;
	struct policy_request policy;
};

enum frame {
	FRAME_WHOLE,
	FRAME_PARTIAL, /* valid so far: read more */
	FRAME_BAD,     /* invalid: the beginning of the next request cannot be found */
};

enum request_result {
	REQUEST_REPLIED,
	REQUEST_WAITS, /* for a lookup: connection->wait is set */
};

struct protocol {
	/*
	 * Parse the request at the beginning of `bytes`; `*used` becomes the size of its frame. The
	 * request may point into the bytes. It may be called again for the same bytes.
	 */
	enum frame (*read)(const struct worker *worker, const char *bytes, size_t size,
		union request *request, size_t *used);

	/* Reply into the batch, or begin to wait. The request's bytes are still valid. */
	enum request_result (*reply)(
		struct connection *connection, struct batch *batch, const union request *request);

	/*
	 * Reply after a wait, from a result, or if it is NULL with the reason `why`. The request's
	 * bytes are no longer valid.
	 */
	void (*finish)(struct worker *worker, struct batch *batch, const struct wait *wait,
		const struct lookup_result *result, const char *why);

	/* Log the error in bytes that were FRAME_BAD; NULL: nothing is logged. */
	void (*log_unreadable)(struct connection *connection, const char *bytes, size_t size);
};

extern const struct protocol protocol_socketmap; /* socketmap_table(5) */
extern const struct protocol protocol_policy;    /* SMTPD_POLICY_README */

#endif
