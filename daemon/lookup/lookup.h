/*
 * lookup: the thread that finds out what the cache does not know.
 *
 * Serving threads post a struct lookup_request; the thread looks up the parts that are missing or
 * due, joins equal lookups, writes the parts to the cache and posts a struct lookup_result back.
 * Each destination has `resolver.timeout`, kept here: what is not known by then counts as failed.
 */
#ifndef TLSAD_LOOKUP_LOOKUP_H
#define TLSAD_LOOKUP_LOOKUP_H

#include "common/base/counter.h"
#include "common/conf/conf.h"
#include "common/dns/dns_count.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/ta_file.h"
#include "daemon/lookup/probe.h"
#include "daemon/loop/deferral.h"
#include "daemon/loop/histogram.h"
#include "daemon/loop/mailbox.h"

struct lookup;

struct lookup_request {
	struct message message; /* MESSAGE_LOOKUP */
	struct destination destination;
	struct mailbox *result_to; /* NULL: nobody waits, refresh what is due */
	bool pin;                  /* make what a pinned reply needs, too */
	void *waiter;              /* the sender's, given back with the result */
};

/* Delete parts from the cache, and what the resolver has of its own. */
struct flush_request {
	struct message message; /* MESSAGE_FLUSH */
	bool all;
	struct destination destination; /* unless all */
	struct mailbox *result_to;
	void *waiter;
};

struct flush_result {
	struct message message; /* MESSAGE_FLUSHED */
	void *waiter;
	size_t count;
};

struct lookup_result {
	struct message message; /* MESSAGE_RESULT */
	void *waiter;
	struct destination destination;
	struct evidence evidence;      /* into `destination` and `bytes` */
	struct ta_file_finding file;   /* of trust anchors, with request->pin */
	struct deferral_note deferral; /* of a TEMP reply */
	uint8_t bytes[];
};

/* Written by the lookup thread alone; read by anybody. */
struct lookup_counters {
	counter requests; /* from serving threads, refreshes too */
	counter joined;   /* of these: an equal one was being looked up */
	counter parts;    /* MX sets and hosts that were looked up in DNS */
	counter failures; /* of these: failed */
	counter running;  /* destinations that are being looked up */
	/* Lookups that are done, by what came of them; with running, all but the joined. */
	counter reasons[REASON_COUNT];
	struct histogram seconds; /* that each of these took */
	counter deferred;         /* destinations whose reply is TEMP again and again */
	counter deferred_since;   /* [s], clock_steady(): the first of them, UINT32_MAX: none */
	struct probe_state resolver;
};

/*
 * Make the resolver, with the trust anchors, and start the thread. NULL and one line when that is
 * not possible. The configuration is held. `ta_files` may be NULL.
 */
struct lookup *lookup_start(struct conf *conf, struct cache *cache, struct ta_files *ta_files,
	char *error, size_t error_size);

struct mailbox *lookup_mailbox(struct lookup *lookup);

/* Post a struct lookup_request with these members. False when out of memory. */
bool lookup_ask(struct lookup *lookup, const struct destination *destination, bool pin,
	struct mailbox *result_to, void *waiter);
const struct lookup_counters *lookup_counters(const struct lookup *lookup);
const struct dns_counters *lookup_dns_counters(const struct lookup *lookup);

/* [s] that the destination which is deferred for longest has been so; 0 when there is none. */
uint32_t lookup_deferred_seconds(const struct lookup *lookup);

/* [s] since the thread's last beat (daemon/loop/heartbeat.h). */
uint32_t lookup_heartbeat_age(const struct lookup *lookup);

/* Stop the thread, store what is pending, and free everything. */
void lookup_stop(struct lookup *lookup);

#endif
