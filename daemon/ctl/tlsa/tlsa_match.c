#include "daemon/ctl/tlsa/tlsa_match.h"

#include "common/base/text.h"
#include "daemon/ctl/tlsa/tlsa_record.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static const char *const match_names[TLSA_MATCH_COUNT] = {
	[TLSA_MATCH_UNUSABLE] = "unusable",
	[TLSA_MATCH_ABSENT] = "absent",
	[TLSA_MATCH_REJECTED] = "rejected",
	[TLSA_MATCH_YES] = "matches",
	[TLSA_MATCH_UNKNOWN] = "unknown",
};

const char *tlsa_match_name(enum tlsa_match match)
{
	return match < TLSA_MATCH_COUNT ? match_names[match] : "unknown";
}

SSL_CTX *tlsa_match_context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL || SSL_CTX_dane_enable(context) <= 0) {
		SSL_CTX_free(context);
		ERR_clear_error();
		return NULL;
	}
	/* With DANE-EE only the key matters, not the name (RFC 7671 5.1). */
	SSL_CTX_dane_set_flags(context, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	/*
	 * Accept what OpenSSL considers too weak, as Postfix does, so that it can be reported. RFC
	 * 7672 6 requires at least TLS 1.0.
	 */
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	return context;
}

static bool add_names(SSL *ssl, const struct tlsa_match_terms *terms)
{
	/* A wildcard must be a whole label, as RFC 6125 6.4.3 advises and Postfix requires. */
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 1; i < terms->name_count; i++) {
		if (SSL_add1_host(ssl, terms->names[i]) != 1)
			return false;
	}
	return true;
}

static bool add_record(SSL *ssl, const struct host_tlsa *tlsa)
{
	struct tlsa_record record;

	return tlsa_parse(tlsa->rdata, tlsa->size, &record) == TLSA_USABLE &&
	       SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching_type,
		       record.data, record.data_size) > 0;
}

bool tlsa_match_prepare(SSL *ssl, const struct tlsa_match_terms *terms)
{
	bool added = false;

	if (SSL_dane_enable(ssl, terms->names[0]) > 0 && add_names(ssl, terms)) {
		for (size_t i = 0; i < terms->tlsa_count; i++)
			added = add_record(ssl, &terms->tlsa[i]) || added;
	}
	ERR_clear_error();
	return added;
}

/* Finds the record that OpenSSL reports as the matching one. */
static int find_record(SSL *ssl, const struct tlsa_match_terms *terms)
{
	struct tlsa_record found, record;
	const unsigned char *data = NULL;

	memset(&found, 0, sizeof found);
	if (SSL_get0_dane_tlsa(ssl, &found.usage, &found.selector, &found.matching_type, &data,
		    &found.data_size) < 0)
		return TLSA_MATCH_NO_RECORD;
	found.data = data;
	for (size_t i = 0; i < terms->tlsa_count; i++) {
		if (tlsa_parse(terms->tlsa[i].rdata, terms->tlsa[i].size, &record) == TLSA_USABLE &&
			tlsa_record_equal(&record, &found))
			return (int)i;
	}
	return TLSA_MATCH_NO_RECORD;
}

static void add_reason(struct tlsa_match_result *result, const struct tlsa_match_terms *terms)
{
	struct text text;

	text_init(&text, result->reason, sizeof result->reason);
	switch (result->error) {
	case X509_V_ERR_DANE_NO_MATCH:
		text_add(&text, "no TLSA record matches the server's certificates");
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		text_add(&text, "the certificate has none of the names");
		for (size_t i = 0; i < terms->name_count; i++)
			text_add_format(&text, "%s %s", i > 0 ? "," : "", terms->names[i]);
		break;
	default:
		text_add(&text, X509_verify_cert_error_string(result->error));
	}
}

/* A server may send its chain in any order, with unrelated certificates among them. */
static int find_position(const X509 *certificate, STACK_OF(X509) * chain)
{
	for (int i = 0; certificate != NULL && i < sk_X509_num(chain); i++) {
		if (X509_cmp(sk_X509_value(chain, i), certificate) == 0)
			return i;
	}
	return -1;
}

void tlsa_match_read(SSL *ssl, const struct tlsa_match_terms *terms, STACK_OF(X509) * chain,
	struct tlsa_match_result *result)
{
	X509 *matched = NULL;

	memset(result, 0, sizeof *result);
	result->error = (int)SSL_get_verify_result(ssl);
	result->depth = SSL_get0_dane_authority(ssl, &matched, NULL);
	result->position = -1;
	result->record = TLSA_MATCH_NO_RECORD;
	if (result->error == X509_V_OK && result->depth >= 0) {
		result->verified = true;
		result->record = find_record(ssl, terms);
		result->position = find_position(matched, chain);
		return;
	}
	if (result->error == X509_V_OK)
		result->error = X509_V_ERR_DANE_NO_MATCH;
	result->depth = -1;
	add_reason(result, terms);
}

/* Verifies a chain as OpenSSL does at the end of a handshake. */
static bool verify(SSL *ssl, STACK_OF(X509) * chain)
{
	X509_STORE_CTX *store = X509_STORE_CTX_new();
	bool ready =
		store != NULL &&
		X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
			sk_X509_value(chain, 0), chain) == 1 &&
		X509_STORE_CTX_set_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) == 1;

	if (ready) {
		X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(store);
		X509_VERIFY_PARAM_set_auth_level(parameters, SSL_get_security_level(ssl));
		X509_STORE_CTX_set0_dane(store, SSL_get0_dane(ssl));
		X509_STORE_CTX_set_default(store, "ssl_server");
		X509_VERIFY_PARAM_set1(parameters, SSL_get0_param(ssl));
		X509_verify_cert(store);
		SSL_set_verify_result(ssl, X509_STORE_CTX_get_error(store));
	}
	X509_STORE_CTX_free(store);
	ERR_clear_error();
	return ready;
}

bool tlsa_match_chain(SSL_CTX *context, const struct tlsa_match_terms *terms,
	STACK_OF(X509) * chain, struct tlsa_match_result *result)
{
	SSL *ssl = SSL_new(context);
	bool prepared = ssl != NULL && tlsa_match_prepare(ssl, terms);
	bool matched = prepared && verify(ssl, chain);

	if (matched)
		tlsa_match_read(ssl, terms, chain, result);
	SSL_free(ssl);
	ERR_clear_error();
	return matched;
}

/* The position of the record's certificate or key in the chain, or -1. */
static int find_certificate(const struct tlsa_record *record, STACK_OF(X509) * chain)
{
	/* The end entity is the server's own certificate, the first (RFC 7671 5.1). */
	int most = record->usage == TLSA_DANE_EE ? 1 : sk_X509_num(chain);

	for (int i = 0; i < most; i++) {
		if (tlsa_record_matches_certificate(record, sk_X509_value(chain, i)))
			return i;
	}
	return -1;
}

enum tlsa_match tlsa_match_record(SSL_CTX *context, const struct tlsa_match_terms *terms,
	size_t record, STACK_OF(X509) * chain, struct tlsa_match_result *result)
{
	struct tlsa_match_terms alone = *terms;
	struct tlsa_record parsed;

	memset(result, 0, sizeof *result);
	result->record = TLSA_MATCH_NO_RECORD;
	result->depth = result->position = -1;
	alone.tlsa = &terms->tlsa[record];
	alone.tlsa_count = 1;
	if (tlsa_parse(alone.tlsa->rdata, alone.tlsa->size, &parsed) != TLSA_USABLE ||
		!tlsa_match_chain(context, &alone, chain, result))
		return TLSA_MATCH_UNUSABLE;
	if (result->verified) {
		result->record = (int)record;
		return TLSA_MATCH_YES;
	}
	result->position = find_certificate(&parsed, chain);
	return result->position >= 0 ? TLSA_MATCH_REJECTED : TLSA_MATCH_ABSENT;
}
