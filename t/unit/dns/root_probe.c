/*
 * root_probe: what the answer to a query for the root's own records says about validation, with
 * libunbound's own texts of failures.
 */
#include "common/dns/root_probe.h"

#include "t/unit/tap.h"

static const char *result_name(enum probe_result result)
{
	static const char *const names[] = {
		"unknown", "works", "no route", "stripped", "clock", "no match", "no anchor"};
	return (size_t)result < sizeof names / sizeof names[0] ? names[result] : "?";
}

static const struct {
	enum dns_outcome outcome;
	enum dns_security security;
	enum dns_failure failure;
	const char *detail;
	enum probe_result expected;
} rows[] = {
	{DNS_FOUND, DNS_SECURE, 0, "", PROBE_WORKS},
	{DNS_NODATA, DNS_SECURE, 0, "", PROBE_WORKS},
	{DNS_FOUND, DNS_INSECURE, 0, "", PROBE_NO_ANCHOR},
	{DNS_NODATA, DNS_INSECURE, 0, "", PROBE_NO_ANCHOR},
	{DNS_NXDOMAIN, DNS_INSECURE, 0, "", PROBE_NO_ANCHOR},
	{DNS_FOUND, DNS_UNKNOWN, 0, "", PROBE_NO_ANCHOR},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_SERVFAIL, "no name server gave a usable answer",
		PROBE_NO_ROUTE},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_TIMEOUT, "no answer in time", PROBE_NO_ROUTE},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_LOCAL, "out of memory", PROBE_NO_ROUTE},
	{DNS_FAILED, DNS_INSECURE, DNS_FAILURE_MALFORMED, "signature expired", PROBE_NO_ROUTE},
	/* validator/val_sigcrypt.c and validator/validator.c of libunbound */
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: signature expired from 192.0.2.1 for DNSKEY .",
		PROBE_CLOCK},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: signature before inception date from 192.0.2.1",
		PROBE_CLOCK},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: no signatures from 192.0.2.1 for trust anchor . "
		"while building chain of trust",
		PROBE_STRIPPED},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: no signatures from 192.0.2.1", PROBE_STRIPPED},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: No DNSKEY record from 192.0.2.1 for key . "
		"while building chain of trust",
		PROBE_STRIPPED},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: no DNSSEC records from 192.0.2.1 for DS . "
		"while building chain of trust",
		PROBE_STRIPPED},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: no DNSKEY rrset from 192.0.2.1", PROBE_STRIPPED},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: signature crypto failed from 192.0.2.1",
		PROBE_NO_MATCH},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: signatures from unknown keys from 192.0.2.1",
		PROBE_NO_MATCH},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: DS hash mismatches key for trust anchor .",
		PROBE_NO_MATCH},
	/* verify_dnskeys_with_ds_rr(): no key of the root has the tag and algorithm of the trust
	 * anchor
	 */
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS,
		"validation failure <. NS IN>: no keys have a DS with algorithm RSASHA256 "
		"from 192.0.2.1 for trust anchor . while building chain of trust",
		PROBE_NO_MATCH},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS, "", PROBE_NO_MATCH},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS, "SIGNATURE EXPIRED", PROBE_CLOCK},
};

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dns_answer answer = {
			.outcome = rows[i].outcome,
			.security = rows[i].security,
			.failure = rows[i].failure,
		};
		snprintf(answer.detail, sizeof answer.detail, "%s", rows[i].detail);
		is_string(result_name(probe_read(&answer)), result_name(rows[i].expected),
			"%s, %s%s%s", dns_outcome_name(rows[i].outcome),
			dns_security_name(rows[i].security), rows[i].detail[0] != '\0' ? ": " : "",
			rows[i].detail);
	}
	return done_testing();
}
