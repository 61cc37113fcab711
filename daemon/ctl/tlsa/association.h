/*
 * association: TLSA records made from certificates and keys (RFC 6698 2.1), and how they are
 * written in a zone file (RFC 6698 2.2, RFC 3597 5).
 */
#ifndef TLSAD_CTL_TLSA_ASSOCIATION_H
#define TLSAD_CTL_TLSA_ASSOCIATION_H

#include "common/dane/tlsa.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* The three numbers of a record. */
struct association_kind {
	uint8_t usage, selector, matching_type;
};

/*
 * A record whose data is malloc()ed. False when out of memory, or when OpenSSL cannot give the DER
 * form. Of a bare key the selector must be TLSA_PUBLIC_KEY.
 */
bool association_of_certificate(
	struct association_kind kind, const X509 *certificate, struct tlsa_record *record);
bool association_of_key(
	struct association_kind kind, const EVP_PKEY *key, struct tlsa_record *record);
void association_clear(struct tlsa_record *record);

bool association_equal(const struct tlsa_record *one, const struct tlsa_record *other);

/* Does the record's data, digest or whole, fit this certificate or key? The usage is not asked. */
bool association_fits_certificate(const struct tlsa_record *record, const X509 *certificate);
bool association_fits_key(const struct tlsa_record *record, const EVP_PKEY *key);

/* "3 1 1 0123...", malloc()ed, with at most `digits` hexadecimal digits (0: all of them). */
char *association_words(const struct tlsa_record *record, size_t digits);

struct association_owner {
	const char *protocol;
	unsigned port;
	const char *name; /* without a dot at its end */
};

/* One line of a zone file without its end, malloc()ed; no TTL stands in it with ASSOCIATION_NO_TTL.
 */
enum { ASSOCIATION_NO_TTL = -1 };

char *association_line(const struct association_owner *owner, int64_t ttl, bool generic,
	const struct tlsa_record *record);

#endif
