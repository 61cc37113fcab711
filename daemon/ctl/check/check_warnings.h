/*
 * check_warnings: finds in the results of a check what fails in part and what will fail soon. No
 * state, no I/O.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_WARNINGS_H
#define TLSAD_CTL_CHECK_CHECK_WARNINGS_H

#include "daemon/ctl/check/check_status.h"

enum {
	CHECK_WARNING_TEXT_SIZE = 768,
	CHECK_WARNINGS_MAX = 500,
	CHECK_WARNING_MAX_AGE = 24 * 60 * 60, /* [s] warn if max_age of a policy is less */
	CHECK_WARNING_SOON =
		14 * 24 * 60 *
		60, /* [s] warn if a certificate or signature expires within this time */
};

enum check_warning_kind {
	CHECK_WARNING_MX_INSECURE,
	CHECK_WARNING_PARTIAL,
	CHECK_WARNING_NO_ADDRESS,
	CHECK_WARNING_LOOKUP_FAILED,
	CHECK_WARNING_FAMILY_FAILS,
	CHECK_WARNING_ADDRESS_FAILS,
	CHECK_WARNING_NO_STARTTLS,
	CHECK_WARNING_CERTIFICATE_EXPIRED,
	CHECK_WARNING_CERTIFICATE_EXPIRES,
	CHECK_WARNING_CERTIFICATE_EARLY,
	CHECK_WARNING_SIGNATURE_EXPIRES,
	CHECK_WARNING_RECORD_STALE,
	CHECK_WARNING_TA_NOT_SENT,
	CHECK_WARNING_RECORD_UNUSABLE,
	CHECK_WARNING_ONLY_FULL,
	CHECK_WARNING_LONG_TTL,
	CHECK_WARNING_OLD_TLS,
	CHECK_WARNING_STS_LOOKUP_FAILED,
	CHECK_WARNING_STS_RECORD,
	CHECK_WARNING_STS_NOT_DOWNLOADED,
	CHECK_WARNING_STS_TESTING,
	CHECK_WARNING_STS_MAX_AGE,
	CHECK_WARNING_STS_MX_LEFT_OUT,
	CHECK_WARNING_STS_NO_MATCH,
	CHECK_WARNING_STS_CERTIFICATE,
	CHECK_WARNING_COUNT,
};

/* The name in JSON. */
const char *check_warning_name(enum check_warning_kind kind);

struct check_warning {
	enum check_warning_kind kind;
	const struct server_check_host *host; /* NULL: the warning is about the destination */
	char text[CHECK_WARNING_TEXT_SIZE];
};

struct check_warnings {
	size_t count;
	struct check_warning *list;
};

/* False when out of memory. */
bool check_warnings_make(struct check_warnings *warnings, const struct server_check *check);
void check_warnings_clear(struct check_warnings *warnings);

/* For check_warnings_make(): adds one, unless there are CHECK_WARNINGS_MAX. */
void check_warnings_add(struct check_warnings *warnings, enum check_warning_kind kind,
	const struct server_check_host *host, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for those about MTA-STS: of the destination, and of one host. */
void check_warnings_add_sts(struct check_warnings *warnings, const struct server_check *check);
void check_warnings_add_sts_host(
	struct check_warnings *warnings, const struct server_check_host *host);

#endif
