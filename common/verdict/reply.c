#include "common/verdict/reply.h"

static const char *const kind_names[REPLY_KIND_COUNT] = {
	[REPLY_OK] = "ok",
	[REPLY_NOTFOUND] = "notfound",
	[REPLY_TEMP] = "temp",
	[REPLY_PERM] = "perm",
};

const char *reply_kind_name(enum reply_kind kind)
{
	return kind < REPLY_KIND_COUNT ? kind_names[kind] : "unknown";
}

struct reply reply_level(enum tls_level level)
{
	return (struct reply){.kind = REPLY_OK, .content = REPLY_POLICY, .level = level};
}

struct reply reply_secure_nexthop(void)
{
	/* They are Postfix's default, but given explicitly because a site may have changed that. */
	struct reply reply = reply_level(TLS_LEVEL_SECURE);

	reply.match = MATCH_NEXTHOP;
	return reply;
}

struct reply reply_notfound(void)
{
	return (struct reply){.kind = REPLY_NOTFOUND};
}

struct reply reply_temp(const char *why)
{
	return (struct reply){.kind = REPLY_TEMP, .text = why};
}

struct reply reply_temp_of(const struct evidence *evidence)
{
	return (struct reply){.kind = REPLY_TEMP, .evidence = evidence};
}

/* At `dane` Postfix uses `may` for a host without DANE: does the site require more than that? */
static bool site_is_above_may(enum tls_level site)
{
	return site == TLS_LEVEL_ENCRYPT || site >= TLS_LEVEL_DANE_ONLY;
}

struct reply reply_from_verdict(
	struct verdict verdict, enum tls_level site, const struct evidence *evidence)
{
	switch (verdict.level) {
	case VERDICT_TEMP:
		return reply_temp_of(evidence);
	case VERDICT_DANE_ONLY:
		return reply_level(TLS_LEVEL_DANE_ONLY);
	case VERDICT_DANE:
		if (!site_is_above_may(site))
			return reply_level(TLS_LEVEL_DANE);
		/* Unusable records make TLS mandatory, which is what the site's level requires. */
		if (verdict.reason == REASON_DANE_UNUSABLE && site == TLS_LEVEL_ENCRYPT)
			return reply_level(TLS_LEVEL_ENCRYPT);
		return reply_notfound();
	case VERDICT_SECURE:
		/* Certificates of CAs do not replace the TLSA records that the site requires. */
		if (site == TLS_LEVEL_DANE_ONLY)
			return reply_notfound();
		return (struct reply){
			.kind = REPLY_OK,
			.content = REPLY_POLICY,
			.level = TLS_LEVEL_SECURE,
			.match = MATCH_STS,
			.evidence = evidence,
		};
	case VERDICT_NOTFOUND:
		break;
	}
	return reply_notfound();
}

struct reply reply_encrypt(enum tls_level site)
{
	return site >= TLS_LEVEL_DANE_ONLY ? reply_notfound() : reply_level(TLS_LEVEL_ENCRYPT);
}
