/*
 * probe: checks whether DNSSEC validation works. It queries the root's NS records, at the start and
 * then every hour, and logs the result in one line, again when it changes. If several queries in a
 * row fail, it probes at once and bypasses all caches: a lost network is noticed within a minute
 * after the first failures, not within the hour.
 *
 * The hourly query also makes libunbound check the root's keys on a host without mail, which RFC
 * 5011 2.3 requires; new keys are stored afterwards.
 */
#ifndef TLSAD_LOOKUP_PROBE_H
#define TLSAD_LOOKUP_PROBE_H

#include "common/dns/dns.h"
#include "common/dns/root_anchor.h"
#include "common/dns/root_probe.h"

struct probe;

/* The last result: written by the lookup thread, any thread may read. */
struct probe_state {
	_Atomic int result;    /* enum probe_result */
	_Atomic bool expected; /* validation works as configured */
};

/* Start probing. NULL when out of memory. Lookup thread, or before it runs. */
struct probe *probe_new(struct event_base *base, struct dns *dns, struct root_anchors *root_anchors,
	struct probe_state *state);
void probe_free(struct probe *probe);

#endif
