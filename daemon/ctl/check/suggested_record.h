/*
 * suggested_record: TLSA records that would match the certificates a server sends: `3 1 1` for its
 * own certificate and `2 1 1` for its issuers. Each record is tried with OpenSSL before it is
 * suggested.
 */
#ifndef TLSAD_CTL_CHECK_SUGGESTED_RECORD_H
#define TLSAD_CTL_CHECK_SUGGESTED_RECORD_H

#include "daemon/ctl/check/server_check.h"

struct suggested_record {
	char *line; /* for a zone file */
	int depth;
	bool verifies;
	char reason[TLSA_MATCH_TEXT_SIZE]; /* why it does not verify */
};

enum { SUGGESTED_RECORDS_MAX = 8 };

/*
 * For one address with a finished TLS handshake. Returns the number of records;
 * suggested_record_clear() frees each.
 */
size_t suggested_records_make(const struct server_check_address *address,
	struct suggested_record records[SUGGESTED_RECORDS_MAX]);
void suggested_record_clear(struct suggested_record *suggested);

#endif
