/*
 * protocol: what is spoken on a connection, between connection.c, which moves bytes and keeps
 * requests in their order, and the services, which reply to them.
 *
 * A listener has its protocol, and so has a connection. All runs in the serving thread.
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

/* Replies that are gathered in the thread's output buffer. */
struct batch {
	size_t begin, end;
};

/* A request as its protocol understood it. */
union request {
	struct map_request map;
	struct policy_request policy;
};

enum frame {
	FRAME_WHOLE,
	FRAME_PARTIAL, /* a good beginning: read on */
	FRAME_BAD,     /* nothing can be framed from here on */
};

enum request_result {
	REQUEST_REPLIED,
	REQUEST_WAITS, /* for a lookup: connection->wait is set */
};

struct protocol {
	/*
	 * Understand the request that `bytes` begins with; `*used` is the size of its frame. It may
	 * point into the bytes. May be called again for the same bytes.
	 */
	enum frame (*read)(const struct worker *worker, const char *bytes, size_t size,
		union request *request, size_t *used);

	/* Reply into the batch, or begin to wait. The bytes are still there. */
	enum request_result (*reply)(
		struct connection *connection, struct batch *batch, const union request *request);

	/* The end of a wait: with a result, or `why` there is none. The bytes are gone. */
	void (*finish)(struct worker *worker, struct batch *batch, const struct wait *wait,
		const struct lookup_result *result, const char *why);

	/* Log what is wrong with bytes that were FRAME_BAD; NULL: nothing is logged. */
	void (*log_unreadable)(struct connection *connection, const char *bytes, size_t size);
};

extern const struct protocol protocol_socketmap; /* socketmap_table(5) */
extern const struct protocol protocol_policy;    /* SMTPD_POLICY_README */

#endif
