#include "common/site/minimum.h"

/* Is there a host that Postfix's level `dane` might not encrypt? */
static bool some_host_without_dane(const struct decide_facts *facts)
{
	for (size_t i = 0; i < facts->host_count; i++) {
		/* Postfix's own lookup may succeed although ours failed, and find no TLSA record.
		 */
		if (facts->hosts[i] == HOST_NONE || facts->hosts[i] == HOST_FAILED)
			return true;
	}
	return false;
}

static bool is_dane(const struct reply *reply)
{
	return reply->kind == REPLY_OK && reply->content == REPLY_POLICY &&
	       (reply->level == TLS_LEVEL_DANE || reply->level == TLS_LEVEL_DANE_ONLY);
}

static struct reply hold_encrypted(enum tls_level site, const struct decide_facts *facts,
	struct verdict verdict, struct reply reply)
{
	struct reply encrypt = reply_level(TLS_LEVEL_ENCRYPT);

	if (reply.kind == REPLY_NOTFOUND)
		return site == TLS_LEVEL_NONE || site == TLS_LEVEL_MAY || site == TLS_LEVEL_DANE
			       ? encrypt
			       : reply;
	if (verdict.level != VERDICT_DANE || !is_dane(&reply))
		return reply;
	switch (verdict.reason) {
	case REASON_DANE_PARTIAL:
		return some_host_without_dane(facts) ? reply_level(TLS_LEVEL_DANE_ONLY) : reply;
	case REASON_DANE_UNUSABLE:
		return some_host_without_dane(facts) ? encrypt : reply;
	default:
		return encrypt;
	}
}

static struct reply hold_authenticated(
	enum tls_level site, struct verdict verdict, struct reply reply)
{
	if (reply.kind == REPLY_NOTFOUND &&
		(site == TLS_LEVEL_DANE_ONLY || site == TLS_LEVEL_FINGERPRINT ||
			site == TLS_LEVEL_SECURE))
		return reply;
	switch (verdict.reason) {
	case REASON_DANE_FULL:
	case REASON_DANE_PARTIAL_STS:
	case REASON_STS_ENFORCE:
		return reply;
	case REASON_DANE_PARTIAL:
		return reply_level(TLS_LEVEL_DANE_ONLY);
	default:
		return reply_secure_nexthop();
	}
}

struct reply minimum_hold(enum minimum_level minimum, enum tls_level site,
	const struct decide_facts *facts, struct verdict verdict, struct reply reply)
{
	if (verdict.level == VERDICT_TEMP)
		return reply;
	switch (minimum) {
	case MINIMUM_ENCRYPTED:
		return hold_encrypted(site, facts, verdict, reply);
	case MINIMUM_AUTHENTICATED:
		return hold_authenticated(site, verdict, reply);
	case MINIMUM_DANE:
		return reply_level(TLS_LEVEL_DANE_ONLY);
	default:
		return reply;
	}
}

bool minimum_keeps_pins(enum minimum_level minimum, struct verdict verdict)
{
	return minimum <= MINIMUM_ENCRYPTED || verdict.reason == REASON_DANE_FULL ||
	       verdict.reason == REASON_DANE_PARTIAL_STS;
}

enum exception_effect exception_effect(enum minimum_level minimum, enum tls_level level)
{
	/*
	 * `verify` does not count as authenticated: it checks the certificate for the host's name
	 * in the MX record, which may be forged.
	 */
	switch (minimum) {
	case MINIMUM_ENCRYPTED:
		if (level == TLS_LEVEL_NONE || level == TLS_LEVEL_MAY)
			return EXCEPTION_RAISED;
		/* At `dane` a host without DANE gets `may`; only a lookup shows whether it has. */
		return level == TLS_LEVEL_DANE ? EXCEPTION_OVERRULED : EXCEPTION_HOLDS;
	case MINIMUM_AUTHENTICATED:
		return level == TLS_LEVEL_DANE_ONLY || level == TLS_LEVEL_SECURE
			       ? EXCEPTION_HOLDS
			       : EXCEPTION_OVERRULED;
	case MINIMUM_DANE:
		return level == TLS_LEVEL_DANE_ONLY ? EXCEPTION_HOLDS : EXCEPTION_OVERRULED;
	default:
		return EXCEPTION_HOLDS;
	}
}

const char *exception_effect_text(enum exception_effect effect)
{
	static const char *const texts[] = {
		[EXCEPTION_HOLDS] = "in force",
		[EXCEPTION_RAISED] = "raised by the minimum",
		[EXCEPTION_OVERRULED] = "overruled by the minimum",
	};
	return texts[effect];
}

bool exception_reply(const struct ruling *ruling, struct reply *reply)
{
	if (ruling == NULL || ruling->exception == NULL)
		return false;
	enum tls_level level = ruling->exception->level;
	switch (exception_effect(ruling->minimum, level)) {
	case EXCEPTION_HOLDS:
		*reply = reply_level(level);
		return true;
	case EXCEPTION_RAISED:
		*reply = reply_level(TLS_LEVEL_ENCRYPT);
		return true;
	default:
		return false;
	}
}

/* The MX records are signed and DANE authenticates at least one host. */
static bool authenticates(struct verdict verdict)
{
	return verdict.reason == REASON_DANE_FULL || verdict.reason == REASON_DANE_PARTIAL ||
	       verdict.reason == REASON_DANE_PARTIAL_STS;
}

bool minimum_reached(enum minimum_level minimum, struct verdict verdict)
{
	switch (minimum) {
	case MINIMUM_AUTHENTICATED:
		return authenticates(verdict) || verdict.reason == REASON_STS_ENFORCE;
	case MINIMUM_DANE:
		return authenticates(verdict);
	default:
		return true;
	}
}

const char *minimum_offer(struct verdict verdict)
{
	switch (verdict.reason) {
	case REASON_DANE_FULL:
		return "DANE";
	case REASON_DANE_PARTIAL:
	case REASON_DANE_PARTIAL_STS:
		return "DANE for some hosts only";
	case REASON_DANE_INSECURE_MX:
		return "DANE, but with MX records that are not signed";
	case REASON_DANE_UNUSABLE:
		return "only unusable TLSA records";
	case REASON_STS_ENFORCE:
		return "MTA-STS";
	case REASON_NO_TLSA:
		return "no TLSA records";
	case REASON_INSECURE:
		return "neither signed MX records nor TLSA records";
	case REASON_NULL_MX:
	case REASON_NO_HOST:
	case REASON_NXDOMAIN:
		return "no mail server";
	case REASON_NOT_A_DESTINATION:
		return "no name that DNSSEC can protect";
	default:
		return "nothing that tlsad knows of";
	}
}
