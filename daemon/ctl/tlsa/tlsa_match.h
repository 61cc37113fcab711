/*
 * tlsa_match: matches a server's certificates against TLSA records as a mail client does (RFC 7672
 * 3.1 and 3.2). OpenSSL's DANE support does it (SSL_CTX_dane_enable(3)), not our own code.
 *
 * With DANE-EE dates and names do not matter (RFC 7671 5.1); with DANE-TA a certificate needs one
 * of the names of RFC 7672 3.2.2. Chains from servers and from files are matched by the same code.
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

/* The names and records to match a chain against. The caller owns all of it. */
struct tlsa_match_terms {
	/* The first name is the TLSA base domain. */
	size_t name_count;
	const char *names[TLSA_MATCH_NAMES_MAX];
	size_t tlsa_count;
	const struct host_tlsa *tlsa; /* unusable records are ignored */
};

struct tlsa_match_result {
	bool verified;
	int record;   /* index of the record that matched, or TLSA_MATCH_NO_RECORD */
	int depth;    /* in the chain that OpenSSL built, 0 being the server's own certificate */
	int position; /* in the chain that was sent, or -1: the record contains the TA */
	int error;    /* X509_V_ERR_... */
	char reason[TLSA_MATCH_TEXT_SIZE]; /* why it does not verify, printable ASCII */
};

/* For connections and files. NULL when out of memory. It never makes a handshake fail. */
SSL_CTX *tlsa_match_context_new(void);

/*
 * Call it before a handshake. False if OpenSSL accepts none of the records, or when out of memory.
 */
bool tlsa_match_prepare(SSL *ssl, const struct tlsa_match_terms *terms);

/* Call it after the handshake, with the chain in the order in which the server sent it. */
void tlsa_match_read(SSL *ssl, const struct tlsa_match_terms *terms, STACK_OF(X509) * chain,
	struct tlsa_match_result *result);

/* Matches a chain, the server's own certificate first. False when out of memory. */
bool tlsa_match_chain(SSL_CTX *context, const struct tlsa_match_terms *terms,
	STACK_OF(X509) * chain, struct tlsa_match_result *result);

enum tlsa_match {
	TLSA_MATCH_UNUSABLE, /* no sender uses the record */
	TLSA_MATCH_ABSENT,   /* no certificate of the chain matches the record's data */
	TLSA_MATCH_REJECTED, /* one matches, but the chain does not verify: see `reason` */
	TLSA_MATCH_YES,
	TLSA_MATCH_UNKNOWN, /* there was no chain to match it against */
	TLSA_MATCH_COUNT,
};

const char *tlsa_match_name(enum tlsa_match match);

/*
 * Matches one record alone. `result->position` is the position of its certificate in the chain,
 * also if it does not verify.
 */
enum tlsa_match tlsa_match_record(SSL_CTX *context, const struct tlsa_match_terms *terms,
	size_t record, STACK_OF(X509) * chain, struct tlsa_match_result *result);

#endif
