#include "daemon/lookup/part_lookup.h"

#include "common/base/log.h"
#include "daemon/lookup/part_source.h"

#include <stdio.h>

/* The sources, in the order in which a lookup asks them. */
static const struct part_source *const all_sources[] = {
	&part_source_dns,
	NULL,
};

/* Entry in the set of running lookups. */
struct running_entry {
	hash_tag tag;
	struct running_part *lookup;
};

static bool has_key(const void *entry, const char *key, size_t size)
{
	const struct running_part *lookup = ((const struct running_entry *)entry)->lookup;
	return lookup->key_size == size && memcmp(lookup->key, key, size) == 0;
}

bool part_lookups_init(struct part_lookups *lookups)
{
	lookups->sources = all_sources;
	return hash_set_init_secret(&lookups->running, sizeof(struct running_entry), has_key);
}

struct lifetime_settings part_lookups_lifetimes(const struct part_lookups *lookups)
{
	const struct conf *conf = lookups->conf;
	return (struct lifetime_settings){
		.min_ttl = conf->cache.min_ttl,
		.max_ttl = conf->cache.max_ttl,
		.failure_ttl = conf->cache.failure_ttl,
		.serve_stale = conf->cache.serve_stale,
		.prefetch = conf->cache.prefetch,
	};
}

/* --- failures ------------------------------------------------------------------------------ */

/* The failure of a part for which no source was asked. */
static struct part_failure local_failure(
	const struct part_kind_row *kind, const char *name, const char *detail)
{
	struct part_failure failure = {.failure = DNS_FAILURE_LOCAL, .type = kind->question_type};

	snprintf(failure.name, sizeof failure.name, "%s", name);
	snprintf(failure.detail, sizeof failure.detail, "%s", detail);
	return failure;
}

static struct part_buffer make_failed(const struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_failure *failure, const char *key,
	size_t key_size)
{
	struct lifetime_settings settings = part_lookups_lifetimes(lookups);
	struct part_times times = lifetime_of_failure(&settings, cache_clock(lookups->cache));
	struct part_buffer part = {0};

	part.bytes = kind->encode_failure(failure, &times, key, key_size, &part.size);
	return part;
}

struct part_buffer part_lookup_failed(const struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_failure *failure)
{
	return make_failed(lookups, kind, failure, "", 0);
}

/* The old part, if there is one that was not flushed. */
static bool open_old(const struct running_part *lookup, struct part *old)
{
	return lookup->old.bytes != NULL && !lookup->wish.flushed &&
	       part_open(old, lookup->kind->kind, lookup->old.bytes, lookup->old.size);
}

static bool old_is_fresh(const struct running_part *lookup)
{
	struct part old;

	return open_old(lookup, &old) &&
	       part_fresh(&old.header, cache_clock(lookup->lookups->cache));
}

/*
 * After a failed lookup: the old part with new times if it may still be used, otherwise `failed`.
 * `failed` is freed unless it is the result.
 */
static struct part_buffer after_failure(
	const struct running_part *lookup, struct part_buffer failed)
{
	struct lifetime_settings settings = part_lookups_lifetimes(lookup->lookups);
	const struct part_kind_row *kind = lookup->kind;
	const struct part_buffer *before = &lookup->old;
	struct part old, fresh;
	struct part_failure failure;
	struct part_times times;
	struct part_buffer part = {0};

	if (failed.bytes == NULL || !open_old(lookup, &old) ||
		!part_open(&fresh, kind->kind, failed.bytes, failed.size) ||
		!part_failure(&fresh, &failure))
		return failed;
	enum lifetime_choice choice =
		lifetime_after_failure(&settings, cache_clock(lookup->lookups->cache), &old.header,
			kind->may_be_stale(old.header.status), &times);
	if (choice == LIFETIME_REPLACE)
		return failed;
	part.bytes = part_encode_again(before->bytes, before->size, &times,
		choice == LIFETIME_STALE ? &failure : NULL, lookup->key, lookup->key_size,
		&part.size);
	if (part.bytes == NULL)
		return failed;
	part_buffer_clear(&failed);
	return part;
}

/* --- the end of a lookup ------------------------------------------------------------------- */

static void end_source(struct running_part *lookup)
{
	if (*lookup->source != NULL)
		(*lookup->source)->cancel(lookup);
}

static void free_lookup(struct running_part *lookup)
{
	end_source(lookup);
	part_buffer_clear(&lookup->old);
	free(lookup);
}

/* Store the part, give it to all requests that wait, and free the lookup. */
void part_source_found(struct running_part *lookup, struct part_buffer part, bool failed)
{
	struct part_lookups *lookups = lookup->lookups;
	struct part_request *request;

	if (failed)
		part = after_failure(lookup, part);
	if (part.bytes != NULL)
		cache_put(lookups->cache, lookup->key, lookup->key_size, part.bytes, part.size);
	else if (old_is_fresh(lookup))
		part_buffer_copy(&part, lookup->old.bytes, lookup->old.size);
	hash_set_remove(&lookups->running, lookup->key, lookup->key_size);
	while ((request = TAILQ_FIRST(&lookup->requests)) != NULL) {
		TAILQ_REMOVE(&lookup->requests, request, link);
		request->lookup = NULL;
		part_buffer_clear(request->part);
		if (part.bytes != NULL)
			part_buffer_copy(request->part, part.bytes, part.size);
		/* The callback may start other lookups, and free requests that do not wait. */
		request->done(request->context);
	}
	part_buffer_clear(&part);
	free_lookup(lookup);
}

/* --- sources ------------------------------------------------------------------------------- */

/* Ask `lookup->source`, or the first one after it that can be asked. False after the last one. */
static bool ask_source(struct running_part *lookup)
{
	while (*lookup->source != NULL && !(*lookup->source)->start(lookup))
		lookup->source++;
	return *lookup->source != NULL;
}

void part_source_missed(struct running_part *lookup)
{
	end_source(lookup);
	lookup->source++;
	if (ask_source(lookup))
		return;
	struct part_failure failure =
		local_failure(lookup->kind, lookup->name, "there is no source left to ask");
	part_source_found(lookup,
		make_failed(lookup->lookups, lookup->kind, &failure, lookup->key, lookup->key_size),
		true);
}

/* --- a lookup ------------------------------------------------------------------------------ */

static struct running_part *find_lookup(
	const struct part_lookups *lookups, const char *key, size_t key_size)
{
	const struct running_entry *entry = hash_set_find(&lookups->running, key, key_size);
	return entry != NULL ? entry->lookup : NULL;
}

static struct running_part *start_lookup(struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_subject *subject,
	const struct part_wish *wish, const char *key, size_t key_size, struct part_buffer *old)
{
	struct running_part *lookup = calloc(1, sizeof *lookup);
	struct running_entry *entry;

	if (lookup == NULL)
		return NULL;
	TAILQ_INIT(&lookup->requests);
	lookup->lookups = lookups;
	lookup->kind = kind;
	snprintf(lookup->name, sizeof lookup->name, "%s", subject->name);
	lookup->subject = (struct part_subject){.name = lookup->name, .port = subject->port};
	lookup->wish = *wish;
	memcpy(lookup->key, key, key_size);
	lookup->key_size = key_size;
	lookup->old = *old;
	*old = (struct part_buffer){0};
	lookup->source = lookups->sources;
	if (!ask_source(lookup) ||
		(entry = hash_set_add(&lookups->running, key, key_size)) == NULL) {
		free_lookup(lookup);
		return NULL;
	}
	entry->lookup = lookup;
	return lookup;
}

void part_lookups_clear(struct part_lookups *lookups)
{
	const struct running_entry *entry = NULL;

	while ((entry = hash_set_next(&lookups->running, entry)) != NULL)
		free_lookup(entry->lookup);
	hash_set_clear(&lookups->running);
}

/* --- requests ------------------------------------------------------------------------------ */

static void note_step(const struct part_request *request, const char *step)
{
	log_debug("%s: step=%s part=\"%s %s\"", request->for_whom, step,
		part_kind_name(request->kind->kind), request->subject.name);
}

static bool is_whole(const struct part_kind_row *kind, const struct part *part)
{
	return kind->is_whole == NULL || kind->is_whole(part);
}

/* True if the cache has a part that is good enough; an expired or due one is copied to `old`. */
static bool take_from_cache(struct part_lookups *lookups, struct part_request *request,
	const char *key, size_t key_size, struct part_buffer *old)
{
	uint32_t now = cache_clock(lookups->cache);
	const uint8_t *bytes;
	size_t size;
	struct part part;

	if (!cache_get(lookups->cache, key, key_size, &bytes, &size) ||
		!part_open(&part, request->kind->kind, bytes, size) ||
		!is_whole(request->kind, &part))
		return false;
	bool due = request->refresh && now >= part.header.refresh_at;
	bool good = part_fresh(&part.header, now) && !due;
	part_buffer_copy(good ? request->part : old, bytes, size);
	return good;
}

bool part_request_start(struct part_lookups *lookups, struct part_request *request)
{
	char key[PART_KEY_MAX];
	const struct part_subject *subject = &request->subject;
	size_t key_size = part_named_key(
		key, request->kind->kind, subject->name, strlen(subject->name), subject->port);
	struct part_buffer old = {0};

	request->lookup = NULL;
	if (take_from_cache(lookups, request, key, key_size, &old)) {
		note_step(request, "cached");
		return false;
	}
	struct running_part *lookup = find_lookup(lookups, key, key_size);
	note_step(request, lookup != NULL ? "joined" : "asked");
	if (lookup == NULL)
		lookup = start_lookup(
			lookups, request->kind, subject, &request->wish, key, key_size, &old);
	part_buffer_clear(&old);
	if (lookup == NULL)
		return false;
	lookup->wish.asked |= request->wish.asked;
	request->lookup = lookup;
	TAILQ_INSERT_TAIL(&lookup->requests, request, link);
	return true;
}

void part_lookups_refresh(struct part_lookups *lookups, const struct part_kind_row *kind,
	const struct part_subject *subject, const struct part_wish *wish)
{
	char key[PART_KEY_MAX];
	size_t size, key_size = part_named_key(
			     key, kind->kind, subject->name, strlen(subject->name), subject->port);
	struct part_buffer old = {0};
	const uint8_t *bytes;
	struct part part;

	struct running_part *running = find_lookup(lookups, key, key_size);
	if (running != NULL) {
		running->wish.asked |= wish->asked;
		running->wish.mismatch |= wish->mismatch;
		return;
	}
	if (cache_get(lookups->cache, key, key_size, &bytes, &size) &&
		part_open(&part, kind->kind, bytes, size) && is_whole(kind, &part))
		part_buffer_copy(&old, bytes, size);
	start_lookup(lookups, kind, subject, wish, key, key_size, &old);
	part_buffer_clear(&old);
}

void part_lookups_flushed(struct part_lookups *lookups)
{
	const struct running_entry *entry = NULL;
	const uint8_t *bytes;
	size_t size;

	while ((entry = hash_set_next(&lookups->running, entry)) != NULL) {
		struct running_part *lookup = entry->lookup;
		if (lookup->old.bytes != NULL &&
			!cache_get(lookups->cache, lookup->key, lookup->key_size, &bytes, &size))
			lookup->wish.flushed = true;
	}
}

void part_lookups_set_back(struct part_lookups *lookups, uint32_t seconds)
{
	const struct running_entry *entry = NULL;

	while ((entry = hash_set_next(&lookups->running, entry)) != NULL) {
		struct running_part *lookup = entry->lookup;
		if (lookup->old.bytes != NULL)
			part_sts_set_back(lookup->old.bytes, lookup->old.size, seconds, lookup->key,
				lookup->key_size);
	}
}

void part_request_give_up(struct part_lookups *lookups, struct part_request *request)
{
	struct running_part *lookup = request->lookup;
	struct part_failure failure =
		local_failure(request->kind, request->subject.name, "out of memory");

	if (lookup == NULL) {
		if (request->part->bytes == NULL)
			*request->part = part_lookup_failed(lookups, request->kind, &failure);
		return;
	}
	if (*lookup->source != NULL)
		(*lookup->source)->pending(lookup, &failure);
	*request->part = after_failure(lookup,
		make_failed(lookups, lookup->kind, &failure, lookup->key, lookup->key_size));
	part_request_drop(request);
}

void part_request_drop(struct part_request *request)
{
	if (request->lookup != NULL)
		TAILQ_REMOVE(&request->lookup->requests, request, link);
	request->lookup = NULL;
}

void part_request_defer(
	struct part_lookups *lookups, struct part_request *request, uint32_t seconds)
{
	const struct running_part *lookup = request->lookup;
	struct part_failure failure = {.failure = DNS_FAILURE_TIMEOUT};
	uint32_t now = cache_clock(lookups->cache);
	/* It is due at once, so that it is read again and replaced by the result. */
	struct part_times times = {.stored_at = now, .refresh_at = now, .expires = now + seconds};
	struct part_buffer *part = request->part;

	if (lookup == NULL)
		return;
	part_buffer_clear(part);
	if (old_is_fresh(lookup)) {
		part_buffer_copy(part, lookup->old.bytes, lookup->old.size);
	} else {
		part->bytes = lookup->kind->encode_failure(
			&failure, &times, lookup->key, lookup->key_size, &part->size);
		if (part->bytes != NULL)
			cache_put(lookups->cache, lookup->key, lookup->key_size, part->bytes,
				part->size);
	}
	part_request_drop(request);
}
