/*
 * probe: does validation work? Asks for the root's own records, at the start and then every hour,
 * and says in one log line what it found, and again when that changes. When nothing but failures
 * has come for a while it asks at once, and past every cache: a network that has gone is noticed
 * within a minute of the first lookups that fail, not within the hour.
 *
 * The regular question also lets libunbound look at the root's keys even where nobody sends mail,
 * which RFC 5011 2.3 needs; what it learned is stored afterwards.
 */
#ifndef TLSAD_LOOKUP_PROBE_H
#define TLSAD_LOOKUP_PROBE_H

#include "common/dns/dns.h"
#include "common/dns/root_anchor.h"
#include "common/dns/root_probe.h"

struct probe;

/* What was found out last: written by the lookup thread, read by any. */
struct probe_state {
	_Atomic int result;    /* enum probe_result */
	_Atomic bool expected; /* that is how it should be */
};

/* In the lookup thread. */
struct probe *probe_new(struct event_base *base, struct dns *dns, struct root_anchors *root_anchors,
	struct probe_state *state);
void probe_free(struct probe *probe);

#endif
