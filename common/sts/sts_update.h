/*
 * sts_update: when the policy of a domain is downloaded, which policy holds afterwards, and for how
 * long (RFC 8461 3.1, 3.3, 5.1, 10.2). Pure: the clock is an argument.
 *
 * A lookup takes two steps. The answer to the query for the TXT record tells whether to download
 * the file (sts_update_needs_file()); then one of the functions below makes the new facts and times
 * from the old ones. A valid older policy is never lost because of a failure, or because the record
 * is gone: it holds until its max_age is over.
 */
#ifndef TLSAD_STS_STS_UPDATE_H
#define TLSAD_STS_STS_UPDATE_H

#include "common/part/part.h"
#include "common/sts/sts_policy.h"

enum {
	STS_DAILY = 24 * 60 * 60,  /* [s] the file is downloaded again, RFC 8461 10.2 */
	STS_RETRY_MIN = 5 * 60,    /* [s] after the first failed download, RFC 8461 3.3 */
	STS_RETRY_MAX = 60 * 60,   /* [s] after several */
	STS_MISMATCH_MIN = 5 * 60, /* [s] between downloads because no MX host matches */
};

struct sts_update {
	/* What was known before: the part in the cache, which may have expired; NULL: nothing. */
	const struct part *old;
	uint32_t now;  /* [s] since 1970 */
	bool asked;    /* somebody wants to know the policy; false: only kept fresh */
	bool mismatch; /* no MX host matches the policy: download it again */
	/* The answer to the query for the TXT record. */
	enum sts_discovery discovery;
	const char *id; /* with STS_DISCOVERED */
	uint32_t ttl;   /* [s] */
	/* [cache] min_ttl, max_ttl and failure_ttl [s] */
	uint32_t min_ttl, max_ttl, failure_ttl;
};

/* Facts, their times, and the arrays to which the facts point. */
struct sts_updated {
	struct sts_facts facts;
	struct part_times times;
	struct sts_pattern *patterns; /* of the old part; NULL: none */
	struct sts_line *lines;
	bool warn; /* a download failed: say so in the log, once a day */
};

bool sts_update_needs_file(const struct sts_update *update);

/*
 * Each of these four makes `updated`, which sts_updated_clear() frees. It points to the old part,
 * or to the policy. False: out of memory.
 */

/* The file is not needed. */
bool sts_update_without_file(const struct sts_update *update, struct sts_updated *updated);

void sts_update_with_policy(const struct sts_update *update, const struct sts_policy *policy,
	struct sts_updated *updated);

/* The download failed; `why` is one line of printable ASCII. */
bool sts_update_after_failure(
	const struct sts_update *update, const char *why, struct sts_updated *updated);

/*
 * The policy server was not asked, for want of memory or because of too many downloads. This does
 * not count as a failure of the server: the next attempt may begin after failure_ttl.
 */
bool sts_update_when_busy(
	const struct sts_update *update, const char *why, struct sts_updated *updated);

void sts_updated_clear(struct sts_updated *updated);

/*
 * Is the policy to be kept fresh although nobody asks for it? `keep` is [sts] keep [s]. Only a
 * policy that somebody asked for within that time is: once a day, or in the last tenth of a shorter
 * max_age, but never more than once an hour.
 */
bool sts_update_is_due(const struct part *part, uint32_t now, uint32_t keep);

/* May a download because of a mismatch begin? */
bool sts_update_mismatch_is_due(const struct part *part, uint32_t now);

#endif
