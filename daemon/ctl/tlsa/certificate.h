/*
 * certificate: the contents of a certificate, in printable ASCII: they are not trusted.
 */
#ifndef TLSAD_CTL_TLSA_CERTIFICATE_H
#define TLSAD_CTL_TLSA_CERTIFICATE_H

#include "common/base/text.h"

#include <jansson.h>
#include <openssl/x509.h>

enum {
	CERTIFICATE_NAME_SIZE = 512,
	CERTIFICATE_NAMES_MAX = 100, /* in JSON; there may be thousands */
};

/* RFC 4514's form, "CN=mx.example.com,O=Example"; "(none)" for an empty one. */
void certificate_add_subject(struct text *text, const X509 *certificate);
void certificate_add_issuer(struct text *text, const X509 *certificate);

/* DNS names of subjectAltName, at most `most`, and how many more there are. */
void certificate_add_names(struct text *text, const X509 *certificate, unsigned most);

/* Seconds since 1970; 0 when it cannot be read. */
int64_t certificate_not_before(const X509 *certificate);
int64_t certificate_not_after(const X509 *certificate);

/* May it issue others? */
bool certificate_is_authority(const X509 *certificate);

json_t *certificate_json(const X509 *certificate);

#endif
