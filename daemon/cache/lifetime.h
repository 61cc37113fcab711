/*
 * lifetime: how long a part lives. Pure: the clock is an argument.
 *
 * RFC 2308 5 and the TTLs (RFC 2181 8) say how long something may be kept; the shortest and the
 * longest life, the life of a failure, refreshing ahead and staying on after a failed refresh are
 * settings.
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
 * Of a host: its TLSA records may be pinned by their digests, and no `min_ttl` lets a digest
 * outlive its record by more than LIFETIME_MIN_TTL_BEYOND seconds.
 */
enum { LIFETIME_MIN_TTL_BEYOND = 60 };
struct part_times lifetime_of_host(
	const struct lifetime_settings *settings, uint32_t now, uint32_t ttl);

struct part_times lifetime_of_failure(const struct lifetime_settings *settings, uint32_t now);

/* What becomes of the old part when looking it up again failed. */
enum lifetime_choice {
	LIFETIME_KEEP,    /* it is still good; it is refreshed again in a while */
	LIFETIME_STALE,   /* it has expired but may live on for what it says */
	LIFETIME_REPLACE, /* the failure takes its place */
};

/*
 * `may_be_stale` is the rule of the old part's kind: may one of this status live on? `times` is set
 * with LIFETIME_KEEP and LIFETIME_STALE.
 */
enum lifetime_choice lifetime_after_failure(const struct lifetime_settings *settings, uint32_t now,
	const struct part_header *old, bool may_be_stale, struct part_times *times);

#endif
