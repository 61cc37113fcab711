/*
 * certificate: the contents of a certificate as printable ASCII, since they are not trusted.
 */
#ifndef TLSAD_CTL_TLSA_CERTIFICATE_H
#define TLSAD_CTL_TLSA_CERTIFICATE_H

#include "common/base/text.h"

#include <jansson.h>
#include <openssl/x509.h>

enum {
	CERTIFICATE_NAME_SIZE = 512,
	CERTIFICATE_NAMES_MAX = 100, /* names in JSON; a certificate may have thousands */
};

/* In the form of RFC 4514, "CN=mx.example.com,O=Example"; "(none)" if it is empty. */
void certificate_add_subject(struct text *text, const X509 *certificate);
void certificate_add_issuer(struct text *text, const X509 *certificate);

/* Adds at most `most` DNS names of subjectAltName, and the number of the others. */
void certificate_add_names(struct text *text, const X509 *certificate, unsigned most);

/* Does subjectAltName have a DNS name? */
bool certificate_has_names(const X509 *certificate);

/* Seconds since 1970; 0 if it cannot be read. */
int64_t certificate_not_before(const X509 *certificate);
int64_t certificate_not_after(const X509 *certificate);

/* May it issue other certificates? */
bool certificate_is_authority(const X509 *certificate);

json_t *certificate_json(const X509 *certificate);

#endif
