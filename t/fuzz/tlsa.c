/*
 * TLSA records, as their RDATA. OpenSSL is asked as well: a record is usable exactly where it takes
 * it, as Postfix's smtp(8) does.
 */
#include "common/dane/tlsa.h"

#include "common/verdict/pin.h"
#include "daemon/ctl/tlsa/host_facts.h"
#include "daemon/ctl/tlsa/tlsa_match.h"
#include "daemon/ctl/tlsa/tlsa_record.h"
#include "t/fuzz/fuzz.h"

#include <openssl/err.h>

static bool openssl_takes(const struct tlsa_record *record)
{
	static SSL_CTX *context;

	if (context == NULL)
		context = tlsa_match_context_new();
	SSL *ssl = SSL_new(context);
	CHECK(ssl != NULL && SSL_dane_enable(ssl, "mx.example") == 1);
	int taken = SSL_dane_tlsa_add(ssl, record->usage, record->selector, record->matching_type,
		record->data, record->data_size);
	SSL_free(ssl);
	ERR_clear_error();
	return taken > 0;
}

/* The data in hexadecimal, as it ends a line. */
static void check_hex(const char *line, const uint8_t *data, size_t size)
{
	const char *hex = strrchr(line, ' ');

	CHECK(hex != NULL && strlen(hex + 1) == 2 * size);
	for (size_t i = 0; i < size; i++) {
		char two[3];
		snprintf(two, sizeof two, "%02x", data[i]);
		CHECK(memcmp(hex + 1 + 2 * i, two, 2) == 0);
	}
}

static void check_text(const struct tlsa_record *record, const uint8_t *rdata, size_t size)
{
	struct tlsa_owner owner = {"tcp", 25, "mx.example"};
	char short_text[HOST_TLSA_TEXT_SIZE];
	struct host_tlsa tlsa = {0, (uint16_t)size, rdata};
	char *text = tlsa_record_text(record, 0);
	char *line = tlsa_record_zone_line(&owner, 3600, false, record);
	char *generic = tlsa_record_zone_line(&owner, TLSA_NO_TTL, true, record);

	CHECK(text != NULL && line != NULL && generic != NULL);
	check_hex(text, record->data, record->data_size);
	check_hex(line, record->data, record->data_size);
	check_hex(generic, rdata, size);
	CHECK(strncmp(line, "_25._tcp.mx.example. 3600 IN TLSA ", 34) == 0);
	CHECK(strstr(line, text) != NULL);
	host_tlsa_print(&tlsa, HOST_TLSA_DIGITS, short_text);
	CHECK(fuzz_is_printable(short_text, strlen(short_text)));
	free(text);
	free(line);
	free(generic);
}

/* OpenSSL compares the data with the certificate as it encodes it, which need not be the same. */
static void check_full(const struct tlsa_record *record)
{
	const unsigned char *at = record->data;

	if (record->selector == TLSA_CERTIFICATE) {
		X509 *certificate = d2i_X509(NULL, &at, (long)record->data_size);
		unsigned char *der = NULL;
		int size = i2d_X509(certificate, &der);
		bool same = size > 0 && (size_t)size == record->data_size &&
			    memcmp(der, record->data, record->data_size) == 0;
		CHECK(certificate != NULL &&
			tlsa_record_matches_certificate(record, certificate) == same);
		OPENSSL_free(der);
		X509_free(certificate);
	} else {
		EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)record->data_size);
		CHECK(key != NULL);
		EVP_PKEY_free(key);
	}
	ERR_clear_error();
}

static void check_usable(const struct tlsa_record *record)
{
	static const struct pin_settings settings = {
		.digest = TLSA_SHA256, .tas = true, .learn = true};
	uint8_t digest[TLSA_DIGEST_MAX], entry[sizeof(struct ta_digest)];
	size_t size = 0;

	for (int type = TLSA_SHA256; type <= TLSA_SHA512; type++) {
		bool given = tlsa_digest(record, (enum tlsa_matching_type)type, digest, &size);
		CHECK(given ==
			(record->matching_type == TLSA_FULL || record->matching_type == type));
		CHECK(!given || size == (type == TLSA_SHA256 ? 32u : 64u));
	}
	enum pin_obstacle obstacle = pin_record(&settings, record, entry, &size);
	CHECK(obstacle == PIN_CLEAR || obstacle == PIN_OTHER_DIGEST);
	CHECK(obstacle != PIN_CLEAR || size <= sizeof entry);
	if (record->matching_type == TLSA_FULL)
		check_full(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct tlsa_record record, read;

	if (size > UINT16_MAX)
		return -1;
	enum tlsa_usability usability = tlsa_parse(bytes, size, &record);
	CHECK(ERR_peek_error() == 0);
	CHECK(usability < TLSA_USABILITY_COUNT && tlsa_usability_text(usability) != NULL);
	CHECK(tlsa_read(bytes, size, &read) == (usability != TLSA_SHORT));
	if (usability == TLSA_SHORT) {
		CHECK(record.data == NULL && record.data_size == 0);
		return 0;
	}
	CHECK(tlsa_record_equal(&record, &read) && record.data_size + 3 == size);
	CHECK((usability == TLSA_USABLE) ==
		(record.usage >= TLSA_DANE_TA && openssl_takes(&record)));
	check_text(&record, bytes, size);
	if (usability == TLSA_USABLE)
		check_usable(&record);
	return 0;
}
