/*
 * policy: the policy delegation service, from a request's attributes to a reply's action
 * (SMTPD_POLICY_README, access(5)).
 *
 * It speaks for the recipient's domain alone: it warms the cache, announces what is known of the
 * destination, and holds mail back from one that offers less than the site's minimum. What needs a
 * lookup is handed back to the caller, who comes again with the evidence. Runs in serving threads.
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
	/* Without `action=`. Postfix reads at most 8192 bytes a line, SMTP shows fewer. */
	POLICY_REPLY_MAX = 2000,
};

enum policy_action {
	POLICY_DUNNO,
	POLICY_PREPEND,
	POLICY_LACKING, /* as [policy] lacking says */
	POLICY_DEFER,   /* not known whether a minimum is reached */
	POLICY_ACTIONS,
};

/* Written by one serving thread alone; read by anybody. */
struct policy_counters {
	counter replies[POLICY_ACTIONS];
	counter unreadable; /* requests that ended their connection */
	counter monitored;  /* DUNNO instead of something else, [dane] mode = monitor */
	counter hits;       /* destinations that the cache had, where it was asked */
	counter misses;
};

/* What one serving thread replies with; what it points to belongs to the thread. */
struct policy_service {
	struct reply_context *context;
	struct policy_counters *counters;
	struct deferrals *given_up; /* replies without a lookup; NULL: each one has a log line */
};

/* A request as it was understood. Nothing points into its bytes. */
struct policy_request {
	bool asks; /* about a recipient with a domain; all else is DUNNO */
	/* If it does: */
	bool may_prepend;
	bool held;       /* whoever hands it in is held to minimums */
	bool is_address; /* an address literal: `destination` has no more than its text as name */
	cache_place place;
	struct destination destination;
};

/*
 * Understand a request. What the reply needs is on its way from memory when this returns, so other
 * work may well come in between.
 */
void policy_read(const struct policy_service *service, const struct policy_attributes *attributes,
	struct policy_request *request);

enum policy_state {
	POLICY_REPLIED,
	POLICY_WARM,   /* replied, and the destination should be looked up or refreshed */
	POLICY_LOOKUP, /* no reply yet: look the destination up, then policy_finish() */
};

/* Reply into `out` (at least POLICY_REPLY_MAX + 1 bytes) what can be replied at once. */
enum policy_state policy_reply(
	struct policy_service *service, const struct policy_request *request, struct text *out);

/* Reply with what a lookup has found, `seconds` after the request came. */
void policy_finish(struct policy_service *service, const struct policy_request *request,
	const struct lookup_result *found, double seconds, struct text *out);

/* Reply that nothing was found out, with these words. */
void policy_give_up(struct policy_service *service, const struct policy_request *request,
	const char *why, struct text *out);

/* What an action is called where it is counted. */
const char *policy_action_name(enum policy_action action);

#endif
