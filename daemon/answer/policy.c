#include "daemon/answer/policy.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/action.h"
#include "common/site/minimum.h"
#include "common/site/submitters.h"
#include "common/verdict/render.h"

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

void policy_read(const struct policy_service *service, const struct policy_attributes *attributes,
	struct policy_request *request)
{
	struct policy_value recipient = attributes->values[POLICY_RECIPIENT];

	request->asks = policy_request_has_recipient(attributes) &&
			read_domain(policy_request_domain(recipient), request);
	if (!request->asks)
		return;
	request->may_prepend = policy_request_may_prepend(attributes);
	request->held = is_held(service->context->conf, attributes);
	if (!request->is_address)
		request->place = cache_prefetch(service->context->reader, &request->destination);
}

/* --- the reply ----------------------------------------------------------------------------- */

static struct assess_question question_of(const struct policy_request *request, bool held)
{
	return (struct assess_question){
		.parsed = request->is_address ? DESTINATION_ADDRESS : DESTINATION_OK,
		.destination = &request->destination,
		.place = request->place,
		.ruled = true,
		/* What is known is told even where an exception decides. */
		.thorough = true,
		.depth = held ? ASSESS_FAILURES : ASSESS_STATUS,
		.now = clock_wall(),
	};
}

/* What the destination may fall short of; MINIMUM_NONE when it cannot. */
static enum minimum_level find_demand(
	const struct policy_request *request, const struct ruling *ruling)
{
	static const struct verdict nothing = {VERDICT_NOTFOUND, REASON_NO_TLSA};

	if (ruling == NULL || !request->held || minimum_reached(ruling->minimum, nothing))
		return MINIMUM_NONE;
	/* An exception that no minimum overrules is what the site wants all the same. */
	bool excepted =
		ruling->exception != NULL &&
		exception_effect(ruling->minimum, ruling->exception->level) != EXCEPTION_OVERRULED;
	return excepted ? MINIMUM_NONE : ruling->minimum;
}

/*
 * `out` has what is replied; in monitor mode it is told to the log and nothing is done. So an
 * administrator sees beforehand whose mail would not be taken.
 */
static void settle(struct policy_service *service, const struct policy_request *request,
	enum policy_action action, struct text *out)
{
	struct policy_counters *counters = service->counters;
	bool monitored = service->context->conf->dane.mode == MODE_MONITOR &&
			 (action == POLICY_LACKING || action == POLICY_DEFER);

	counter_add(&counters->replies[monitored ? POLICY_DUNNO : action], 1);
	if (!monitored)
		return;
	counter_add(&counters->monitored, 1);
	log_info("monitor: a recipient at %s would have been answered \"%.700s\"",
		request->destination.name, out->bytes);
	text_cut(out, 0);
	text_add(out, "DUNNO");
}

static void reply_dunno(
	struct policy_service *service, const struct policy_request *request, struct text *out)
{
	text_add(out, "DUNNO");
	settle(service, request, POLICY_DUNNO, out);
}

static void reply_lacking(struct policy_service *service, const struct policy_request *request,
	enum minimum_level minimum, struct verdict verdict, struct text *out)
{
	struct action_words words = {
		.destination = request->destination.name,
		.required = minimum_names[minimum],
		.offered = minimum_offer(verdict),
		.reason = reason_name(verdict.reason),
	};

	action_render(service->context->conf->policy.lacking, &words, out);
	settle(service, request, POLICY_LACKING, out);
}

/* A temporary failure, so that Postfix goes on where another restriction rejects for good. */
static void reply_defer(struct policy_service *service, const struct policy_request *request,
	enum minimum_level minimum, const char *why, struct text *out)
{
	text_add_format(out,
		"DEFER_IF_PERMIT 4.7.5 %s must be reached with TLS level %s, and whether it can be "
		"is not known: %.*s",
		request->destination.name, minimum_names[minimum], SHOWN_MAX, why);
	settle(service, request, POLICY_DEFER, out);
}

static void reply_failure(struct policy_service *service, const struct policy_request *request,
	enum minimum_level minimum, const struct assessment *assessment, struct text *out)
{
	struct part_failure failure;
	char words[SHOWN_MAX + 1];
	struct text why;

	text_init(&why, words, sizeof words);
	if (evidence_failure(assessment->evidence, &failure))
		render_failure(&why, &failure);
	else
		text_add(&why, reason_name(assessment->verdict.reason));
	reply_defer(service, request, minimum, words, out);
}

/* Mail to these comes back by itself: Postfix finds no host to send it to. */
static bool leads_nowhere(struct verdict verdict)
{
	return verdict.reason == REASON_NULL_MX || verdict.reason == REASON_NO_HOST ||
	       verdict.reason == REASON_NXDOMAIN;
}

/*
 * What the map native replies. All of it is a name of DNS or a word from a table: nobody else's
 * bytes get into a header.
 */
static void announce(struct policy_service *service, const struct policy_request *request,
	const struct assessment *assessment, struct text *out)
{
	const struct conf *conf = service->context->conf;
	struct reply reply = reply_make_native(service->context, assessment), excepted;
	enum reason reason = assessment->verdict.reason;

	if (conf->dane.mode == MODE_MONITOR)
		reply = reply_notfound();
	else if (exception_reply(assessment->ruling, &excepted))
		reason = REASON_EXCEPTION;
	text_add_format(out, "PREPEND %s: destination=%s level=%s reason=%s",
		conf->policy.announce_header, request->destination.name,
		reply.kind == REPLY_OK ? tls_level_names[reply.level] : "site",
		reason_name(reason));
	settle(service, request, POLICY_PREPEND, out);
}

static void reply_from(struct policy_service *service, const struct policy_request *request,
	enum minimum_level minimum, const struct assessment *assessment, struct text *out)
{
	struct verdict verdict = assessment->verdict;
	bool lost = verdict.level == VERDICT_TEMP, held = minimum != MINIMUM_NONE;

	if (lost && held)
		reply_failure(service, request, minimum, assessment, out);
	else if (lost || leads_nowhere(verdict))
		reply_dunno(service, request, out);
	else if (held && !minimum_reached(minimum, verdict))
		reply_lacking(service, request, minimum, verdict, out);
	else if (service->context->conf->policy.announce && request->may_prepend)
		announce(service, request, assessment, out);
	else
		reply_dunno(service, request, out);
}

/* With the cache; ASSESS_MISS when it has not everything. */
static enum assess_state reply_from_cache(struct policy_service *service,
	const struct policy_request *request, enum minimum_level minimum,
	struct assessment *assessment, struct text *out)
{
	bool held = minimum != MINIMUM_NONE;
	struct assess_question question = question_of(request, held);

	assess_cache(assessment, &question, service->context->reader);
	bool missed = assessment->state == ASSESS_MISS;
	if (!missed)
		reply_from(service, request, minimum, assessment, out);
	else if (!held)
		reply_dunno(service, request, out);
	assess_end(service->context->reader);
	counter_add(missed ? &service->counters->misses : &service->counters->hits, 1);
	return assessment->state;
}

enum policy_state policy_reply(
	struct policy_service *service, const struct policy_request *request, struct text *out)
{
	const struct conf *conf = service->context->conf;
	struct assessment assessment;

	if (!request->asks) {
		reply_dunno(service, request, out);
		return POLICY_REPLIED;
	}
	struct assess_question question = question_of(request, true);
	assess_rules(&assessment, &question, conf);
	enum minimum_level minimum = find_demand(request, assessment.ruling);
	bool held = minimum != MINIMUM_NONE;
	/* An address has no records, whatever DNS says. */
	if (request->is_address && held) {
		reply_lacking(service, request, minimum, assessment.verdict, out);
		return POLICY_REPLIED;
	}
	if (request->is_address || (!held && !conf->policy.warm && !conf->policy.announce)) {
		reply_dunno(service, request, out);
		return POLICY_REPLIED;
	}
	enum assess_state state = reply_from_cache(service, request, minimum, &assessment, out);
	if (state == ASSESS_MISS && held)
		return POLICY_LOOKUP;
	return state != ASSESS_HIT && (conf->policy.warm || held) ? POLICY_WARM : POLICY_REPLIED;
}

void policy_finish(struct policy_service *service, const struct policy_request *request,
	const struct lookup_result *found, double seconds, struct text *out)
{
	struct assess_question question = question_of(request, true);
	const char *key = request->destination.name;
	struct assessment assessment;

	/* The rules once more: a reload may have come in between. */
	assess_result(&assessment, &question, service->context->conf, &found->evidence);
	reply_from(service, request, find_demand(request, assessment.ruling), &assessment, out);
	const char *reason = reason_name(assessment.verdict.reason);
	if (assessment.verdict.level == VERDICT_TEMP)
		(found->deferral.quiet ? log_debug : log_warning)(
			"cannot tell what %s offers: reason=%s seconds=%.3f deferred=%u "
			"left_out=%u action=\"%.600s\"",
			key, reason, seconds, found->deferral.seconds, found->deferral.left_out,
			out->bytes);
	else
		log_info("looked up %s for a recipient: reason=%s seconds=%.3f action=\"%.200s\"",
			key, reason, seconds, out->bytes);
}

void policy_give_up(struct policy_service *service, const struct policy_request *request,
	const char *why, struct text *out)
{
	struct assess_question question = question_of(request, true);
	struct deferral_note note = {.quiet = false};
	const char *key = request->destination.name;
	struct assessment assessment;

	assess_rules(&assessment, &question, service->context->conf);
	enum minimum_level minimum = find_demand(request, assessment.ruling);
	/* A reload may have dropped the rule meanwhile. */
	if (minimum == MINIMUM_NONE)
		reply_dunno(service, request, out);
	else
		reply_defer(service, request, minimum, why, out);
	if (service->given_up != NULL)
		note = deferral_note(service->given_up, key, clock_steady());
	(note.quiet ? log_debug : log_warning)(
		"cannot tell what %s offers: %s: deferred=%u left_out=%u", key, why, note.seconds,
		note.left_out);
}
