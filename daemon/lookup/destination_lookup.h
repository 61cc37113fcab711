/*
 * destination_lookup: a destination from its key to all its parts, in the lookup thread.
 *
 * Requests for a destination that is being looked up join its lookup and wait with it. A lookup
 * goes through stages, a table in destination_lookup.c: the MX set, then the hosts, then the trust
 * anchors of a pinned reply. Parts are got by daemon/lookup/part_lookup.h, where equal ones of
 * several destinations are joined. After `resolver.timeout` seconds a lookup ends with what it
 * has.
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
	struct ta_lookups *tas;    /* the owner's, or NULL: no trust anchors are handed on */
	struct deferrals *deferrals;
	struct hash_set running; /* by destination_print() */
};

/* `tas` and `parts`, but for its set, are set by the caller. False when out of memory. */
bool destination_lookups_init(struct destination_lookups *lookups);

/* From now on with this configuration, the owner's reference. */
void destination_lookups_set_conf(struct destination_lookups *lookups, const struct conf *conf);

/* Stop all lookups, nobody is told; free what destination_lookups_init() made. */
void destination_lookups_clear(struct destination_lookups *lookups);

/* Take on a request, which belongs to the lookups from then on; the result is posted back. */
void destination_lookup_request(
	struct destination_lookups *lookups, struct lookup_request *request);

/* Forget the deferrals that nobody has asked for since `before` [s, clock_steady()], and tell. */
void destination_lookups_forget_deferrals(struct destination_lookups *lookups, uint32_t before);

#endif
