/*
 * part_lookup: gets one part, from the cache or a source, in the lookup thread.
 *
 * A struct part_request asks for a part. If the local cache has a fresh one, it gets that;
 * otherwise it joins the running lookup of the same key, or starts one. A lookup asks its sources
 * in turn (daemon/lookup/part_source.h), puts the part into the cache and gives it to all requests
 * that wait: a thousand domains at one provider need one host lookup. A lookup also continues when
 * no request waits for it any more, for the next one.
 */
#ifndef TLSAD_LOOKUP_PART_LOOKUP_H
#define TLSAD_LOOKUP_PART_LOOKUP_H

#include "common/base/hash_set.h"
#include "common/conf/conf.h"
#include "common/sts/sts_fetch.h"
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
	struct sts_fetches *sts_fetches; /* NULL: STS policies are not looked up */
	/*
	 * In this order; each is asked if the one before it does not have the part. NULL at the
	 * end.
	 */
	const struct part_source *const *sources;
	struct hash_set running; /* by the key of the part */
};

/*
 * The caller sets all members except `sources` and `running`, and may replace `sources` afterwards.
 * False if there are no random numbers.
 */
bool part_lookups_init(struct part_lookups *lookups);

/* Stop all lookups; no request is called back. */
void part_lookups_clear(struct part_lookups *lookups);

/* Called once, from the loop, after `part` of the request was filled in. */
typedef void part_request_done(void *context);

/* Allocated by the caller; it must stay in place until it is called back or given up. */
struct part_request {
	const struct part_kind_row *kind;
	struct part_subject subject;
	const char *for_whom; /* the destination, for debug lines */
	bool refresh;         /* also look up a part that is due, not only a missing one */
	struct part_wish wish;
	part_request_done *done;
	void *context;
	/* The result; the caller clears it. Out of memory it stays empty. */
	struct part_buffer *part;

	/* Private to part_lookup: */
	TAILQ_ENTRY(part_request) link;
	struct running_part *lookup; /* the lookup that it waits for, or NULL */
};

/*
 * True if the request waits. False if it does not: it has its part from the cache, or there is no
 * memory. The callback is not called inside this function.
 */
bool part_request_start(struct part_lookups *lookups, struct part_request *request);

/*
 * Stop waiting. If the request has no part yet, it gets a failed one that names the pending query,
 * or the expired one if that may still be used.
 */
void part_request_give_up(struct part_lookups *lookups, struct part_request *request);

/* Stop waiting without a part. Also for a request that does not wait. */
void part_request_drop(struct part_request *request);

/*
 * Stop waiting. The request gets the old part if that has not expired. Otherwise it gets a failed
 * one, which is stored for at most `seconds`: until the lookup, which continues, has ended, other
 * requests get that part and need not wait.
 */
void part_request_defer(
	struct part_lookups *lookups, struct part_request *request, uint32_t seconds);

/* Look up a part although no request waits for it, unless it is being looked up already. */
void part_lookups_refresh(struct part_lookups *lookups, const struct part_kind_row *kind,
	const struct part_subject *subject, const struct part_wish *wish);

/*
 * After parts were flushed from the cache: a running lookup that fails does not bring the old part
 * back.
 */
void part_lookups_flushed(struct part_lookups *lookups);

/*
 * After cache_correct_clock(): the policies that running lookups took from the cache before are
 * moved back, too.
 */
void part_lookups_set_back(struct part_lookups *lookups, uint32_t seconds);

/* The lifetimes of parts from the configuration. */
struct lifetime_settings part_lookups_lifetimes(const struct part_lookups *lookups);

/* A failed part for something that was not looked up. It is not stored in the cache. */
struct part_buffer part_lookup_failed(const struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_failure *failure);

#endif
