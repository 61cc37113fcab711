/*
 * suggestion: which TLSA record would have matched what a server sends: `3 1 1` of its own
 * certificate and `2 1 1` of its issuers, each tried with OpenSSL before it is named.
 */
#ifndef TLSAD_CTL_CHECK_SUGGESTION_H
#define TLSAD_CTL_CHECK_SUGGESTION_H

#include "daemon/ctl/check/server_check.h"

struct suggestion {
	char *line; /* of a zone file */
	int depth;
	bool verifies;
	char reason[TLSA_MATCH_TEXT_SIZE]; /* why it does not */
};

enum { SUGGESTIONS_MAX = 8 };

/* Of one address that was reached; returns how many there are. suggestion_clear() frees each. */
size_t suggestion_make(
	const struct server_check_address *address, struct suggestion suggestions[SUGGESTIONS_MAX]);
void suggestion_clear(struct suggestion *suggestion);

#endif
