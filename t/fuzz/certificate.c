/*
 * Certificates that a server sends, and files of certificates and keys that an administrator names.
 * A byte: 0 for the DER form of a certificate, else a file.
 */
#include "daemon/ctl/tlsa/certificate.h"

#include "daemon/ctl/tlsa/pem.h"
#include "daemon/ctl/tlsa/tlsa_record.h"
#include "daemon/ctl/tlsa/web_match.h"
#include "t/fuzz/fuzz.h"

#include <openssl/err.h>
#include <openssl/x509.h>

enum { ERROR_SIZE = 512 };

static void check_string(const json_t *object, const char *member)
{
	const char *string = json_string_value(json_object_get(object, member));

	CHECK(string != NULL && fuzz_is_printable(string, strlen(string)));
}

/* The record that is made of a certificate is usable and matches it. */
static void check_records(const X509 *certificate)
{
	for (uint8_t i = 0; i < 6; i++) {
		struct tlsa_parameters parameters = {TLSA_DANE_EE, i % 2, i / 2};
		struct tlsa_record record;

		if (!tlsa_record_from_certificate(parameters, certificate, &record))
			continue;
		CHECK(tlsa_record_matches_certificate(&record, certificate));
		CHECK(i < 2 || record.data_size == (i / 2 == TLSA_SHA256 ? 32 : 64));
		tlsa_record_clear(&record);
	}
}

/* Without a trusted CA nothing verifies, and there is a reason. */
static void check_web(X509 *certificate)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	struct web_match_result result;

	CHECK(chain != NULL && store != NULL && sk_X509_push(chain, certificate) > 0);
	CHECK(web_match_chain(store, "mx.example.com", 1700000000, chain, &result));
	CHECK(!result.verified && result.reason[0] != '\0');
	CHECK(fuzz_is_printable(result.reason, strlen(result.reason)));
	sk_X509_free(chain);
	X509_STORE_free(store);
}

static void check_certificate(X509 *certificate)
{
	char words[2 * CERTIFICATE_NAME_SIZE];
	struct text text;
	json_t *object = certificate_json(certificate);
	const json_t *names = json_object_get(object, "names"), *name;
	size_t i;

	check_string(object, "subject");
	check_string(object, "issuer");
	check_string(object, "sha256");
	CHECK(json_array_size(names) <= CERTIFICATE_NAMES_MAX);
	json_array_foreach(names, i, name) CHECK(json_is_string(name));
	json_decref(object);
	text_init(&text, words, sizeof words);
	certificate_add_names(&text, certificate, 3);
	certificate_add_subject(&text, certificate);
	certificate_add_issuer(&text, certificate);
	CHECK(fuzz_is_printable(words, text.used));
	check_records(certificate);
	check_web(certificate);
}

static void check_der(const uint8_t *bytes, size_t size)
{
	X509 *certificate = d2i_X509(NULL, &bytes, (long)size);

	ERR_clear_error();
	if (certificate != NULL)
		check_certificate(certificate);
	X509_free(certificate);
}

static void check_file(const uint8_t *bytes, size_t size)
{
	char error[ERROR_SIZE] = "";
	STACK_OF(X509) *certificates = NULL;
	EVP_PKEY *key = NULL;
	struct fuzz_file file;

	fuzz_file_open(&file, bytes, size);
	if (pem_read_certificates(file.path, &certificates, error, sizeof error)) {
		CHECK(sk_X509_num(certificates) > 0);
		for (int i = 0; i < sk_X509_num(certificates); i++)
			check_certificate(sk_X509_value(certificates, i));
		sk_X509_pop_free(certificates, X509_free);
	} else {
		CHECK(certificates == NULL && fuzz_is_line(error, sizeof error));
	}
	error[0] = '\0';
	if (pem_read_key(file.path, &key, error, sizeof error)) {
		struct tlsa_record record;
		struct tlsa_parameters parameters = {TLSA_DANE_EE, TLSA_PUBLIC_KEY, TLSA_SHA256};
		if (tlsa_record_from_key(parameters, key, &record)) {
			CHECK(record.data_size == 32 && tlsa_record_matches_key(&record, key));
			tlsa_record_clear(&record);
		}
		EVP_PKEY_free(key);
	} else {
		CHECK(key == NULL && fuzz_is_line(error, sizeof error));
	}
	fuzz_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return -1;
	if (bytes[0] == 0)
		check_der(bytes + 1, size - 1);
	else
		check_file(bytes + 1, size - 1);
	CHECK(ERR_peek_error() == 0);
	return 0;
}
