#include "daemon/ctl/tlsa/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void add_name(struct text *text, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long size = 0;

	/* With the escapes of RFC 2253 the text is printable ASCII. */
	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		size = BIO_get_mem_data(bio, &bytes);
	if (size > 0)
		text_add_bytes(text, bytes, (size_t)size);
	else
		text_add(text, "(none)");
	BIO_free(bio);
	ERR_clear_error();
}

void certificate_add_subject(struct text *text, const X509 *certificate)
{
	add_name(text, X509_get_subject_name(certificate));
}

void certificate_add_issuer(struct text *text, const X509 *certificate)
{
	add_name(text, X509_get_issuer_name(certificate));
}

/* Calls `take` for each DNS name, up to `most`; returns the number of all names. */
static unsigned each_name(const X509 *certificate, unsigned most,
	void (*take)(void *context, const char *name, size_t size), void *context)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		if (count++ < most)
			take(context, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
				(size_t)ASN1_STRING_length(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return count;
}

static void take_nothing(void *context, const char *name, size_t size)
{
	(void)context, (void)name, (void)size;
}

bool certificate_has_names(const X509 *certificate)
{
	return each_name(certificate, 0, take_nothing, NULL) > 0;
}

static void take_text(void *context, const char *name, size_t size)
{
	struct text *text = context;

	if (text->used > 0 && text->bytes[text->used - 1] != ' ')
		text_add(text, ", ");
	text_add_escaped(text, name, size);
}

void certificate_add_names(struct text *text, const X509 *certificate, unsigned most)
{
	unsigned count = each_name(certificate, most, take_text, text);

	if (count == 0)
		text_add(text, "none");
	else if (count > most)
		text_add_format(text, " and %u more", count - most);
}

static int64_t seconds(const ASN1_TIME *time)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1) {
		ERR_clear_error();
		return 0;
	}
	return (int64_t)timegm(&parts);
}

int64_t certificate_not_before(const X509 *certificate)
{
	return seconds(X509_get0_notBefore(certificate));
}

int64_t certificate_not_after(const X509 *certificate)
{
	return seconds(X509_get0_notAfter(certificate));
}

bool certificate_is_authority(const X509 *certificate)
{
	/* Not const in OpenSSL, because it caches extensions in the certificate. */
	return X509_check_ca((X509 *)(uintptr_t)certificate) > 0;
}

static void take_json(void *context, const char *name, size_t size)
{
	char words[CERTIFICATE_NAME_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	text_add_escaped(&text, name, size);
	json_array_append_new(context, json_string(words));
}

json_t *certificate_json(const X509 *certificate)
{
	char words[CERTIFICATE_NAME_SIZE], digest[2 * EVP_MAX_MD_SIZE + 1];
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	struct text text;
	json_t *object = json_object(), *names = json_array();

	text_init(&text, words, sizeof words);
	certificate_add_subject(&text, certificate);
	json_object_set_new(object, "subject", json_string(words));
	text_init(&text, words, sizeof words);
	certificate_add_issuer(&text, certificate);
	json_object_set_new(object, "issuer", json_string(words));
	each_name(certificate, CERTIFICATE_NAMES_MAX, take_json, names);
	json_object_set_new(object, "names", names);
	json_object_set_new(
		object, "authority", json_boolean(certificate_is_authority(certificate)));
	json_object_set_new(
		object, "not_before", json_integer(certificate_not_before(certificate)));
	json_object_set_new(object, "not_after", json_integer(certificate_not_after(certificate)));
	text_init(&text, digest, sizeof digest);
	if (X509_digest(certificate, EVP_sha256(), bytes, &size) == 1)
		text_add_hex_lower(&text, bytes, size);
	json_object_set_new(object, "sha256", json_string(digest));
	return object;
}
