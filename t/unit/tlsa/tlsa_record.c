/*
 * tlsa_record: zone-file lines by table, what a cut record looks like, and that records made of a
 * certificate fit it, and no other, whatever the selector and the matching type.
 */
#include "daemon/ctl/tlsa/tlsa_record.h"

#include "t/unit/tap.h"

#include <openssl/err.h>

static const uint8_t data[] = {0x00, 0x01, 0xab, 0xcd, 0xef, 0xff};

static const struct tlsa_record record = {
	.usage = 3,
	.selector = 1,
	.matching_type = 1,
	.data = data,
	.data_size = sizeof data,
};

static const struct {
	const char *name, *protocol;
	unsigned port;
	int64_t ttl;
	bool generic;
	const char *expected;
} lines[] = {
	{"mx.example.com", "tcp", 25, TLSA_NO_TTL, false,
		"_25._tcp.mx.example.com. IN TLSA 3 1 1 0001abcdefff"},
	{"mx.example.com", "tcp", 25, 3600, false,
		"_25._tcp.mx.example.com. 3600 IN TLSA 3 1 1 0001abcdefff"},
	{"mx.example.com", "udp", 65535, 0, false,
		"_65535._udp.mx.example.com. 0 IN TLSA 3 1 1 0001abcdefff"},
	{"mx.example.com", "tcp", 25, TLSA_NO_TTL, true,
		"_25._tcp.mx.example.com. IN TYPE52 \\# 9 0301010001abcdefff"},
	{"mx.example.com", "sctp", 25, 60, true,
		"_25._sctp.mx.example.com. 60 IN TYPE52 \\# 9 0301010001abcdefff"},
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct tlsa_owner owner = {lines[i].protocol, lines[i].port, lines[i].name};
		char *line = tlsa_record_zone_line(&owner, lines[i].ttl, lines[i].generic, &record);
		is_string(line, lines[i].expected, "%s", lines[i].expected);
		free(line);
	}
}

static void test_words(void)
{
	static const struct {
		size_t digits;
		const char *expected;
	} words[] = {
		{0, "3 1 1 0001abcdefff"},
		{100, "3 1 1 0001abcdefff"},
		{12, "3 1 1 0001abcdefff"},
		{10, "3 1 1 0001abcdef..."},
		{2, "3 1 1 00..."},
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		char *made = tlsa_record_text(&record, words[i].digits);
		is_string(made, words[i].expected, "at most %zu digits", words[i].digits);
		free(made);
	}
}

static X509 *make_certificate(long serial)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	if (key == NULL || certificate == NULL ||
		ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) != 1 ||
		X509_gmtime_adj(X509_getm_notBefore(certificate), 0) == NULL ||
		X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) == NULL ||
		X509_set_pubkey(certificate, key) != 1 ||
		X509_sign(certificate, key, EVP_sha256()) <= 0)
		bail_out("no certificate could be made");
	EVP_PKEY_free(key);
	return certificate;
}

static void test_fits(void)
{
	X509 *one = make_certificate(1), *other = make_certificate(2);

	many_begin("a record fits what it was made of, and nothing else");
	for (uint8_t selector = 0; selector <= 1; selector++) {
		for (uint8_t type = 0; type <= 2; type++) {
			struct tlsa_parameters parameters = {3, selector, type};
			struct tlsa_record made, of_key;

			many(tlsa_record_from_certificate(parameters, one, &made), "it is made");
			many(tlsa_record_matches_certificate(&made, one), "it fits");
			many(!tlsa_record_matches_certificate(&made, other), "not the other");
			many(tlsa_record_matches_key(&made, X509_get0_pubkey(one)) ==
					(selector == 1),
				"the key, if it is of a key");
			many(!tlsa_record_matches_key(&made, X509_get0_pubkey(other)),
				"not the other key");
			if (selector == 1) {
				many(tlsa_record_from_key(
					     parameters, X509_get0_pubkey(one), &of_key) &&
						tlsa_record_equal(&made, &of_key),
					"the same of the key alone");
				tlsa_record_clear(&of_key);
			}
			tlsa_record_clear(&made);
			many(made.data == NULL && made.data_size == 0, "cleared");
		}
	}
	many_end();
	ok(!tlsa_record_from_key((struct tlsa_parameters){3, 1, 1}, NULL, &(struct tlsa_record){0}),
		"nothing is made of no key");
	ok(ERR_peek_error() == 0, "no error of OpenSSL is left");
	X509_free(one);
	X509_free(other);
}

int main(void)
{
	test_lines();
	test_words();
	test_fits();
	return done_testing();
}
