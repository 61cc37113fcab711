/*
 * root_probe: what an answer to a question for `. NS` tells of validation. Pure.
 */
#ifndef TLSAD_DNS_ROOT_PROBE_H
#define TLSAD_DNS_ROOT_PROBE_H

#include "common/dns/dns_answer.h"

enum probe_result {
	PROBE_UNKNOWN, /* not asked yet */
	PROBE_WORKS,
	PROBE_NO_ROUTE,  /* no answer at all */
	PROBE_STRIPPED,  /* answers come without their signatures */
	PROBE_CLOCK,     /* signatures that have expired or are not valid yet */
	PROBE_NO_MATCH,  /* the trust anchor does not fit the root's keys, or forged answers */
	PROBE_NO_ANCHOR, /* nothing vouches for the root */
	PROBE_RESULT_COUNT,
};

/* The same in a word and in a sentence. */
const char *probe_result_name(enum probe_result result);
const char *probe_result_text(enum probe_result result);

enum probe_result probe_read(const struct dns_answer *answer);

#endif
