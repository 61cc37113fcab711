#include "daemon/ctl/tlsa/tlsa_record.h"

#include "common/base/text.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAD_SIZE = 16, /* "255 255 255 " and a NUL byte */
	/* `_PORT._PROTOCOL.NAME. TTL IN TYPE52 \# LENGTH ` */
	LINE_HEAD_SIZE = 512,
};

/* Takes ownership of `der`, which OpenSSL allocated. */
static bool make_record(
	struct tlsa_parameters parameters, unsigned char *der, int size, struct tlsa_record *record)
{
	unsigned int digest_size = 0;
	uint8_t *data = NULL;

	memset(record, 0, sizeof *record);
	record->usage = parameters.usage;
	record->selector = parameters.selector;
	record->matching_type = parameters.matching_type;
	if (size > 0 && parameters.matching_type <= TLSA_SHA512) {
		data = malloc(size > TLSA_DIGEST_MAX ? (size_t)size : TLSA_DIGEST_MAX);
		record->data = data;
		record->data_size = (size_t)size;
	}
	if (data != NULL && parameters.matching_type == TLSA_FULL) {
		memcpy(data, der, (size_t)size);
	} else if (data != NULL) {
		if (EVP_Digest(der, (size_t)size, data, &digest_size,
			    parameters.matching_type == TLSA_SHA256 ? EVP_sha256() : EVP_sha512(),
			    NULL) != 1)
			tlsa_record_clear(record);
		else
			record->data_size = digest_size;
	}
	OPENSSL_free(der);
	ERR_clear_error();
	return record->data != NULL;
}

bool tlsa_record_from_key(
	struct tlsa_parameters parameters, const EVP_PKEY *key, struct tlsa_record *record)
{
	unsigned char *der = NULL;
	int size = key != NULL ? i2d_PUBKEY(key, &der) : -1;

	return make_record(parameters, der, size, record);
}

bool tlsa_record_from_certificate(
	struct tlsa_parameters parameters, const X509 *certificate, struct tlsa_record *record)
{
	unsigned char *der = NULL;
	/* The bytes of the key in the certificate, not encoded again. */
	int size = parameters.selector == TLSA_CERTIFICATE
			   ? i2d_X509(certificate, &der)
			   : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	return make_record(parameters, der, size, record);
}

void tlsa_record_clear(struct tlsa_record *record)
{
	free((void *)(uintptr_t)record->data);
	record->data = NULL;
	record->data_size = 0;
}

bool tlsa_record_equal(const struct tlsa_record *one, const struct tlsa_record *other)
{
	return one->usage == other->usage && one->selector == other->selector &&
	       one->matching_type == other->matching_type && one->data_size == other->data_size &&
	       memcmp(one->data, other->data, one->data_size) == 0;
}

static struct tlsa_parameters parameters_of(const struct tlsa_record *record)
{
	return (struct tlsa_parameters){record->usage, record->selector, record->matching_type};
}

bool tlsa_record_matches_certificate(const struct tlsa_record *record, const X509 *certificate)
{
	struct tlsa_record made;

	if (record->selector > TLSA_PUBLIC_KEY ||
		!tlsa_record_from_certificate(parameters_of(record), certificate, &made))
		return false;
	bool matches = tlsa_record_equal(record, &made);
	tlsa_record_clear(&made);
	return matches;
}

bool tlsa_record_matches_key(const struct tlsa_record *record, const EVP_PKEY *key)
{
	struct tlsa_record made;

	if (record->selector != TLSA_PUBLIC_KEY ||
		!tlsa_record_from_key(parameters_of(record), key, &made))
		return false;
	bool matches = tlsa_record_equal(record, &made);
	tlsa_record_clear(&made);
	return matches;
}

/* --- writing ------------------------------------------------------------------------------- */

char *tlsa_record_text(const struct tlsa_record *record, size_t digits)
{
	size_t size = record->data_size;
	bool cut = digits > 0 && digits / 2 < size;
	struct text text;

	if (cut)
		size = digits / 2;
	char *words = malloc(HEAD_SIZE + 2 * size + 4);
	if (words == NULL)
		return NULL;
	text_init(&text, words, HEAD_SIZE + 2 * size + 4);
	text_add_format(&text, "%u %u %u ", record->usage, record->selector, record->matching_type);
	text_add_hex_lower(&text, record->data, size);
	if (cut)
		text_add(&text, "...");
	return words;
}

char *tlsa_record_zone_line(
	const struct tlsa_owner *owner, int64_t ttl, bool generic, const struct tlsa_record *record)
{
	uint8_t head[] = {record->usage, record->selector, record->matching_type};
	size_t size = LINE_HEAD_SIZE + 2 * record->data_size;
	char *line = malloc(size);
	struct text text;

	if (line == NULL)
		return NULL;
	text_init(&text, line, size);
	text_add_format(&text, "_%u._%s.%s. ", owner->port, owner->protocol, owner->name);
	if (ttl != TLSA_NO_TTL)
		text_add_format(&text, "%" PRId64 " ", ttl);
	if (generic) {
		text_add_format(&text, "IN TYPE52 \\# %zu ", record->data_size + sizeof head);
		text_add_hex_lower(&text, head, sizeof head);
	} else {
		text_add_format(&text, "IN TLSA %u %u %u ", record->usage, record->selector,
			record->matching_type);
	}
	text_add_hex_lower(&text, record->data, record->data_size);
	return line;
}
