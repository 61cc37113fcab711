/*
 * assess: decides about a destination from the site's rules and the cache. All protocols use it:
 * socketmap, policy delegation, the control socket and explain each turn an assessment into their
 * own form.
 *
 * Nothing is looked up here. After a miss the caller asks the lookup thread, and calls
 * assess_result() with its result. Runs in the thread that owns the cache reader.
 */
#ifndef TLSAD_ANSWER_ASSESS_H
#define TLSAD_ANSWER_ASSESS_H

#include "common/conf/conf.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/cache.h"

enum assess_state {
	ASSESS_NO_DESTINATION, /* the key has no name for DNS: an address, a parent domain, ... */
	ASSESS_EXCEPTION,      /* an exception decides; the cache was not read */
	ASSESS_HIT,
	ASSESS_REFRESH, /* a hit, but at least one part should be looked up again */
	ASSESS_MISS,    /* some part is missing: no evidence, no verdict */
};

/* How much of the cached parts is read. */
enum assess_depth {
	ASSESS_STATUS,   /* only the status of each host */
	ASSESS_FAILURES, /* the status, but everything if a lookup failed */
	ASSESS_WHOLE,
};

struct assess_question {
	enum destination_result parsed;
	const struct destination *destination; /* with DESTINATION_OK */
	cache_place place;                     /* of cache_prefetch() */
	const struct rules_hint *hint;         /* of rules_look_ahead(), or NULL */
	bool ruled;                            /* the site's rules apply */
	bool sts;                              /* an MTA-STS policy matters too */
	bool thorough;                         /* read the cache even if an exception decides */
	enum assess_depth depth;
	uint32_t now; /* [s] wall clock */
};

/* Valid until assess_end(); after assess_result(), as long as the lookup's result exists. */
struct assessment {
	enum assess_state state;
	bool cached;                     /* the evidence is from the cache */
	const struct ruling *ruling;     /* NULL: no rule can apply */
	const struct evidence *evidence; /* NULL without evidence */
	struct decide_facts facts;       /* with evidence */
	struct verdict verdict;          /* without evidence: NOTFOUND, not-a-destination */
	struct ruling own_ruling;
	struct evidence own_evidence;
};

/* Apply only the rules: the caller needs them to know whether and how deep to read the cache. */
void assess_rules(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf);

/* Read the cache, after assess_rules(). assess_end() must follow. */
void assess_cache(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, struct cache_reader *reader);

/* assess_rules(), then assess_cache() if needed. assess_end() must follow. */
void assess(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, struct cache_reader *reader);

/*
 * Assess a lookup's result, which stays the caller's. The rules are applied again, since a reload
 * may have changed them during the lookup.
 */
void assess_result(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, const struct evidence *evidence);

/* Release the bytes in the cache that the evidence points to. */
void assess_end(struct cache_reader *reader);

#endif
