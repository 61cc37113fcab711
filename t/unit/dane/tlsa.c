/*
 * tlsa: which records are usable, from a table and generated: every usage, selector and matching
 * type with every length, whole certificates and keys of three algorithms, cut, lengthened and
 * damaged. Every record is also given to OpenSSL's SSL_dane_tlsa_add(): for DANE-TA and DANE-EE
 * both must agree. Digests are compared with those that OpenSSL computes from the DER forms.
 */
#include "common/dane/tlsa.h"

#include "t/unit/tap.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* --- certificates and keys ----------------------------------------------------------------- */

struct material {
	const char *name;
	uint8_t *certificate, *key; /* DER */
	int certificate_size, key_size;
};

enum { MATERIALS = 3 };

static struct material materials[MATERIALS] = {
	{.name = "RSA"}, {.name = "P-256"}, {.name = "Ed25519"}};

static void need(bool good, const char *what)
{
	if (!good)
		bail_out(what);
}

static void make_material(struct material *material, EVP_PKEY *key, const EVP_MD *digest)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	need(key != NULL, "no key could be made");
	need(X509_set_version(certificate, X509_VERSION_3) == 1 &&
			ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7) == 1 &&
			X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) != NULL &&
			X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) != NULL &&
			X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				(const unsigned char *)"mx.example.com", -1, -1, 0) == 1 &&
			X509_set_issuer_name(certificate, name) == 1 &&
			X509_set_pubkey(certificate, key) == 1 &&
			X509_sign(certificate, key, digest) > 0,
		"no certificate could be made");
	material->certificate_size = i2d_X509(certificate, &material->certificate);
	material->key_size = i2d_PUBKEY(key, &material->key);
	need(material->certificate_size > 0 && material->key_size > 0, "no DER form");
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void make_materials(void)
{
	make_material(&materials[0], EVP_RSA_gen(2048), EVP_sha256());
	make_material(&materials[1], EVP_EC_gen("P-256"), EVP_sha256());
	make_material(&materials[2], EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
}

static void free_materials(void)
{
	for (int i = 0; i < MATERIALS; i++) {
		OPENSSL_free(materials[i].certificate);
		OPENSSL_free(materials[i].key);
	}
}

/* --- the two checks ------------------------------------------------------------------------ */

static SSL_CTX *context;

/* Does OpenSSL accept the record? */
static bool openssl_accepts(const uint8_t *rdata, size_t size)
{
	if (size < 3)
		return false;
	SSL *ssl = SSL_new(context);
	need(ssl != NULL && SSL_dane_enable(ssl, "mx.example.com") > 0, "SSL_dane_enable");
	int added = SSL_dane_tlsa_add(ssl, rdata[0], rdata[1], rdata[2], rdata + 3, size - 3);
	SSL_free(ssl);
	ERR_clear_error();
	return added > 0;
}

/* Does this program accept it? The RDATA is in memory of exactly its size. */
static enum tlsa_usability parse(const uint8_t *rdata, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct tlsa_record record;

	memcpy(copy, rdata, size);
	enum tlsa_usability usability = tlsa_parse(copy, size, &record);
	if (usability == TLSA_SHORT)
		many(record.data == NULL && record.data_size == 0 && record.usage == 0,
			"a short record holds zeroes");
	else
		many(record.usage == rdata[0] && record.selector == rdata[1] &&
				record.matching_type == rdata[2] && record.data == copy + 3 &&
				record.data_size == size - 3,
			"the record's fields are as they stand there");
	many(ERR_peek_error() == 0, "no OpenSSL error remains");
	free(copy);
	return usability;
}

/* Make a record of these fields and check it in both ways. */
static enum tlsa_usability check(const char *what, uint8_t usage, uint8_t selector,
	uint8_t matching_type, const uint8_t *data, size_t size)
{
	uint8_t *rdata = malloc(size + 3);

	rdata[0] = usage;
	rdata[1] = selector;
	rdata[2] = matching_type;
	if (size > 0)
		memcpy(rdata + 3, data, size);
	enum tlsa_usability usability = parse(rdata, size + 3);
	if (usage == TLSA_DANE_TA || usage == TLSA_DANE_EE)
		many((usability == TLSA_USABLE) == openssl_accepts(rdata, size + 3),
			"%s: %u %u %u with %zu octets: '%s', OpenSSL thinks otherwise", what, usage,
			selector, matching_type, size, tlsa_usability_text(usability));
	else
		many(usability != TLSA_USABLE, "%s: usage %u is not for SMTP", what, usage);
	free(rdata);
	return usability;
}

/* --- tests --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t head[3];
	size_t size; /* of the data, which is zeroes */
	enum tlsa_usability expected;
} rows[] = {
	{"3 1 1 and 32 octets", {3, 1, 1}, 32, TLSA_USABLE},
	{"3 0 1 and 32 octets", {3, 0, 1}, 32, TLSA_USABLE},
	{"2 0 1 and 32 octets", {2, 0, 1}, 32, TLSA_USABLE},
	{"2 1 1 and 32 octets", {2, 1, 1}, 32, TLSA_USABLE},
	{"3 1 2 and 64 octets", {3, 1, 2}, 64, TLSA_USABLE},
	{"2 0 2 and 64 octets", {2, 0, 2}, 64, TLSA_USABLE},
	{"3 1 1 and 31 octets", {3, 1, 1}, 31, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 1 and 33 octets", {3, 1, 1}, 33, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 1 and 64 octets", {3, 1, 1}, 64, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 2 and 32 octets", {3, 1, 2}, 32, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 2 and 63 octets", {3, 1, 2}, 63, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 2 and 65 octets", {3, 1, 2}, 65, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 1 and 1 octet", {3, 1, 1}, 1, TLSA_WRONG_DIGEST_LENGTH},
	{"3 1 1 and nothing", {3, 1, 1}, 0, TLSA_SHORT},
	{"3 1 0 and nothing", {3, 1, 0}, 0, TLSA_SHORT},
	{"0 1 1", {0, 1, 1}, 32, TLSA_PKIX_USAGE},
	{"1 1 1", {1, 1, 1}, 32, TLSA_PKIX_USAGE},
	{"4 1 1", {4, 1, 1}, 32, TLSA_UNKNOWN_USAGE},
	{"255 1 1", {255, 1, 1}, 32, TLSA_UNKNOWN_USAGE},
	{"3 2 1", {3, 2, 1}, 32, TLSA_UNKNOWN_SELECTOR},
	{"3 255 1", {3, 255, 1}, 32, TLSA_UNKNOWN_SELECTOR},
	{"3 1 3", {3, 1, 3}, 32, TLSA_UNKNOWN_MATCHING},
	{"3 1 255", {3, 1, 255}, 32, TLSA_UNKNOWN_MATCHING},
	{"3 0 0 and zeroes", {3, 0, 0}, 300, TLSA_BAD_CERTIFICATE},
	{"2 0 0 and zeroes", {2, 0, 0}, 300, TLSA_BAD_CERTIFICATE},
	{"3 1 0 and zeroes", {3, 1, 0}, 91, TLSA_BAD_PUBLIC_KEY},
	{"2 1 0 and zeroes", {2, 1, 0}, 91, TLSA_BAD_PUBLIC_KEY},
};

static void test_table(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t rdata[512] = {0};
		struct tlsa_record record;
		memcpy(rdata, rows[i].head, 3);
		enum tlsa_usability usability = tlsa_parse(rdata, rows[i].size + 3, &record);
		is_string(tlsa_usability_text(usability), tlsa_usability_text(rows[i].expected),
			"%s", rows[i].name);
	}
	many_begin("records of less than four octets");
	for (size_t size = 0; size < 4; size++)
		many(parse((const uint8_t *)"\3\1\1", size) == TLSA_SHORT, "%zu octets", size);
	many_end();
}

static void test_every_head(void)
{
	uint8_t data[130];

	memset(data, 0xa5, sizeof data);
	many_begin("every usage, selector, matching type and length, as OpenSSL sees it");
	for (unsigned usage = 0; usage <= 5; usage++) {
		for (unsigned selector = 0; selector <= 3; selector++) {
			for (unsigned matching = 0; matching <= 4; matching++) {
				for (size_t size = 0; size <= sizeof data; size++) {
					enum tlsa_usability got = check("any", (uint8_t)usage,
						(uint8_t)selector, (uint8_t)matching, data, size);
					bool expected = (usage == 2 || usage == 3) &&
							selector <= 1 &&
							((matching == 1 && size == 32) ||
								(matching == 2 && size == 64));
					many((got == TLSA_USABLE) == expected,
						"%u %u %u with %zu octets: %s", usage, selector,
						matching, size, tlsa_usability_text(got));
				}
			}
		}
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		check("any usage", (uint8_t)byte, 1, 1, data, 32);
		check("any selector", 3, (uint8_t)byte, 1, data, 32);
		check("any matching type", 3, 1, (uint8_t)byte, data, 32);
		check("any matching type", 2, 0, (uint8_t)byte, data, 64);
	}
	many_end();
}

static const char *pair(const char *one, const char *other)
{
	static char words[128];
	snprintf(words, sizeof words, "%s %s", one, other);
	return words;
}

/* Whole data: correct, with the wrong selector, cut, with bytes after it, damaged. */
static void test_full(const struct material *material)
{
	uint8_t spoilt[4096];
	uint8_t certificate_usages[] = {TLSA_DANE_TA, TLSA_DANE_EE};

	many_begin(pair(material->name, "whole certificates and keys"));
	for (size_t u = 0; u < 2; u++) {
		uint8_t usage = certificate_usages[u];
		size_t certificate_size = (size_t)material->certificate_size;
		size_t key_size = (size_t)material->key_size;
		many(check("a certificate", usage, 0, 0, material->certificate, certificate_size) ==
				TLSA_USABLE,
			"%u 0 0: a certificate is usable", usage);
		many(check("a key", usage, 1, 0, material->key, key_size) == TLSA_USABLE,
			"%u 1 0: a key is usable", usage);
		many(check("a key", usage, 0, 0, material->key, key_size) == TLSA_BAD_CERTIFICATE,
			"%u 0 0: a key is not a certificate", usage);
		many(check("a certificate", usage, 1, 0, material->certificate, certificate_size) ==
				TLSA_BAD_PUBLIC_KEY,
			"%u 1 0: a certificate is not a key", usage);
		for (size_t more = 1; more <= 3; more++) {
			memcpy(spoilt, material->certificate, certificate_size);
			memset(spoilt + certificate_size, 0, more);
			many(check("longer", usage, 0, 0, spoilt, certificate_size + more) ==
					TLSA_BAD_CERTIFICATE,
				"%u 0 0: %zu octets after the certificate", usage, more);
			memcpy(spoilt, material->key, key_size);
			memset(spoilt + key_size, 0, more);
			many(check("longer", usage, 1, 0, spoilt, key_size + more) ==
					TLSA_BAD_PUBLIC_KEY,
				"%u 1 0: %zu octets after the key", usage, more);
		}
		for (size_t size = 1; size < certificate_size;
			size += size < 16 || size + 16 > certificate_size ? 1 : 13)
			many(check("cut", usage, 0, 0, material->certificate, size) ==
					TLSA_BAD_CERTIFICATE,
				"%u 0 0: a certificate cut after %zu octets", usage, size);
		for (size_t size = 1; size < key_size; size++)
			many(check("cut", usage, 1, 0, material->key, size) == TLSA_BAD_PUBLIC_KEY,
				"%u 1 0: a key cut after %zu octets", usage, size);
	}
	many_end();
	/* Some damaged data is still usable, such as a changed letter of a name. Both must agree.
	 */
	many_begin(pair(material->name, "with one octet changed, as OpenSSL sees it"));
	unsigned usable = 0, unusable = 0;
	for (size_t i = 0; i < (size_t)material->certificate_size;
		i += i < 64 || material->certificate_size < 400 ? 1 : 7) {
		memcpy(spoilt, material->certificate, (size_t)material->certificate_size);
		spoilt[i] ^= (uint8_t)(1 << i % 8);
		bool good = check("spoilt", TLSA_DANE_EE, 0, 0, spoilt,
				    (size_t)material->certificate_size) == TLSA_USABLE;
		usable += good;
		unusable += !good;
	}
	for (size_t i = 0; i < (size_t)material->key_size; i++) {
		for (unsigned bit = 0; bit<8; bit += material->key_size> 100 ? 3 : 1) {
			memcpy(spoilt, material->key, (size_t)material->key_size);
			spoilt[i] ^= (uint8_t)(1 << bit);
			bool good = check("spoilt", TLSA_DANE_TA, 1, 0, spoilt,
					    (size_t)material->key_size) == TLSA_USABLE;
			usable += good;
			unusable += !good;
		}
	}
	many(usable > 0 && unusable > 0, "%u usable, %u not: both kinds were there", usable,
		unusable);
	many_end();
}

/* A certificate whose key is unreadable: OpenSSL parses it but does not accept it. */
static void test_unreadable_key(const struct material *material)
{
	uint8_t *spoilt = malloc((size_t)material->certificate_size);
	size_t size = (size_t)material->certificate_size;

	memcpy(spoilt, material->certificate, size);
	/* The algorithm of the key, which has the same bytes in the certificate and in the key. */
	uint8_t *key = memmem(spoilt, size, material->key, (size_t)material->key_size);
	need(key != NULL, "the key is not in the certificate");
	/* SEQUENCE, SEQUENCE, OBJECT IDENTIFIER, length: an arc of the algorithm's name. */
	uint8_t *identifier = memchr(key, 0x06, 16);
	need(identifier != NULL, "the key has no algorithm");
	identifier[identifier[1] + 1] ^= 0x01;
	const unsigned char *at = spoilt;
	X509 *certificate = d2i_X509(NULL, &at, (long)size);
	many_begin("a certificate whose key has an unknown algorithm");
	many(certificate != NULL && at == spoilt + size, "can be parsed");
	many(check("unknown key", TLSA_DANE_EE, 0, 0, spoilt, size) == TLSA_BAD_CERTIFICATE,
		"and is unusable");
	many(check("unknown key", TLSA_DANE_TA, 0, 0, spoilt, size) == TLSA_BAD_CERTIFICATE,
		"and is unusable as a trust anchor");
	many_end();
	X509_free(certificate);
	ERR_clear_error();
	free(spoilt);
}

static void test_garbage(void)
{
	uint64_t state = 0x2545f4914f6cdd1d;

	many_begin("garbage, as OpenSSL sees it");
	for (int round = 0; round < 2000; round++) {
		uint8_t data[600];
		size_t size = tap_random(&state) % sizeof data;
		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)tap_random(&state);
		/* Half of them begin like DER: a sequence of this length. */
		if (round % 2 == 0 && size >= 4) {
			data[0] = 0x30;
			data[1] = 0x82;
			data[2] = (uint8_t)((size - 4) >> 8);
			data[3] = (uint8_t)(size - 4);
		}
		check("garbage", (uint8_t)(2 + round % 2), (uint8_t)(round / 2 % 2), 0, data, size);
	}
	many_end();
}

/* --- digests ------------------------------------------------------------------------------- */

static void check_digest(
	const struct material *material, uint8_t selector, enum tlsa_matching_type digest)
{
	const uint8_t *der = selector == 0 ? material->certificate : material->key;
	size_t der_size = (size_t)(selector == 0 ? material->certificate_size : material->key_size);
	const EVP_MD *md = digest == TLSA_SHA256 ? EVP_sha256() : EVP_sha512();
	uint8_t expected[EVP_MAX_MD_SIZE], out[TLSA_DIGEST_MAX];
	unsigned int expected_size = 0;
	size_t out_size = 0;
	struct tlsa_record record = {.usage = 3,
		.selector = selector,
		.data = der,
		.data_size = der_size,
		.matching_type = TLSA_FULL};

	EVP_Digest(der, der_size, expected, &expected_size, md, NULL);
	ok(tlsa_digest(&record, digest, out, &out_size) && out_size == expected_size &&
			memcmp(out, expected, out_size) == 0,
		"%s, selector %u: computed of the whole, digest %d", material->name, selector,
		digest);
	struct tlsa_record put = {.usage = 3,
		.selector = selector,
		.data = expected,
		.data_size = expected_size,
		.matching_type = (uint8_t)digest};
	memset(out, 0, sizeof out);
	ok(tlsa_digest(&put, digest, out, &out_size) && out_size == expected_size &&
			memcmp(out, expected, out_size) == 0,
		"%s, selector %u: a digest of that kind is taken as it is", material->name,
		selector);
	enum tlsa_matching_type other = digest == TLSA_SHA256 ? TLSA_SHA512 : TLSA_SHA256;
	ok(!tlsa_digest(&put, other, out, &out_size),
		"%s, selector %u: one of the other kind cannot be put so", material->name,
		selector);
	ok(!tlsa_digest(&record, TLSA_FULL, out, &out_size) &&
			!tlsa_digest(&put, TLSA_FULL, out, &out_size),
		"%s, selector %u: the whole data is not a digest", material->name, selector);
}

/* The digest is that of the certificate's DER: X509_digest() returns the same. */
static void test_digest_of_certificate(const struct material *material)
{
	const unsigned char *at = material->certificate;
	X509 *certificate = d2i_X509(NULL, &at, material->certificate_size);
	uint8_t expected[EVP_MAX_MD_SIZE], out[TLSA_DIGEST_MAX];
	unsigned int expected_size = 0;
	size_t out_size = 0;
	struct tlsa_record record = {.usage = 3,
		.data = material->certificate,
		.data_size = (size_t)material->certificate_size};

	X509_digest(certificate, EVP_sha256(), expected, &expected_size);
	ok(tlsa_digest(&record, TLSA_SHA256, out, &out_size) && out_size == 32 &&
			memcmp(out, expected, 32) == 0,
		"%s: as X509_digest() of the certificate", material->name);
	uint8_t *key = NULL;
	int key_size = i2d_PUBKEY(X509_get0_pubkey(certificate), &key);
	EVP_Digest(key, (size_t)key_size, expected, &expected_size, EVP_sha512(), NULL);
	record.selector = 1;
	record.data = material->key;
	record.data_size = (size_t)material->key_size;
	ok(tlsa_digest(&record, TLSA_SHA512, out, &out_size) && out_size == 64 &&
			memcmp(out, expected, 64) == 0,
		"%s: as the digest of the certificate's own key", material->name);
	OPENSSL_free(key);
	X509_free(certificate);
}

static void test_overlong_digest(void)
{
	uint8_t data[200] = {0}, out[TLSA_DIGEST_MAX];
	size_t size = 0;
	struct tlsa_record record = {.usage = 3,
		.selector = 1,
		.matching_type = TLSA_SHA512,
		.data = data,
		.data_size = 200};

	ok(!tlsa_digest(&record, TLSA_SHA512, out, &size),
		"a record without a digest does not write past its memory");
}

static void test_words(void)
{
	many_begin("words for every usability, no two the same");
	for (unsigned i = 0; i <= TLSA_USABILITY_COUNT; i++) {
		const char *words = tlsa_usability_text(i);
		many(words != NULL && words[0] != '\0', "%u has words", i);
		for (unsigned j = 0; j < i; j++)
			many(words != NULL && strcmp(words, tlsa_usability_text(j)) != 0,
				"%u and %u: %s", i, j, words);
	}
	many_end();
}

int main(void)
{
	context = SSL_CTX_new(TLS_client_method());
	need(context != NULL && SSL_CTX_dane_enable(context) > 0, "SSL_CTX_dane_enable");
	make_materials();
	test_table();
	test_every_head();
	for (int i = 0; i < MATERIALS; i++)
		test_full(&materials[i]);
	test_unreadable_key(&materials[1]);
	test_unreadable_key(&materials[2]);
	test_garbage();
	for (int i = 0; i < MATERIALS; i++) {
		for (uint8_t selector = 0; selector < 2; selector++) {
			check_digest(&materials[i], selector, TLSA_SHA256);
			check_digest(&materials[i], selector, TLSA_SHA512);
		}
		test_digest_of_certificate(&materials[i]);
	}
	test_overlong_digest();
	test_words();
	free_materials();
	SSL_CTX_free(context);
	return done_testing();
}
