/*
 * sts_wait: the MTA-STS policy of one destination lookup. It may be asked for before it is known
 * whether it matters; the reply waits for it only from the end of the DNS lookups on, for at most
 * [sts] timeout. Belongs to the lookup thread.
 */
#ifndef TLSAD_LOOKUP_STS_WAIT_H
#define TLSAD_LOOKUP_STS_WAIT_H

#include "daemon/lookup/part_lookup.h"

#include <event2/event.h>

/* Called when the policy is known or the time is over, but not before sts_wait_begin(). */
typedef void sts_wait_done(void *context);

/* Embedded in the caller's own struct, all zeroes at first. The members are private. */
struct sts_wait {
	struct part_lookups *lookups;
	struct part_request request;
	struct event *deadline;
	sts_wait_done *done;
	void *context;
	bool asked;   /* the request was started */
	bool pending; /* it has no part yet */
	bool begun;   /* the reply waits for it */
	bool late;    /* [sts] timeout is over */
};

struct sts_wait_subject {
	const char *domain, *for_whom; /* both must exist until sts_wait_end() */
	bool refresh;                  /* also if the policy in the cache is due */
	struct part_buffer *part;      /* the caller's, who clears it */
};

/* Ask for the policy, unless this was done before or [sts] enable is off. */
void sts_wait_ask(struct sts_wait *wait, struct part_lookups *lookups,
	const struct sts_wait_subject *subject);

/*
 * The policy matters. The reply waits from now on, if sts_wait_ask() was called; a policy from the
 * cache that is due is looked up again in the background.
 */
void sts_wait_begin(struct sts_wait *wait, sts_wait_done *done, void *context);

/* The policy does not matter: forget it. The download goes on. */
void sts_wait_drop(struct sts_wait *wait);

/* Is there nothing to wait for, or no longer? */
bool sts_wait_is_over(const struct sts_wait *wait);

/*
 * Stop waiting. A policy that is not known by now is taken from the cache if it has not expired.
 * Otherwise replies are made without a policy, at once, until the download has ended.
 */
void sts_wait_end(struct sts_wait *wait);

/* Free what it has; `wait` itself is the caller's. */
void sts_wait_clear(struct sts_wait *wait);

#endif
