/*
 * dns_count: counts DNS queries by type and by the status of their answer.
 *
 * One thread counts; any thread reads.
 */
#ifndef TLSAD_DNS_DNS_COUNT_H
#define TLSAD_DNS_DNS_COUNT_H

#include "common/base/counter.h"
#include "common/dns/dns_answer.h"

#include <stdatomic.h>

/* The types that tlsad queries. */
enum dns_counted_type {
	DNS_COUNTED_MX,
	DNS_COUNTED_A,
	DNS_COUNTED_AAAA,
	DNS_COUNTED_TLSA,
	DNS_COUNTED_CNAME,
	DNS_COUNTED_TXT,
	DNS_COUNTED_NS, /* of the root: the check of the resolver's health */
	DNS_COUNTED_OTHER,
	DNS_COUNTED_TYPES,
};

enum dns_status {
	DNS_STATUS_SECURE,   /* records, or a proof that they do not exist */
	DNS_STATUS_INSECURE, /* the same without DNSSEC */
	DNS_STATUS_BOGUS,
	DNS_STATUS_SERVFAIL,
	DNS_STATUS_TIMEOUT, /* the query was given up */
	DNS_STATUS_MALFORMED,
	DNS_STATUS_LOCAL,
	DNS_STATUS_COUNT,
};

struct dns_counters {
	counter queries[DNS_COUNTED_TYPES][DNS_STATUS_COUNT];
	counter failures_in_row; /* since the last secure or insecure answer */
};

const char *dns_counted_type_name(enum dns_counted_type type);
const char *dns_status_name(enum dns_status status);

/* Only the counting thread calls these. */
void dns_count_answer(
	struct dns_counters *counters, uint16_t type, const struct dns_answer *answer);
void dns_count_timeout(struct dns_counters *counters, uint16_t type);

#endif
