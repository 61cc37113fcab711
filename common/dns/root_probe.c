#include "common/dns/root_probe.h"

#include <string.h>

static const struct {
	const char *name, *text;
} results[PROBE_RESULT_COUNT] = {
	[PROBE_UNKNOWN] = {"unknown", "not known yet"},
	[PROBE_WORKS] = {"works", "the root zone is secure"},
	[PROBE_NO_ROUTE] = {"no-route",
		"no answer from the root servers or the configured resolvers"},
	[PROBE_STRIPPED] = {"stripped", "signatures are stripped on the way"},
	[PROBE_CLOCK] = {"clock",
		"the root's signatures have expired or are not valid yet: check the clock"},
	[PROBE_NO_MATCH] = {"no-match",
		"the root's keys do not match the trust anchor, or answers are forged"},
	[PROBE_NO_ANCHOR] = {"no-anchor", "no trust anchor covers the root"},
};

const char *probe_result_name(enum probe_result result)
{
	return result < PROBE_RESULT_COUNT ? results[result].name : "unknown";
}

const char *probe_result_text(enum probe_result result)
{
	return result < PROBE_RESULT_COUNT ? results[result].text : "";
}

static bool says(const char *detail, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasestr(detail, words[i]) != NULL)
			return true;
	}
	return false;
}

/* libunbound gives the reason of a failed validation only as text (validator/val_sigcrypt.c). */
static enum probe_result read_bogus(const char *detail)
{
	static const char *const clock_words[] = {
		"signature expired", "before inception", "inception date", "not yet valid"};
	static const char *const stripped_words[] = {"no signatures", "no DNSSEC", "no RRSIG",
		"without signatures", "missing DNSKEY", "no DNSKEY", "DNSKEY rrset missing"};

	if (says(detail, clock_words, sizeof clock_words / sizeof clock_words[0]))
		return PROBE_CLOCK;
	if (says(detail, stripped_words, sizeof stripped_words / sizeof stripped_words[0]))
		return PROBE_STRIPPED;
	return PROBE_NO_MATCH;
}

enum probe_result probe_read(const struct dns_answer *answer)
{
	if (answer->outcome == DNS_FAILED)
		return answer->security == DNS_BOGUS ? read_bogus(answer->detail) : PROBE_NO_ROUTE;
	return answer->security == DNS_SECURE ? PROBE_WORKS : PROBE_NO_ANCHOR;
}
