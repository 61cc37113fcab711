#include "daemon/cache.h"

#include "common/log.h"

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
	cache->store = store_open(&settings, error);
	if (cache->store == NULL) {
		free(cache);
		return NULL;
	}
	return cache;
}

void cache_close(struct cache *cache)
{
	if (cache == NULL)
		return;
	store_close(cache->store);
	free(cache);
}

struct store_reader *cache_reader_new(struct cache *cache)
{
	return store_reader_new(cache->store);
}

/* The part under a key, if it can be used now. */
static bool read_part(struct store_reader *reader, enum part_kind kind, const char *key,
	size_t key_size, uint32_t now, struct part *part)
{
	const uint8_t *bytes;
	size_t size;

	return store_reader_get(reader, key, key_size, &bytes, &size) &&
	       part_open(part, kind, bytes, size) && part_fresh(&part->header, now);
}

enum cache_result cache_read(struct store_reader *reader, uint32_t now, struct evidence *evidence)
{
	const struct destination *destination = &evidence->destination;
	char key[PART_KEY_LONGEST];

	if (destination->kind == DESTINATION_DOMAIN) {
		size_t key_size = part_mx_key(key, destination->name, destination->name_length);
		if (!read_part(reader, PART_MX, key, key_size, now, &evidence->mx))
			return CACHE_MISS;
	}
	evidence_list_hosts(evidence);
	for (size_t i = 0; i < evidence->host_count; i++) {
		struct evidence_host *host = &evidence->hosts[i];
		size_t key_size =
			part_host_key(key, host->name, host->name_size, destination->port);
		if (!read_part(reader, PART_HOST, key, key_size, now, &host->part))
			return CACHE_MISS;
	}
	return evidence_refresh_due(evidence, now) ? CACHE_REFRESH : CACHE_HIT;
}

/* Reported when it begins and when it ends: in between every answer costs a lookup. */
static void note_result(struct cache *cache, bool good)
{
	if (!good && !cache->complained)
		log_error("cannot write to the cache: %s; going on without storing",
			store_trouble(cache->store));
	else if (good && cache->complained)
		log_notice("the cache can be written again");
	cache->complained = !good;
}

static void commit(struct cache *cache)
{
	if (cache->commit != NULL)
		event_del(cache->commit);
	cache->pending = 0;
	note_result(cache, store_commit(cache->store));
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

void cache_put(struct cache *cache, const char *key, size_t key_size, const uint8_t *bytes,
	size_t size)
{
	struct part_header header;

	memcpy(&header, bytes, sizeof header);
	if (!store_put(cache->store, key, key_size, bytes, size, header.expires)) {
		note_result(cache, false);
		/* A full store makes room in its commit. */
		commit(cache);
		return;
	}
	if (++cache->pending >= COMMIT_PARTS)
		commit(cache);
	else
		schedule_commit(cache);
}

bool cache_get(struct cache *cache, const char *key, size_t key_size, const uint8_t **bytes,
	size_t *size)
{
	bool found = store_get(cache->store, key, key_size, bytes, size);
	schedule_commit(cache);
	return found;
}

void cache_sweep(struct cache *cache, uint32_t now, uint32_t serve_stale)
{
	/* Stale parts carry an expiry that is never older than that. */
	if (now <= serve_stale)
		return;
	if (store_expire(cache->store, now - serve_stale, SWEEP_AT_ONCE) > 0)
		schedule_commit(cache);
}

void cache_figures(struct cache *cache, struct store_figures *figures)
{
	store_figures(cache->store, figures);
}
