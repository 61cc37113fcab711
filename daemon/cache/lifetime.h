/*
 * lifetime: how long a part is valid. Pure: the clock is an argument.
 *
 * The TTLs (RFC 2181 8, for negative answers RFC 2308 5) say how long an answer may be kept.
 * Settings in [cache] are its minimum and maximum, the lifetime of a failure, when to refresh
 * before it expires, and how long an expired part is still used if the refresh fails.
 */
#ifndef TLSAD_CACHE_LIFETIME_H
#define TLSAD_CACHE_LIFETIME_H

#include "common/part/part.h"

/* `now` is in seconds since 1970, `ttl` in seconds, everywhere below. */

struct lifetime_settings {
	uint32_t min_ttl, max_ttl, failure_ttl, serve_stale; /* [s] */
	uint32_t prefetch;                                   /* [percent] */
};

struct part_times lifetime_of_answer(
	const struct lifetime_settings *settings, uint32_t now, uint32_t ttl);

/*
 * For a host: pinned replies contain digests from its TLSA records, so `min_ttl` extends the TTL by
 * at most LIFETIME_MIN_TTL_BEYOND seconds. Otherwise mail would fail after a change of the
 * certificate.
 */
enum { LIFETIME_MIN_TTL_BEYOND = 60 };
struct part_times lifetime_of_host(
	const struct lifetime_settings *settings, uint32_t now, uint32_t ttl);

struct part_times lifetime_of_failure(const struct lifetime_settings *settings, uint32_t now);

/* What to do with the old part after a refresh failed. */
enum lifetime_choice {
	LIFETIME_KEEP,    /* it is still valid: refresh it again after failure_ttl */
	LIFETIME_STALE,   /* it has expired, but is still used ([cache] serve_stale) */
	LIFETIME_REPLACE, /* the failure replaces it */
};

/*
 * `may_be_stale` comes from the old part's kind: may a part with this status still be used after it
 * has expired? `times` is set with LIFETIME_KEEP and LIFETIME_STALE.
 */
enum lifetime_choice lifetime_after_failure(const struct lifetime_settings *settings, uint32_t now,
	const struct part_header *old, bool may_be_stale, struct part_times *times);

#endif
