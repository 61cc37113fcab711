/*
 * postfix_version: which Postfix it is, and what that one can do. No state, no I/O.
 */
#ifndef TLSAD_CTL_DOCTOR_POSTFIX_VERSION_H
#define TLSAD_CTL_DOCTOR_POSTFIX_VERSION_H

#include <stdbool.h>

struct postfix_version {
	unsigned major, minor, patch;
	bool snapshot; /* 3.10-20240101: before the release, which it leads to */
};

bool postfix_version_parse(const char *words, struct postfix_version *version);
bool postfix_version_least(struct postfix_version version, unsigned major, unsigned minor);

/*
 * Is an unset smtp_tls_dane_insecure_mx_policy `dane` when a policy table says `dane`? Since
 * 3.6.17, 3.7.13, 3.8.8, 3.9.2 and 3.10.
 */
bool postfix_version_insecure_mx_fixed(struct postfix_version version);

#endif
