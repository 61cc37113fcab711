/*
 * web_match: verifies a server's certificates as senders with MTA-STS do (RFC 8461 4.2): they must
 * chain to a trusted CA, be valid now, and have the name of the MX host as a DNS-ID. `*` may stand
 * for the whole left-most label; the common name counts for nothing. OpenSSL does it. No I/O.
 */
#ifndef TLSAD_CTL_TLSA_WEB_MATCH_H
#define TLSAD_CTL_TLSA_WEB_MATCH_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

enum { WEB_MATCH_TEXT_SIZE = 320 };

struct web_match_result {
	bool verified;
	int error;                        /* X509_V_ERR_... */
	char reason[WEB_MATCH_TEXT_SIZE]; /* why it does not verify, printable ASCII */
};

/*
 * Verify a chain as it was sent, the server's own certificate first, for the host's name, at the
 * time `now` [s since 1970]. False when out of memory.
 */
bool web_match_chain(X509_STORE *trusted, const char *host, int64_t now, STACK_OF(X509) * chain,
	struct web_match_result *result);

#endif
