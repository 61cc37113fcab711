/*
 * part_lookup: one part, from wherever it can be had, in the lookup thread.
 *
 * A struct part_request asks for a part. It is answered from the local cache if what is there is
 * fresh; otherwise it joins the lookup of that key that is running, or starts one. A lookup asks
 * its sources in turn (daemon/lookup/part_source.h), puts what it found into the cache and hands it
 * to all requests that wait: a thousand domains at one provider make one host lookup. What a
 * request no longer waits for is still looked up, for the next one.
 */
#ifndef TLSAD_LOOKUP_PART_LOOKUP_H
#define TLSAD_LOOKUP_PART_LOOKUP_H

#include "common/base/hash_set.h"
#include "common/conf/conf.h"
#include "daemon/cache/cache.h"
#include "daemon/lookup/lookup.h"
#include "daemon/lookup/part_buffer.h"
#include "daemon/lookup/part_kind.h"

#include <sys/queue.h>

struct running_part;
struct part_source;

/* All lookups of one thread. The pointers are the owner's and outlive it. */
struct part_lookups {
	struct event_base *base;
	struct dns *dns;
	struct cache *cache;
	const struct conf *conf; /* may be changed between two calls */
	struct lookup_counters *counters;
	/* Asked in this order, each if the one before it has nothing; NULL at the end. */
	const struct part_source *const *sources;
	struct hash_set running; /* by the key of the part */
};

/*
 * All but `sources` and `running` is set by the caller; `sources` may be replaced afterwards.
 * False: no random numbers.
 */
bool part_lookups_init(struct part_lookups *lookups);

/* Stop all lookups; no request is answered. */
void part_lookups_clear(struct part_lookups *lookups);

/* Called once, from the loop, when `part` of the request was filled. */
typedef void part_request_done(void *context);

/* Lies in the memory of who asks, and stays there until it is answered or given up. */
struct part_request {
	const struct part_kind_row *kind;
	struct part_subject subject;
	const char *for_whom; /* the destination, in debug lines */
	bool refresh;         /* a part that is due is looked up, not only one that is missing */
	part_request_done *done;
	void *context;
	/* What came of it; the asker's to clear. Out of memory it stays empty. */
	struct part_buffer *part;

	/* part_lookup's own */
	TAILQ_ENTRY(part_request) link;
	struct running_part *lookup; /* that it waits for, or NULL */
};

/*
 * True when the request waits; false when that is over already: the part is there, or out of
 * memory. Nothing is called back inside this function.
 */
bool part_request_start(struct part_lookups *lookups, struct part_request *request);

/*
 * The asker waits no longer: if the part is not there it is now a failed one, which says what
 * was waited for, or the old one where that may live on. The request waits no longer.
 */
void part_request_give_up(struct part_lookups *lookups, struct part_request *request);

/* How long parts live, by the configuration. */
struct lifetime_settings part_lookups_lifetimes(const struct part_lookups *lookups);

/* A failed part that is in no cache: of something that was not looked up. */
struct part_buffer part_lookup_failed(const struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_failure *failure);

#endif
