/*
 * judge: holds a server's certificates against TLSA records, with OpenSSL's own DANE support
 * (SSL_CTX_dane_enable(3)) and no code of ours, as a mail client does by RFC 7672.
 *
 * Dates and names do not count with DANE-EE (RFC 7671 5.1); with DANE-TA the names of RFC 7672
 * 3.2.2 do. The same judge sees a chain that a server has sent and one from a file.
 */
#ifndef TLSAD_CTL_TLSA_JUDGE_H
#define TLSAD_CTL_TLSA_JUDGE_H

#include "common/part/part.h"

#include <openssl/ssl.h>

enum {
	JUDGE_NAMES_MAX = 3,
	JUDGE_WORDS_SIZE = 256,
	JUDGE_NO_RECORD = -1,
};

/* What a chain is held against; all of it belongs to the caller. */
struct judge_terms {
	/* The first is the TLSA base domain. */
	size_t name_count;
	const char *names[JUDGE_NAMES_MAX];
	size_t tlsa_count;
	const struct host_tlsa *tlsa; /* unusable ones do not count */
};

struct judge_verdict {
	bool verified;
	int record; /* index of the record that made it so, or JUDGE_NO_RECORD */
	int depth;  /* in the chain that OpenSSL built, 0 being the server's own certificate */
	int place;  /* in what was sent, or -1: the record itself holds the trust anchor */
	int error;  /* X509_V_ERR_... */
	char words[JUDGE_WORDS_SIZE]; /* why not, printable ASCII */
};

/* For a connection or a file; NULL when OpenSSL has no memory. Never makes a handshake fail. */
SSL_CTX *judge_context_new(void);

/* Before a handshake. False when OpenSSL takes none of the records or has no memory. */
bool judge_prepare(SSL *ssl, const struct judge_terms *terms);

/* After it. The chain is what the server sent, in its order. */
void judge_read(SSL *ssl, const struct judge_terms *terms, STACK_OF(X509) * chain,
	struct judge_verdict *verdict);

/* A chain, the server's own certificate first. False when out of memory. */
bool judge_chain(SSL_CTX *context, const struct judge_terms *terms, STACK_OF(X509) * chain,
	struct judge_verdict *verdict);

enum judge_match {
	JUDGE_UNUSABLE, /* the record is for nobody */
	JUDGE_ABSENT,   /* no certificate of the chain is the record's */
	JUDGE_REJECTED, /* one is, but the chain does not verify with this record: see the words */
	JUDGE_MATCHES,
	JUDGE_UNTOLD, /* nothing was there to hold it against */
	JUDGE_MATCH_COUNT,
};

const char *judge_match_name(enum judge_match match);

/* One record on its own. `verdict->place` is where its certificate stands, matching or not. */
enum judge_match judge_record(SSL_CTX *context, const struct judge_terms *terms, size_t record,
	STACK_OF(X509) * chain, struct judge_verdict *verdict);

#endif
