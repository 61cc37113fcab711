/*
 * suggested_record: which TLSA record would have matched what a server sends: `3 1 1` of its own
 * certificate and `2 1 1` of its issuers, each tried with OpenSSL before it is named.
 */
#ifndef TLSAD_CTL_CHECK_SUGGESTED_RECORD_H
#define TLSAD_CTL_CHECK_SUGGESTED_RECORD_H

#include "daemon/ctl/check/server_check.h"

struct suggested_record {
	char *line; /* of a zone file */
	int depth;
	bool verifies;
	char reason[TLSA_MATCH_TEXT_SIZE]; /* why it does not */
};

enum { SUGGESTED_RECORDS_MAX = 8 };

/* For one address that was connected to. Returns how many there are; suggested_record_clear() frees
 * each. */
size_t suggested_records_make(const struct server_check_address *address,
	struct suggested_record records[SUGGESTED_RECORDS_MAX]);
void suggested_record_clear(struct suggested_record *suggested);

#endif
