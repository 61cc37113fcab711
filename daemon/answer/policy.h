/*
 * policy: the policy delegation service: from the attributes of a request to the action of the
 * reply (SMTPD_POLICY_README, access(5)).
 *
 * It uses only the recipient's domain: it looks the domain up in advance ([policy] warm), announces
 * its level in a header ([policy] announce), and refuses or defers mail for a destination that
 * offers less than the site's minimum. If a lookup is needed (POLICY_LOOKUP), the caller asks the
 * lookup thread and calls policy_finish() with its result. Runs in serving threads.
 */
#ifndef TLSAD_ANSWER_POLICY_H
#define TLSAD_ANSWER_POLICY_H

#include "common/base/counter.h"
#include "common/base/text.h"
#include "daemon/answer/policy_request.h"
#include "daemon/answer/reply.h"
#include "daemon/lookup/lookup.h"
#include "daemon/loop/deferral.h"

enum {
	/* [bytes] without `action=`. Postfix reads at most 8192 bytes a line, SMTP shows fewer. */
	POLICY_REPLY_MAX = 2000,
};

enum policy_action {
	POLICY_DUNNO,
	POLICY_PREPEND,
	POLICY_LACKING, /* the minimum is not reached: the action [policy] lacking */
	POLICY_DEFER,   /* it is unknown whether the minimum is reached: DEFER_IF_PERMIT */
	POLICY_ACTIONS,
};

/* Written by one serving thread; any thread may read. */
struct policy_counters {
	counter replies[POLICY_ACTIONS];
	counter unreadable; /* requests that ended their connection */
	counter monitored;  /* DUNNO instead of something else, [dane] mode = monitor */
	counter hits;       /* requests that needed the cache, and it had every part */
	counter misses;
};

/* What one serving thread needs to reply; everything it points to belongs to that thread. */
struct policy_service {
	struct reply_context *context;
	struct policy_counters *counters;
	struct deferrals *given_up; /* DEFER replies without a result; NULL: log each of them */
};

/* A request after parsing. Nothing points into its bytes. */
struct policy_request {
	bool asks; /* there is a recipient with a domain; otherwise the reply is DUNNO */
	/* If there is: */
	bool may_prepend;
	bool held;       /* minimums apply to this sender, SASL user or client */
	bool is_address; /* an address literal; its text is the name of `destination` */
	cache_place place;
	struct destination destination;
};

/*
 * Parse a request. It starts to prefetch the memory that the reply needs: other work between this
 * call and the reply hides the latency.
 */
void policy_read(const struct policy_service *service, const struct policy_attributes *attributes,
	struct policy_request *request);

enum policy_state {
	POLICY_REPLIED,
	POLICY_WARM,   /* replied, and the destination should be looked up or refreshed */
	POLICY_LOOKUP, /* no reply yet: look the destination up, then policy_finish() */
};

/* Reply into `out`, of at least POLICY_REPLY_MAX + 1 bytes, unless a lookup is needed. */
enum policy_state policy_reply(
	struct policy_service *service, const struct policy_request *request, struct text *out);

/* Reply from a lookup's result, `seconds` after the request came. */
void policy_finish(struct policy_service *service, const struct policy_request *request,
	const struct lookup_result *found, double seconds, struct text *out);

/* Reply without a result, for the reason `why`. */
void policy_give_up(struct policy_service *service, const struct policy_request *request,
	const char *why, struct text *out);

/* The action's name in counters. */
const char *policy_action_name(enum policy_action action);

#endif
