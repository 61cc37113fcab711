/*
 * web_match: which chains verify for which host, by table, with certificates made here: names,
 * wildcards, dates, purposes, missing and unrelated certificates.
 */
#include "daemon/ctl/tlsa/web_match.h"

#include "t/unit/tap.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

enum { NOW = 1700000000, DAY = 86400, CHAIN_MAX = 4 };

static EVP_PKEY *key; /* of all of them */
static X509_STORE *trusted;
static X509 *root, *intermediate, *other_root;

static void need(bool good, const char *what)
{
	if (!good)
		bail_out(what);
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	need(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

/* NULL as the issuer: self-signed. */
static X509 *make(const char *common_name, X509 *issuer, bool authority, const char *names,
	const char *usage, int64_t begins, int64_t ends)
{
	static int serial;
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	if (issuer == NULL)
		issuer = certificate;
	need(X509_set_version(certificate, X509_VERSION_3) == 1 &&
			ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) == 1 &&
			ASN1_TIME_set(X509_getm_notBefore(certificate), begins) != NULL &&
			ASN1_TIME_set(X509_getm_notAfter(certificate), ends) != NULL &&
			X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				(const unsigned char *)common_name, -1, -1, 0) == 1 &&
			X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
			X509_set_pubkey(certificate, key) == 1,
		"no certificate could be made");
	add_extension(certificate, issuer, NID_basic_constraints,
		authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		add_extension(certificate, issuer, NID_subject_alt_name, names);
	if (usage != NULL)
		add_extension(certificate, issuer, NID_ext_key_usage, usage);
	need(X509_sign(certificate, key, EVP_sha256()) > 0, "no certificate could be signed");
	return certificate;
}

static X509 *make_authority(const char *name, X509 *issuer)
{
	return make(name, issuer, true, NULL, NULL, NOW - DAY, NOW + DAY);
}

/* --- names --------------------------------------------------------------------------------- */

static const struct {
	const char *host;
	const char *common_name;
	const char *names;
	bool verified;
} names[] = {
	{"mx.example.com", "mx.example.com", "DNS:mx.example.com", true},
	{"mx.example.com", "other", "DNS:other.example,DNS:mx.example.com", true},
	{"mx.example.com", "other", "DNS:MX.Example.COM", true},
	{"mx.example.com", "mx.example.com", "DNS:other.example", false},
	/* The common name never counts. */
	{"mx.example.com", "mx.example.com", NULL, false},
	{"mx.example.com", "mx.example.com", "email:a@example.com", false},
	/* A wildcard is the whole left-most label, and one label. */
	{"mx.example.com", "other", "DNS:*.example.com", true},
	{"a.mx.example.com", "other", "DNS:*.example.com", false},
	{"example.com", "other", "DNS:*.example.com", false},
	{"mx.example.com", "other", "DNS:m*.example.com", false},
	{"mx.example.com", "other", "DNS:*x.example.com", false},
	{"mx.example.com", "other", "DNS:mx.*.com", false},
	{"mx.example.com", "other", "DNS:*", false},
	{"mx.example.com", "other", "DNS:.example.com", false},
	{"mx.example.com", "other", "DNS:example.com", false},
	{"mx.example.com", "other", "URI:https://mx.example.com", false},
	{"mx.example.com", "other", "IP:192.0.2.1", false},
	{"xn--mx-eka.example.com", "other", "DNS:xn--mx-eka.example.com", true},
};

static struct web_match_result match(const char *host, X509 *const *certificates)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct web_match_result result;

	for (size_t i = 0; i < CHAIN_MAX && certificates[i] != NULL; i++)
		sk_X509_push(chain, certificates[i]);
	need(web_match_chain(trusted, host, NOW, chain, &result), "out of memory");
	ok(ERR_peek_error() == 0, "no OpenSSL error remains");
	sk_X509_free(chain);
	return result;
}

static void test_names(void)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		X509 *chain[CHAIN_MAX] = {make(names[i].common_name, root, false, names[i].names,
			NULL, NOW - DAY, NOW + DAY)};
		struct web_match_result result = match(names[i].host, chain);
		const char *words = names[i].names != NULL ? names[i].names : "no name";
		is_number(result.verified, names[i].verified, "%s: CN=%s, %s", names[i].host,
			names[i].common_name, words);
		ok(result.verified == (result.reason[0] == '\0'), "a reason if it fails");
		X509_free(chain[0]);
	}
	X509 *chain[CHAIN_MAX] = {
		make("mx.example.com", root, false, NULL, NULL, NOW - DAY, NOW + DAY)};
	is_string(match("mx.example.com", chain).reason,
		"the certificate has no DNS name in subjectAltName, and its common name does not "
		"count",
		"the reason without a name");
	X509_free(chain[0]);
	chain[0] = make("other", root, false, "DNS:other.example", NULL, NOW - DAY, NOW + DAY);
	is_string(match("mx.example.com", chain).reason,
		"the certificate does not have the name mx.example.com", "with another name");
	X509_free(chain[0]);
}

/* --- chains -------------------------------------------------------------------------------- */

static X509 *make_leaf(X509 *issuer)
{
	return make("mx", issuer, false, "DNS:mx.example.com", NULL, NOW - DAY, NOW + DAY);
}

static void expect(const char *what, X509 *leaf, X509 *second, X509 *third, int error)
{
	X509 *chain[CHAIN_MAX] = {leaf, second, third};
	struct web_match_result result = match("mx.example.com", chain);

	is_number(result.error, error, "%s", what);
	is_number(result.verified, error == X509_V_OK, "%s: verified", what);
	if (error != X509_V_OK && leaf != NULL)
		is_string(result.reason, X509_verify_cert_error_string(error), "%s: why", what);
	X509_free(leaf);
}

static void test_chains(void)
{
	expect("issued by the root", make_leaf(root), NULL, NULL, X509_V_OK);
	expect("the root sent too", make_leaf(root), root, NULL, X509_V_OK);
	expect("with an intermediate", make_leaf(intermediate), intermediate, NULL, X509_V_OK);
	expect("in another order", make_leaf(intermediate), root, intermediate, X509_V_OK);
	expect("beside an unrelated one", make_leaf(root), other_root, NULL, X509_V_OK);
	expect("the intermediate is missing", make_leaf(intermediate), NULL, NULL,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	expect("self-signed", make_leaf(NULL), NULL, NULL, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
	expect("another root", make_leaf(other_root), other_root, NULL,
		X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
	expect("expired",
		make("mx", root, false, "DNS:mx.example.com", NULL, NOW - 2 * DAY, NOW - 1), NULL,
		NULL, X509_V_ERR_CERT_HAS_EXPIRED);
	expect("not valid yet",
		make("mx", root, false, "DNS:mx.example.com", NULL, NOW + 60, NOW + DAY), NULL,
		NULL, X509_V_ERR_CERT_NOT_YET_VALID);
	expect("for servers",
		make("mx", root, false, "DNS:mx.example.com", "serverAuth", NOW - DAY, NOW + DAY),
		NULL, NULL, X509_V_OK);
	expect("for clients only",
		make("mx", root, false, "DNS:mx.example.com", "clientAuth", NOW - DAY, NOW + DAY),
		NULL, NULL, X509_V_ERR_INVALID_PURPOSE);
	X509 *no_authority = make("no CA", root, false, NULL, NULL, NOW - DAY, NOW + DAY);
	expect("issued by one that is not a CA", make_leaf(no_authority), no_authority, NULL,
		X509_V_ERR_INVALID_CA);
	X509_free(no_authority);
	expect("no certificate", NULL, NULL, NULL, X509_V_ERR_UNSPECIFIED);
}

int main(void)
{
	key = EVP_EC_gen("P-256");
	trusted = X509_STORE_new();
	need(key != NULL && trusted != NULL, "out of memory");
	root = make_authority("root", NULL);
	other_root = make_authority("other root", NULL);
	intermediate = make_authority("intermediate", root);
	need(X509_STORE_add_cert(trusted, root) == 1, "out of memory");
	test_names();
	test_chains();
	X509_free(root);
	X509_free(other_root);
	X509_free(intermediate);
	X509_STORE_free(trusted);
	EVP_PKEY_free(key);
	return done_testing();
}
