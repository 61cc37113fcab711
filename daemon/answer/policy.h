/*
 * policy: the policy delegation service, from a request's attributes to a reply's action
 * (SMTPD_POLICY_README, access(5)).
 *
 * It answers for the recipient's domain alone: it warms the cache, announces what is known of the
 * destination, and holds mail back from one that offers less than the site's minimum. What needs a
 * lookup is handed back to the caller, who comes again with the evidence. Runs in serving threads.
 */
#ifndef TLSAD_ANSWER_POLICY_H
#define TLSAD_ANSWER_POLICY_H

#include "common/base/text.h"
#include "common/conf/conf.h"
#include "common/verdict/evidence.h"
#include "daemon/answer/policy_request.h"
#include "daemon/cache/cache.h"

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
	_Atomic uint64_t replies[POLICY_ACTIONS];
	_Atomic uint64_t unreadable; /* requests that ended their connection */
	_Atomic uint64_t monitored;  /* DUNNO instead of something else, [dane] mode = monitor */
	_Atomic uint64_t hits;       /* destinations that the cache had, where it was asked */
	_Atomic uint64_t misses;
};

/* What one serving thread answers with; all of it belongs to the worker. */
struct policy {
	struct cache_reader *reader;
	const struct conf *conf;
	struct policy_counters *counters;
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
 * Understand a request. What the answer needs is on its way from memory when this returns, so other
 * work may well come in between.
 */
void policy_read(const struct policy *policy, const struct policy_attributes *attributes,
	struct policy_request *request);

enum policy_result {
	POLICY_ANSWERED,
	POLICY_WARM,   /* answered, and the destination should be looked up or refreshed */
	POLICY_LOOKUP, /* not answered: look the destination up, then policy_finish() */
};

/* Answer into `out` (at least POLICY_REPLY_MAX + 1 bytes) what can be answered at once. */
enum policy_result policy_answer(
	struct policy *policy, const struct policy_request *request, struct text *out);

/* Answer with what a lookup has found, `seconds` after the request came. */
void policy_finish(struct policy *policy, const struct policy_request *request,
	const struct evidence *evidence, double seconds, struct text *out);

/* Answer that nothing was found out, with these words. */
void policy_give_up(struct policy *policy, const struct policy_request *request, const char *why,
	struct text *out);

/* What an action is called where it is counted. */
const char *policy_action_name(enum policy_action action);

#endif
