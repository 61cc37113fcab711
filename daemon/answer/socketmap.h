/*
 * socketmap: the maps, from a request's payload to a reply's payload (socketmap_table(5)).
 *
 * Runs in serving threads. What needs a lookup is handed back to the caller, who comes again with
 * the evidence.
 */
#ifndef TLSAD_ANSWER_SOCKETMAP_H
#define TLSAD_ANSWER_SOCKETMAP_H

#include "common/base/text.h"
#include "common/conf/conf.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/ta_file.h"
#include "daemon/loop/deferral.h"

enum {
	SOCKETMAP_REQUEST_MAX = 10000, /* what Postfix takes, socketmap_table(5) */
	SOCKETMAP_REPLY_MAX = 99000,   /* Postfix takes 100,000 */
	SOCKETMAP_MAPS = 7,
};

struct socketmap_map;

/* Written by one serving thread alone; read by anybody. */
struct socketmap_counters {
	_Atomic uint64_t replies[SOCKETMAP_MAPS + 1][REPLY_KIND_COUNT]; /* last: unknown maps */
	_Atomic uint64_t invalid; /* keys that are no mail destination */
	/* With [dane] mode = monitor: what the replies would have been. */
	_Atomic uint64_t would[REPLY_KIND_COUNT];
	_Atomic uint64_t hits;
	_Atomic uint64_t misses;
};

/* What one serving thread answers with. */
struct socketmap {
	struct cache_reader *reader;
	struct ta_files *tafiles; /* NULL: no trust anchors are handed on */
	const struct conf *conf;
	struct socketmap_counters *counters;
	struct deferrals *given_up; /* or NULL: every one has a line */
	struct pins pins;           /* of the answer that is being made */
	/* To explain: what `native` and `pinned` answer. */
	struct text words[2];
	char word_bytes[2][SOCKETMAP_REPLY_MAX];
};

enum socketmap_result {
	SOCKETMAP_ANSWERED,
	SOCKETMAP_REFRESH, /* answered, and the destination wants a refresh */
	SOCKETMAP_LOOKUP,  /* not answered: look the destination up, then socketmap_finish() */
};

/* A request as it was understood. */
struct socketmap_request {
	const struct socketmap_map *map; /* NULL: no such map */
	/* The key as it came, in the payload; NULL when there is none. */
	const char *key;
	size_t key_size;
	enum destination_result parsed;
	/* With DESTINATION_OK: */
	cache_place place;
	struct rules_hint hint; /* where there are rules */
	struct destination destination;
};

/*
 * Understand a payload. What the answer needs is on its way from memory when this returns, so other
 * work may well come in between.
 */
void socketmap_read(const struct socketmap *socketmap, const char *payload, size_t size,
	struct socketmap_request *request);

/*
 * Answer into `out` (at least SOCKETMAP_REPLY_MAX + 1 bytes) what can be answered at once. The
 * payload is still there.
 */
enum socketmap_result socketmap_answer(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out);

/* Does the answer need what only the lookup thread can make for pinned answers? */
bool socketmap_wants_pins(
	const struct socketmap *socketmap, const struct socketmap_request *request);

/*
 * Answer with what a lookup has found, `seconds` after the request came; `file` is what it knows of
 * trust anchors, `deferral` how much a TEMP answer is worth saying. Writes a line to the log.
 */
void socketmap_finish(struct socketmap *socketmap, const struct socketmap_request *request,
	const struct evidence *evidence, const struct ta_file_finding *file,
	const struct deferral_note *deferral, double seconds, struct text *out);

/* Answer TEMP with these words: nothing was found out. */
void socketmap_give_up(struct socketmap *socketmap, const struct socketmap_request *request,
	const char *why, double seconds, struct text *out);

/* The n-th map's name, NULL behind the last. */
const char *socketmap_map_name(size_t n);

#endif
