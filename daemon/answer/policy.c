#include "daemon/answer/policy.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/action.h"
#include "common/site/minimum.h"
#include "common/site/submitters.h"

#include <stdatomic.h>
#include <string.h>

enum { SHOWN_MAX = 300 }; /* of the words of a failure [bytes]: they end in an SMTP reply */

static const char *const action_names[POLICY_ACTIONS] = {
	[POLICY_DUNNO] = "dunno",
	[POLICY_PREPEND] = "prepend",
	[POLICY_LACKING] = "lacking",
	[POLICY_DEFER] = "defer",
};

const char *policy_action_name(enum policy_action action)
{
	return action_names[action];
}

static void count(_Atomic uint64_t *counter)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

/* --- the request --------------------------------------------------------------------------- */

/* False where there is nothing that mail could be sent to. */
static bool read_domain(struct policy_value domain, struct policy_request *request)
{
	struct destination *destination = &request->destination;

	/* A host in brackets, or a port, belongs to a transport and is in no address. */
	request->is_address = domain.size > 0 && domain.bytes[0] == '[';
	if (domain.size == 0 ||
		(!request->is_address && memchr(domain.bytes, ':', domain.size) != NULL))
		return false;
	switch (destination_parse(domain.bytes, domain.size, destination)) {
	case DESTINATION_OK:
		return !request->is_address;
	case DESTINATION_ADDRESS:
		if (!request->is_address || domain.bytes[domain.size - 1] != ']')
			return false;
		/* inet_pton(3) took what is inside, so it is short and harmless. */
		memcpy(destination->name, domain.bytes, domain.size);
		destination->name[domain.size] = '\0';
		destination->name_length = (uint8_t)domain.size;
		return true;
	default:
		return false;
	}
}

static bool is_held(const struct conf *conf, const struct policy_attributes *attributes)
{
	const struct policy_value *values = attributes->values;
	struct submitter person = {
		.sender = values[POLICY_SENDER].bytes,
		.sender_size = values[POLICY_SENDER].size,
		.sasl_username = values[POLICY_SASL_USERNAME].bytes,
		.sasl_username_size = values[POLICY_SASL_USERNAME].size,
		.client_address = values[POLICY_CLIENT_ADDRESS].bytes,
		.client_address_size = values[POLICY_CLIENT_ADDRESS].size,
	};

	return conf->rules != NULL && submitters_has(conf->policy.submitters, &person);
}

void policy_read(const struct policy *policy, const struct policy_attributes *attributes,
	struct policy_request *request)
{
	struct policy_value recipient = attributes->values[POLICY_RECIPIENT];

	request->asks = policy_request_has_recipient(attributes) &&
			read_domain(policy_request_domain(recipient), request);
	if (!request->asks)
		return;
	request->may_prepend = policy_request_may_prepend(attributes);
	request->held = is_held(policy->conf, attributes);
	if (!request->is_address)
		request->place = cache_prefetch(policy->reader, &request->destination);
}

/* --- the answer ---------------------------------------------------------------------------- */

/* What applies to one request. */
struct demand {
	struct ruling ruling;
	/* What the destination may fall short of; MINIMUM_NONE when it cannot. */
	enum minimum_level minimum;
};

static struct demand find_demand(const struct policy *policy, const struct policy_request *request)
{
	static const struct verdict nothing = {VERDICT_NOTFOUND, REASON_NO_TLSA};
	const struct rules *rules = policy->conf->rules;
	const struct destination *destination = &request->destination;
	struct demand demand = {.minimum = MINIMUM_NONE};
	struct ruling *ruling = &demand.ruling;

	if (rules == NULL)
		return demand;
	if (request->is_address)
		rules_find_nameless(rules, ruling);
	else
		rules_find(
			rules, destination->name, destination->name_length, clock_wall(), ruling);
	/* An exception that no minimum overrules is what the site wants all the same. */
	bool excepted =
		ruling->exception != NULL &&
		exception_effect(ruling->minimum, ruling->exception->level) != EXCEPTION_OVERRULED;
	if (request->held && !excepted && !minimum_reached(ruling->minimum, nothing))
		demand.minimum = ruling->minimum;
	return demand;
}

/*
 * `out` has what is answered; in monitor mode it is told to the log and nothing is done. So an
 * administrator sees beforehand whose mail would not be taken.
 */
static void settle(struct policy *policy, const struct policy_request *request,
	enum policy_action action, struct text *out)
{
	bool monitored = policy->conf->dane.mode == MODE_MONITOR &&
			 (action == POLICY_LACKING || action == POLICY_DEFER);

	count(&policy->counters->replies[monitored ? POLICY_DUNNO : action]);
	if (!monitored)
		return;
	count(&policy->counters->monitored);
	log_info("monitor: a recipient at %s would have been answered \"%.700s\"",
		request->destination.name, out->bytes);
	text_cut(out, 0);
	text_add(out, "DUNNO");
}

static void answer_dunno(
	struct policy *policy, const struct policy_request *request, struct text *out)
{
	text_add(out, "DUNNO");
	settle(policy, request, POLICY_DUNNO, out);
}

static void answer_lacking(struct policy *policy, const struct policy_request *request,
	const struct demand *demand, struct verdict verdict, struct text *out)
{
	struct action_words words = {
		.destination = request->destination.name,
		.required = minimum_names[demand->minimum],
		.offered = minimum_offer(verdict),
		.reason = reason_name(verdict.reason),
	};

	action_render(policy->conf->policy.lacking, &words, out);
	settle(policy, request, POLICY_LACKING, out);
}

/* A temporary failure, so that Postfix goes on where another restriction rejects for good. */
static void answer_defer(struct policy *policy, const struct policy_request *request,
	const struct demand *demand, const char *why, struct text *out)
{
	text_add_format(out,
		"DEFER_IF_PERMIT 4.7.5 %s must be reached with TLS level %s, and whether it can be "
		"is not known: %.*s",
		request->destination.name, minimum_names[demand->minimum], SHOWN_MAX, why);
	settle(policy, request, POLICY_DEFER, out);
}

static void answer_failure(struct policy *policy, const struct policy_request *request,
	const struct demand *demand, const struct evidence *evidence, struct verdict verdict,
	struct text *out)
{
	struct part_failure failure;
	char words[SHOWN_MAX + 1];
	struct text why;

	text_init(&why, words, sizeof words);
	if (evidence_failure(evidence, &failure))
		render_failure(&why, &failure);
	else
		text_add(&why, reason_name(verdict.reason));
	answer_defer(policy, request, demand, words, out);
}

/* Mail to these comes back by itself: Postfix finds no host to send it to. */
static bool leads_nowhere(struct verdict verdict)
{
	return verdict.reason == REASON_NULL_MX || verdict.reason == REASON_NO_HOST ||
	       verdict.reason == REASON_NXDOMAIN;
}

/* What the map native answers, rules included: `*reason` too. */
static struct reply find_reply(const struct policy *policy, const struct demand *demand,
	const struct decide_facts *facts, struct verdict verdict, enum reason *reason)
{
	enum site_level site = (enum site_level)policy->conf->dane.site_level;
	const struct ruling *ruling = &demand->ruling;
	struct reply reply = {REPLY_NOTFOUND, NULL};

	*reason = verdict.reason;
	if (policy->conf->dane.mode == MODE_MONITOR)
		return reply;
	if (!exception_reply(ruling, &reply))
		return minimum_hold(
			ruling->minimum, site, facts, verdict, render_native(verdict, site));
	*reason = REASON_EXCEPTION;
	return reply;
}

/* All of it is a name of DNS or a word from a table: nobody else's bytes get into a header. */
static void announce(struct policy *policy, const struct policy_request *request,
	const struct demand *demand, const struct decide_facts *facts, struct verdict verdict,
	struct text *out)
{
	enum reason reason;
	struct reply reply = find_reply(policy, demand, facts, verdict, &reason);
	const char *level = reply.kind == REPLY_OK ? reply.policy : "site";

	text_add_format(out, "PREPEND %s: destination=%s level=%.*s reason=%s",
		policy->conf->policy.announce_header, request->destination.name,
		(int)strcspn(level, " "), level, reason_name(reason));
	settle(policy, request, POLICY_PREPEND, out);
}

static struct verdict answer(struct policy *policy, const struct policy_request *request,
	const struct demand *demand, const struct evidence *evidence, struct text *out)
{
	struct decide_facts facts;

	evidence_facts(evidence, &facts);
	struct verdict verdict = decide(&facts);
	bool lost = verdict.level == VERDICT_TEMP, held = demand->minimum != MINIMUM_NONE;
	if (lost && held)
		answer_failure(policy, request, demand, evidence, verdict, out);
	else if (lost || leads_nowhere(verdict))
		answer_dunno(policy, request, out);
	else if (held && !minimum_reached(demand->minimum, verdict))
		answer_lacking(policy, request, demand, verdict, out);
	else if (policy->conf->policy.announce && request->may_prepend)
		announce(policy, request, demand, &facts, verdict, out);
	else
		answer_dunno(policy, request, out);
	return verdict;
}

static enum cache_result answer_from_cache(struct policy *policy,
	const struct policy_request *request, const struct demand *demand, struct text *out)
{
	struct evidence evidence;
	uint32_t now = clock_wall();

	evidence.destination = &request->destination;
	enum cache_result cached =
		cache_read(policy->reader, request->place, now, CACHE_STATUS, &evidence);

	/* A failure is told in its own words, and these are not in the header. */
	if (cached != CACHE_MISS && demand->minimum != MINIMUM_NONE &&
		evidence_has_failure(&evidence)) {
		cache_read_end(policy->reader);
		cached = cache_read(policy->reader, request->place, now, CACHE_WHOLE, &evidence);
	}
	if (cached != CACHE_MISS)
		answer(policy, request, demand, &evidence, out);
	cache_read_end(policy->reader);
	return cached;
}

/* An address has no records, whatever DNS says. */
static void answer_for_address(struct policy *policy, const struct policy_request *request,
	const struct demand *demand, struct text *out)
{
	static const struct verdict none = {VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION};

	if (demand->minimum != MINIMUM_NONE)
		answer_lacking(policy, request, demand, none, out);
	else
		answer_dunno(policy, request, out);
}

enum policy_result policy_answer(
	struct policy *policy, const struct policy_request *request, struct text *out)
{
	const struct conf *conf = policy->conf;

	if (!request->asks) {
		answer_dunno(policy, request, out);
		return POLICY_ANSWERED;
	}
	struct demand demand = find_demand(policy, request);
	bool held = demand.minimum != MINIMUM_NONE;
	if (request->is_address) {
		answer_for_address(policy, request, &demand, out);
		return POLICY_ANSWERED;
	}
	if (!held && !conf->policy.warm && !conf->policy.announce) {
		answer_dunno(policy, request, out);
		return POLICY_ANSWERED;
	}
	enum cache_result cached = answer_from_cache(policy, request, &demand, out);
	count(cached == CACHE_MISS ? &policy->counters->misses : &policy->counters->hits);
	if (cached == CACHE_MISS && held)
		return POLICY_LOOKUP;
	if (cached == CACHE_MISS)
		answer_dunno(policy, request, out);
	return cached != CACHE_HIT && (conf->policy.warm || held) ? POLICY_WARM : POLICY_ANSWERED;
}

void policy_finish(struct policy *policy, const struct policy_request *request,
	const struct evidence *evidence, double seconds, struct text *out)
{
	struct demand demand = find_demand(policy, request);
	struct verdict verdict = answer(policy, request, &demand, evidence, out);
	const char *key = request->destination.name, *reason = reason_name(verdict.reason);

	if (verdict.level == VERDICT_TEMP)
		log_warning("cannot tell what %s offers: reason=%s seconds=%.3f action=\"%.600s\"",
			key, reason, seconds, out->bytes);
	else
		log_info("looked up %s for a recipient: reason=%s seconds=%.3f action=\"%.200s\"",
			key, reason, seconds, out->bytes);
}

void policy_give_up(struct policy *policy, const struct policy_request *request, const char *why,
	struct text *out)
{
	struct demand demand = find_demand(policy, request);

	/* A reload may have dropped the rule meanwhile. */
	if (demand.minimum == MINIMUM_NONE)
		answer_dunno(policy, request, out);
	else
		answer_defer(policy, request, &demand, why, out);
	log_warning("cannot tell what %s offers: %s", request->destination.name, why);
}
