#include "daemon/lookup/ta_lookup.h"

#include "common/base/clock.h"
#include "daemon/lookup/ta_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Trust anchors of one reply; a host has one or two. */
	TAS_MAX = 256,
	/*
	 * [s] A file is kept for this time after the last reply that names it has expired: Postfix
	 * may still be delivering mail with that reply.
	 */
	FILE_GRACE = 24 * 60 * 60,
};

struct ta_lookups {
	struct ta_files *ta_files;
	struct ta_fetch *fetch;
};

struct ta_lookup {
	struct ta_lookups *lookups;
	const struct evidence *evidence;
	struct pin_settings settings;
	struct verdict verdict;
	struct ta_file_finding *finding;
	ta_lookup_callback *callback;
	void *context;
	size_t waiting; /* number of servers that it waits for */
	struct server_wait {
		struct ta_lookup *lookup;
		struct ta_fetch_wait *wait;
	} waits[PART_HOSTS_MAX];
};

struct ta_lookups *ta_lookups_new(struct event_base *base, struct cache *cache,
	struct ta_files *ta_files, char *error, size_t error_size)
{
	struct ta_lookups *lookups = calloc(1, sizeof *lookups);

	if (lookups == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	lookups->ta_files = ta_files;
	lookups->fetch = ta_fetch_new(base, cache, error, error_size);
	if (lookups->fetch == NULL) {
		free(lookups);
		return NULL;
	}
	return lookups;
}

void ta_lookups_free(struct ta_lookups *lookups)
{
	if (lookups == NULL)
		return;
	ta_fetch_free(lookups->fetch);
	free(lookups);
}

/* --- the trust anchors of all hosts -------------------------------------------------------- */

/* Copies, since bytes in the cache do not stay valid. */
struct ta_list {
	bool complete; /* it has the trust anchors of all records */
	size_t count;
	struct ta_file_ta tas[TAS_MAX];
	uint8_t *bytes[TAS_MAX]; /* malloc()ed */
};

static void clear_list(struct ta_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->bytes[i]);
	free(list);
}

static bool add_to_list(struct ta_list *list, uint8_t selector, const uint8_t *der, size_t size)
{
	uint8_t *copy = list->count < TAS_MAX && size > 0 ? malloc(size) : NULL;

	if (copy == NULL)
		return false;
	memcpy(copy, der, size);
	list->bytes[list->count] = copy;
	list->tas[list->count++] =
		(struct ta_file_ta){.selector = selector, .der = copy, .size = size};
	return true;
}

/* The trust anchor of a record: the record contains it, or a server has sent it before. */
static bool find_ta(const struct ta_lookup *lookup, const struct tlsa_record *record,
	const uint8_t **der, size_t *size)
{
	struct ta_digest ta;
	size_t ta_size;

	if (record->matching_type == TLSA_FULL) {
		*der = record->data;
		*size = record->data_size;
		return true;
	}
	return pin_record(&lookup->settings, record, (uint8_t *)&ta, &ta_size) == PIN_CLEAR &&
	       ta_fetch_find(lookup->lookups->fetch, &ta, der, size);
}

/*
 * Collect the trust anchors; at least one of each host must be known. If a server does not send
 * one, it does not use it now (before or after a rollover), and without it the reply is stricter.
 */
static enum pin_obstacle gather(const struct ta_lookup *lookup, struct ta_list *list)
{
	list->complete = true;
	for (size_t i = 0; i < lookup->evidence->host_count; i++) {
		const struct part *host = &lookup->evidence->hosts[i].part;
		size_t before = list->count;
		struct pin_walk walk;
		struct tlsa_record record;
		const uint8_t *der;
		size_t size;

		if (host->header.status != HOST_USABLE)
			continue;
		pin_walk_start(&walk, host);
		while (pin_walk_next(&walk, &record)) {
			if (!find_ta(lookup, &record, &der, &size))
				list->complete = false;
			else if (!add_to_list(list, record.selector, der, size))
				return PIN_TOO_MANY;
		}
		if (list->count == before)
			return PIN_TA_UNKNOWN;
	}
	return PIN_CLEAR;
}

/* All servers have been tried: make the file, or note why it is impossible. */
static void finish(const struct ta_lookup *lookup)
{
	struct ta_list *list = calloc(1, sizeof *list);
	struct ta_files *ta_files = lookup->lookups->ta_files;
	uint32_t now = clock_wall(), expires = evidence_expires(lookup->evidence);

	if (list == NULL)
		return;
	enum pin_obstacle obstacle = gather(lookup, list);
	if (obstacle == PIN_CLEAR)
		/*
		 * If one was not sent, try again when the records expire: the server may use it by
		 * then.
		 */
		ta_files_make(ta_files, lookup->finding, list->tas, list->count, now,
			list->complete ? UINT32_MAX : expires);
	else
		ta_files_refuse(ta_files, lookup->finding, obstacle, expires);
	clear_list(list);
}

/* --- asking servers ------------------------------------------------------------------------ */

static void server_was_asked(void *context)
{
	struct server_wait *wait = context;
	struct ta_lookup *lookup = wait->lookup;

	wait->wait = NULL;
	if (--lookup->waiting > 0)
		return;
	finish(lookup);
	ta_lookup_callback *callback = lookup->callback;
	context = lookup->context;
	free(lookup);
	callback(context);
}

/* The trust anchors of a host that are unknown and were not tried before. */
static size_t list_unknown(const struct ta_lookup *lookup, const struct evidence_host *host,
	struct ta_digest unknown[TA_FETCH_TAS_MAX])
{
	uint16_t port = lookup->evidence->destination->port;
	struct pin_walk walk;
	struct tlsa_record record;
	size_t count = 0;

	pin_walk_start(&walk, &host->part);
	while (count < TA_FETCH_TAS_MAX && pin_walk_next(&walk, &record)) {
		size_t size;
		const uint8_t *der;

		if (record.matching_type != TLSA_FULL && !find_ta(lookup, &record, &der, &size) &&
			pin_record(&lookup->settings, &record, (uint8_t *)&unknown[count], &size) ==
				PIN_CLEAR &&
			!ta_fetch_tried(lookup->lookups->fetch, host, port, &unknown[count]))
			count++;
	}
	return count;
}

static void fetch_all(struct ta_lookup *lookup)
{
	const struct evidence *evidence = lookup->evidence;

	for (size_t i = 0; i < evidence->host_count; i++) {
		const struct evidence_host *host = &evidence->hosts[i];
		struct ta_digest unknown[TA_FETCH_TAS_MAX];
		size_t count = host->part.header.status == HOST_USABLE
				       ? list_unknown(lookup, host, unknown)
				       : 0;

		if (count == 0)
			continue;
		struct server_wait *wait = &lookup->waits[i];
		wait->lookup = lookup;
		wait->wait = ta_fetch_start(lookup->lookups->fetch, host,
			evidence->destination->port, unknown, count, server_was_asked, wait);
		if (wait->wait != NULL)
			lookup->waiting++;
	}
}

/* Does the pinned reply need a file that is not known? Fills in the finding's key. */
static bool needs_file(struct ta_lookup *lookup)
{
	const struct evidence *evidence = lookup->evidence;
	struct pins *pins = malloc(sizeof *pins);
	struct ta_file_key key;

	if (pins == NULL)
		return false;
	pin_collect(&lookup->settings, evidence, lookup->verdict, pins);
	bool needed = pins->form == PIN_TAS && ta_file_key(&key, pins, evidence);
	free(pins);
	if (needed)
		ta_files_find(lookup->lookups->ta_files, &key, clock_wall(), lookup->finding);
	return needed && lookup->finding->state == TA_FILE_UNKNOWN;
}

struct ta_lookup *ta_lookup_start(struct ta_lookups *lookups, const struct conf *conf,
	const struct evidence *evidence, struct ta_file_finding *finding,
	ta_lookup_callback *callback, void *context)
{
	struct ta_lookup *lookup = calloc(1, sizeof *lookup);
	struct decide_facts facts;

	if (lookup == NULL)
		return NULL;
	lookup->lookups = lookups;
	lookup->evidence = evidence;
	lookup->settings = conf_pin_settings(conf);
	evidence_facts(evidence, &facts);
	conf_decide_settings(conf, &facts);
	lookup->verdict = decide(&facts);
	lookup->finding = finding;
	lookup->callback = callback;
	lookup->context = context;
	ta_fetch_set_lifetime(lookups->fetch, conf->cache.max_ttl);
	if (needs_file(lookup)) {
		fetch_all(lookup);
		if (lookup->waiting > 0)
			return lookup;
		finish(lookup);
	}
	free(lookup);
	return NULL;
}

void ta_lookup_cancel(struct ta_lookup *lookup)
{
	for (size_t i = 0; i < PART_HOSTS_MAX; i++) {
		if (lookup->waits[i].wait != NULL)
			ta_fetch_cancel(lookup->waits[i].wait);
	}
	free(lookup);
}

void ta_lookups_sweep(struct ta_lookups *lookups, const struct conf *conf)
{
	ta_files_sweep(lookups->ta_files, clock_wall(),
		TA_FILE_TRUST + conf->cache.max_ttl + conf->cache.serve_stale + FILE_GRACE);
}
