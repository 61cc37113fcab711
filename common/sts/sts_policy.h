/*
 * sts_policy: reads the policy file of MTA-STS (RFC 8461 3.2), and matches MX hosts against its
 * patterns (RFC 8461 4.1). Pure.
 *
 * Nothing of a file is passed on but a word of a fixed set, a number, a valid host name and, for
 * TLSRPT, whole lines of showable UTF-8.
 */
#ifndef TLSAD_STS_STS_POLICY_H
#define TLSAD_STS_STS_POLICY_H

#include "common/part/facts.h"

enum {
	STS_FILE_MAX = 64 * 1024,          /* [bytes] of a policy file, RFC 8461 3.3 suggests it */
	STS_MAX_AGE_MAX = 31557600,        /* [s] a year, RFC 8461 3.2 */
	STS_PATTERN_MAX = 2 + DNS_NAME_MAX /* [bytes] `*.` and a name */
};

/*
 * A policy owns its arrays and their strings. Without memory, or if the file is invalid, they are
 * empty.
 */
struct sts_policy {
	enum sts_status mode; /* STS_ENFORCE, STS_TESTING or STS_NONE */
	uint32_t max_age;     /* [s] at most STS_MAX_AGE_MAX */
	size_t line_count;
	struct sts_line *lines; /* in the order of the file */
	size_t pattern_count;
	struct sts_pattern *patterns; /* of the lines `mx`, in their order, without duplicates */
	char *bytes;                  /* a copy of the file, to which the lines point */
	char *names;                  /* to which the patterns point */
};

/* False with one line in `error` if the file is invalid. sts_policy_clear() must follow. */
bool sts_policy_read(
	struct sts_policy *policy, const char *bytes, size_t size, char *error, size_t error_size);
void sts_policy_clear(struct sts_policy *policy);

/* Moves a policy to `to`; the other one is empty then. */
void sts_policy_move(struct sts_policy *to, struct sts_policy *policy);

/*
 * The normal form of the value of a line `mx`: lower case, without a dot at its end. False if it is
 * neither a host name nor `*.` and a host name.
 */
bool sts_pattern_read(
	const char *value, size_t size, char pattern[STS_PATTERN_MAX + 1], size_t *pattern_size);

/*
 * Does the pattern match this MX host, a name in lower case? `*.` stands for exactly one label (RFC
 * 8461 4.1).
 */
bool sts_pattern_matches(const struct sts_pattern *pattern, const char *host, size_t host_size);

#endif
