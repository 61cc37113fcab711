/*
 * lookup: the thread that looks up what is missing in the cache.
 *
 * Other threads post a struct lookup_request. This thread looks up the parts that are missing or
 * due, joins equal lookups, writes the parts to the cache and posts a struct lookup_result back. A
 * lookup of a destination ends after `resolver.timeout`: parts that are missing then count as
 * failed.
 */
#ifndef TLSAD_LOOKUP_LOOKUP_H
#define TLSAD_LOOKUP_LOOKUP_H

#include "common/base/counter.h"
#include "common/conf/conf.h"
#include "common/dns/dns_count.h"
#include "common/sts/sts_fetch.h"
#include "common/verdict/evidence.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/ta_file.h"
#include "daemon/lookup/probe.h"
#include "daemon/loop/deferral.h"
#include "daemon/loop/histogram.h"
#include "daemon/loop/mailbox.h"

struct lookup;

/* What a request needs besides the MX set and the hosts. */
struct lookup_needs {
	bool sts; /* the MTA-STS policy, if it can change the verdict */
	bool pin; /* the file of trust anchors for a pinned reply */
};

struct lookup_request {
	struct message message; /* MESSAGE_LOOKUP */
	struct destination destination;
	struct mailbox
		*result_to; /* NULL: no result is sent, and parts that are due are refreshed */
	struct lookup_needs needs;
	bool mail;    /* Postfix asks, not an administrator */
	void *waiter; /* the sender's, returned with the result */
};

/* Delete parts from the cache, and everything from the resolver's own cache. */
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
	size_t count; /* of parts that were deleted */
};

struct lookup_result {
	struct message message; /* MESSAGE_RESULT */
	void *waiter;
	struct destination destination;
	struct evidence evidence;      /* points into `destination` and `bytes` */
	struct ta_file_finding file;   /* of trust anchors, with request->needs.pin */
	struct deferral_note deferral; /* of a TEMP reply */
	uint8_t bytes[];
};

/* Written by the lookup thread; any thread may read. */
struct lookup_counters {
	counter requests; /* from other threads, including refreshes */
	counter joined;   /* of these: joined a running lookup of the same destination */
	counter parts;    /* MX sets, hosts and MTA-STS policies that were looked up */
	counter failures; /* of these: failed */
	counter running;  /* destinations that are being looked up */
	/* Finished lookups by reason. Their sum + running + joined = requests. */
	counter reasons[REASON_COUNT];
	struct histogram seconds;               /* duration of each of these */
	counter sts_fetches[STS_OUTCOME_COUNT]; /* downloads of MTA-STS policies, by outcome */
	counter sts_policies[STS_MODE_COUNT];   /* in the cache, from STS_ENFORCE on */
	counter deferred;       /* destinations for which Postfix gets TEMP replies */
	counter deferred_since; /* [s], clock_steady(): the first of them; UINT32_MAX: none */
	struct probe_state resolver;
};

/*
 * Create the resolver with its trust anchors, and start the thread. NULL with one line on failure.
 * The lookup keeps a reference of the configuration. `ta_files` and `sts_trust` may be NULL; both
 * stay the caller's, and `sts_trust` is used by the thread alone until lookup_stop().
 */
struct lookup *lookup_start(struct conf *conf, struct cache *cache, struct ta_files *ta_files,
	struct sts_trust *sts_trust, char *error, size_t error_size);

struct mailbox *lookup_mailbox(struct lookup *lookup);

/* Post a struct lookup_request with these members. False when out of memory. Any thread. */
bool lookup_ask(struct lookup *lookup, const struct destination *destination,
	struct lookup_needs needs, bool mail, struct mailbox *result_to, void *waiter);
const struct lookup_counters *lookup_counters(const struct lookup *lookup);
const struct dns_counters *lookup_dns_counters(const struct lookup *lookup);

/* [s] since the first TEMP reply of the destination deferred longest; 0 without one. */
uint32_t lookup_deferred_seconds(const struct lookup *lookup);

/* [s] since the thread's last beat (daemon/loop/heartbeat.h). */
uint32_t lookup_heartbeat_age(const struct lookup *lookup);

/* Stop the thread, store pending parts, and free everything. */
void lookup_stop(struct lookup *lookup);

#endif
