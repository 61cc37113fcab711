#include "daemon/lookup/destination_lookup.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/dane/host_lookup.h"
#include "common/dane/mx_lookup.h"
#include "daemon/cache/lifetime.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Destinations in flight. Far above what mail servers ask for at once; bounds memory. */
	JOURNEYS_MAX = 20000,
};

struct task;
struct journey;

/* What a journey still waits for: one part. */
struct need {
	TAILQ_ENTRY(need) link; /* in the task's list */
	struct journey *journey;
	struct task *task; /* NULL once it has come */
};

/* A part that a journey has. */
struct blob {
	uint8_t *bytes;
	size_t size;
};

struct task {
	char key[PART_KEY_MAX + 1]; /* as in the cache; first, for the search tree */
	size_t key_size;
	struct flight *flight;
	enum part_kind kind;
	enum dns_view view;
	struct dane_mx_lookup *mx;
	struct dane_host_lookup *host;
	struct blob old; /* what the cache had, expired or due */
	TAILQ_HEAD(, need) needs;
};

struct journey_host {
	char name[DESTINATION_NAME_MAX + 1];
	struct blob part;
	struct need need;
};

struct journey {
	char key[DESTINATION_KEY_SIZE]; /* first, for the search tree */
	struct flight *flight;
	uint64_t began; /* [us], clock_exact_us() */
	struct destination destination;
	bool ahead;                /* parts that are due are refreshed, not only what is missing */
	bool pin;                  /* somebody wants a pinned answer */
	bool late;                 /* its time is over */
	struct evidence *evidence; /* while it is being pinned */
	struct pinning_job *pinning;
	struct ta_file_finding file; /* once it is pinned */
	size_t waiting_parts;
	struct event *deadline;
	struct blob mx;
	struct need mx_need;
	size_t host_count;
	struct journey_host *hosts;
	STAILQ_HEAD(, message) waiters; /* struct lookup_request */
};

static void count(_Atomic uint64_t *counter, uint64_t by)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
		memory_order_relaxed);
}

static struct lifetime_settings lifetimes(const struct flight *flight)
{
	const struct conf *conf = flight->conf;
	return (struct lifetime_settings){
		.min_ttl = conf->cache.min_ttl,
		.max_ttl = conf->cache.max_ttl,
		.failure_ttl = conf->cache.failure_ttl,
		.serve_stale = conf->cache.serve_stale,
		.prefetch = conf->cache.prefetch,
	};
}

static int compare_keys(const void *one, const void *other)
{
	return strcmp(one, other);
}

static void *find(void *tree, const char *key)
{
	void *const *node = tfind(key, &tree, compare_keys);
	return node != NULL ? *node : NULL;
}

static bool copy_blob(struct blob *blob, const uint8_t *bytes, size_t size)
{
	blob->bytes = malloc(size);
	if (blob->bytes == NULL)
		return false;
	memcpy(blob->bytes, bytes, size);
	blob->size = size;
	return true;
}

static void clear_blob(struct blob *blob)
{
	free(blob->bytes);
	blob->bytes = NULL;
	blob->size = 0;
}

/* --- parts --------------------------------------------------------------------------------- */

/* A failed part made up here: of a lookup that was not made or not waited for. */
static struct blob failed_part(const struct flight *flight, enum part_kind kind,
	const struct part_failure *failure, const char *key, size_t key_size)
{
	struct lifetime_settings settings = lifetimes(flight);
	struct part_times times = lifetime_of_failure(&settings, clock_wall());
	struct blob blob = {0};

	if (kind == PART_MX) {
		struct mx_set set = {
			.status = MX_FAILED, .security = DNS_UNKNOWN, .failure = *failure};
		blob.bytes = part_encode_mx(&set, &times, key, key_size, &blob.size);
	} else {
		struct host_facts *facts = calloc(1, sizeof *facts);
		if (facts != NULL) {
			facts->status = HOST_FAILED;
			facts->failure = *failure;
			blob.bytes = part_encode_host(facts, &times, key, key_size, &blob.size);
		}
		free(facts);
	}
	return blob;
}

/*
 * A lookup failed: the old part goes on where it may, otherwise `failed` takes its place. `failed`
 * is freed when it is not what is returned.
 */
static struct blob after_failure(const struct task *task, struct blob failed)
{
	struct lifetime_settings settings = lifetimes(task->flight);
	struct part old, news;
	struct part_failure failure;
	struct part_times times;
	struct blob blob = {0};

	if (failed.bytes == NULL || task->old.bytes == NULL ||
		!part_open(&old, task->kind, task->old.bytes, task->old.size) ||
		!part_open(&news, task->kind, failed.bytes, failed.size) ||
		!part_failure(&news, &failure))
		return failed;
	switch (lifetime_after_failure(&settings, clock_wall(), &old.header, &times)) {
	case LIFETIME_REPLACE:
		return failed;
	case LIFETIME_KEEP:
		blob.bytes = part_encode_again(task->old.bytes, task->old.size, &times, NULL,
			task->key, task->key_size, &blob.size);
		break;
	case LIFETIME_STALE:
		blob.bytes = part_encode_again(task->old.bytes, task->old.size, &times, &failure,
			task->key, task->key_size, &blob.size);
		break;
	}
	if (blob.bytes == NULL)
		return failed;
	clear_blob(&failed);
	return blob;
}

/* --- journeys ------------------------------------------------------------------------------ */

static void journey_expand(struct journey *journey);
static void journey_conclude(struct journey *journey);

static void journey_free(struct journey *journey)
{
	if (journey->deadline != NULL)
		event_free(journey->deadline);
	clear_blob(&journey->mx);
	for (size_t i = 0; i < journey->host_count; i++)
		clear_blob(&journey->hosts[i].part);
	free(journey->hosts);
	if (journey->pinning != NULL)
		pinning_cancel(journey->pinning);
	free(journey->evidence);
	free(journey);
}

/* A part has come for one need of the journey. */
static void journey_take(struct journey *journey, struct need *need, const struct blob *part)
{
	struct blob *place = &journey->mx;

	if (need != &journey->mx_need) {
		struct journey_host *host =
			(struct journey_host *)((char *)need - offsetof(struct journey_host, need));
		place = &host->part;
	}
	/* Out of memory leaves it empty; the answer then says so. */
	clear_blob(place);
	if (part->bytes != NULL)
		copy_blob(place, part->bytes, part->size);
	need->task = NULL;
	journey->waiting_parts--;
	if (need == &journey->mx_need)
		journey_expand(journey);
	if (journey->waiting_parts == 0)
		journey_conclude(journey);
}

/* --- tasks --------------------------------------------------------------------------------- */

static void task_free(struct task *task)
{
	dane_mx_lookup_free(task->mx);
	dane_host_lookup_free(task->host);
	clear_blob(&task->old);
	free(task);
}

/* The part is known: store it, hand it to all who wait, and forget the task. */
static void task_conclude(struct task *task, struct blob part, bool failed)
{
	struct flight *flight = task->flight;
	struct need *need;

	count(&flight->counters->parts, 1);
	if (failed) {
		count(&flight->counters->failures, 1);
		part = after_failure(task, part);
	}
	if (part.bytes != NULL)
		cache_put(flight->cache, task->key, task->key_size, part.bytes, part.size);
	tdelete(task->key, &flight->tasks, compare_keys);
	while ((need = TAILQ_FIRST(&task->needs)) != NULL) {
		TAILQ_REMOVE(&task->needs, need, link);
		journey_take(need->journey, need, &part);
	}
	clear_blob(&part);
	task_free(task);
}

static void mark_view(const struct task *task, struct part_times *times)
{
	if (task->view == DNS_VIEW_SECOND)
		times->flags |= PART_SECOND_VIEW;
}

static void mx_is_known(void *context, const struct mx_set *set)
{
	struct task *task = context;
	struct lifetime_settings settings = lifetimes(task->flight);
	uint32_t now = clock_wall();
	bool failed = set->status == MX_FAILED;
	struct part_times times = failed ? lifetime_of_failure(&settings, now)
					 : lifetime_of_answer(&settings, now, set->ttl);
	struct blob part = {0};

	mark_view(task, &times);
	part.bytes = part_encode_mx(set, &times, task->key, task->key_size, &part.size);
	task_conclude(task, part, failed);
}

static void host_is_known(void *context, const struct host_facts *facts)
{
	struct task *task = context;
	struct lifetime_settings settings = lifetimes(task->flight);
	uint32_t now = clock_wall();
	bool failed = facts->status == HOST_FAILED;
	struct part_times times = failed ? lifetime_of_failure(&settings, now)
					 : lifetime_of_host(&settings, now, facts->ttl);
	struct blob part = {0};

	/* What a failure may have hidden is looked at again as soon as a failure is. */
	if (facts->uncertain && times.expires > now + settings.failure_ttl)
		times = lifetime_of_failure(&settings, now);
	mark_view(task, &times);
	part.bytes = part_encode_host(facts, &times, task->key, task->key_size, &part.size);
	task_conclude(task, part, failed);
}

/* The view that was not asked last time: its own cache has let go of the records by now. */
static enum dns_view other_view(const struct blob *old, enum part_kind kind)
{
	struct part part;

	if (old->bytes == NULL || !part_open(&part, kind, old->bytes, old->size))
		return DNS_VIEW_FIRST;
	return (part.header.flags & PART_SECOND_VIEW) != 0 ? DNS_VIEW_FIRST : DNS_VIEW_SECOND;
}

static struct task *task_start(struct flight *flight, enum part_kind kind, const char *key,
	size_t key_size, const char *name, uint16_t port, const struct blob *old)
{
	struct task *task = calloc(1, sizeof *task);
	if (task == NULL)
		return NULL;
	struct lookup_settings terms = {
		.base = flight->base,
		.dns = flight->dns,
		.view = other_view(old, kind),
		.timeout = flight->conf->resolver.timeout,
	};
	TAILQ_INIT(&task->needs);
	task->flight = flight;
	task->kind = kind;
	task->view = terms.view;
	memcpy(task->key, key, key_size);
	task->key_size = key_size;
	if (old->bytes != NULL)
		copy_blob(&task->old, old->bytes, old->size);
	if (kind == PART_MX)
		task->mx = dane_mx_lookup_new(&terms, name, mx_is_known, task);
	else
		task->host = dane_host_lookup_new(&terms, name, port, host_is_known, task);
	if ((task->mx == NULL && task->host == NULL) ||
		tsearch(task->key, &flight->tasks, compare_keys) == NULL) {
		task_free(task);
		return NULL;
	}
	return task;
}

/*
 * Get one part for a journey: from the cache, from a task in flight, or by a new task. True when
 * it is there at once, or cannot be had at all and `have` stays empty.
 */
static bool journey_get(struct journey *journey, enum part_kind kind, const char *name,
	struct blob *have, struct need *need)
{
	struct flight *flight = journey->flight;
	char key[PART_KEY_MAX + 1];
	struct blob old = {0};
	const uint8_t *bytes;
	struct part part;
	uint32_t now = clock_wall();
	uint16_t port = journey->destination.port;
	size_t size, key_size = kind == PART_MX ? part_mx_key(key, name, strlen(name))
						: part_host_key(key, name, strlen(name), port);

	key[key_size] = '\0';
	if (cache_get(flight->cache, key, key_size, &bytes, &size) &&
		part_open(&part, kind, bytes, size)) {
		bool due = journey->ahead && now >= part.header.refresh_at;
		if (part_fresh(&part.header, now) && !due) {
			log_debug("%s: step=cached part=\"%s %s\"", journey->key,
				kind == PART_MX ? "mx" : "host", name);
			return copy_blob(have, bytes, size);
		}
		copy_blob(&old, bytes, size);
	}
	struct task *task = find(flight->tasks, key);
	log_debug("%s: step=%s part=\"%s %s\"", journey->key, task != NULL ? "joined" : "asked",
		kind == PART_MX ? "mx" : "host", name);
	if (task == NULL)
		task = task_start(flight, kind, key, key_size, name, port, &old);
	clear_blob(&old);
	if (task == NULL)
		return true;
	need->journey = journey;
	need->task = task;
	TAILQ_INSERT_TAIL(&task->needs, need, link);
	journey->waiting_parts++;
	return false;
}

/* The destination and its MX part lead to hosts: get the parts of all of them at once. */
static void journey_expand(struct journey *journey)
{
	struct evidence *evidence = malloc(sizeof *evidence);

	if (evidence == NULL)
		return;
	evidence->destination = &journey->destination;
	evidence->host_count = 0;
	if (journey->destination.kind == DESTINATION_HOST ||
		(journey->mx.bytes != NULL &&
			part_open(&evidence->mx, PART_MX, journey->mx.bytes, journey->mx.size))) {
		if (!evidence_list_hosts(evidence))
			evidence->host_count = 0;
	}
	if (evidence->host_count > 0)
		journey->hosts = calloc(evidence->host_count, sizeof *journey->hosts);
	if (journey->hosts != NULL)
		journey->host_count = evidence->host_count;
	for (size_t i = 0; i < journey->host_count; i++) {
		struct journey_host *host = &journey->hosts[i];
		memcpy(host->name, evidence->hosts[i].name, evidence->hosts[i].name_size);
		journey_get(journey, PART_HOST, host->name, &host->part, &host->need);
	}
	free(evidence);
}

/* A part that is missing at the end: not waited for any longer, or out of memory. */
static void journey_fill(struct journey *journey, enum part_kind kind, const char *name,
	struct blob *have, struct need *need)
{
	struct part_failure failure = {
		.failure = DNS_FAILURE_LOCAL,
		.type = kind == PART_MX ? DNS_TYPE_MX : DNS_TYPE_A,
		.detail = "out of memory",
	};
	struct task *task = need->task;

	if (have->bytes != NULL)
		return;
	snprintf(failure.name, sizeof failure.name, "%s", name);
	if (task == NULL) {
		*have = failed_part(journey->flight, kind, &failure, "", 0);
		return;
	}
	if (kind == PART_MX)
		dane_mx_lookup_pending(task->mx, &failure);
	else
		dane_host_lookup_pending(task->host, &failure);
	*have = after_failure(
		task, failed_part(journey->flight, kind, &failure, task->key, task->key_size));
	TAILQ_REMOVE(&task->needs, need, link);
	need->task = NULL;
}

/* Point the evidence at the journey's own parts, all of which are there. */
static bool point_at_parts(struct evidence *evidence, const struct journey *journey)
{
	evidence->destination = &journey->destination;
	if (journey->destination.kind == DESTINATION_DOMAIN &&
		(journey->mx.bytes == NULL ||
			!part_open(&evidence->mx, PART_MX, journey->mx.bytes, journey->mx.size)))
		return false;
	if (!evidence_list_hosts(evidence) || evidence->host_count != journey->host_count)
		return false;
	for (size_t i = 0; i < journey->host_count; i++) {
		const struct blob *part = &journey->hosts[i].part;
		if (part->bytes == NULL ||
			!part_open(&evidence->hosts[i].part, PART_HOST, part->bytes, part->size))
			return false;
	}
	return true;
}

/*
 * Point the evidence at the parts, which stand one behind the other in `bytes`. False when a host
 * has no part, for want of memory.
 */
static bool answer_fill(struct lookup_answer *answer, const struct journey *journey)
{
	uint8_t *at = answer->bytes;
	struct evidence *evidence = &answer->evidence;

	answer->destination = journey->destination;
	answer->file = journey->file;
	evidence->destination = &answer->destination;
	if (journey->destination.kind == DESTINATION_DOMAIN) {
		memcpy(at, journey->mx.bytes, journey->mx.size);
		part_open(&evidence->mx, PART_MX, at, journey->mx.size);
		at += journey->mx.size;
	}
	if (!evidence_list_hosts(evidence) || evidence->host_count != journey->host_count)
		return false;
	for (size_t i = 0; i < journey->host_count; i++) {
		const struct blob *part = &journey->hosts[i].part;
		memcpy(at, part->bytes, part->size);
		part_open(&evidence->hosts[i].part, PART_HOST, at, part->size);
		at += part->size;
	}
	return true;
}

void flight_note_deferred(struct flight *flight)
{
	atomic_store_explicit(&flight->counters->deferred, deferrals_count(flight->deferrals),
		memory_order_relaxed);
	atomic_store_explicit(&flight->counters->deferred_since,
		deferrals_oldest(flight->deferrals), memory_order_relaxed);
}

/* What comes of the lookup, whichever map it was for. */
static struct verdict journey_verdict(const struct journey *journey)
{
	struct verdict verdict = {VERDICT_TEMP, REASON_LOOKUP_FAILED};
	struct evidence *evidence = malloc(sizeof *evidence);
	struct decide_facts facts;

	if (evidence != NULL && point_at_parts(evidence, journey)) {
		evidence_facts(evidence, &facts);
		verdict = decide(&facts);
	}
	free(evidence);
	return verdict;
}

/* Count it; true when its answer is TEMP. */
static bool journey_count(struct journey *journey)
{
	struct flight *flight = journey->flight;
	struct verdict verdict = journey_verdict(journey);
	struct deferral_note note;

	count(&flight->counters->reasons[verdict.reason], 1);
	histogram_add(&flight->counters->seconds, clock_exact_us() - journey->began, 1);
	if (verdict.level == VERDICT_TEMP)
		return true;
	if (deferral_end(flight->deferrals, journey->key, clock_steady(), &note)) {
		log_info("%s has an answer again: reason=%s deferred=%u left_out=%u", journey->key,
			reason_name(verdict.reason), note.seconds, note.left_out);
		flight_note_deferred(flight);
	}
	return false;
}

/* Out of memory, nothing is sent; the serving thread gives up waiting by itself. */
static void answer_request(
	struct journey *journey, struct lookup_request *request, size_t size, bool deferred)
{
	struct flight *flight = journey->flight;
	struct lookup_answer *answer = malloc(sizeof *answer + size);

	if (answer == NULL)
		return;
	answer->message.kind = MESSAGE_ANSWER;
	answer->waiter = request->waiter;
	answer->deferral = (struct deferral_note){.quiet = false};
	if (deferred) {
		answer->deferral = deferral_note(flight->deferrals, journey->key, clock_steady());
		flight_note_deferred(flight);
	}
	if (answer_fill(answer, journey))
		mailbox_post(request->reply_to, &answer->message);
	else
		free(answer);
}

static void answer_all(struct journey *journey)
{
	size_t size = journey->mx.size;
	bool complete = journey->destination.kind == DESTINATION_HOST || journey->mx.bytes != NULL;
	bool deferred = journey_count(journey);
	struct message *message;

	for (size_t i = 0; i < journey->host_count; i++) {
		size += journey->hosts[i].part.size;
		complete = complete && journey->hosts[i].part.bytes != NULL;
	}
	while ((message = STAILQ_FIRST(&journey->waiters)) != NULL) {
		struct lookup_request *request = (struct lookup_request *)message;
		STAILQ_REMOVE_HEAD(&journey->waiters, link);
		if (request->reply_to != NULL && complete)
			answer_request(journey, request, size, deferred);
		free(request);
	}
}

static void journey_answer(struct journey *journey)
{
	struct flight *flight = journey->flight;

	answer_all(journey);
	tdelete(journey->key, &flight->journeys, compare_keys);
	count(&flight->counters->in_flight, (uint64_t)-1);
	journey_free(journey);
}

static void journey_is_pinned(void *context)
{
	struct journey *journey = context;

	journey->pinning = NULL;
	journey_answer(journey);
}

/* True when there is something to wait for. */
static bool journey_pin(struct journey *journey)
{
	struct flight *flight = journey->flight;

	if (!journey->pin || journey->late || flight->pinning == NULL)
		return false;
	journey->evidence = malloc(sizeof *journey->evidence);
	if (journey->evidence == NULL || !point_at_parts(journey->evidence, journey))
		return false;
	journey->pinning = pinning_start(flight->pinning, flight->conf, journey->evidence,
		&journey->file, journey_is_pinned, journey);
	return journey->pinning != NULL;
}

/* All parts are there, or will not come any more. */
static void journey_conclude(struct journey *journey)
{
	if (journey->destination.kind == DESTINATION_DOMAIN && journey->mx.bytes == NULL) {
		journey_fill(journey, PART_MX, journey->destination.name, &journey->mx,
			&journey->mx_need);
		/* It may be an old MX set that lives on, and leads to hosts. */
		journey_expand(journey);
	}
	for (size_t i = 0; i < journey->host_count; i++) {
		struct journey_host *host = &journey->hosts[i];
		journey_fill(journey, PART_HOST, host->name, &host->part, &host->need);
	}
	if (!journey_pin(journey))
		journey_answer(journey);
}

static void journey_is_late(evutil_socket_t fd, short what, void *context)
{
	struct journey *journey = context;

	(void)fd;
	(void)what;
	log_debug(
		"%s: step=late seconds=%u", journey->key, journey->flight->conf->resolver.timeout);
	journey->late = true;
	/* What has come is in the cache already; what has not goes on for the next request. */
	if (journey->pinning != NULL)
		journey_answer(journey);
	else
		journey_conclude(journey);
}

static struct journey *journey_new(struct flight *flight, const struct lookup_request *request)
{
	struct timeval timeout = {.tv_sec = flight->conf->resolver.timeout};
	struct journey *journey = calloc(1, sizeof *journey);

	if (journey == NULL)
		return NULL;
	journey->flight = flight;
	journey->began = clock_exact_us();
	journey->destination = request->destination;
	journey->ahead = request->reply_to == NULL;
	journey->pin = request->pin;
	STAILQ_INIT(&journey->waiters);
	destination_print(&request->destination, journey->key);
	journey->deadline = evtimer_new(flight->base, journey_is_late, journey);
	if (journey->deadline == NULL || evtimer_add(journey->deadline, &timeout) != 0 ||
		tsearch(journey->key, &flight->journeys, compare_keys) == NULL) {
		journey_free(journey);
		return NULL;
	}
	count(&flight->counters->in_flight, 1);
	return journey;
}

static void journey_start(struct journey *journey)
{
	if (journey->destination.kind == DESTINATION_HOST ||
		journey_get(journey, PART_MX, journey->destination.name, &journey->mx,
			&journey->mx_need))
		journey_expand(journey);
	if (journey->waiting_parts == 0)
		journey_conclude(journey);
}

/* --- requests ------------------------------------------------------------------------------ */

/* A request that cannot be taken on is answered with a failed part, like any other. */
static void refuse(struct flight *flight, struct lookup_request *request, const char *why)
{
	struct part_failure failure = {.failure = DNS_FAILURE_LOCAL};
	struct journey journey = {
		.flight = flight, .began = clock_exact_us(), .destination = request->destination};
	struct journey_host host = {.part = {0}};
	bool domain = request->destination.kind == DESTINATION_DOMAIN;

	failure.type = domain ? DNS_TYPE_MX : DNS_TYPE_A;
	snprintf(failure.name, sizeof failure.name, "%s", request->destination.name);
	snprintf(failure.detail, sizeof failure.detail, "%s", why);
	destination_print(&request->destination, journey.key);
	STAILQ_INIT(&journey.waiters);
	STAILQ_INSERT_TAIL(&journey.waiters, &request->message, link);
	if (domain) {
		journey.mx = failed_part(flight, PART_MX, &failure, "", 0);
	} else {
		host.part = failed_part(flight, PART_HOST, &failure, "", 0);
		journey.hosts = &host;
		journey.host_count = 1;
	}
	answer_all(&journey);
	clear_blob(&journey.mx);
	clear_blob(&host.part);
}

void flight_take(struct flight *flight, struct lookup_request *request)
{
	char key[DESTINATION_KEY_SIZE];

	count(&flight->counters->requests, 1);
	destination_print(&request->destination, key);
	struct journey *journey = find(flight->journeys, key);
	if (journey != NULL) {
		count(&flight->counters->joined, 1);
		journey->pin |= request->pin;
		if (request->reply_to == NULL)
			free(request); /* a refresh: nobody waits for it */
		else
			STAILQ_INSERT_TAIL(&journey->waiters, &request->message, link);
		return;
	}
	if (atomic_load_explicit(&flight->counters->in_flight, memory_order_relaxed) >=
		JOURNEYS_MAX) {
		refuse(flight, request, "too many lookups in flight");
		return;
	}
	journey = journey_new(flight, request);
	if (journey == NULL) {
		refuse(flight, request, "out of memory");
		return;
	}
	STAILQ_INSERT_TAIL(&journey->waiters, &request->message, link);
	journey_start(journey);
}

static void drop_journeys(struct flight *flight)
{
	while (flight->journeys != NULL) {
		struct journey *journey = *(struct journey **)flight->journeys;
		struct message *message;
		tdelete(journey->key, &flight->journeys, compare_keys);
		while ((message = STAILQ_FIRST(&journey->waiters)) != NULL) {
			STAILQ_REMOVE_HEAD(&journey->waiters, link);
			free(message);
		}
		journey_free(journey);
	}
}

static void drop_tasks(struct flight *flight)
{
	while (flight->tasks != NULL) {
		struct task *task = *(struct task **)flight->tasks;
		tdelete(task->key, &flight->tasks, compare_keys);
		task_free(task);
	}
}

void flight_clear(struct flight *flight)
{
	drop_tasks(flight);
	drop_journeys(flight);
}
