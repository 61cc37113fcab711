/*
 * map_service: a map and a key come in, a reply goes out; what happens in between is counted and
 * logged. For socketmap clients, and for the control socket, which asks as they do.
 *
 * Runs in the thread that owns the service. What needs a lookup is handed back to the caller, who
 * comes again with what the lookup thread has found.
 */
#ifndef TLSAD_ANSWER_MAP_SERVICE_H
#define TLSAD_ANSWER_MAP_SERVICE_H

#include "common/base/counter.h"
#include "common/base/text.h"
#include "daemon/answer/maps.h"
#include "daemon/answer/reply.h"
#include "daemon/lookup/lookup.h"
#include "daemon/loop/deferral.h"

#include <jansson.h>

/* Written by one serving thread alone; read by anybody. */
struct map_counters {
	counter replies[MAP_COUNT + 1][REPLY_KIND_COUNT]; /* last: unknown maps */
	counter invalid;                                  /* keys that are no mail destination */
	/* With [dane] mode = monitor: what the replies would have been. */
	counter would[REPLY_KIND_COUNT];
	counter hits;
	counter misses;
};

/* What one thread replies with; what it points to belongs to the thread. */
struct map_service {
	struct reply_context *context;
	struct map_counters *counters;
	struct deferrals *given_up; /* TEMP without a lookup; NULL: each one has a log line */
};

/* A request as it was understood. */
struct map_request {
	const struct map *map; /* NULL: there is no such map */
	const char *key;       /* as it came, the caller's; NULL: there is none */
	size_t key_size;
	enum destination_result parsed;
	/* With DESTINATION_OK: */
	cache_place place;
	struct rules_hint hint; /* where there are rules */
	struct destination destination;
};

enum map_state {
	MAP_REPLIED,
	MAP_REFRESH, /* replied, and the destination should be looked up again */
	MAP_LOOKUP,  /* no reply yet: look the destination up, then map_finish() */
};

/* A reply, and what is logged with it. It points into itself and into the service. */
struct map_result {
	struct reply reply; /* what the client gets */
	bool monitored;     /* nothing is enforced: `would` is what it would get otherwise */
	struct reply would;
	json_t *explanation; /* of the map explain; NULL: out of memory */
	char *dump;          /* the same as text, once it is rendered */
	struct assessment assessment;
};

/*
 * Understand a key. What the reply needs is on its way from memory when this returns, so other work
 * may well come in between.
 */
void map_request_read(const struct map_service *service, const struct map *map, const char *key,
	size_t key_size, struct map_request *request);

/* Do replies of such a map need what only the lookup thread can make for pinned ones? */
bool map_form_wants_pins(const struct reply_context *context, enum map_form form);

/* Does the reply to this request? */
bool map_wants_pins(const struct map_service *service, const struct map_request *request);

/* --- replies as data: map_end() must follow each ------------------------------------------- */

/* What can be replied at once; with MAP_LOOKUP there is no result. */
enum map_state map_ask(
	struct map_service *service, const struct map_request *request, struct map_result *result);

/* With what a lookup has found. The request's key is not read: its bytes may be gone. */
void map_take(struct map_service *service, const struct map_request *request,
	const struct evidence *evidence, const struct ta_file_finding *finding,
	struct map_result *result);

/* After the last use of a result, also with MAP_LOOKUP. */
void map_end(struct map_service *service, struct map_result *result);

/* The reply as the client reads it. An explanation is dumped here. */
void map_render(struct map_result *result, struct text *out);

/* After map_ask(), `[log] answers`: the reply, which was sent as `rendered`, has a line as well. */
void map_log_cached(const struct map_service *service, const struct map_request *request,
	const struct map_result *result, const char *rendered);

/*
 * After map_take(), the line in the log: `seconds` after the request came; `deferral` is how much a
 * TEMP reply is worth saying, `rendered` the reply as it was sent.
 */
void map_log_result(const struct map_request *request, const struct map_result *result,
	const struct deferral_note *deferral, double seconds, const char *rendered);

/* --- replies as text, into `out` (at least RENDER_REPLY_MAX + 1 bytes) ---------------------- */

enum map_state map_reply(
	struct map_service *service, const struct map_request *request, struct text *out);

void map_finish(struct map_service *service, const struct map_request *request,
	const struct lookup_result *found, double seconds, struct text *out);

/* Reply TEMP with these words: nothing was found out. */
void map_give_up(struct map_service *service, const struct map_request *request, const char *why,
	double seconds, struct text *out);

#endif
