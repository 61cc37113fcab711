#include "common/verdict/decide.h"

static const struct {
	const char *name;
	const char *rule;
} reasons[REASON_COUNT] = {
	[REASON_DANE_FULL] = {"dane-full",
		"every host whose lookups did not fail has usable TLSA records"},
	[REASON_DANE_PARTIAL] = {"dane-partial",
		"some hosts have usable TLSA records, others do not"},
	[REASON_DANE_PARTIAL_STS] = {"dane-partial-sts",
		"some hosts have usable TLSA records; the others are left out, because the "
		"domain's MTA-STS policy requires authentication"},
	[REASON_DANE_INSECURE_MX] = {"dane-insecure-mx",
		"the MX records are not signed, but some of their hosts have TLSA records"},
	[REASON_DANE_UNUSABLE] = {"dane-unusable",
		"there are TLSA records, but none is usable: TLS without authentication"},
	[REASON_STS_ENFORCE] = {"sts-enforce", "an MTA-STS policy is enforced"},
	[REASON_NO_TLSA] = {"no-tlsa", "no host has TLSA records"},
	[REASON_INSECURE] = {"insecure",
		"the MX records are not signed, and none of their hosts has TLSA records"},
	[REASON_NULL_MX] = {"null-mx", "the domain accepts no mail (RFC 7505)"},
	[REASON_NO_HOST] = {"no-host", "no MX host has an address"},
	[REASON_NXDOMAIN] = {"nxdomain", "the domain does not exist"},
	[REASON_NOT_A_DESTINATION] = {"not-a-destination",
		"not a mail domain or host name that can be looked up in DNS"},
	[REASON_LOOKUP_FAILED] = {"lookup-failed",
		"a lookup failed, so TLSA records may exist that are not known"},
	[REASON_BOGUS] = {"bogus", "DNSSEC validation of the MX records failed"},
	[REASON_TIMEOUT] = {"timeout", "the MX lookup was not answered in time"},
	[REASON_EXCEPTION] = {"exception", "an exception of this site applies"},
};

const char *reason_name(enum reason reason)
{
	return reason < REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *reason_rule(enum reason reason)
{
	return reason < REASON_COUNT ? reasons[reason].rule : "unknown";
}

static struct verdict verdict(enum verdict_level level, enum reason reason)
{
	return (struct verdict){level, reason};
}

/* The number of hosts of each status; `reachable`: all but HOST_UNREACHABLE. */
struct tally {
	unsigned hosts[HOST_STATUS_COUNT];
	unsigned reachable;
};

static struct tally count_hosts(const struct decide_facts *facts)
{
	struct tally tally = {.reachable = 0};
	for (size_t i = 0; i < facts->host_count; i++) {
		tally.hosts[facts->hosts[i]]++;
		tally.reachable += facts->hosts[i] != HOST_UNREACHABLE;
	}
	return tally;
}

/*
 * The MX set is signed, or there are no MX records that an attacker could forge. One failed host
 * does not delay the mail of a domain: at these levels Postfix itself looks up TLSA for the host
 * that it is about to use, and skips a host whose lookup fails.
 */
static struct verdict decide_secure(const struct tally *tally)
{
	unsigned answered = tally->reachable - tally->hosts[HOST_FAILED];

	if (tally->hosts[HOST_USABLE] == answered)
		return verdict(VERDICT_DANE_ONLY, REASON_DANE_FULL);
	if (tally->hosts[HOST_USABLE] > 0)
		return verdict(VERDICT_DANE, REASON_DANE_PARTIAL);
	if (tally->hosts[HOST_UNUSABLE] > 0)
		return verdict(VERDICT_DANE, REASON_DANE_UNUSABLE);
	/* A failure is never NOTFOUND: an attacker could block a lookup to downgrade TLS. */
	if (tally->hosts[HOST_FAILED] > 0)
		return verdict(VERDICT_TEMP, REASON_LOOKUP_FAILED);
	return verdict(VERDICT_NOTFOUND, REASON_NO_TLSA);
}

static struct verdict decide_insecure(const struct tally *tally)
{
	if (tally->hosts[HOST_USABLE] + tally->hosts[HOST_UNUSABLE] > 0)
		return verdict(VERDICT_DANE, REASON_DANE_INSECURE_MX);
	if (tally->hosts[HOST_FAILED] > 0)
		return verdict(VERDICT_TEMP, REASON_LOOKUP_FAILED);
	return verdict(VERDICT_NOTFOUND, REASON_INSECURE);
}

static struct verdict decide_failed_mx(enum dns_failure failure)
{
	switch (failure) {
	case DNS_FAILURE_BOGUS:
		return verdict(VERDICT_TEMP, REASON_BOGUS);
	case DNS_FAILURE_TIMEOUT:
		return verdict(VERDICT_TEMP, REASON_TIMEOUT);
	default:
		return verdict(VERDICT_TEMP, REASON_LOOKUP_FAILED);
	}
}

static struct verdict decide_fresh(const struct decide_facts *facts)
{
	struct tally tally = count_hosts(facts);
	bool secure = true;

	if (facts->kind == DESTINATION_DOMAIN) {
		switch (facts->mx_status) {
		case MX_FAILED:
			return decide_failed_mx(facts->mx_failure);
		case MX_NXDOMAIN:
			return verdict(VERDICT_NOTFOUND, REASON_NXDOMAIN);
		case MX_NULL:
			return verdict(VERDICT_NOTFOUND, REASON_NULL_MX);
		case MX_FOUND:
			secure = facts->mx_security == DNS_SECURE;
			break;
		default: /* MX_ABSENT: there are no MX records that an attacker could forge */
			break;
		}
	}
	if (tally.reachable == 0)
		return verdict(VERDICT_NOTFOUND, REASON_NO_HOST);
	if (tally.hosts[HOST_FAILED] == tally.reachable)
		return verdict(VERDICT_TEMP, REASON_LOOKUP_FAILED);
	return secure ? decide_secure(&tally) : decide_insecure(&tally);
}

static struct verdict decide_dane(const struct decide_facts *facts)
{
	struct verdict result = decide_fresh(facts);

	/* Expired parts may keep DANE in use, but never turn it off. */
	if (facts->stale && result.level == VERDICT_NOTFOUND)
		return verdict(VERDICT_TEMP, REASON_LOOKUP_FAILED);
	return result;
}

/*
 * DANE is never overridden (RFC 8461 2): where hosts can be authenticated by signed TLSA records, a
 * policy only makes sure that no other host is used.
 */
static struct verdict enforce_sts(struct verdict dane, const struct decide_facts *facts)
{
	switch (dane.reason) {
	case REASON_DANE_PARTIAL:
		return verdict(VERDICT_DANE_ONLY, REASON_DANE_PARTIAL_STS);
	case REASON_DANE_INSECURE_MX:
		/* An attacker who forges the MX records can name a host with TLSA records. */
		return facts->dane_behind_insecure_mx ? dane
						      : verdict(VERDICT_SECURE, REASON_STS_ENFORCE);
	case REASON_DANE_UNUSABLE:
		/* A host that failed may have usable records. */
		if (count_hosts(facts).hosts[HOST_FAILED] > 0)
			return verdict(VERDICT_TEMP, REASON_LOOKUP_FAILED);
		return verdict(VERDICT_SECURE, REASON_STS_ENFORCE);
	case REASON_NO_TLSA:
	case REASON_INSECURE:
		return verdict(VERDICT_SECURE, REASON_STS_ENFORCE);
	default:
		return dane;
	}
}

struct verdict decide(const struct decide_facts *facts)
{
	struct verdict dane = decide_dane(facts);

	return facts->sts == STS_ENFORCE ? enforce_sts(dane, facts) : dane;
}

bool decide_needs_sts(const struct decide_facts *facts)
{
	struct verdict dane = decide_dane(facts);
	struct verdict enforced = enforce_sts(dane, facts);

	return enforced.level != dane.level || enforced.reason != dane.reason;
}
