#include "daemon/cache/cache.h"

#include "common/base/log.h"
#include "common/sts/sts_update.h"
#include "daemon/cache/cache_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
	/*
	 * [ms] A part may wait this long for others, so that they share a commit. Until then only
	 * the lookup thread sees it, and replies to requests for it.
	 */
	COMMIT_DELAY = 5,
};

static const struct copied_kind {
	enum part_kind kind;
	size_t sets, slot; /* as in hot_table_new() */
} copied_kinds[COPIED_COUNT] = {
	/*
	 * 32 MB of address space; memory is only spent on slots in use. Enough for the destinations
	 * that a large site sends to in a day. A slot has room for the names of a few hosts.
	 */
	[COPIED_MX] = {.kind = PART_MX, .sets = 1 << 17, .slot = 128},
	/* 8 MB. There are far fewer hosts than domains, but they have TLSA records, thus larger. */
	[COPIED_HOST] = {.kind = PART_HOST, .sets = 1 << 13, .slot = HOT_TABLE_SLOT_MAX},
	/* 16 MB. Most policies fit; a larger one is read from the store. */
	[COPIED_STS] = {.kind = PART_STS, .sets = 1 << 14, .slot = HOT_TABLE_SLOT_MAX},
};

struct cache *cache_open(const struct conf *conf, char error[STORE_ERROR_SIZE])
{
	struct store_settings settings = {
		.directory = conf->cache.path,
		.max_size = conf->cache.max_size,
		.format = PART_FORMAT,
		.intact = part_intact,
	};
	struct cache *cache = calloc(1, sizeof *cache);
	bool complete = true;

	if (cache == NULL) {
		snprintf(error, STORE_ERROR_SIZE, "out of memory");
		return NULL;
	}
	cache_start_clock(cache);
	snprintf(error, STORE_ERROR_SIZE, "out of memory");
	for (size_t i = 0; i < COPIED_COUNT; i++) {
		cache->copies[i] = hot_table_new(copied_kinds[i].sets, copied_kinds[i].slot);
		complete = complete && cache->copies[i] != NULL;
	}
	if (complete)
		cache->store = store_open(&settings, error);
	if (cache->store == NULL) {
		cache_close(cache);
		return NULL;
	}
	return cache;
}

void cache_close(struct cache *cache)
{
	if (cache == NULL)
		return;
	store_close(cache->store);
	for (size_t i = 0; i < COPIED_COUNT; i++)
		hot_table_free(cache->copies[i]);
	free(cache);
}

void cache_drop_copies(struct cache *cache)
{
	for (size_t i = 0; i < COPIED_COUNT; i++)
		hot_table_clear(cache->copies[i]);
}

/* --- serving threads ----------------------------------------------------------------------- */

struct cache_reader {
	const struct cache *cache;
	struct store_reader *store;
	bool in_store; /* between store_reader_begin() and its end */
	struct hot_table_copy mx, sts;
	struct hot_table_copy host[PART_HOSTS_MAX];
};

struct cache_reader *cache_reader_new(struct cache *cache)
{
	struct cache_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		return NULL;
	reader->cache = cache;
	reader->store = store_reader_new(cache->store);
	if (reader->store == NULL) {
		free(reader);
		return NULL;
	}
	return reader;
}

void cache_reader_free(struct cache_reader *reader)
{
	if (reader == NULL)
		return;
	store_reader_free(reader->store);
	free(reader);
}

struct wanted {
	enum part_kind kind;
	struct hot_table *copies; /* of the kind */
	size_t key_size;
	char key[PART_KEY_MAX];
};

static void want(struct wanted *wanted, const struct cache *cache, enum copied copied,
	const char *name, size_t size, uint16_t port)
{
	wanted->kind = copied_kinds[copied].kind;
	wanted->copies = cache->copies[copied];
	wanted->key_size = part_named_key(wanted->key, wanted->kind, name, size, port);
}

/* The part to read first: it has the names of all others. */
static void want_first(
	struct wanted *wanted, const struct cache *cache, const struct destination *destination)
{
	want(wanted, cache, destination->kind == DESTINATION_DOMAIN ? COPIED_MX : COPIED_HOST,
		destination->name, destination->name_length, destination->port);
}

static void want_host(struct wanted *wanted, const struct cache *cache,
	const struct evidence *evidence, size_t index)
{
	const struct evidence_host *host = &evidence->hosts[index];
	want(wanted, cache, COPIED_HOST, host->name, host->name_size, evidence->destination->port);
}

static void want_sts(
	struct wanted *wanted, const struct cache *cache, const struct destination *destination)
{
	want(wanted, cache, COPIED_STS, destination->name, destination->name_length, 0);
}

static bool usable(const struct part_header *header, uint32_t now)
{
	return part_fresh(header, now) && now < header->refresh_at;
}

static bool read_copy(const struct wanted *wanted, hot_table_hash hash, uint32_t now, size_t max,
	struct hot_table_copy *copy, struct part *part)
{
	return hot_table_get(wanted->copies, hash, wanted->key, wanted->key_size, max, copy) &&
	       part_open(part, wanted->kind, copy->value, copy->size) && usable(&part->header, now);
}

static bool read_store(
	struct cache_reader *reader, const struct wanted *wanted, uint32_t now, struct part *part)
{
	const uint8_t *bytes;
	size_t size;

	if (!reader->in_store)
		reader->in_store = store_reader_begin(reader->store);
	if (!store_reader_get(reader->store, wanted->key, wanted->key_size, &bytes, &size) ||
		!part_open(part, wanted->kind, bytes, size) || !part_fresh(&part->header, now))
		return false;
	/* Here and not for each copy: a copy cannot be damaged. */
	if (wanted->kind == PART_STS && !evidence_sts_is_whole(part))
		return false;
	if (usable(&part->header, now))
		hot_table_put(wanted->copies, wanted->key, wanted->key_size, bytes, size);
	return true;
}

static bool read_host(struct cache_reader *reader, const cache_place *place, uint32_t now,
	enum cache_depth depth, struct evidence *evidence, size_t index)
{
	struct part *part = &evidence->hosts[index].part;
	size_t max = depth == CACHE_STATUS ? PART_HEADER_SIZE : SIZE_MAX;
	struct wanted wanted;

	want_host(&wanted, reader->cache, evidence, index);
	hot_table_hash hash =
		place != NULL ? *place : hot_table_find(wanted.copies, wanted.key, wanted.key_size);
	return read_copy(&wanted, hash, now, max, &reader->host[index], part) ||
	       read_store(reader, &wanted, now, part);
}

static cache_place prefetch(const struct wanted *wanted)
{
	hot_table_hash hash = hot_table_find(wanted->copies, wanted->key, wanted->key_size);

	hot_table_prefetch(wanted->copies, hash);
	return hash;
}

cache_place cache_prefetch(const struct cache_reader *reader, const struct destination *destination)
{
	struct wanted wanted;

	want_first(&wanted, reader->cache, destination);
	return prefetch(&wanted);
}

enum cache_result cache_read(struct cache_reader *reader, cache_place place, uint32_t now,
	enum cache_depth depth, struct evidence *evidence)
{
	bool domain = evidence->destination->kind == DESTINATION_DOMAIN;

	if (cache_not_corrected(reader->cache) != 0)
		return CACHE_MISS;
	if (domain) {
		struct wanted wanted;
		want_first(&wanted, reader->cache, evidence->destination);
		if (!read_copy(&wanted, place, now, SIZE_MAX, &reader->mx, &evidence->mx) &&
			!read_store(reader, &wanted, now, &evidence->mx))
			return CACHE_MISS;
		/* DANE is unlikely: the policy is read after the hosts. */
		if (evidence->mx.header.security != DNS_SECURE) {
			want_sts(&wanted, reader->cache, evidence->destination);
			prefetch(&wanted);
		}
	}
	if (!evidence_list_hosts(evidence))
		return CACHE_MISS;
	for (size_t i = 0; i < evidence->host_count; i++) {
		if (!read_host(reader, domain ? NULL : &place, now, depth, evidence, i))
			return CACHE_MISS;
	}
	return evidence_refresh_due(evidence, now) ? CACHE_REFRESH : CACHE_HIT;
}

enum cache_result cache_read_sts(
	struct cache_reader *reader, uint32_t now, struct evidence *evidence)
{
	struct part *part = &evidence->sts;
	struct wanted wanted;

	want_sts(&wanted, reader->cache, evidence->destination);
	hot_table_hash hash = hot_table_find(wanted.copies, wanted.key, wanted.key_size);
	evidence->has_sts = read_copy(&wanted, hash, now, SIZE_MAX, &reader->sts, part) ||
			    read_store(reader, &wanted, now, part);
	if (!evidence->has_sts)
		return CACHE_MISS;
	return now >= part->header.refresh_at ? CACHE_REFRESH : CACHE_HIT;
}

void cache_read_end(struct cache_reader *reader)
{
	if (reader->in_store)
		store_reader_end(reader->store);
	reader->in_store = false;
}

bool cache_has_ta(struct cache_reader *reader, const struct ta_digest *ta)
{
	char key[PART_TA_KEY_SIZE];
	size_t size, key_size = part_ta_key(key, ta);
	const uint8_t *bytes;
	struct part part;

	if (!reader->in_store)
		reader->in_store = store_reader_begin(reader->store);
	return store_reader_get(reader->store, key, key_size, &bytes, &size) &&
	       part_open(&part, PART_TA, bytes, size);
}

bool cache_read_next(struct cache_reader *reader, struct cache_position *position,
	struct part_key *key, struct part *part)
{
	const char *next;
	const uint8_t *bytes;
	size_t size;

	if (!reader->in_store)
		reader->in_store = store_reader_begin(reader->store);
	while (store_reader_next(reader->store, position->key, position->key_size, &next,
		&position->key_size, &bytes, &size)) {
		memcpy(position->key, next, position->key_size);
		if (part_key_read(key, position->key, position->key_size) &&
			part_open(part, key->kind, bytes, size))
			return true;
	}
	return false;
}

/* --- the lookup thread --------------------------------------------------------------------- */

void cache_note_result(struct cache *cache, bool good)
{
	if (!good && !cache->complained) {
		log_error("cannot write to the cache: %s; until this works, results are not stored "
			  "and every request needs a lookup; check the disk of [cache] path",
			store_trouble(cache->store));
		cache->complained = true;
	} else if (good && cache->complained && store_disk_has_room(cache->store)) {
		log_notice("the cache can be written again");
		cache->complained = false;
	}
}

bool cache_commit(struct cache *cache)
{
	unsigned wrote = cache->pending;

	if (cache->commit != NULL)
		event_del(cache->commit);
	cache->pending = 0;
	bool good = store_commit(cache->store);
	if (!good || wrote > 0)
		cache_note_result(cache, good);
	return good;
}

static void commit_now(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	cache_commit(context);
}

/* The first put or get has begun a transaction of LMDB, which must end soon. */
static void schedule_commit(struct cache *cache)
{
	static const struct timeval delay = {.tv_usec = COMMIT_DELAY * 1000};
	if (cache->commit != NULL && !evtimer_pending(cache->commit, NULL))
		evtimer_add(cache->commit, &delay);
}

static void forget_copies(evutil_socket_t fd, short what, void *context)
{
	struct cache *cache = context;

	(void)fd;
	(void)what;
	hot_table_clear(cache->copies[COPIED_STS]);
	if (cache->forget_again)
		cache_forget_copies(cache);
}

void cache_forget_copies(struct cache *cache)
{
	/* Long after the commit: a reader that began before it may still put an old copy there. */
	static const struct timeval delay = {.tv_usec = 500 * 1000};

	cache->forget_again = cache->forget != NULL && evtimer_pending(cache->forget, NULL);
	if (cache->forget != NULL && !cache->forget_again)
		evtimer_add(cache->forget, &delay);
}

bool cache_start_writing(struct cache *cache, struct event_base *base)
{
	cache->commit = evtimer_new(base, commit_now, cache);
	cache->forget = evtimer_new(base, forget_copies, cache);
	return cache->commit != NULL && cache->forget != NULL;
}

void cache_stop_writing(struct cache *cache)
{
	cache_commit(cache);
	event_free(cache->commit);
	event_free(cache->forget);
	cache->commit = cache->forget = NULL;
}

void cache_put(
	struct cache *cache, const char *key, size_t key_size, const uint8_t *bytes, size_t size)
{
	if (!store_put(cache->store, key, key_size, bytes, size, part_expires(bytes))) {
		cache_note_result(cache, false);
		/* The pending parts are lost as well. A full store makes room in its commit. */
		cache->pending = 0;
		cache_commit(cache);
		return;
	}
	if (++cache->pending >= CACHE_COMMIT_PARTS_MAX)
		cache_commit(cache);
	else
		schedule_commit(cache);
}

bool cache_get(
	struct cache *cache, const char *key, size_t key_size, const uint8_t **bytes, size_t *size)
{
	bool found = store_get(cache->store, key, key_size, bytes, size);
	schedule_commit(cache);
	return found;
}

bool cache_sweep(struct cache *cache, uint32_t now, uint32_t serve_stale, uint32_t max_ttl)
{
	/* A policy of MTA-STS may hold longer than max_ttl. */
	uint32_t longest = max_ttl + serve_stale > STS_MAX_AGE_MAX ? max_ttl + serve_stale
								   : (uint32_t)STS_MAX_AGE_MAX;
	uint64_t latest = (uint64_t)now + longest + PART_CLOCK_SLACK;
	/* A failed download of a policy is remembered until the next attempt. */
	uint32_t kept = serve_stale > STS_RETRY_MAX ? serve_stale : (uint32_t)STS_RETRY_MAX;
	size_t gone = 0;

	/* The expiry of an expired entry still in use is updated, thus never older than that. */
	if (now > kept)
		gone = store_expire(cache->store, now - kept, CACHE_SWEEP_PARTS_MAX);
	if (latest < UINT32_MAX)
		gone += store_expire_above(cache->store, (uint32_t)latest, CACHE_SWEEP_PARTS_MAX);
	if (gone > 0)
		schedule_commit(cache);
	return gone >= CACHE_SWEEP_PARTS_MAX;
}

static size_t flush_all(struct cache *cache)
{
	size_t gone, count = 0;

	/* If the store cannot be written, the same ones would come again. */
	while ((gone = store_expire(cache->store, UINT32_MAX, CACHE_SWEEP_PARTS_MAX)) > 0 &&
		cache_commit(cache))
		count += gone;
	return count;
}

static size_t flush_hosts(struct cache *cache, const struct evidence *evidence)
{
	size_t count = 0;

	for (size_t i = 0; i < evidence->host_count; i++) {
		struct wanted wanted;
		want_host(&wanted, cache, evidence, i);
		count += store_delete(cache->store, wanted.key, wanted.key_size);
	}
	return count;
}

static size_t flush_destination(struct cache *cache, const struct destination *destination)
{
	struct evidence *evidence = malloc(sizeof *evidence);
	bool domain = destination->kind == DESTINATION_DOMAIN;
	struct wanted wanted;
	const uint8_t *bytes;
	uint8_t *copy = NULL;
	size_t size, count = 0;

	if (evidence == NULL)
		return 0;
	evidence->destination = destination;
	want_first(&wanted, cache, destination);
	/* A value moves with the next change of the store, so the names of the hosts are copied. */
	if (domain && store_get(cache->store, wanted.key, wanted.key_size, &bytes, &size) &&
		(copy = malloc(size)) != NULL)
		memcpy(copy, bytes, size);
	if ((!domain || (copy != NULL && part_open(&evidence->mx, wanted.kind, copy, size))) &&
		evidence_list_hosts(evidence))
		count += flush_hosts(cache, evidence);
	if (domain)
		count += store_delete(cache->store, wanted.key, wanted.key_size);
	want_sts(&wanted, cache, destination);
	count += store_delete(cache->store, wanted.key, wanted.key_size);
	free(copy);
	free(evidence);
	return count;
}

size_t cache_flush(struct cache *cache, const struct destination *destination)
{
	size_t count =
		destination != NULL ? flush_destination(cache, destination) : flush_all(cache);

	cache_commit(cache);
	cache_drop_copies(cache);
	cache_forget_copies(cache);
	return count;
}

void cache_figures(struct cache *cache, struct store_figures *figures)
{
	store_figures(cache->store, figures);
}
