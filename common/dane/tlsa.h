/*
 * tlsa: reads TLSA records (RFC 6698 2.1), decides which of them SMTP can use (RFC 7672 3.1), and
 * makes digests of their data.
 *
 * A record is usable if and only if OpenSSL's SSL_dane_tlsa_add() accepts it and its usage is
 * DANE-TA or DANE-EE. No state: any thread may call these functions.
 */
#ifndef TLSAD_DANE_TLSA_H
#define TLSAD_DANE_TLSA_H

#include "common/part/facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tlsa_usage { TLSA_PKIX_TA, TLSA_PKIX_EE, TLSA_DANE_TA, TLSA_DANE_EE };
enum tlsa_selector { TLSA_CERTIFICATE, TLSA_PUBLIC_KEY };
enum tlsa_matching_type { TLSA_FULL, TLSA_SHA256, TLSA_SHA512 };

enum { TLSA_DIGEST_MAX = PART_DIGEST_MAX };

/* The fields of a record; `data` points into RDATA that the caller owns. */
struct tlsa_record {
	uint8_t usage;
	uint8_t selector;
	uint8_t matching_type;
	const uint8_t *data; /* certificate association data */
	size_t data_size;
};

/* The numbers are stored in the cache (struct host_tlsa): add new ones before the count. */
enum tlsa_usability {
	TLSA_USABLE,
	TLSA_SHORT,               /* fewer than four octets of RDATA */
	TLSA_PKIX_USAGE,          /* 0 or 1: not for SMTP, RFC 7672 3.1.3 */
	TLSA_UNKNOWN_USAGE,       /* above 3 */
	TLSA_UNKNOWN_SELECTOR,    /* above 1 */
	TLSA_UNKNOWN_MATCHING,    /* above 2 */
	TLSA_WRONG_DIGEST_LENGTH, /* the digest of its matching type has another length */
	TLSA_BAD_CERTIFICATE,     /* not a DER certificate with a readable key, or bytes after it */
	TLSA_BAD_PUBLIC_KEY,      /* not a DER SubjectPublicKeyInfo, or bytes after it */
	TLSA_USABILITY_COUNT,
};

/* Why a record is unusable, for an administrator; "usable" for TLSA_USABLE. */
const char *tlsa_usability_text(enum tlsa_usability usability);

/* Read RDATA without checking it; false if it is too short to be a record. */
bool tlsa_read(const uint8_t *rdata, size_t size, struct tlsa_record *record);

/* Read RDATA and check it. `record` is zeroed on TLSA_SHORT and filled otherwise. */
enum tlsa_usability tlsa_parse(const uint8_t *rdata, size_t size, struct tlsa_record *record);

/*
 * The digest that a server's certificate (selector 0) or public key (selector 1) must have to match
 * this usable record: the record's own data if `digest` is its matching type; computed if the
 * record contains the whole certificate or key. False if the record has another digest.
 */
bool tlsa_digest(const struct tlsa_record *record, enum tlsa_matching_type digest,
	uint8_t out[TLSA_DIGEST_MAX], size_t *out_size);

#endif
