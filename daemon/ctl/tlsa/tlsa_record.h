/*
 * tlsa_record: makes TLSA records from certificates and keys (RFC 6698 2.1) and writes them as
 * lines of a zone file (RFC 6698 2.2, RFC 3597 5).
 */
#ifndef TLSAD_CTL_TLSA_TLSA_RECORD_H
#define TLSAD_CTL_TLSA_TLSA_RECORD_H

#include "common/dane/tlsa.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* The three numbers of a record. */
struct tlsa_parameters {
	uint8_t usage, selector, matching_type;
};

/*
 * Makes a record, for tlsa_record_clear(). False when out of memory, or if OpenSSL cannot make the
 * DER form. With a key the selector must be TLSA_PUBLIC_KEY.
 */
bool tlsa_record_from_certificate(
	struct tlsa_parameters parameters, const X509 *certificate, struct tlsa_record *record);
bool tlsa_record_from_key(
	struct tlsa_parameters parameters, const EVP_PKEY *key, struct tlsa_record *record);
void tlsa_record_clear(struct tlsa_record *record);

bool tlsa_record_equal(const struct tlsa_record *one, const struct tlsa_record *other);

/* Does the record's data, whole or digest, match this certificate or key? The usage is ignored. */
bool tlsa_record_matches_certificate(const struct tlsa_record *record, const X509 *certificate);
bool tlsa_record_matches_key(const struct tlsa_record *record, const EVP_PKEY *key);

/* "3 1 1 0123...", malloc()ed, with at most `digits` hexadecimal digits (0: all of them). */
char *tlsa_record_text(const struct tlsa_record *record, size_t digits);

struct tlsa_owner {
	const char *protocol;
	unsigned port;
	const char *name; /* without a final dot */
};

/* One line of a zone file, without a line feed, malloc()ed; without a TTL for TLSA_NO_TTL. */
enum { TLSA_NO_TTL = -1 };

char *tlsa_record_zone_line(const struct tlsa_owner *owner, int64_t ttl, bool generic,
	const struct tlsa_record *record);

#endif
