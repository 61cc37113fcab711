/*
 * tlsa: TLSA records (RFC 6698 2.1): which of them SMTP can use (RFC 7672 3.1), and digests of
 * what they hold.
 *
 * A record is usable exactly when OpenSSL's SSL_dane_tlsa_add() accepts it and its usage is
 * DANE-TA or DANE-EE. Thread-safe, no state.
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

/* A view of RDATA that somebody else owns. */
struct tlsa_record {
	uint8_t usage;
	uint8_t selector;
	uint8_t matching_type;
	const uint8_t *data; /* certificate association data */
	size_t data_size;
};

/* Kept in parts (struct host_tlsa): new ones go to the end, before the count. */
enum tlsa_usability {
	TLSA_USABLE,
	TLSA_SHORT,               /* less than four octets of RDATA */
	TLSA_PKIX_USAGE,          /* 0 or 1: not for SMTP, RFC 7672 3.1.3 */
	TLSA_UNKNOWN_USAGE,       /* over 3 */
	TLSA_UNKNOWN_SELECTOR,    /* over 1 */
	TLSA_UNKNOWN_MATCHING,    /* over 2 */
	TLSA_WRONG_DIGEST_LENGTH, /* no SHA-256 or SHA-512 digest has this length */
	TLSA_BAD_CERTIFICATE,     /* no DER certificate with a readable key, or bytes after it */
	TLSA_BAD_PUBLIC_KEY,      /* no DER SubjectPublicKeyInfo, or bytes after it */
	TLSA_USABILITY_COUNT,
};

/* Why a record is unusable, in words for an administrator; "usable" for TLSA_USABLE. */
const char *tlsa_usability_text(enum tlsa_usability usability);

/* Read RDATA as it stands; false when it is too short to be a record. */
bool tlsa_read(const uint8_t *rdata, size_t size, struct tlsa_record *record);

/* The same, and check it. On TLSA_SHORT `record` holds zeroes, otherwise all that is there. */
enum tlsa_usability tlsa_parse(const uint8_t *rdata, size_t size, struct tlsa_record *record);

/*
 * The digest that a server's certificate (selector 0) or public key (selector 1) must have to
 * match this usable record: the record's own data where its matching type is `digest`, computed
 * where it holds the whole. False when the record cannot be put as that digest.
 */
bool tlsa_digest(const struct tlsa_record *record, enum tlsa_matching_type digest,
	uint8_t out[TLSA_DIGEST_MAX], size_t *out_size);

#endif
