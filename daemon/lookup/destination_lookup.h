/*
 * flight: what is being looked up, in the lookup thread.
 *
 * Two kinds of things are in flight. A *task* looks up one part, an MX set or a host; whoever
 * needs that part subscribes to it. A *journey* brings one destination from its key to all its
 * parts; whoever asked for that destination waits at it. Both are found again by their key, so
 * that equal lookups are joined: a thousand domains at one provider make one host lookup.
 */
#ifndef TLSAD_LOOKUP_DESTINATION_LOOKUP_H
#define TLSAD_LOOKUP_DESTINATION_LOOKUP_H

#include "common/dns/dns.h"
#include "daemon/lookup/lookup.h"
#include "daemon/lookup/ta_lookup.h"

struct flight {
	struct event_base *base;
	struct dns *dns;
	struct cache *cache;
	struct pinning *pinning; /* NULL: no trust anchors are handed on */
	const struct conf *conf; /* the owner's reference */
	struct lookup_counters *counters;
	struct deferrals *deferrals;
	void *tasks;    /* search tree, tsearch(3) */
	void *journeys; /* search tree */
};

/* Take on a request, which belongs to the flight from then on; the answer is posted back. */
void flight_take(struct flight *flight, struct lookup_request *request);

/* Tell the other threads of the destinations that are deferred. */
void flight_note_deferred(struct flight *flight);

/* Drop all that is in flight; nobody is answered. */
void flight_clear(struct flight *flight);

#endif
