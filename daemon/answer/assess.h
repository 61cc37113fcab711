/*
 * assess: what a destination comes to, from the site's rules and the cache. The one engine under
 * all protocols: socketmap, policy delegation, the control socket and explain each turn an
 * assessment into their own form.
 *
 * Nothing is looked up here. A miss is handed to the lookup thread by the caller, who comes again
 * with what it has found. Runs in the thread that owns the cache reader.
 */
#ifndef TLSAD_ANSWER_ASSESS_H
#define TLSAD_ANSWER_ASSESS_H

#include "common/conf/conf.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/cache.h"

enum assess_state {
	ASSESS_NO_DESTINATION, /* nothing that DNS is asked about */
	ASSESS_EXCEPTION,      /* an exception decides; the cache was not read */
	ASSESS_HIT,
	ASSESS_REFRESH, /* a hit, and some part of it should be looked up again */
	ASSESS_MISS,    /* some part is missing: no evidence, no verdict */
};

/* How much of the cached parts is read. */
enum assess_depth {
	ASSESS_STATUS,   /* of the hosts the status is enough */
	ASSESS_FAILURES, /* the same, and everything where some lookup failed */
	ASSESS_WHOLE,
};

struct assess_question {
	enum destination_result parsed;
	const struct destination *destination; /* with DESTINATION_OK */
	cache_place place;                     /* of cache_prefetch() */
	const struct rules_hint *hint;         /* of rules_look_ahead(), or NULL */
	bool ruled;                            /* the site's rules apply */
	bool thorough; /* evidence is wanted even where an exception decides */
	enum assess_depth depth;
	uint32_t now; /* [s] wall clock */
};

/* Valid until assess_end(); of assess_result() as long as the result. */
struct assessment {
	enum assess_state state;
	bool cached;                     /* the evidence is what the cache has */
	const struct ruling *ruling;     /* NULL: no rule can apply */
	const struct evidence *evidence; /* NULL: there is none */
	struct decide_facts facts;       /* with evidence */
	struct verdict verdict;          /* without evidence: NOTFOUND, not-a-destination */
	struct ruling own_ruling;
	struct evidence own_evidence;
};

/* The rules alone, for a caller that needs them to know whether and how deep to read the cache. */
void assess_rules(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf);

/* The cache, after assess_rules(). assess_end() must follow. */
void assess_cache(struct assessment *assessment, const struct assess_question *question,
	struct cache_reader *reader);

/* Both. assess_end() must follow. */
void assess(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, struct cache_reader *reader);

/* With what a lookup has found, which stays the caller's. Rules may have changed meanwhile. */
void assess_result(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, const struct evidence *evidence);

/* The bytes that the evidence points to may go. */
void assess_end(struct cache_reader *reader);

#endif
