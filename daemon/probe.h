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

struct probe;

/* In the lookup thread. `*known` is set to the last result, for other threads. */
struct probe *probe_new(
	struct event_base *base, struct dns *dns, struct anchors *anchors, _Atomic int *known);
void probe_free(struct probe *probe);

enum probe_result {
	PROBE_UNKNOWN, /* not asked yet */
	PROBE_WORKS,
	PROBE_NO_ROUTE,  /* no answer at all */
	PROBE_STRIPPED,  /* answers come without their signatures */
	PROBE_CLOCK,     /* signatures are out of their time */
	PROBE_NO_MATCH,  /* the trust anchor does not fit the root's keys, or forged answers */
	PROBE_NO_ANCHOR, /* nothing vouches for the root */
	PROBE_RESULT_COUNT,
};

/* The same in a word and in a sentence. */
const char *probe_result_name(enum probe_result result);
const char *probe_result_text(enum probe_result result);

/* From the answer to a question for `. NS`: pure. */
enum probe_result probe_read(const struct dns_answer *answer);

#endif
