#include "common/dane/tlsa.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

static const char *const usability_texts[TLSA_USABILITY_COUNT] = {
	[TLSA_USABLE] = "usable",
	[TLSA_SHORT] = "shorter than four octets",
	[TLSA_PKIX_USAGE] = "usages 0 and 1 are not for SMTP (RFC 7672 3.1.3)",
	[TLSA_UNKNOWN_USAGE] = "unknown certificate usage",
	[TLSA_UNKNOWN_SELECTOR] = "unknown selector",
	[TLSA_UNKNOWN_MATCHING] = "unknown matching type",
	[TLSA_WRONG_DIGEST_LENGTH] = "digest of the wrong length for its matching type",
	[TLSA_BAD_CERTIFICATE] = "not a certificate with a readable key",
	[TLSA_BAD_PUBLIC_KEY] = "not a readable public key",
};

const char *tlsa_usability_text(enum tlsa_usability usability)
{
	return usability < TLSA_USABILITY_COUNT ? usability_texts[usability] : "unknown";
}

static bool certificate_readable(const uint8_t *data, size_t size)
{
	const unsigned char *at = data;
	X509 *certificate = d2i_X509(NULL, &at, (long)size);
	bool readable =
		certificate != NULL && at == data + size && X509_get0_pubkey(certificate) != NULL;
	X509_free(certificate);
	return readable;
}

static bool public_key_readable(const uint8_t *data, size_t size)
{
	const unsigned char *at = data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)size);
	bool readable = key != NULL && at == data + size;
	EVP_PKEY_free(key);
	return readable;
}

static enum tlsa_usability check_full(const struct tlsa_record *record)
{
	bool certificate = record->selector == TLSA_CERTIFICATE;
	bool readable = certificate ? certificate_readable(record->data, record->data_size)
				    : public_key_readable(record->data, record->data_size);
	/* Errors about data from DNS must not appear as the reason of a later OpenSSL error. */
	ERR_clear_error();
	if (readable)
		return TLSA_USABLE;
	return certificate ? TLSA_BAD_CERTIFICATE : TLSA_BAD_PUBLIC_KEY;
}

bool tlsa_read(const uint8_t *rdata, size_t size, struct tlsa_record *record)
{
	if (size < 4) {
		memset(record, 0, sizeof *record);
		return false;
	}
	record->usage = rdata[0];
	record->selector = rdata[1];
	record->matching_type = rdata[2];
	record->data = rdata + 3;
	record->data_size = size - 3;
	return true;
}

enum tlsa_usability tlsa_parse(const uint8_t *rdata, size_t size, struct tlsa_record *record)
{
	if (!tlsa_read(rdata, size, record))
		return TLSA_SHORT;
	if (record->usage > TLSA_DANE_EE)
		return TLSA_UNKNOWN_USAGE;
	if (record->usage < TLSA_DANE_TA)
		return TLSA_PKIX_USAGE;
	if (record->selector > TLSA_PUBLIC_KEY)
		return TLSA_UNKNOWN_SELECTOR;
	switch (record->matching_type) {
	case TLSA_FULL:
		return check_full(record);
	case TLSA_SHA256:
		return record->data_size == SHA256_DIGEST_LENGTH ? TLSA_USABLE
								 : TLSA_WRONG_DIGEST_LENGTH;
	case TLSA_SHA512:
		return record->data_size == SHA512_DIGEST_LENGTH ? TLSA_USABLE
								 : TLSA_WRONG_DIGEST_LENGTH;
	default:
		return TLSA_UNKNOWN_MATCHING;
	}
}

bool tlsa_digest(const struct tlsa_record *record, enum tlsa_matching_type digest,
	uint8_t out[TLSA_DIGEST_MAX], size_t *out_size)
{
	unsigned int size = 0;

	if (digest == TLSA_FULL)
		return false;
	if (record->matching_type == digest) {
		if (record->data_size > TLSA_DIGEST_MAX)
			return false;
		memcpy(out, record->data, record->data_size);
		*out_size = record->data_size;
		return true;
	}
	if (record->matching_type != TLSA_FULL)
		return false;
	/* The data is the DER form itself, so its digest needs no parsing. */
	if (EVP_Digest(record->data, record->data_size, out, &size,
		    digest == TLSA_SHA256 ? EVP_sha256() : EVP_sha512(), NULL) != 1)
		return false;
	*out_size = size;
	return true;
}
