/*
 * findings: what the results of a check mean: does each host verify, and what will break next?
 * Pure.
 */
#ifndef TLSAD_CTL_CHECK_FINDINGS_H
#define TLSAD_CTL_CHECK_FINDINGS_H

#include "common/verdict/decide.h"
#include "daemon/ctl/check/server_check.h"

enum check_verdict {
	CHECK_VERIFIED,
	CHECK_FAILED,      /* a sender with DANE would not deliver there */
	CHECK_UNKNOWN,     /* could not tell */
	CHECK_NO_DANE,     /* nothing to verify against */
	CHECK_PASSED_OVER, /* a host without address: no sender goes there */
	CHECK_VERDICT_COUNT,
};

const char *check_verdict_name(enum check_verdict verdict);

enum check_verdict check_address(const struct server_check_address *address);
enum check_verdict check_host(const struct server_check_host *host);

/* The answer that the daemon would give. */
struct verdict check_decide(const struct server_check *check);

/* Of all hosts: the exit status is made of it. */
enum check_verdict check_survey(const struct server_check *check);

/* What an address came to, one line. */
void check_address_words(struct text *text, const struct server_check_address *address);

enum {
	FINDING_WORDS_SIZE = 768,
	FINDINGS_MAX = 500,
	FINDING_SOON = 14 * 24 * 60 * 60, /* [s] what ends earlier is told */
};

enum finding_kind {
	FINDING_MX_INSECURE,
	FINDING_PARTIAL,
	FINDING_NO_ADDRESS,
	FINDING_LOOKUP_FAILED,
	FINDING_FAMILY_FAILS,
	FINDING_ADDRESS_FAILS,
	FINDING_NO_STARTTLS,
	FINDING_CERTIFICATE_EXPIRED,
	FINDING_CERTIFICATE_EXPIRES,
	FINDING_CERTIFICATE_EARLY,
	FINDING_SIGNATURE_EXPIRES,
	FINDING_RECORD_STALE,
	FINDING_ANCHOR_NOT_SENT,
	FINDING_RECORD_UNUSABLE,
	FINDING_ONLY_FULL,
	FINDING_LONG_TTL,
	FINDING_OLD_TLS,
	FINDING_KIND_COUNT,
};

/* One word, for JSON. */
const char *finding_kind_name(enum finding_kind kind);

struct finding {
	enum finding_kind kind;
	const struct server_check_host *host; /* NULL: the destination itself */
	char words[FINDING_WORDS_SIZE];
};

struct findings {
	size_t count;
	struct finding *list;
};

/* False when out of memory. */
bool findings_make(struct findings *findings, const struct server_check *check);
void findings_clear(struct findings *findings);

#endif
