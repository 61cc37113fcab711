/*
 * tlsa_match: matches a server's certificates against TLSA records, with OpenSSL's own DANE support
 * (SSL_CTX_dane_enable(3)) and no code of ours, as a mail client does by RFC 7672 3.1 and 3.2.
 *
 * Dates and names do not count with DANE-EE (RFC 7671 5.1); with DANE-TA the names of RFC 7672
 * 3.2.2 do. A chain that a server sent and one from a file are matched by the same code.
 */
#ifndef TLSAD_CTL_TLSA_TLSA_MATCH_H
#define TLSAD_CTL_TLSA_TLSA_MATCH_H

#include "common/part/part.h"

#include <openssl/ssl.h>

enum {
	TLSA_MATCH_NAMES_MAX = 3,
	TLSA_MATCH_TEXT_SIZE = 256,
	TLSA_MATCH_NO_RECORD = -1,
};

/* What a chain is matched against; the caller owns all of it. */
struct tlsa_match_terms {
	/* The first is the TLSA base domain. */
	size_t name_count;
	const char *names[TLSA_MATCH_NAMES_MAX];
	size_t tlsa_count;
	const struct host_tlsa *tlsa; /* unusable ones do not count */
};

struct tlsa_match_result {
	bool verified;
	int record;   /* index of the record that matched, or TLSA_MATCH_NO_RECORD */
	int depth;    /* in the chain that OpenSSL built, 0 being the server's own certificate */
	int position; /* in what was sent, or -1: the record itself holds the trust anchor */
	int error;    /* X509_V_ERR_... */
	char reason[TLSA_MATCH_TEXT_SIZE]; /* why not, printable ASCII */
};

/* For a connection or a file; NULL when OpenSSL has no memory. Never makes a handshake fail. */
SSL_CTX *tlsa_match_context_new(void);

/* Before a handshake. False when OpenSSL takes none of the records or has no memory. */
bool tlsa_match_prepare(SSL *ssl, const struct tlsa_match_terms *terms);

/* After it. The chain is what the server sent, in its order. */
void tlsa_match_read(SSL *ssl, const struct tlsa_match_terms *terms, STACK_OF(X509) * chain,
	struct tlsa_match_result *result);

/* A chain, the server's own certificate first. False when out of memory. */
bool tlsa_match_chain(SSL_CTX *context, const struct tlsa_match_terms *terms,
	STACK_OF(X509) * chain, struct tlsa_match_result *result);

enum tlsa_match {
	TLSA_MATCH_UNUSABLE, /* no sender uses the record */
	TLSA_MATCH_ABSENT,   /* no certificate of the chain is the record's */
	TLSA_MATCH_REJECTED, /* one is, but the chain does not verify with this record: see `reason`
			      */
	TLSA_MATCH_YES,
	TLSA_MATCH_UNKNOWN, /* there was nothing to match it against */
	TLSA_MATCH_COUNT,
};

const char *tlsa_match_name(enum tlsa_match match);

/* One record on its own. `result->position` is where the chain has its certificate, matching or
 * not. */
enum tlsa_match tlsa_match_record(SSL_CTX *context, const struct tlsa_match_terms *terms,
	size_t record, STACK_OF(X509) * chain, struct tlsa_match_result *result);

#endif
