/*
 * destination_lookup: gets all parts of a destination, in the lookup thread.
 *
 * If a lookup of the same destination is running, a request joins it. A lookup goes through stages,
 * a table in destination_lookup.c: the MX set, then the hosts, then the MTA-STS policy if it
 * matters, then the trust anchors of a pinned reply. daemon/lookup/part_lookup.h gets the parts,
 * and joins equal lookups of several destinations. After `resolver.timeout` seconds a lookup ends
 * with the parts that it has.
 */
#ifndef TLSAD_LOOKUP_DESTINATION_LOOKUP_H
#define TLSAD_LOOKUP_DESTINATION_LOOKUP_H

#include "common/base/hash_set.h"
#include "common/dns/dns.h"
#include "daemon/lookup/lookup.h"
#include "daemon/lookup/part_lookup.h"
#include "daemon/lookup/ta_lookup.h"

/* All lookups of one thread. */
struct destination_lookups {
	struct part_lookups parts; /* with the event loop, the configuration and the counters */
	struct ta_lookups *tas;    /* the owner's; NULL: no files of trust anchors are made */
	struct deferrals *deferrals;
	struct hash_set running; /* by destination_print() */
};

/*
 * The caller sets `tas` and the members of `parts`, see part_lookups_init(). False when out of
 * memory.
 */
bool destination_lookups_init(struct destination_lookups *lookups);

/* Use this configuration from now on; the owner keeps the reference. */
void destination_lookups_set_conf(struct destination_lookups *lookups, const struct conf *conf);

/* Stop all lookups without sending results, and free what destination_lookups_init() made. */
void destination_lookups_clear(struct destination_lookups *lookups);

/* Handle a request, which the lookups own from then on; its result is posted to the sender. */
void destination_lookup_request(
	struct destination_lookups *lookups, struct lookup_request *request);

/*
 * Forget deferrals without a request since `before` [s, clock_steady()], and update the counters.
 */
void destination_lookups_forget_deferrals(struct destination_lookups *lookups, uint32_t before);

#endif
