/*
 * sts_record: reads the TXT record with which a domain announces that it has an MTA-STS policy, and
 * which one (RFC 8461 3.1): `v=STSv1; id=20260101T000000;` at `_mta-sts.DOMAIN`. Pure.
 */
#ifndef TLSAD_STS_STS_RECORD_H
#define TLSAD_STS_STS_RECORD_H

#include "common/dns/dns_answer.h"
#include "common/part/facts.h"

/* The owner of the record. False if it would be longer than a name may be. */
bool sts_record_name(const char *domain, char name[DNS_NAME_SIZE]);

enum sts_record_result {
	STS_RECORD_VALID,
	STS_RECORD_OTHER,     /* not a record of MTA-STS: it does not count */
	STS_RECORD_MALFORMED, /* a record of MTA-STS with a fault */
};

/* Read one record, whose strings were joined. `id` is set with STS_RECORD_VALID. */
enum sts_record_result sts_record_read(const char *bytes, size_t size, char id[STS_ID_SIZE]);

/* "no record", ...: for an administrator. */
const char *sts_discovery_text(enum sts_discovery discovery);

/* What the answer to a TXT query says. `id` is set with STS_DISCOVERED. */
enum sts_discovery sts_record_find(const struct dns_answer *answer, char id[STS_ID_SIZE]);

#endif
