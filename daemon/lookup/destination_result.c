#include "daemon/lookup/destination_result.h"

#include "common/base/clock.h"
#include "common/base/counter.h"
#include "common/base/log.h"
#include "common/sts/sts_update.h"

#include <stdlib.h>

void destination_result_count_deferred(struct destination_lookups *lookups)
{
	struct lookup_counters *counters = lookups->parts.counters;

	counter_set(&counters->deferred, deferrals_count(lookups->deferrals));
	counter_set(&counters->deferred_since, deferrals_oldest(lookups->deferrals));
}

/* Look up a policy again that no host matches: it may have changed without a new id. */
static void note_mismatch(struct destination_lookups *lookups, const struct evidence *evidence)
{
	static const struct part_wish wish = {.asked = true, .mismatch = true};
	struct part_subject subject = {.name = evidence->destination->name};

	if (!lookups->parts.conf->sts.enable || !evidence->has_sts ||
		evidence->sts.header.status != STS_ENFORCE || evidence_matches_sts(evidence) ||
		!sts_update_mismatch_is_due(&evidence->sts, cache_clock(lookups->parts.cache)))
		return;
	part_lookups_refresh(&lookups->parts, part_kind_find(PART_STS), &subject, &wish);
}

/* The verdict from the parts: without a policy, if only the map tlsa was asked. */
static struct verdict verdict_of(
	struct destination_lookups *lookups, const struct destination_parts *parts)
{
	struct verdict verdict = {VERDICT_TEMP, REASON_LOOKUP_FAILED};
	struct evidence *evidence = malloc(sizeof *evidence);
	struct decide_facts facts;

	if (evidence != NULL && destination_parts_evidence(parts, evidence)) {
		evidence_facts(evidence, &facts);
		conf_decide_settings(lookups->parts.conf, &facts);
		verdict = decide(&facts);
		note_mismatch(lookups, evidence);
	}
	free(evidence);
	return verdict;
}

bool destination_result_note(struct destination_lookups *lookups, const char *key,
	const struct destination_parts *parts, uint64_t began)
{
	struct verdict verdict = verdict_of(lookups, parts);
	struct deferral_note note;

	counter_add(&lookups->parts.counters->reasons[verdict.reason], 1);
	histogram_add(&lookups->parts.counters->seconds, clock_exact_us() - began, 1);
	if (verdict.level == VERDICT_TEMP)
		return true;
	if (deferral_end(lookups->deferrals, key, clock_steady(), &note)) {
		log_info("lookups of %s succeed again: reason=%s deferred=%u left_out=%u", key,
			reason_name(verdict.reason), note.seconds, note.left_out);
		destination_result_count_deferred(lookups);
	}
	return false;
}

void destination_result_send(struct destination_lookups *lookups, struct lookup_request *request,
	const char *key, const struct destination_parts *parts, const struct ta_file_finding *file,
	bool deferred)
{
	struct lookup_result *result =
		request->result_to != NULL ? destination_parts_result(parts, file) : NULL;

	if (result != NULL) {
		result->waiter = request->waiter;
		if (deferred) {
			result->deferral = deferral_note(
				lookups->deferrals, key, clock_steady(), request->mail);
			destination_result_count_deferred(lookups);
		}
		mailbox_post(request->result_to, &result->message);
	}
	free(request);
}
