/*
 * check_status: decides whether an address, a host and the destination verify. No state, no I/O.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_STATUS_H
#define TLSAD_CTL_CHECK_CHECK_STATUS_H

#include "common/verdict/decide.h"
#include "daemon/ctl/check/server_check.h"

enum check_status {
	CHECK_VERIFIED,
	CHECK_FAILED,      /* a sender with DANE, or with MTA-STS, would not deliver there */
	CHECK_UNKNOWN,     /* no result; the next attempt may have one */
	CHECK_NO_DANE,     /* neither TLSA records nor an enforced policy to verify against */
	CHECK_PASSED_OVER, /* a host without address: no sender connects to it */
	CHECK_STATUS_COUNT,
};

const char *check_status_name(enum check_status status);

/* The name to show: with --mx-only nothing was verified, so "verified" becomes "usable". */
const char *check_status_label(const struct server_check *check, enum check_status status);

/*
 * DANE decides, and MTA-STS where DANE does not apply. A host that has TLSA records needs both
 * then: senders that do not use MTA-STS use DANE.
 */
enum check_status check_status_of_address(const struct server_check_address *address);
enum check_status check_status_of_host(const struct server_check_host *host);

/*
 * The same for a sender that uses MTA-STS and not DANE; only if the policy has patterns
 * (sts_check_has_patterns()), and as if its mode were enforce.
 */
enum check_status check_sts_status_of_address(const struct server_check_address *address);
enum check_status check_sts_status_of_host(const struct server_check_host *host);

/* Would a TLSA record make the address verify? */
bool check_lacks_record(const struct server_check_address *address);

/* The verdict of the daemon for the same facts, with [sts] enable = yes. */
struct verdict check_decide(const struct server_check *check);

/* Does MTA-STS decide, so that DANE alone is not enough? */
bool check_sts_decides(const struct server_check *check);

/* For the whole destination; it determines the exit status. */
enum check_status check_status_of_all(const struct server_check *check);

/* Adds the result of an address, one line. */
void check_address_add_text(struct text *text, const struct server_check_address *address);

#endif
