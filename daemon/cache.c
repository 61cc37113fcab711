#include "daemon/cache.h"

#include "common/log.h"
#include "daemon/front.h"

#include <stdlib.h>
#include <string.h>

enum {
	/*
	 * How long a part may wait for others to share its commit [ms]. Requests that come in
	 * between are answered by the lookup thread, which sees it.
	 */
	COMMIT_DELAY = 5,
	/* Parts that one commit takes at most. */
	COMMIT_PARTS = 256,
	SWEEP_AT_ONCE = 1000,
};

struct cache {
	struct store *store;
	struct front *front;
	struct event *commit;
	unsigned pending; /* parts put since the last commit */
	bool complained;  /* of writes that fail, until one succeeds */
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

	if (cache == NULL) {
		snprintf(error, STORE_ERROR_SIZE, "out of memory");
		return NULL;
	}
	snprintf(error, STORE_ERROR_SIZE, "out of memory");
	cache->front = front_new();
	if (cache->front != NULL)
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
	front_free(cache->front);
	free(cache);
}

/* --- serving threads ----------------------------------------------------------------------- */

struct cache_reader {
	struct front *front;
	struct store_reader *store;
	bool in_store; /* between store_reader_begin() and its end */
	struct front_copy mx;
};

struct cache_reader *cache_reader_new(struct cache *cache)
{
	struct cache_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		return NULL;
	reader->front = cache->front;
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
	size_t key_size;
	char key[PART_KEY_LONGEST];
};

static bool usable(const struct part_header *header, uint32_t now)
{
	return part_fresh(header, now) && now < header->refresh_at;
}

/* A part of which nothing but the header is looked at may lack the rest here. */
static bool read_front(struct cache_reader *reader, const struct wanted *wanted, uint32_t now,
	struct front_copy *copy, struct part *part)
{
	return front_get(reader->front, wanted->key, wanted->key_size, copy) &&
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
	if (usable(&part->header, now))
		front_put(reader->front, wanted->key, wanted->key_size, bytes,
			wanted->kind == PART_HOST ? sizeof part->header : size);
	return true;
}

static bool read_host(struct cache_reader *reader, uint32_t now, enum cache_depth depth,
	const struct destination *destination, struct evidence_host *host)
{
	struct wanted wanted;
	struct front_copy copy;

	wanted.kind = PART_HOST;
	wanted.key_size = part_host_key(wanted.key, host->name, host->name_size, destination->port);
	if (depth == CACHE_STATUS && read_front(reader, &wanted, now, &copy, &host->part)) {
		/* The copy ends here; the header is the evidence's own. */
		host->part.bytes = NULL;
		host->part.size = 0;
		return true;
	}
	return read_store(reader, &wanted, now, &host->part);
}

enum cache_result cache_read(struct cache_reader *reader, uint32_t now, enum cache_depth depth,
	struct evidence *evidence)
{
	const struct destination *destination = &evidence->destination;

	if (destination->kind == DESTINATION_DOMAIN) {
		struct wanted wanted;
		wanted.kind = PART_MX;
		wanted.key_size =
			part_mx_key(wanted.key, destination->name, destination->name_length);
		if (!read_front(reader, &wanted, now, &reader->mx, &evidence->mx) &&
			!read_store(reader, &wanted, now, &evidence->mx))
			return CACHE_MISS;
	}
	if (!evidence_list_hosts(evidence))
		return CACHE_MISS;
	for (size_t i = 0; i < evidence->host_count; i++) {
		if (!read_host(reader, now, depth, destination, &evidence->hosts[i]))
			return CACHE_MISS;
	}
	return evidence_refresh_due(evidence, now) ? CACHE_REFRESH : CACHE_HIT;
}

void cache_read_end(struct cache_reader *reader)
{
	if (reader->in_store)
		store_reader_end(reader->store);
	reader->in_store = false;
}

/* --- the lookup thread --------------------------------------------------------------------- */

/* Reported when it begins and when it ends: in between every answer costs a lookup. */
static void note_result(struct cache *cache, bool good)
{
	if (!good && !cache->complained) {
		log_error("cannot write to the cache: %s; going on without storing",
			store_trouble(cache->store));
		cache->complained = true;
	} else if (good && cache->complained && store_disk_has_room(cache->store)) {
		log_notice("the cache can be written again");
		cache->complained = false;
	}
}

static void commit(struct cache *cache)
{
	unsigned wrote = cache->pending;

	if (cache->commit != NULL)
		event_del(cache->commit);
	cache->pending = 0;
	bool good = store_commit(cache->store);
	if (!good || wrote > 0)
		note_result(cache, good);
}

static void commit_now(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	commit(context);
}

/* LMDB's transaction is open from the first put or get on. */
static void schedule_commit(struct cache *cache)
{
	static const struct timeval delay = {.tv_usec = COMMIT_DELAY * 1000};
	if (cache->commit != NULL && !evtimer_pending(cache->commit, NULL))
		evtimer_add(cache->commit, &delay);
}

bool cache_start_writing(struct cache *cache, struct event_base *base)
{
	cache->commit = evtimer_new(base, commit_now, cache);
	return cache->commit != NULL;
}

void cache_stop_writing(struct cache *cache)
{
	commit(cache);
	event_free(cache->commit);
	cache->commit = NULL;
}

void cache_put(
	struct cache *cache, const char *key, size_t key_size, const uint8_t *bytes, size_t size)
{
	struct part_header header;

	memcpy(&header, bytes, sizeof header);
	if (!store_put(cache->store, key, key_size, bytes, size, header.expires)) {
		note_result(cache, false);
		/* What was pending is lost as well. A full store makes room in its commit. */
		cache->pending = 0;
		commit(cache);
		return;
	}
	if (++cache->pending >= COMMIT_PARTS)
		commit(cache);
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
	uint64_t latest = (uint64_t)now + max_ttl + serve_stale + PART_CLOCK_SLACK;
	size_t gone = 0;

	/* Stale parts carry an expiry that is never older than that. */
	if (now > serve_stale)
		gone = store_expire(cache->store, now - serve_stale, SWEEP_AT_ONCE);
	if (latest < UINT32_MAX)
		gone += store_expire_above(cache->store, (uint32_t)latest, SWEEP_AT_ONCE);
	if (gone > 0)
		schedule_commit(cache);
	return gone >= SWEEP_AT_ONCE;
}

void cache_figures(struct cache *cache, struct store_figures *figures)
{
	store_figures(cache->store, figures);
}
