/*
 * map_service: the reply to a map and a key, with its counters and log lines. For socketmap
 * clients, and for verbs of the control socket that send the same requests.
 *
 * Runs in the thread that owns the service. If a lookup is needed (MAP_LOOKUP), the caller asks the
 * lookup thread and calls map_finish() or map_take() with its result.
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

/* Written by one thread; any thread may read. */
struct map_counters {
	counter replies[MAP_COUNT + 1][REPLY_KIND_COUNT]; /* last: unknown maps */
	counter invalid;                                  /* keys that are not a mail destination */
	/* With [dane] mode = monitor: what the replies would have been. */
	counter would[REPLY_KIND_COUNT];
	counter hits;
	counter misses;
};

/* What one thread needs to reply; everything it points to belongs to that thread. */
struct map_service {
	struct reply_context *context;
	struct map_counters *counters;
	struct deferrals *given_up; /* TEMP replies without a result; NULL: log each of them */
};

/* A request after parsing. */
struct map_request {
	const struct map *map; /* NULL: there is no such map */
	const char *key;       /* as received, in the caller's memory; NULL if missing */
	size_t key_size;
	enum destination_result parsed;
	/* With DESTINATION_OK: */
	cache_place place;
	struct rules_hint hint; /* if there are rules */
	struct destination destination;
};

enum map_state {
	MAP_REPLIED,
	MAP_REFRESH, /* replied, and the destination should be looked up again */
	MAP_LOOKUP,  /* no reply yet: look the destination up, then map_finish() */
};

/* A reply, and what its log line needs. It points into itself and into the service. */
struct map_result {
	struct reply reply; /* what the client gets */
	bool monitored;     /* [dane] mode = monitor; `would` is the reply without it */
	struct reply would;
	json_t *explanation; /* of the map explain; NULL: out of memory */
	char *dump;          /* the same as text, once it is rendered */
	struct assessment assessment;
};

/*
 * Parse a key. It starts to prefetch the memory that the reply needs: other work between this call
 * and the reply hides the latency.
 */
void map_request_read(const struct map_service *service, const struct map *map, const char *key,
	size_t key_size, struct map_request *request);

/* What replies of such a map need from the lookup thread. */
struct lookup_needs map_form_needs(const struct reply_context *context, enum map_form form);

/* The same for the map of a request. */
struct lookup_needs map_needs(const struct map_service *service, const struct map_request *request);

/* --- replies as data: map_end() must follow each ------------------------------------------- */

/*
 * Reply from rules and cache. With MAP_LOOKUP there is no result, but map_end() must follow, too.
 */
enum map_state map_ask(
	struct map_service *service, const struct map_request *request, struct map_result *result);

/* Reply from a lookup's result. request->key is not read: its bytes may have been freed. */
void map_take(struct map_service *service, const struct map_request *request,
	const struct evidence *evidence, const struct ta_file_finding *finding,
	struct map_result *result);

/* Free what a result holds. */
void map_end(struct map_service *service, struct map_result *result);

/* Render the reply as the client reads it. */
void map_render(struct map_result *result, struct text *out);

/* Call after map_ask(): with `[log] answers`, log the reply, whose text is `rendered`. */
void map_log_cached(const struct map_service *service, const struct map_request *request,
	const struct map_result *result, const char *rendered);

/*
 * Call after map_take(): log the reply, whose text is `rendered`, `seconds` after the request came.
 * `deferral` says whether a TEMP reply is logged now or left out.
 */
void map_log_result(const struct map_request *request, const struct map_result *result,
	const struct deferral_note *deferral, double seconds, const char *rendered);

/* --- replies as text, into `out` (at least RENDER_REPLY_MAX + 1 bytes) ---------------------- */

enum map_state map_reply(
	struct map_service *service, const struct map_request *request, struct text *out);

void map_finish(struct map_service *service, const struct map_request *request,
	const struct lookup_result *found, double seconds, struct text *out);

/* Reply TEMP without a result, for the reason `why`. */
void map_give_up(struct map_service *service, const struct map_request *request, const char *why,
	double seconds, struct text *out);

#endif
