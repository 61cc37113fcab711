/*
 * decide: makes a verdict from the facts in the parts, by the rules of RFC 7672 as in
 * t/lab/dane-cases, "From hosts to the answer (native)", and of RFC 8461 as in t/lab/sts-cases,
 * "When MTA-STS applies". Pure: no I/O, no clock, no state.
 */
#ifndef TLSAD_VERDICT_DECIDE_H
#define TLSAD_VERDICT_DECIDE_H

#include "common/dane/destination.h"
#include "common/part/part.h"

/* Their names are a stable interface: explain, logs and metrics show them. */
enum reason {
	REASON_DANE_FULL,
	REASON_DANE_PARTIAL,
	REASON_DANE_PARTIAL_STS,
	REASON_DANE_INSECURE_MX,
	REASON_DANE_UNUSABLE,
	REASON_STS_ENFORCE,
	REASON_NO_TLSA,
	REASON_INSECURE,
	REASON_NULL_MX,
	REASON_NO_HOST,
	REASON_NXDOMAIN,
	REASON_NOT_A_DESTINATION,
	REASON_LOOKUP_FAILED,
	REASON_BOGUS,
	REASON_TIMEOUT,
	REASON_EXCEPTION,
	REASON_COUNT,
};

const char *reason_name(enum reason reason);

/* The rule that led to the reason, one sentence for an administrator. */
const char *reason_rule(enum reason reason);

enum verdict_level {
	VERDICT_NOTFOUND,  /* no policy: Postfix's own level applies */
	VERDICT_TEMP,      /* unknown: Postfix defers the mail */
	VERDICT_DANE,      /* DANE for the hosts that have it */
	VERDICT_DANE_ONLY, /* DANE for every host */
	VERDICT_SECURE,    /* a WebPKI certificate for a host that matches the MTA-STS policy */
};

struct verdict {
	enum verdict_level level;
	enum reason reason;
};

struct decide_facts {
	enum destination_kind kind;
	enum mx_status mx_status;      /* with DESTINATION_DOMAIN */
	enum dns_security mx_security; /* with MX_FOUND */
	enum dns_failure mx_failure;   /* with MX_FAILED */
	bool stale;                    /* some part has expired and is still used */
	enum sts_status sts;           /* STS_ABSENT without a part, or with [sts] enable = no */
	bool dane_behind_insecure_mx;  /* [sts] insecure_mx = dane */
	size_t host_count;             /* 1 for a `[host]` or a domain without MX records */
	enum host_status hosts[PART_HOSTS_MAX];
};

/* The verdict for these facts (RFC 7672 2.1, 2.2, RFC 8461 2, 5). */
struct verdict decide(const struct decide_facts *facts);

/* Can an MTA-STS policy change the verdict? `facts->sts` is not read. */
bool decide_needs_sts(const struct decide_facts *facts);

#endif
