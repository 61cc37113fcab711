#include "daemon/lookup/destination_lookup.h"

#include "common/base/clock.h"
#include "common/base/counter.h"
#include "common/base/log.h"
#include "daemon/lookup/destination_parts.h"
#include "daemon/lookup/destination_result.h"
#include "daemon/lookup/sts_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Running lookups. Far more than mail servers request at once; limits memory. */
	DESTINATION_LOOKUPS_MAX = 20000,
};

struct host_request {
	char name[DNS_NAME_MAX + 1];
	struct part_request part;
};

struct destination_lookup {
	char key[DESTINATION_KEY_SIZE];
	struct destination_lookups *lookups;
	uint64_t began;            /* [us], clock_exact_us() */
	bool refresh;              /* refresh parts that are due, not only missing ones */
	struct lookup_needs needs; /* of any request */
	bool late;                 /* [resolver] timeout is over */
	size_t stage;
	size_t waiting; /* number of parts that this stage waits for */
	struct event *deadline;
	struct destination_parts parts;
	struct part_request mx;
	struct host_request *hosts; /* parts.host_count */
	struct sts_wait sts;
	struct evidence *evidence; /* while `ta` runs */
	struct ta_lookup *ta;
	struct ta_file_finding file;    /* once the trust anchors are known */
	STAILQ_HEAD(, message) waiters; /* struct lookup_request */
};

/* Entry in the set of running lookups. */
struct running_entry {
	hash_tag tag;
	struct destination_lookup *lookup;
};

static bool has_key(const void *entry, const char *key, size_t size)
{
	const struct destination_lookup *lookup = ((const struct running_entry *)entry)->lookup;
	return strlen(lookup->key) == size && memcmp(lookup->key, key, size) == 0;
}

static void free_lookup(struct destination_lookup *lookup)
{
	if (lookup->deadline != NULL)
		event_free(lookup->deadline);
	sts_wait_clear(&lookup->sts);
	if (lookup->ta != NULL)
		ta_lookup_cancel(lookup->ta);
	destination_parts_clear(&lookup->parts);
	free(lookup->hosts);
	free(lookup->evidence);
	free(lookup);
}

/* --- stages -------------------------------------------------------------------------------- */

/* A lookup runs through its stages one after the other. */
struct stage {
	/* Kind of the parts that the stage gets. */
	enum part_kind kind;
	/* Does the destination need this stage? Otherwise it is passed over. */
	bool (*applies)(const struct destination *destination);
	/* Allocate `count` parts; NULL when out of memory, or if the stage gets no parts. */
	struct part_buffer *(*make_room)(struct destination_parts *parts, size_t count);
	/* Start the stage. When it gets a part it calls walk(). */
	void (*start)(struct destination_lookup *lookup, const struct stage *stage);
	/* Has the stage everything it waits for? */
	bool (*is_done)(const struct destination_lookup *lookup);
	/* Done or late: end all waits, and make failed parts for those that are missing. */
	void (*end)(struct destination_lookup *lookup);
};

static void walk(struct destination_lookup *lookup);

static void part_is_known(void *context)
{
	struct destination_lookup *lookup = context;

	if (--lookup->waiting == 0)
		walk(lookup);
}

static void get_part(struct destination_lookup *lookup, struct part_request *request,
	enum part_kind kind, const char *name, struct part_buffer *part)
{
	*request = (struct part_request){
		.kind = part_kind_find(kind),
		.subject = {.name = name, .port = lookup->parts.destination.port},
		.for_whom = lookup->key,
		.refresh = lookup->refresh,
		.wish = {.asked = true},
		.done = part_is_known,
		.context = lookup,
		.part = part,
	};
	if (part_request_start(&lookup->lookups->parts, request))
		lookup->waiting++;
}

static bool has_parts(const struct destination_lookup *lookup)
{
	return lookup->waiting == 0;
}

static bool applies_always(const struct destination *destination)
{
	(void)destination;
	return true;
}

static bool is_domain(const struct destination *destination)
{
	return destination->kind == DESTINATION_DOMAIN;
}

static struct part_buffer *make_room_for_mx(struct destination_parts *parts, size_t count)
{
	return count == 1 ? &parts->mx : NULL;
}

static void start_mx(struct destination_lookup *lookup, const struct stage *stage)
{
	struct destination_parts *parts = &lookup->parts;
	get_part(lookup, &lookup->mx, stage->kind, parts->destination.name,
		stage->make_room(parts, 1));
}

/* Late: the part may still become an expired MX set that is used on and has hosts. */
static void end_mx(struct destination_lookup *lookup)
{
	part_request_give_up(&lookup->lookups->parts, &lookup->mx);
}

/* --- the MTA-STS policy -------------------------------------------------------------------- */

static void ask_sts(struct destination_lookup *lookup)
{
	const struct sts_wait_subject subject = {
		.domain = lookup->parts.destination.name,
		.for_whom = lookup->key,
		.refresh = lookup->refresh,
		.part = &lookup->parts.sts,
	};

	sts_wait_ask(&lookup->sts, &lookup->lookups->parts, &subject);
}

/* Can a policy change the verdict? Without memory: it may. */
static bool needs_sts(const struct destination_lookup *lookup)
{
	struct evidence *evidence = malloc(sizeof *evidence);
	struct decide_facts facts;
	bool needs = evidence == NULL;

	if (evidence != NULL && destination_parts_evidence(&lookup->parts, evidence)) {
		evidence_facts(evidence, &facts);
		conf_decide_settings(lookup->lookups->parts.conf, &facts);
		needs = decide_needs_sts(&facts);
	}
	free(evidence);
	return needs;
}

static void sts_is_known(void *context)
{
	walk(context);
}

/* A result without a policy. It may not matter, and the verdict is never TEMP where it does. */
static void send_without_sts(struct destination_lookup *lookup, struct lookup_request *request)
{
	struct destination_parts parts = lookup->parts;

	parts.needs_sts = false;
	destination_result_send(
		lookup->lookups, request, lookup->key, &parts, &lookup->file, false);
}

/* Requests that do not need the policy do not wait for it. */
static void send_early(struct destination_lookup *lookup)
{
	struct message *message, *next;

	for (message = STAILQ_FIRST(&lookup->waiters); message != NULL; message = next) {
		struct lookup_request *request = (struct lookup_request *)message;
		next = STAILQ_NEXT(message, link);
		if (request->needs.sts)
			continue;
		STAILQ_REMOVE(&lookup->waiters, message, message, link);
		send_without_sts(lookup, request);
	}
}

static void start_sts(struct destination_lookup *lookup, const struct stage *stage)
{
	(void)stage;
	if (!lookup->needs.sts || !lookup->lookups->parts.conf->sts.enable || !needs_sts(lookup)) {
		sts_wait_drop(&lookup->sts);
		return;
	}
	send_early(lookup);
	lookup->parts.needs_sts = true;
	ask_sts(lookup);
	sts_wait_begin(&lookup->sts, sts_is_known, lookup);
}

static bool has_sts(const struct destination_lookup *lookup)
{
	return sts_wait_is_over(&lookup->sts);
}

static void end_sts(struct destination_lookup *lookup)
{
	sts_wait_end(&lookup->sts);
}

/* --- hosts --------------------------------------------------------------------------------- */

static struct part_buffer *make_room_for_hosts(struct destination_parts *parts, size_t count)
{
	parts->hosts = calloc(count, sizeof *parts->hosts);
	parts->host_count = parts->hosts != NULL ? count : 0;
	return parts->hosts;
}

/* Get the parts of all hosts in parallel. */
static void start_hosts(struct destination_lookup *lookup, const struct stage *stage)
{
	struct destination_parts *parts = &lookup->parts;
	struct evidence *evidence = malloc(sizeof *evidence);

	if (evidence == NULL)
		return;
	if (destination_parts_list(parts, evidence) && evidence->host_count > 0)
		lookup->hosts = calloc(evidence->host_count, sizeof *lookup->hosts);
	if (lookup->hosts == NULL || stage->make_room(parts, evidence->host_count) == NULL) {
		free(evidence);
		return;
	}
	for (size_t i = 0; i < parts->host_count; i++) {
		struct host_request *host = &lookup->hosts[i];
		memcpy(host->name, evidence->hosts[i].name, evidence->hosts[i].name_size);
		get_part(lookup, &host->part, stage->kind, host->name, &parts->hosts[i]);
	}
	/* DANE is unlikely: the policy is looked up at the same time. */
	if (lookup->needs.sts && is_domain(&parts->destination) &&
		evidence->mx.header.status == MX_FOUND &&
		evidence->mx.header.security != DNS_SECURE)
		ask_sts(lookup);
	free(evidence);
}

static void end_hosts(struct destination_lookup *lookup)
{
	for (size_t i = 0; i < lookup->parts.host_count; i++)
		part_request_give_up(&lookup->lookups->parts, &lookup->hosts[i].part);
}

static void tas_are_known(void *context)
{
	struct destination_lookup *lookup = context;

	lookup->ta = NULL;
	walk(lookup);
}

static struct part_buffer *make_no_room(struct destination_parts *parts, size_t count)
{
	(void)parts;
	(void)count;
	return NULL;
}

static void start_tas(struct destination_lookup *lookup, const struct stage *stage)
{
	struct destination_lookups *lookups = lookup->lookups;

	(void)stage;
	if (!lookup->needs.pin || lookup->late || lookups->tas == NULL)
		return;
	lookup->evidence = malloc(sizeof *lookup->evidence);
	if (lookup->evidence == NULL ||
		!destination_parts_evidence(&lookup->parts, lookup->evidence))
		return;
	lookup->ta = ta_lookup_start(lookups->tas, lookups->parts.conf, lookup->evidence,
		&lookup->file, tas_are_known, lookup);
}

static bool has_tas(const struct destination_lookup *lookup)
{
	return lookup->ta == NULL;
}

/* Late: the file is made when the next request needs it. */
static void end_tas(struct destination_lookup *lookup)
{
	if (lookup->ta != NULL)
		ta_lookup_cancel(lookup->ta);
	lookup->ta = NULL;
}

static const struct stage stages[] = {
	{
		.kind = PART_MX,
		.applies = is_domain,
		.make_room = make_room_for_mx,
		.start = start_mx,
		.is_done = has_parts,
		.end = end_mx,
	},
	{
		.kind = PART_HOST,
		.applies = applies_always,
		.make_room = make_room_for_hosts,
		.start = start_hosts,
		.is_done = has_parts,
		.end = end_hosts,
	},
	{
		.kind = PART_STS,
		.applies = applies_always,
		.make_room = make_no_room,
		.start = start_sts,
		.is_done = has_sts,
		.end = end_sts,
	},
	{
		.kind = PART_TA,
		.applies = applies_always,
		.make_room = make_no_room,
		.start = start_tas,
		.is_done = has_tas,
		.end = end_tas,
	},
};

enum { STAGE_COUNT = sizeof stages / sizeof stages[0] };

/* The first stage that applies, from this one on; STAGE_COUNT after the last one. */
static size_t find_stage(const struct destination *destination, size_t stage)
{
	while (stage < STAGE_COUNT && !stages[stage].applies(destination))
		stage++;
	return stage;
}

static void finish(struct destination_lookup *lookup);

/* Start the first stage that applies, from this one on. False after the last one. */
static bool start_stage(struct destination_lookup *lookup, size_t stage)
{
	lookup->stage = find_stage(&lookup->parts.destination, stage);
	if (lookup->stage == STAGE_COUNT)
		return false;
	stages[lookup->stage].start(lookup, &stages[lookup->stage]);
	return true;
}

/* Continue after a stage has started or got a part. After the last stage the lookup is freed. */
static void walk(struct destination_lookup *lookup)
{
	while (stages[lookup->stage].is_done(lookup) || lookup->late) {
		stages[lookup->stage].end(lookup);
		lookup->waiting = 0;
		if (!start_stage(lookup, lookup->stage + 1)) {
			finish(lookup);
			return;
		}
	}
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct destination_lookup *lookup = context;

	(void)fd;
	(void)what;
	log_debug("%s: step=late seconds=%u", lookup->key,
		lookup->lookups->parts.conf->resolver.timeout);
	/* Lookups of parts continue, for the next request. */
	lookup->late = true;
	walk(lookup);
}

/* --- the end ------------------------------------------------------------------------------- */

static void finish(struct destination_lookup *lookup)
{
	struct destination_lookups *lookups = lookup->lookups;
	bool deferred =
		destination_result_note(lookups, lookup->key, &lookup->parts, lookup->began);
	struct message *message;

	while ((message = STAILQ_FIRST(&lookup->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&lookup->waiters, link);
		destination_result_send(lookups, (struct lookup_request *)message, lookup->key,
			&lookup->parts, &lookup->file, deferred);
	}
	hash_set_remove(&lookups->running, lookup->key, strlen(lookup->key));
	counter_add(&lookups->parts.counters->running, (uint64_t)-1);
	free_lookup(lookup);
}

/* --- requests ------------------------------------------------------------------------------ */

/* A request that is refused gets a failed part of its first stage as its result. */
static void refuse(
	struct destination_lookups *lookups, struct lookup_request *request, const char *why)
{
	const struct stage *stage = &stages[find_stage(&request->destination, 0)];
	const struct part_kind_row *kind = part_kind_find(stage->kind);
	struct part_failure failure = {.failure = DNS_FAILURE_LOCAL, .type = kind->question_type};
	struct destination_parts parts = {.destination = request->destination};
	struct ta_file_finding file = {0};
	char key[DESTINATION_KEY_SIZE];
	struct part_buffer *part = stage->make_room(&parts, 1);

	snprintf(failure.name, sizeof failure.name, "%s", request->destination.name);
	snprintf(failure.detail, sizeof failure.detail, "%s", why);
	if (part != NULL)
		*part = part_lookup_failed(&lookups->parts, kind, &failure);
	destination_print(&request->destination, key);
	bool deferred = destination_result_note(lookups, key, &parts, clock_exact_us());
	destination_result_send(lookups, request, key, &parts, &file, deferred);
	destination_parts_clear(&parts);
}

static struct destination_lookup *new_lookup(
	struct destination_lookups *lookups, const struct lookup_request *request, const char *key)
{
	struct timeval timeout = {.tv_sec = lookups->parts.conf->resolver.timeout};
	struct destination_lookup *lookup = calloc(1, sizeof *lookup);
	struct running_entry *entry;

	if (lookup == NULL)
		return NULL;
	strcpy(lookup->key, key);
	lookup->lookups = lookups;
	lookup->began = clock_exact_us();
	lookup->parts.destination = request->destination;
	lookup->refresh = request->result_to == NULL;
	lookup->needs = request->needs;
	STAILQ_INIT(&lookup->waiters);
	lookup->deadline = evtimer_new(lookups->parts.base, time_is_over, lookup);
	if (lookup->deadline == NULL || evtimer_add(lookup->deadline, &timeout) != 0 ||
		(entry = hash_set_add(&lookups->running, key, strlen(key))) == NULL) {
		free_lookup(lookup);
		return NULL;
	}
	entry->lookup = lookup;
	counter_add(&lookups->parts.counters->running, 1);
	return lookup;
}

static void join(struct destination_lookup *lookup, struct lookup_request *request)
{
	counter_add(&lookup->lookups->parts.counters->joined, 1);
	lookup->needs.sts |= request->needs.sts;
	lookup->needs.pin |= request->needs.pin;
	if (request->result_to == NULL)
		free(request); /* a refresh: nobody waits for it */
	else if (lookup->parts.needs_sts && !request->needs.sts)
		send_without_sts(lookup, request);
	else
		STAILQ_INSERT_TAIL(&lookup->waiters, &request->message, link);
}

void destination_lookup_request(struct destination_lookups *lookups, struct lookup_request *request)
{
	char key[DESTINATION_KEY_SIZE];

	counter_add(&lookups->parts.counters->requests, 1);
	destination_print(&request->destination, key);
	const struct running_entry *entry = hash_set_find(&lookups->running, key, strlen(key));
	if (entry != NULL) {
		join(entry->lookup, request);
		return;
	}
	if (lookups->running.count >= DESTINATION_LOOKUPS_MAX) {
		refuse(lookups, request, "too many lookups at once");
		return;
	}
	struct destination_lookup *lookup = new_lookup(lookups, request, key);
	if (lookup == NULL) {
		refuse(lookups, request, "out of memory");
		return;
	}
	STAILQ_INSERT_TAIL(&lookup->waiters, &request->message, link);
	start_stage(lookup, 0);
	walk(lookup);
}

/* --- all of them --------------------------------------------------------------------------- */

bool destination_lookups_init(struct destination_lookups *lookups)
{
	lookups->deferrals = deferrals_new();
	if (lookups->deferrals == NULL || !part_lookups_init(&lookups->parts) ||
		!hash_set_init_secret(&lookups->running, sizeof(struct running_entry), has_key))
		return false;
	destination_result_count_deferred(lookups);
	return true;
}

void destination_lookups_set_conf(struct destination_lookups *lookups, const struct conf *conf)
{
	lookups->parts.conf = conf;
}

void destination_lookups_forget_deferrals(struct destination_lookups *lookups, uint32_t before)
{
	deferrals_forget(lookups->deferrals, before);
	destination_result_count_deferred(lookups);
}

static void drop(struct destination_lookup *lookup)
{
	struct message *message;

	while ((message = STAILQ_FIRST(&lookup->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&lookup->waiters, link);
		free(message);
	}
	free_lookup(lookup);
}

void destination_lookups_clear(struct destination_lookups *lookups)
{
	const struct running_entry *entry = NULL;

	part_lookups_clear(&lookups->parts);
	while ((entry = hash_set_next(&lookups->running, entry)) != NULL)
		drop(entry->lookup);
	hash_set_clear(&lookups->running);
	deferrals_free(lookups->deferrals);
	lookups->deferrals = NULL;
}
