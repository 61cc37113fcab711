/*
 * check_status: does an address, a host, the destination verify? No state, no I/O.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_STATUS_H
#define TLSAD_CTL_CHECK_CHECK_STATUS_H

#include "common/verdict/decide.h"
#include "daemon/ctl/check/server_check.h"

enum check_status {
	CHECK_VERIFIED,
	CHECK_FAILED,      /* a sender with DANE would not deliver there */
	CHECK_UNKNOWN,     /* no result, which may be otherwise at the next attempt */
	CHECK_NO_DANE,     /* nothing to verify against */
	CHECK_PASSED_OVER, /* a host without address: no sender goes there */
	CHECK_STATUS_COUNT,
};

const char *check_status_name(enum check_status status);

/* The same for people: without connections nothing was verified. */
const char *check_status_label(const struct server_check *check, enum check_status status);

enum check_status check_status_of_address(const struct server_check_address *address);
enum check_status check_status_of_host(const struct server_check_host *host);

/* What the daemon would decide. */
struct verdict check_decide(const struct server_check *check);

/* Of all hosts: the exit status is made of it. */
enum check_status check_status_of_all(const struct server_check *check);

/* The result of an address, one line. */
void check_address_add_text(struct text *text, const struct server_check_address *address);

#endif
