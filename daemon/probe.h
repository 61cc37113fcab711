/*
 * probe: does validation work? Asks for the root's own records, at the start and then every hour,
 * and says in one log line what it found, and again when that changes.
 *
 * The regular question also lets libunbound look at the root's keys even where nobody sends mail,
 * which RFC 5011 needs; what it learned is stored afterwards.
 */
#ifndef TLSAD_PROBE_H
#define TLSAD_PROBE_H

#include "common/anchor.h"
#include "common/dns.h"
#include "common/root_probe.h"

struct probe;

/* In the lookup thread. `*known` is set to the last result, for other threads. */
struct probe *probe_new(
	struct event_base *base, struct dns *dns, struct anchors *anchors, _Atomic int *known);
void probe_free(struct probe *probe);

#endif
