#include "daemon/answer/assess.h"

#include "common/site/minimum.h"

static const struct verdict no_destination = {VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION};

/* NULL if no rule applies. */
static const struct ruling *find_ruling(
	const struct assess_question *question, const struct conf *conf, struct ruling *ruling)
{
	const struct rules *rules = conf->rules;
	const struct destination *destination = question->destination;

	if (rules == NULL || !question->ruled)
		return NULL;
	if (question->parsed != DESTINATION_OK) {
		rules_find_nameless(rules, ruling);
		return ruling;
	}
	*ruling = (struct ruling){.minimum = MINIMUM_NONE};
	rules_match(rules, destination->name, destination->name_length, question->hint,
		question->now, ruling);
	return ruling;
}

void assess_rules(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf)
{
	struct reply reply;

	assessment->cached = false;
	assessment->evidence = NULL;
	assessment->verdict = no_destination;
	assessment->ruling = find_ruling(question, conf, &assessment->own_ruling);
	if (question->parsed != DESTINATION_OK)
		assessment->state = ASSESS_NO_DESTINATION;
	else if (!question->thorough && exception_reply(assessment->ruling, &reply))
		assessment->state = ASSESS_EXCEPTION;
	else
		assessment->state = ASSESS_MISS;
}

static void take_evidence(
	struct assessment *assessment, const struct conf *conf, const struct evidence *evidence)
{
	assessment->evidence = evidence;
	evidence_facts(evidence, &assessment->facts);
	conf_decide_settings(conf, &assessment->facts);
	assessment->verdict = decide(&assessment->facts);
}

/* Read the MTA-STS policy too, if it can change the verdict. */
static enum cache_result read_sts(struct assessment *assessment,
	const struct assess_question *question, const struct conf *conf,
	struct cache_reader *reader, enum cache_result cached)
{
	struct evidence *evidence = &assessment->own_evidence;

	if (cached == CACHE_MISS || !question->sts || !conf->sts.enable)
		return cached;
	take_evidence(assessment, conf, evidence);
	if (!decide_needs_sts(&assessment->facts))
		return cached;
	enum cache_result sts = cache_read_sts(reader, question->now, evidence);
	return sts == CACHE_HIT ? cached : sts;
}

void assess_cache(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, struct cache_reader *reader)
{
	struct evidence *evidence = &assessment->own_evidence;
	enum cache_depth depth = question->depth == ASSESS_WHOLE ? CACHE_WHOLE : CACHE_STATUS;

	evidence->destination = question->destination;
	enum cache_result cached =
		cache_read(reader, question->place, question->now, depth, evidence);
	/* The text of a failure is not in a part's header. */
	if (question->depth == ASSESS_FAILURES && cached != CACHE_MISS &&
		evidence_has_failure(evidence)) {
		cache_read_end(reader);
		cached = cache_read(reader, question->place, question->now, CACHE_WHOLE, evidence);
	}
	cached = read_sts(assessment, question, conf, reader, cached);
	if (cached == CACHE_MISS) {
		assessment->state = ASSESS_MISS;
		assessment->evidence = NULL;
		assessment->verdict = no_destination;
		return;
	}
	assessment->state = cached == CACHE_REFRESH ? ASSESS_REFRESH : ASSESS_HIT;
	assessment->cached = true;
	take_evidence(assessment, conf, evidence);
}

void assess(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, struct cache_reader *reader)
{
	assess_rules(assessment, question, conf);
	if (assessment->state == ASSESS_MISS)
		assess_cache(assessment, question, conf, reader);
}

void assess_result(struct assessment *assessment, const struct assess_question *question,
	const struct conf *conf, const struct evidence *evidence)
{
	assess_rules(assessment, question, conf);
	assessment->state = ASSESS_HIT;
	take_evidence(assessment, conf, evidence);
}

void assess_end(struct cache_reader *reader)
{
	cache_read_end(reader);
}
