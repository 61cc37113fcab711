#include "daemon/lookup/part_lookup.h"

#include "common/base/clock.h"
#include "common/base/counter.h"
#include "common/base/log.h"

#include <stdio.h>

struct running_part {
	struct part_kind_waiter waiter; /* first: what the kind's lookup calls back */
	struct part_lookups *lookups;
	const struct part_kind_row *kind;
	char key[PART_KEY_MAX];
	size_t key_size;
	struct part_subject subject;
	char name[DNS_NAME_MAX + 1]; /* of the subject */
	struct part_buffer old;      /* what the cache had, expired or due */
	size_t source;               /* the one that is asked */
	enum dns_view view;
	void *dns; /* the kind's lookup */
	TAILQ_HEAD(, part_request) requests;
};

/* In the set of those that run. */
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
	return hash_set_init_secret(&lookups->running, sizeof(struct running_entry), has_key);
}

static struct lifetime_settings lifetimes(const struct part_lookups *lookups)
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

/* --- from DNS ------------------------------------------------------------------------------ */

static void finish(struct running_part *lookup, struct part_buffer part, bool failed);

static void found_in_dns(struct part_kind_waiter *waiter, const void *facts)
{
	struct running_part *lookup = (struct running_part *)waiter;
	const struct part_kind_row *kind = lookup->kind;
	struct lifetime_settings settings = lifetimes(lookup->lookups);
	struct part_times times = kind->lifetime(facts, &settings, clock_wall());
	struct part_buffer part = {0};

	if (lookup->view == DNS_VIEW_SECOND)
		times.flags |= PART_SECOND_VIEW;
	part.bytes = kind->encode(facts, &times, lookup->key, lookup->key_size, &part.size);
	finish(lookup, part, kind->failed(facts));
}

/* The view that was not asked last time: its own cache has let go of the records by now. */
static enum dns_view other_view(const struct running_part *lookup)
{
	const struct part_buffer *old = &lookup->old;
	struct part part;

	if (old->bytes == NULL || !part_open(&part, lookup->kind->kind, old->bytes, old->size))
		return DNS_VIEW_FIRST;
	return (part.header.flags & PART_SECOND_VIEW) != 0 ? DNS_VIEW_FIRST : DNS_VIEW_SECOND;
}

static bool start_dns(struct running_part *lookup)
{
	struct part_lookups *lookups = lookup->lookups;

	lookup->view = other_view(lookup);
	struct lookup_settings settings = {
		.base = lookups->base,
		.dns = lookups->dns,
		.view = lookup->view,
		.timeout = lookups->conf->resolver.timeout,
	};
	lookup->waiter.found = found_in_dns;
	lookup->dns = lookup->kind->start(&settings, &lookup->subject, &lookup->waiter);
	return lookup->dns != NULL;
}

static void cancel_dns(struct running_part *lookup)
{
	lookup->kind->cancel(lookup->dns);
	lookup->dns = NULL;
}

static void pending_in_dns(const struct running_part *lookup, struct part_failure *failure)
{
	lookup->kind->pending(lookup->dns, failure);
}

/* --- sources ------------------------------------------------------------------------------- */

/* Where a part can come from. The local cache is not here: it is asked for every request. */
struct part_source {
	/* False: it cannot be asked. Otherwise finish() or ask_from() follows, from the loop. */
	bool (*start)(struct running_part *lookup);
	void (*cancel)(struct running_part *lookup);
	/* What it waits for, as a timeout. */
	void (*pending)(const struct running_part *lookup, struct part_failure *failure);
};

/* Asked in this order, each if the one before it has nothing. A cache of a fleet comes first. */
static const struct part_source sources[] = {
	{start_dns, cancel_dns, pending_in_dns},
};

/* Ask the first source from that one on that can be asked; false when there is none. */
static bool ask_from(struct running_part *lookup, size_t source)
{
	for (; source < sizeof sources / sizeof sources[0]; source++) {
		lookup->source = source;
		if (sources[source].start(lookup))
			return true;
	}
	return false;
}

/* --- when it failed ------------------------------------------------------------------------ */

static struct part_buffer make_failed(const struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_failure *failure, const char *key,
	size_t key_size)
{
	struct lifetime_settings settings = lifetimes(lookups);
	struct part_times times = lifetime_of_failure(&settings, clock_wall());
	struct part_buffer part = {0};

	part.bytes = kind->encode_failure(failure, &times, key, key_size, &part.size);
	return part;
}

struct part_buffer part_lookup_failed(const struct part_lookups *lookups,
	const struct part_kind_row *kind, const struct part_failure *failure)
{
	return make_failed(lookups, kind, failure, "", 0);
}

/*
 * A lookup failed: the old part goes on where it may, otherwise `failed` takes its place. `failed`
 * is freed when it is not what is returned.
 */
static struct part_buffer after_failure(
	const struct running_part *lookup, struct part_buffer failed)
{
	struct lifetime_settings settings = lifetimes(lookup->lookups);
	const struct part_kind_row *kind = lookup->kind;
	const struct part_buffer *before = &lookup->old;
	struct part old, news;
	struct part_failure failure;
	struct part_times times;
	struct part_buffer part = {0};

	if (failed.bytes == NULL || before->bytes == NULL ||
		!part_open(&old, kind->kind, before->bytes, before->size) ||
		!part_open(&news, kind->kind, failed.bytes, failed.size) ||
		!part_failure(&news, &failure))
		return failed;
	enum lifetime_choice choice = lifetime_after_failure(&settings, clock_wall(), &old.header,
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

static void free_lookup(struct running_part *lookup)
{
	sources[lookup->source].cancel(lookup);
	part_buffer_clear(&lookup->old);
	free(lookup);
}

/* The part is known: store it, hand it to all who wait, and forget the lookup. */
static void finish(struct running_part *lookup, struct part_buffer part, bool failed)
{
	struct part_lookups *lookups = lookup->lookups;
	struct part_request *request;

	counter_add(&lookups->counters->parts, 1);
	if (failed) {
		counter_add(&lookups->counters->failures, 1);
		part = after_failure(lookup, part);
	}
	if (part.bytes != NULL)
		cache_put(lookups->cache, lookup->key, lookup->key_size, part.bytes, part.size);
	hash_set_remove(&lookups->running, lookup->key, lookup->key_size);
	while ((request = TAILQ_FIRST(&lookup->requests)) != NULL) {
		TAILQ_REMOVE(&lookup->requests, request, link);
		request->lookup = NULL;
		part_buffer_clear(request->part);
		if (part.bytes != NULL)
			part_buffer_copy(request->part, part.bytes, part.size);
		/* It may start other lookups, and free other requests that do not wait. */
		request->done(request->context);
	}
	part_buffer_clear(&part);
	free_lookup(lookup);
}

/* --- a lookup ------------------------------------------------------------------------------ */

static struct running_part *find_lookup(
	const struct part_lookups *lookups, const char *key, size_t key_size)
{
	const struct running_entry *entry = hash_set_find(&lookups->running, key, key_size);
	return entry != NULL ? entry->lookup : NULL;
}

static struct running_part *start_lookup(struct part_lookups *lookups,
	const struct part_request *request, const char *key, size_t key_size,
	struct part_buffer *old)
{
	struct running_part *lookup = calloc(1, sizeof *lookup);
	struct running_entry *entry;

	if (lookup == NULL)
		return NULL;
	TAILQ_INIT(&lookup->requests);
	lookup->lookups = lookups;
	lookup->kind = request->kind;
	snprintf(lookup->name, sizeof lookup->name, "%s", request->subject.name);
	lookup->subject =
		(struct part_subject){.name = lookup->name, .port = request->subject.port};
	memcpy(lookup->key, key, key_size);
	lookup->key_size = key_size;
	lookup->old = *old;
	*old = (struct part_buffer){0};
	if (!ask_from(lookup, 0) ||
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

/* True when the cache has what the request asks for; what it has instead is copied to `old`. */
static bool take_from_cache(struct part_lookups *lookups, struct part_request *request,
	const char *key, size_t key_size, struct part_buffer *old)
{
	uint32_t now = clock_wall();
	const uint8_t *bytes;
	size_t size;
	struct part part;

	if (!cache_get(lookups->cache, key, key_size, &bytes, &size) ||
		!part_open(&part, request->kind->kind, bytes, size))
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
		lookup = start_lookup(lookups, request, key, key_size, &old);
	part_buffer_clear(&old);
	if (lookup == NULL)
		return false;
	request->lookup = lookup;
	TAILQ_INSERT_TAIL(&lookup->requests, request, link);
	return true;
}

void part_request_give_up(struct part_lookups *lookups, struct part_request *request)
{
	struct part_failure failure = {
		.failure = DNS_FAILURE_LOCAL,
		.type = request->kind->question_type,
		.detail = "out of memory",
	};
	struct running_part *lookup = request->lookup;

	if (lookup == NULL) {
		if (request->part->bytes != NULL)
			return;
		snprintf(failure.name, sizeof failure.name, "%s", request->subject.name);
		*request->part = part_lookup_failed(lookups, request->kind, &failure);
		return;
	}
	sources[lookup->source].pending(lookup, &failure);
	*request->part = after_failure(lookup,
		make_failed(lookups, lookup->kind, &failure, lookup->key, lookup->key_size));
	TAILQ_REMOVE(&lookup->requests, request, link);
	request->lookup = NULL;
}
