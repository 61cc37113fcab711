#include "daemon/lookup/ta_lookup.h"

#include "common/base/clock.h"
#include "daemon/lookup/ta_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Trust anchors of one answer; a host has one or two. */
	ANCHORS_MAX = 256,
	/*
	 * [s] A file stays for so long after the last answer that could name it has expired: mail
	 * may be on its way with it.
	 */
	FILE_GRACE = 24 * 60 * 60,
};

struct pinning {
	struct cache *cache;
	struct ta_files *tafiles;
	struct learn *learn;
};

struct pinning_job {
	struct pinning *pinning;
	const struct evidence *evidence;
	struct pin_settings settings;
	struct ta_file_finding *finding;
	pinning_callback *callback;
	void *context;
	size_t waiting; /* for so many wishes */
	struct job_wish {
		struct pinning_job *job;
		struct learn_wish *wish;
	} wishes[PART_HOSTS_MAX];
};

struct pinning *pinning_new(struct event_base *base, struct cache *cache, struct ta_files *tafiles,
	char *error, size_t error_size)
{
	struct pinning *pinning = calloc(1, sizeof *pinning);

	if (pinning == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	pinning->cache = cache;
	pinning->tafiles = tafiles;
	pinning->learn = learn_new(base, cache, error, error_size);
	if (pinning->learn == NULL) {
		free(pinning);
		return NULL;
	}
	return pinning;
}

void pinning_free(struct pinning *pinning)
{
	if (pinning == NULL)
		return;
	learn_free(pinning->learn);
	free(pinning);
}

/* --- the anchors of all hosts -------------------------------------------------------------- */

/* They are gathered here; what comes from the cache does not stay, so all is copied. */
struct root_anchors {
	bool complete; /* every record's */
	size_t count;
	struct ta_file_ta anchors[ANCHORS_MAX];
	uint8_t *bytes[ANCHORS_MAX]; /* malloc()ed */
};

static void anchors_clear(struct root_anchors *anchors)
{
	for (size_t i = 0; i < anchors->count; i++)
		free(anchors->bytes[i]);
	free(anchors);
}

static bool anchors_add(
	struct root_anchors *anchors, uint8_t selector, const uint8_t *der, size_t size)
{
	uint8_t *copy = anchors->count < ANCHORS_MAX && size > 0 ? malloc(size) : NULL;

	if (copy == NULL)
		return false;
	memcpy(copy, der, size);
	anchors->bytes[anchors->count] = copy;
	anchors->anchors[anchors->count++] =
		(struct ta_file_ta){.selector = selector, .der = copy, .size = size};
	return true;
}

/* What the record names: it holds it itself, or somebody has shown it. */
static bool find_anchor(const struct pinning_job *job, const struct tlsa_record *record,
	const uint8_t **der, size_t *size)
{
	struct ta_digest anchor;
	size_t anchor_size;

	if (record->matching_type == TLSA_FULL) {
		*der = record->data;
		*size = record->data_size;
		return true;
	}
	return pin_record(&job->settings, record, (uint8_t *)&anchor, &anchor_size) == PIN_CLEAR &&
	       learn_find(job->pinning->learn, &anchor, der, size);
}

/*
 * Of every host at least one trust anchor must be known. One that its server does not send is of no
 * use to it now (a roll-over ahead, or one that is over), and without it the answer is stricter.
 */
static enum pin_obstacle gather(const struct pinning_job *job, struct root_anchors *anchors)
{
	anchors->complete = true;
	for (size_t i = 0; i < job->evidence->host_count; i++) {
		const struct part *host = &job->evidence->hosts[i].part;
		size_t before = anchors->count;
		struct pin_walk walk;
		struct tlsa_record record;
		const uint8_t *der;
		size_t size;

		if (host->header.status != HOST_USABLE)
			continue;
		pin_walk_start(&walk, host);
		while (pin_walk_next(&walk, &record)) {
			if (!find_anchor(job, &record, &der, &size))
				anchors->complete = false;
			else if (!anchors_add(anchors, record.selector, der, size))
				return PIN_TOO_MANY;
		}
		if (anchors->count == before)
			return PIN_TA_UNKNOWN;
	}
	return PIN_CLEAR;
}

/* All that can be learned has been. */
static void finish(const struct pinning_job *job)
{
	struct root_anchors *anchors = calloc(1, sizeof *anchors);
	struct ta_files *tafiles = job->pinning->tafiles;
	uint32_t now = clock_wall(), expires = evidence_expires(job->evidence);

	if (anchors == NULL)
		return;
	enum pin_obstacle obstacle = gather(job, anchors);
	if (obstacle == PIN_CLEAR)
		/* A server may change to an authority that it did not send before: ask again then.
		 */
		ta_files_make(tafiles, job->finding, anchors->anchors, anchors->count, now,
			anchors->complete ? UINT32_MAX : expires);
	else
		ta_files_refuse(tafiles, job->finding, obstacle, expires);
	anchors_clear(anchors);
}

/* --- learning ------------------------------------------------------------------------------ */

static void wish_has_ended(void *context)
{
	struct job_wish *wish = context;
	struct pinning_job *job = wish->job;

	wish->wish = NULL;
	if (--job->waiting > 0)
		return;
	finish(job);
	pinning_callback *callback = job->callback;
	context = job->context;
	free(job);
	callback(context);
}

/* The anchors of a host that are worth asking its server for. */
static size_t list_unknown(const struct pinning_job *job, const struct evidence_host *host,
	struct ta_digest unknown[LEARN_ANCHORS_MAX])
{
	uint16_t port = job->evidence->destination->port;
	struct pin_walk walk;
	struct tlsa_record record;
	size_t count = 0;

	pin_walk_start(&walk, &host->part);
	while (count < LEARN_ANCHORS_MAX && pin_walk_next(&walk, &record)) {
		size_t size;
		const uint8_t *der;

		if (record.matching_type != TLSA_FULL && !find_anchor(job, &record, &der, &size) &&
			pin_record(&job->settings, &record, (uint8_t *)&unknown[count], &size) ==
				PIN_CLEAR &&
			!learn_tried(job->pinning->learn, host, port, &unknown[count]))
			count++;
	}
	return count;
}

static void learn_all(struct pinning_job *job)
{
	const struct evidence *evidence = job->evidence;

	for (size_t i = 0; i < evidence->host_count; i++) {
		const struct evidence_host *host = &evidence->hosts[i];
		struct ta_digest unknown[LEARN_ANCHORS_MAX];
		size_t count = host->part.header.status == HOST_USABLE
				       ? list_unknown(job, host, unknown)
				       : 0;

		if (count == 0)
			continue;
		struct job_wish *wish = &job->wishes[i];
		wish->job = job;
		wish->wish = learn_start(job->pinning->learn, host, evidence->destination->port,
			unknown, count, wish_has_ended, wish);
		if (wish->wish != NULL)
			job->waiting++;
	}
}

/* Is there something to do, and for what? */
static bool needs_file(struct pinning_job *job)
{
	const struct evidence *evidence = job->evidence;
	struct pins *pins = malloc(sizeof *pins);
	struct decide_facts facts;
	struct ta_file_key key;

	if (pins == NULL)
		return false;
	evidence_facts(evidence, &facts);
	pin_collect(&job->settings, evidence, decide(&facts), pins);
	bool needed = pins->form == PIN_TAS && ta_file_key(&key, pins, evidence);
	free(pins);
	if (needed)
		ta_files_find(job->pinning->tafiles, &key, clock_wall(), job->finding);
	return needed && job->finding->state == TA_FILE_UNKNOWN;
}

struct pinning_job *pinning_start(struct pinning *pinning, const struct conf *conf,
	const struct evidence *evidence, struct ta_file_finding *finding,
	pinning_callback *callback, void *context)
{
	struct pinning_job *job = calloc(1, sizeof *job);

	if (job == NULL)
		return NULL;
	job->pinning = pinning;
	job->evidence = evidence;
	job->settings = conf_pin_settings(conf);
	job->finding = finding;
	job->callback = callback;
	job->context = context;
	learn_set_lifetime(pinning->learn, conf->cache.max_ttl);
	if (needs_file(job)) {
		learn_all(job);
		if (job->waiting > 0)
			return job;
		finish(job);
	}
	free(job);
	return NULL;
}

void pinning_cancel(struct pinning_job *job)
{
	for (size_t i = 0; i < PART_HOSTS_MAX; i++) {
		if (job->wishes[i].wish != NULL)
			learn_cancel(job->wishes[i].wish);
	}
	free(job);
}

void pinning_sweep(struct pinning *pinning, const struct conf *conf)
{
	ta_files_sweep(pinning->tafiles, clock_wall(),
		TA_FILE_TRUST + conf->cache.max_ttl + conf->cache.serve_stale + FILE_GRACE);
}
