/*
 * check_status: decides whether an address, a host and the destination verify. No state, no I/O.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_STATUS_H
#define TLSAD_CTL_CHECK_CHECK_STATUS_H

#include "common/verdict/decide.h"
#include "daemon/ctl/check/server_check.h"

enum check_status {
	CHECK_VERIFIED,
	CHECK_FAILED,      /* a sender with DANE would not deliver there */
	CHECK_UNKNOWN,     /* no result; the next attempt may have one */
	CHECK_NO_DANE,     /* there are no TLSA records to verify against */
	CHECK_PASSED_OVER, /* a host without address: no sender connects to it */
	CHECK_STATUS_COUNT,
};

const char *check_status_name(enum check_status status);

/* The name to show: with --mx-only nothing was verified, so "verified" becomes "usable". */
const char *check_status_label(const struct server_check *check, enum check_status status);

enum check_status check_status_of_address(const struct server_check_address *address);
enum check_status check_status_of_host(const struct server_check_host *host);

/* The verdict of the daemon for the same facts. */
struct verdict check_decide(const struct server_check *check);

/* For the whole destination; it determines the exit status. */
enum check_status check_status_of_all(const struct server_check *check);

/* Adds the result of an address, one line. */
void check_address_add_text(struct text *text, const struct server_check_address *address);

#endif
