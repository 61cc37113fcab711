#include "daemon/answer/policy.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/action.h"
#include "common/site/minimum.h"
#include "common/site/submitters.h"
#include "common/verdict/render.h"

#include <stdio.h>
#include <string.h>

/* [bytes] The text becomes part of an SMTP reply of at most 512 bytes (RFC 5321 4.5.3.1.5). */
enum { FAILURE_WORDS_MAX = 300 };

/* A reply before it is rendered. Nothing in it points into a request or into the cache. */
struct policy_result {
	enum policy_action action;
	enum minimum_level minimum;      /* with LACKING and DEFER: the site's minimum */
	struct verdict verdict;          /* with LACKING and PREPEND: what the destination offers */
	const char *level;               /* with PREPEND */
	char why[FAILURE_WORDS_MAX + 1]; /* with DEFER */
};

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

/* False if it is neither a mail domain nor an address literal. */
static bool read_domain(struct policy_value domain, struct policy_request *request)
{
	struct destination *destination = &request->destination;

	/*
	 * destination_parse() also accepts next hops of transport(5): `[host]` and ports do not
	 * occur in a recipient's domain.
	 */
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
		/* inet_pton(3) has accepted the text inside, so it fits and is printable. */
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

/* --- what is replied ----------------------------------------------------------------------- */

static struct assess_question question_of(const struct policy_request *request, bool held)
{
	return (struct assess_question){
		.parsed = request->is_address ? DESTINATION_ADDRESS : DESTINATION_OK,
		.destination = &request->destination,
		.place = request->place,
		.ruled = true,
		.sts = true,
		/* The announced level needs the evidence even if an exception decides. */
		.thorough = true,
		.depth = held ? ASSESS_FAILURES : ASSESS_STATUS,
		.now = clock_wall(),
	};
}

/* The minimum that the destination must reach; MINIMUM_NONE if any destination reaches it. */
static enum minimum_level find_demand(
	const struct policy_request *request, const struct ruling *ruling)
{
	static const struct verdict nothing = {VERDICT_NOTFOUND, REASON_NO_TLSA};

	if (ruling == NULL || !request->held || minimum_reached(ruling->minimum, nothing))
		return MINIMUM_NONE;
	/* An exception that the minimum does not overrule replaces the minimum. */
	bool excepted =
		ruling->exception != NULL &&
		exception_effect(ruling->minimum, ruling->exception->level) != EXCEPTION_OVERRULED;
	return excepted ? MINIMUM_NONE : ruling->minimum;
}

/* Postfix continues with its next restriction. */
static void decide_dunno(struct policy_result *result)
{
	result->action = POLICY_DUNNO;
}

static void decide_lacking(
	struct policy_result *result, enum minimum_level minimum, struct verdict verdict)
{
	result->action = POLICY_LACKING;
	result->minimum = minimum;
	result->verdict = verdict;
}

static void decide_defer(struct policy_result *result, enum minimum_level minimum, const char *why)
{
	result->action = POLICY_DEFER;
	result->minimum = minimum;
	snprintf(result->why, sizeof result->why, "%s", why);
}

static void decide_failure(struct policy_result *result, enum minimum_level minimum,
	const struct assessment *assessment)
{
	struct part_failure failure;
	struct text why;

	decide_defer(result, minimum, reason_name(assessment->verdict.reason));
	if (!evidence_failure(assessment->evidence, &failure))
		return;
	text_init(&why, result->why, sizeof result->why);
	render_failure(&why, &failure);
}

/* Postfix returns mail to these by itself: there is no host to send it to. */
static bool leads_nowhere(struct verdict verdict)
{
	return verdict.reason == REASON_NULL_MX || verdict.reason == REASON_NO_HOST ||
	       verdict.reason == REASON_NXDOMAIN;
}

/* The reason why a policy that would reach the minimum is not known; otherwise NULL. */
static const char *unknown_sts(enum minimum_level minimum, const struct assessment *assessment)
{
	static const struct verdict enforced = {VERDICT_SECURE, REASON_STS_ENFORCE};

	if (!minimum_reached(minimum, enforced))
		return NULL;
	switch (assessment->facts.sts) {
	case STS_FAILED:
		return "its MTA-STS policy cannot be looked up or downloaded";
	case STS_PENDING:
		return "its MTA-STS policy is still being downloaded";
	default:
		return NULL;
	}
}

static void decide_held(struct policy_result *result, enum minimum_level minimum,
	const struct assessment *assessment)
{
	const char *unknown = unknown_sts(minimum, assessment);

	if (unknown != NULL)
		decide_defer(result, minimum, unknown);
	else
		decide_lacking(result, minimum, assessment->verdict);
}

/* Announce the level that the map native replies. */
static void decide_announcement(const struct policy_service *service, struct policy_result *result,
	const struct assessment *assessment)
{
	struct reply reply = reply_make_native(service->context, assessment), excepted;
	enum reason reason = assessment->verdict.reason;

	if (service->context->conf->dane.mode == MODE_MONITOR)
		reply = reply_notfound();
	else if (exception_reply(assessment->ruling, &excepted))
		reason = REASON_EXCEPTION;
	result->action = POLICY_PREPEND;
	result->verdict = (struct verdict){assessment->verdict.level, reason};
	result->level = reply.kind == REPLY_OK ? tls_level_names[reply.level] : "site";
}

static void decide_from(const struct policy_service *service, const struct policy_request *request,
	enum minimum_level minimum, const struct assessment *assessment,
	struct policy_result *result)
{
	struct verdict verdict = assessment->verdict;
	bool lost = verdict.level == VERDICT_TEMP, held = minimum != MINIMUM_NONE;

	if (lost && held)
		decide_failure(result, minimum, assessment);
	else if (lost || leads_nowhere(verdict))
		decide_dunno(result);
	else if (held && !minimum_reached(minimum, verdict))
		decide_held(result, minimum, assessment);
	else if (service->context->conf->policy.announce && request->may_prepend)
		decide_announcement(service, result, assessment);
	else
		decide_dunno(result);
}

/* Decide from the cache; ASSESS_MISS if a part is missing there. */
static enum assess_state decide_from_cache(const struct policy_service *service,
	const struct policy_request *request, enum minimum_level minimum,
	struct assessment *assessment, struct policy_result *result)
{
	struct assess_question question = question_of(request, minimum != MINIMUM_NONE);

	assess_cache(assessment, &question, service->context->conf, service->context->reader);
	bool missed = assessment->state == ASSESS_MISS;
	if (!missed)
		decide_from(service, request, minimum, assessment, result);
	assess_end(service->context->reader);
	counter_add(missed ? &service->counters->misses : &service->counters->hits, 1);
	return assessment->state;
}

/* Decide without a lookup if possible; with POLICY_LOOKUP there is no result yet. */
static enum policy_state decide_at_once(const struct policy_service *service,
	const struct policy_request *request, struct policy_result *result)
{
	const struct conf *conf = service->context->conf;
	struct assessment assessment;

	decide_dunno(result);
	if (!request->asks)
		return POLICY_REPLIED;
	struct assess_question question = question_of(request, true);
	assess_rules(&assessment, &question, conf);
	enum minimum_level minimum = find_demand(request, assessment.ruling);
	bool held = minimum != MINIMUM_NONE;
	/* An address literal has no name, thus no MX and TLSA records. */
	if (request->is_address && held)
		decide_lacking(result, minimum, assessment.verdict);
	if (request->is_address || (!held && !conf->policy.warm && !conf->policy.announce))
		return POLICY_REPLIED;
	enum assess_state state = decide_from_cache(service, request, minimum, &assessment, result);
	if (state == ASSESS_MISS && held)
		return POLICY_LOOKUP;
	return state != ASSESS_HIT && (conf->policy.warm || held) ? POLICY_WARM : POLICY_REPLIED;
}

/* --- the reply as text --------------------------------------------------------------------- */

static void render_lacking(const struct policy_service *service,
	const struct policy_request *request, const struct policy_result *result, struct text *out)
{
	struct action_words words = {
		.destination = request->destination.name,
		.required = minimum_names[result->minimum],
		.offered = minimum_offer(result->verdict),
		.reason = reason_name(result->verdict.reason),
	};

	action_render(service->context->conf->policy.lacking, &words, out);
}

static void render(const struct policy_service *service, const struct policy_request *request,
	const struct policy_result *result, struct text *out)
{
	switch (result->action) {
	case POLICY_LACKING:
		render_lacking(service, request, result, out);
		return;
	case POLICY_DEFER:
		/*
		 * DEFER_IF_PERMIT, not DEFER: a later restriction may still reject the recipient
		 * permanently.
		 */
		text_add_format(out,
			"DEFER_IF_PERMIT 4.7.5 %s must be reached with TLS level %s, but it is not "
			"known yet whether it offers that: %s",
			request->destination.name, minimum_names[result->minimum], result->why);
		return;
	case POLICY_PREPEND:
		/*
		 * Every value is a valid DNS name or comes from a table, so a sender cannot inject
		 * text into the header.
		 */
		text_add_format(out, "PREPEND %s: destination=%s level=%s reason=%s",
			service->context->conf->policy.announce_header, request->destination.name,
			result->level, reason_name(result->verdict.reason));
		return;
	case POLICY_DUNNO:
	case POLICY_ACTIONS:
		break;
	}
	text_add(out, "DUNNO");
}

/*
 * Each reply is counted and rendered here, once. In monitor mode no mail is refused; the log says
 * what the reply would have been, so that the administrator sees beforehand which mail would be
 * refused.
 */
static void finish(struct policy_service *service, const struct policy_request *request,
	struct policy_result *result, struct text *out)
{
	struct policy_counters *counters = service->counters;
	char words[POLICY_REPLY_MAX + 1];
	struct text would;

	if (service->context->conf->dane.mode == MODE_MONITOR &&
		(result->action == POLICY_LACKING || result->action == POLICY_DEFER)) {
		text_init(&would, words, sizeof words);
		render(service, request, result, &would);
		counter_add(&counters->monitored, 1);
		log_info("monitor: the reply for a recipient at %s would have been \"%.700s\"",
			request->destination.name, words);
		decide_dunno(result);
	}
	counter_add(&counters->replies[result->action], 1);
	render(service, request, result, out);
}

/* --- the service --------------------------------------------------------------------------- */

enum policy_state policy_reply(
	struct policy_service *service, const struct policy_request *request, struct text *out)
{
	struct policy_result result;
	enum policy_state state = decide_at_once(service, request, &result);

	if (state != POLICY_LOOKUP)
		finish(service, request, &result, out);
	return state;
}

void policy_finish(struct policy_service *service, const struct policy_request *request,
	const struct lookup_result *found, double seconds, struct text *out)
{
	struct assess_question question = question_of(request, true);
	const char *key = request->destination.name;
	struct assessment assessment;
	struct policy_result result;
	struct deferral_note note;

	assess_result(&assessment, &question, service->context->conf, &found->evidence);
	enum minimum_level minimum = find_demand(request, assessment.ruling);
	decide_from(service, request, minimum, &assessment, &result);
	finish(service, request, &result, out);
	if (assessment.verdict.level != VERDICT_TEMP && service->given_up != NULL)
		deferral_end(service->given_up, key, clock_steady(), &note);
	const char *reason = reason_name(assessment.verdict.reason);
	if (assessment.verdict.level == VERDICT_TEMP)
		(found->deferral.quiet ? log_debug : log_warning)(
			"policy: lookup of %s failed: reason=%s seconds=%.3f deferred=%u "
			"left_out=%u action=\"%.600s\"",
			key, reason, seconds, found->deferral.seconds, found->deferral.left_out,
			out->bytes);
	else
		log_info("policy: looked up %s: reason=%s seconds=%.3f action=\"%.200s\"", key,
			reason, seconds, out->bytes);
}

void policy_give_up(struct policy_service *service, const struct policy_request *request,
	const char *why, struct text *out)
{
	struct assess_question question = question_of(request, true);
	struct deferral_note note = {.quiet = false};
	const char *key = request->destination.name;
	struct assessment assessment;
	struct policy_result result;

	assess_rules(&assessment, &question, service->context->conf);
	enum minimum_level minimum = find_demand(request, assessment.ruling);
	/* A reload may have removed the minimum during the lookup: then nothing is deferred. */
	if (minimum == MINIMUM_NONE) {
		decide_dunno(&result);
		finish(service, request, &result, out);
		return;
	}
	decide_defer(&result, minimum, why);
	finish(service, request, &result, out);
	if (service->given_up != NULL)
		note = deferral_note(service->given_up, key, clock_steady(), true);
	(note.quiet ? log_debug : log_warning)(
		"policy: no result for %s: %s: deferred=%u left_out=%u", key, why, note.seconds,
		note.left_out);
}
