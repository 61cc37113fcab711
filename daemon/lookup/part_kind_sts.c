#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/sts/sts_fetch.h"
#include "common/sts/sts_record.h"
#include "common/sts/sts_update.h"
#include "common/verdict/evidence.h"
#include "daemon/lookup/part_kind.h"
#include "daemon/lookup/part_lookup.h"

#include <stdlib.h>

/* First the TXT record, then, if it is needed, the file (common/sts/sts_update.h). */
struct sts_lookup {
	struct part_task task;
	struct part_kind_waiter *waiter;
	struct event *deadline; /* of the query; also if none is sent */
	struct dns_query *query;
	struct sts_fetch *fetch;
	struct sts_update update;
	struct part old; /* of the update */
	char domain[DNS_NAME_SIZE];
	char record_name[DNS_NAME_SIZE];
	char id[STS_ID_SIZE];
	uint64_t began; /* [us] clock_exact_us() */
};

static void prepare_update(struct sts_lookup *lookup)
{
	const struct part_task *task = &lookup->task;
	const struct conf *conf = task->lookups->conf;
	struct sts_update *update = &lookup->update;

	update->now = cache_clock(task->lookups->cache);
	/* It is opened each time, because its times are moved when the clock is set back. */
	bool has_old = task->old != NULL && !task->wish->flushed &&
		       part_open(&lookup->old, PART_STS, task->old->bytes, task->old->size);
	update->old = has_old ? &lookup->old : NULL;
	update->asked = task->wish->asked;
	update->mismatch = task->wish->mismatch;
	update->min_ttl = conf->cache.min_ttl;
	update->max_ttl = conf->cache.max_ttl;
	update->failure_ttl = conf->cache.failure_ttl;
}

/* --- results ------------------------------------------------------------------------------- */

/* It frees the lookup. Times of 0: out of memory, nothing is stored. */
static void conclude(struct sts_lookup *lookup, struct sts_updated *updated)
{
	lookup->waiter->found(lookup->waiter, updated);
}

static void conclude_without_memory(struct sts_lookup *lookup)
{
	struct sts_updated updated = {
		.facts = {.status = STS_FAILED, .discovery = STS_LOOKUP_FAILED},
	};

	conclude(lookup, &updated);
}

/* Once a day for each domain, and not for each of many domains on one server: then false. */
static bool warn_of_failure(const struct sts_lookup *lookup, const struct sts_fetch_result *result,
	const struct sts_updated *updated)
{
	static struct log_limit limit = LOG_LIMIT(10, 60);
	const struct sts_facts *facts = &updated->facts;
	uint32_t now = lookup->update.now, left_out;

	if (!updated->warn || !log_limit_allows(&limit, clock_steady(), &left_out))
		return false;
	if (left_out > 0)
		log_warning("cannot download the MTA-STS policies of %u more domains; lines of "
			    "level info name them",
			left_out);
	log_warning("cannot download the MTA-STS policy of %s: %s; the one downloaded %u "
		    "hours ago, mode %s, is used for at most %u more hours",
		lookup->domain, result->error,
		now > facts->fetched_at ? (now - facts->fetched_at) / 3600 : 0,
		sts_status_name(facts->status), (updated->times.expires - now) / 3600);
	return true;
}

static void note_failure(const struct sts_lookup *lookup, const struct sts_fetch_result *result,
	const struct sts_updated *updated)
{
	const struct sts_facts *facts = &updated->facts;

	if (!warn_of_failure(lookup, result, updated))
		log_info("cannot download the MTA-STS policy of %s: %s: failures=%u retry=%u",
			lookup->domain, result->error, facts->failures,
			facts->retry_at - lookup->update.now);
}

static bool update_when_busy(
	const struct sts_lookup *lookup, const char *why, struct sts_updated *updated)
{
	char words[STS_FAILURE_SIZE];

	snprintf(words, sizeof words, "tlsad was too busy: %.200s", why);
	return sts_update_when_busy(&lookup->update, words, updated);
}

static void fetched(void *context, const struct sts_fetch_result *result)
{
	struct sts_lookup *lookup = context;
	struct part_lookups *lookups = lookup->task.lookups;
	struct sts_updated updated;
	bool made = true;

	counter_add(&lookups->counters->sts_fetches[result->outcome], 1);
	prepare_update(lookup);
	if (result->outcome == STS_FETCHED) {
		sts_update_with_policy(&lookup->update, result->policy, &updated);
		log_info("downloaded the MTA-STS policy of %s: id=%s mode=%s max_age=%u "
			 "patterns=%zu seconds=%.3f",
			lookup->domain, lookup->id, sts_status_name(updated.facts.status),
			updated.facts.max_age, updated.facts.pattern_count,
			(double)(clock_exact_us() - lookup->began) / 1e6);
	} else if (result->outcome == STS_BUSY) {
		made = update_when_busy(lookup, result->error, &updated);
	} else {
		made = sts_update_after_failure(&lookup->update, result->error, &updated);
		if (made)
			note_failure(lookup, result, &updated);
	}
	/* The old policy was replaced before it was due. */
	if (lookup->update.mismatch)
		cache_forget_copies(lookups->cache);
	if (!made) {
		conclude_without_memory(lookup);
		return;
	}
	/* It frees the lookup, but not what `updated` points to. */
	struct sts_updated kept = updated;
	conclude(lookup, &updated);
	sts_updated_clear(&kept);
}

static bool is_enabled(const struct sts_lookup *lookup)
{
	const struct part_lookups *lookups = lookup->task.lookups;

	return lookups->sts_fetches != NULL && lookups->conf->sts.enable;
}

static bool start_fetch(struct sts_lookup *lookup)
{
	if (lookup->update.mismatch)
		log_info("no MX host of %s matches its MTA-STS policy, which is downloaded again",
			lookup->domain);
	event_del(lookup->deadline);
	lookup->fetch =
		sts_fetch_new(lookup->task.lookups->sts_fetches, lookup->domain, fetched, lookup);
	return lookup->fetch != NULL;
}

static void use_record(struct sts_lookup *lookup)
{
	struct sts_updated updated;
	bool made;

	prepare_update(lookup);
	if (!sts_update_needs_file(&lookup->update)) {
		made = sts_update_without_file(&lookup->update, &updated);
	} else if (!is_enabled(lookup)) {
		/*
		 * Switched off by a reload. As if the record were not known: without its file it
		 * says nothing. Once MTA-STS is switched on again, the next request asks for it.
		 */
		lookup->update.discovery = STS_LOOKUP_FAILED;
		lookup->update.failure_ttl = 0;
		made = sts_update_without_file(&lookup->update, &updated);
	} else {
		if (start_fetch(lookup))
			return;
		made = update_when_busy(lookup, "too many downloads, or no memory", &updated);
	}
	if (!made) {
		conclude_without_memory(lookup);
		return;
	}
	struct sts_updated kept = updated;
	conclude(lookup, &updated);
	sts_updated_clear(&kept);
}

static void answered(void *context, const struct dns_answer *answer)
{
	struct sts_lookup *lookup = context;

	lookup->query = NULL;
	lookup->update.discovery = sts_record_find(answer, lookup->id);
	lookup->update.ttl = answer->ttl;
	use_record(lookup);
}

/* The query was not answered; or the record's name is too long, so that none was sent. */
static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct sts_lookup *lookup = context;

	(void)fd;
	(void)what;
	lookup->update.discovery = lookup->query != NULL ? STS_LOOKUP_FAILED : STS_NO_RECORD;
	lookup->update.ttl = lookup->update.max_ttl;
	use_record(lookup);
}

/* --- the row ------------------------------------------------------------------------------- */

static void cancel(void *context)
{
	struct sts_lookup *lookup = context;

	if (lookup == NULL)
		return;
	if (lookup->query != NULL)
		dns_query_cancel(lookup->query);
	sts_fetch_free(lookup->fetch);
	if (lookup->deadline != NULL)
		event_free(lookup->deadline);
	free(lookup);
}

static void *start(const struct part_task *task, struct part_kind_waiter *waiter)
{
	const struct lookup_settings *settings = &task->settings;
	struct timeval limit = {.tv_sec = settings->timeout};
	struct sts_lookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL)
		return NULL;
	lookup->task = *task;
	lookup->waiter = waiter;
	lookup->began = clock_exact_us();
	lookup->update.id = lookup->id;
	snprintf(lookup->domain, sizeof lookup->domain, "%s", task->subject->name);
	prepare_update(lookup);
	bool fits = sts_record_name(lookup->domain, lookup->record_name);
	if (!fits)
		limit.tv_sec = 0;
	lookup->deadline = evtimer_new(settings->base, time_is_over, lookup);
	bool armed = lookup->deadline != NULL && evtimer_add(lookup->deadline, &limit) == 0;
	if (armed && fits)
		lookup->query = dns_query_start(settings->dns, settings->view, lookup->record_name,
			DNS_TYPE_TXT, answered, lookup);
	if (!armed || (fits && lookup->query == NULL)) {
		cancel(lookup);
		return NULL;
	}
	return lookup;
}

static void pending(const void *context, struct part_failure *failure)
{
	const struct sts_lookup *lookup = context;

	*failure = (struct part_failure){.failure = DNS_FAILURE_TIMEOUT, .type = DNS_TYPE_TXT};
	snprintf(failure->name, sizeof failure->name, "%s", lookup->record_name);
	snprintf(failure->detail, sizeof failure->detail, "no answer in time");
}

/* A failure never makes a reply TEMP (RFC 8461 3.3), so there is none for the other layers. */
static bool failed(const void *facts)
{
	(void)facts;
	return false;
}

static struct part_times lifetime(
	const void *facts, const struct lifetime_settings *settings, uint32_t now)
{
	const struct sts_updated *updated = facts;

	(void)settings;
	(void)now;
	return updated->times;
}

static uint8_t *encode(const void *facts, const struct part_times *times, const char *key,
	size_t key_size, size_t *size)
{
	const struct sts_updated *updated = facts;

	if (times->expires == 0)
		return NULL;
	return part_encode_sts(&updated->facts, times, key, key_size, size);
}

/* The download goes on; or there was no memory for it. */
static uint8_t *encode_failure(const struct part_failure *failure, const struct part_times *times,
	const char *key, size_t key_size, size_t *size)
{
	struct sts_facts facts = {.status = STS_PENDING, .discovery = STS_LOOKUP_FAILED};

	(void)failure;
	return part_encode_sts(&facts, times, key, key_size, size);
}

/* A policy ends with its max_age (RFC 8461 3.2). */
static bool may_be_stale(uint8_t status)
{
	(void)status;
	return false;
}

const struct part_kind_row part_kind_sts = {
	.kind = PART_STS,
	.question_type = DNS_TYPE_TXT,
	.start = start,
	.cancel = cancel,
	.pending = pending,
	.failed = failed,
	.lifetime = lifetime,
	.encode = encode,
	.encode_failure = encode_failure,
	.is_whole = evidence_sts_is_whole,
	.may_be_stale = may_be_stale,
};
