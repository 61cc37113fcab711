/*
 * postfix_version: parses the version of Postfix and says which features it has. No state, no I/O.
 */
#ifndef TLSAD_CTL_DOCTOR_POSTFIX_VERSION_H
#define TLSAD_CTL_DOCTOR_POSTFIX_VERSION_H

#include <stdbool.h>

struct postfix_version {
	unsigned major, minor, patch;
	bool snapshot; /* 3.10-20240101: from before the release of 3.10 */
};

bool postfix_version_parse(const char *words, struct postfix_version *version);
bool postfix_version_least(struct postfix_version version, unsigned major, unsigned minor);

/*
 * Is the default of smtp_tls_dane_insecure_mx_policy `dane` if a policy table says `dane`? This is
 * so since 3.6.17, 3.7.13, 3.8.8, 3.9.2 and 3.10.
 */
bool postfix_version_insecure_mx_fixed(struct postfix_version version);

/* Does it know the attributes for TLSRPT in a TLS policy? Since 3.10. */
bool postfix_version_has_tlsrpt(struct postfix_version version);

/*
 * Does it use them to hold MX hosts against the patterns of an MTA-STS policy
 * (smtp_tls_enforce_sts_mx_patterns)? Since 3.10.5.
 */
bool postfix_version_has_sts_patterns(struct postfix_version version);

#endif
