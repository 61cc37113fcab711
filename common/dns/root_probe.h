/*
 * root_probe: finds out from the answer to the query `. NS` whether DNSSEC validation works, and if
 * not, why. Pure.
 */
#ifndef TLSAD_DNS_ROOT_PROBE_H
#define TLSAD_DNS_ROOT_PROBE_H

#include "common/dns/dns_answer.h"

enum probe_result {
	PROBE_UNKNOWN, /* not queried yet */
	PROBE_WORKS,
	PROBE_NO_ROUTE,  /* no answer at all */
	PROBE_STRIPPED,  /* answers come without their signatures */
	PROBE_CLOCK,     /* signatures are expired or not yet valid */
	PROBE_NO_MATCH,  /* the trust anchor does not match the root's keys, or forged answers */
	PROBE_NO_ANCHOR, /* no trust anchor covers the root */
	PROBE_RESULT_COUNT,
};

/* The result as a fixed word, for logs and JSON, and as a sentence. */
const char *probe_result_name(enum probe_result result);
const char *probe_result_text(enum probe_result result);

enum probe_result probe_read(const struct dns_answer *answer);

#endif
