/*
 * cache: parts of unknown versions and kinds: a cache with such parts opens and keeps the others,
 * does not find them, a list passes over them and over malformed keys, and a new part replaces
 * them; an MX set with a name that is too long for any host is a miss, and so is a policy that
 * cannot be used, each time. A failed download is remembered after its part has expired.
 */
#include "daemon/cache/cache.h"

#include "common/base/clock.h"
#include "common/part/layout.h"
#include "common/sts/sts_update.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

static char directory[SCRATCH_PATH_SIZE + 8];

static struct cache *open_cache(struct event_base *base)
{
	char setting[SCRATCH_PATH_SIZE + 32], error[CONF_ERROR_SIZE], words[STORE_ERROR_SIZE];
	char *overrides[] = {setting};

	snprintf(setting, sizeof setting, "cache.path=%s", directory);
	struct conf *conf = conf_load("/nonexistent", false, overrides, 1, error);
	struct cache *cache = conf != NULL ? cache_open(conf, words) : NULL;
	conf_release(conf);
	if (cache == NULL || !cache_start_writing(cache, base))
		bail_out("no cache");
	return cache;
}

static void close_cache(struct cache *cache)
{
	cache_stop_writing(cache);
	cache_close(cache);
}

static struct part_times now_and_an_hour(void)
{
	uint32_t now = clock_wall();
	return (struct part_times){
		.stored_at = now, .refresh_at = now + 3000, .expires = now + 3600};
}

/* An MX set of one host; with `offset`, with another octet there and a valid checksum. */
static void put_mx(
	struct cache *cache, char kind, const char *domain, enum part_offset offset, unsigned value)
{
	struct mx_host host = {10, "mx.example.com"};
	struct mx_set set = {.security = DNS_SECURE, .host_count = 1, .hosts = &host};
	struct part_times times = now_and_an_hour();
	struct part part;
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_MX, domain, strlen(domain), 0);
	uint8_t *bytes = parts_mx(&part, &set, &times, domain);

	if (offset != PART_AT_CHECKSUM)
		bytes[offset] = (uint8_t)value;
	key[0] = kind;
	layout_put_u32(bytes, layout_checksum(bytes, part.size, key, key_size));
	cache_put(cache, key, key_size, bytes, part.size);
	free(bytes);
}

static void put_host(struct cache *cache)
{
	static struct host_facts facts = {.status = HOST_NONE};
	struct part_times times = now_and_an_hour();
	struct part part;
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_HOST, "mx.example.com", 14, 25);
	uint8_t *bytes = parts_host(&part, &facts, &times, "mx.example.com", 25);

	cache_put(cache, key, key_size, bytes, part.size);
	free(bytes);
}

static enum cache_result look(struct cache_reader *reader, const char *domain)
{
	static struct evidence evidence;
	struct destination destination;

	if (destination_parse(domain, strlen(domain), &destination) != DESTINATION_OK)
		bail_out("no destination");
	evidence.destination = &destination;
	cache_place place = cache_prefetch(reader, &destination);
	enum cache_result result = cache_read(reader, place, clock_wall(), CACHE_WHOLE, &evidence);
	cache_read_end(reader);
	return result;
}

static void check_list(struct cache_reader *reader, const char *expected, const char *what)
{
	struct cache_position position = {.key_size = 0};
	char names[1024] = "";
	size_t used = 0;
	struct part_key key;
	struct part part;

	while (cache_read_next(reader, &position, &key, &part) && used < sizeof names - 300)
		used += (size_t)snprintf(names + used, sizeof names - used, "%.*s ",
			(int)position.key_size, position.key);
	cache_read_end(reader);
	is_string(names, expected, "%s", what);
}

static void check_all(struct cache *cache, const char *when)
{
	struct cache_reader *reader = cache_reader_new(cache);
	char what[100];

	if (reader == NULL)
		bail_out("no reader");
	ok(look(reader, "known.example") == CACHE_HIT, "%s: known parts are found", when);
	ok(look(reader, "later.example") == CACHE_MISS, "%s: another version is a miss", when);
	ok(look(reader, "other.example") == CACHE_MISS, "%s: another kind is a miss", when);
	snprintf(what, sizeof what, "%s: the list passes over them, and over invalid keys", when);
	check_list(reader, "hmx.example.com:25 mknown.example ", what);
	cache_reader_free(reader);
}

static void test_unknown(struct event_base *base)
{
	struct cache *cache = open_cache(base);
	struct store_figures figures;
	char seal[SCRATCH_PATH_SIZE + 32], aside[SCRATCH_PATH_SIZE + 40];

	put_host(cache);
	put_mx(cache, 'm', "known.example", PART_AT_CHECKSUM, 0);
	put_mx(cache, 'm', "later.example", PART_AT_VERSION, PART_VERSION + 1);
	put_mx(cache, 'm', "other.example", PART_AT_KIND, 'x');
	put_mx(cache, 'x', "other.example", PART_AT_KIND, 'x');
	put_mx(cache, 'm', "no name", PART_AT_CHECKSUM, 0);
	cache_stop_writing(cache);
	check_all(cache, "as stored");
	cache_close(cache);
	/* Without its seal, every value of the file is checked. */
	snprintf(seal, sizeof seal, "%s/parts.mdb.seal", directory);
	ok(unlink(seal) == 0, "the file was sealed");
	cache = open_cache(base);
	snprintf(aside, sizeof aside, "%s/parts.mdb.set-aside", directory);
	ok(access(aside, F_OK) != 0, "a file with such parts is not set aside");
	cache_figures(cache, &figures);
	is_number((int64_t)figures.entries, 6, "and keeps all that is in it");
	check_all(cache, "opened again");
	put_mx(cache, 'm', "later.example", PART_AT_CHECKSUM, 0);
	cache_stop_writing(cache);
	struct cache_reader *reader = cache_reader_new(cache);
	ok(look(reader, "later.example") == CACHE_HIT, "a new part replaces one");
	cache_reader_free(reader);
	cache_close(cache);
}

/* A part that no lookup can make: the name of its host has that many octets. */
static void put_long_name(struct cache *cache, const char *domain, size_t name_size)
{
	struct mx_set set = {.security = DNS_SECURE};
	struct part_times times = now_and_an_hour();
	struct part part;
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_MX, domain, strlen(domain), 0);
	size_t size = PART_HEADER_SIZE + 3 + name_size;
	uint8_t *header = parts_mx(&part, &set, &times, domain), *bytes = malloc(size);

	memset(bytes, 'a', size);
	memcpy(bytes, header, PART_HEADER_SIZE);
	bytes[PART_AT_COUNT] = 1;
	bytes[PART_HEADER_SIZE + 2] = (uint8_t)name_size;
	layout_put_u32(bytes, layout_checksum(bytes, size, key, key_size));
	cache_put(cache, key, key_size, bytes, size);
	free(header);
	free(bytes);
}

static void test_long_names(struct event_base *base)
{
	static const char *const domains[] = {"long254.example", "long255.example"};
	struct cache *cache = open_cache(base);
	struct destination destination;

	for (size_t i = 0; i < 2; i++)
		put_long_name(cache, domains[i], 254 + i);
	cache_stop_writing(cache);
	struct cache_reader *reader = cache_reader_new(cache);
	for (size_t i = 0; i < 2; i++)
		ok(look(reader, domains[i]) == CACHE_MISS, "a host's name of %zu octets is a miss",
			254 + i);
	cache_reader_free(reader);
	if (!cache_start_writing(cache, base))
		bail_out("no cache");
	for (size_t i = 0; i < 2; i++) {
		if (destination_parse(domains[i], strlen(domains[i]), &destination) !=
			DESTINATION_OK)
			bail_out("no destination");
		is_number((int64_t)cache_flush(cache, &destination), 1, "and can be flushed");
	}
	close_cache(cache);
}

static void put_policy(struct cache *cache, const char *domain, const char *pattern)
{
	const char *lines[PARTS_LINES_MAX][2] = {{"mx", pattern}};
	struct part_times times = now_and_an_hour();
	struct parts_sts policy;
	struct part part;
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_STS, domain, strlen(domain), 0);

	parts_sts_facts(&policy, STS_ENFORCE, lines);
	uint8_t *bytes = parts_sts(&part, &policy.facts, &times, domain);
	cache_put(cache, key, key_size, bytes, part.size);
	free(bytes);
}

static void check_policy(
	struct cache_reader *reader, const char *domain, enum cache_result wanted, const char *what)
{
	static struct evidence evidence;
	struct destination destination;

	if (destination_parse(domain, strlen(domain), &destination) != DESTINATION_OK)
		bail_out("no destination");
	evidence.destination = &destination;
	ok(cache_read_sts(reader, clock_wall(), &evidence) == wanted &&
			evidence.has_sts == (wanted == CACHE_HIT),
		"%s", what);
	cache_read_end(reader);
}

/* The first time it is read from the store, the second time from the hot table. */
static void test_policies(struct event_base *base)
{
	struct cache *cache = open_cache(base);

	put_policy(cache, "good.example", "mx.example.com");
	put_policy(cache, "bad.example", "mx.example.com may");
	cache_stop_writing(cache);
	struct cache_reader *reader = cache_reader_new(cache);
	for (int i = 0; i < 2; i++) {
		check_policy(reader, "good.example", CACHE_HIT, "a policy is found");
		check_policy(reader, "bad.example", CACHE_MISS, "one that cannot be used is not");
	}
	cache_reader_free(reader);
	cache_close(cache);
}

static bool has_failure(struct cache *cache, uint32_t now, uint32_t serve_stale, const char *key)
{
	const uint8_t *bytes;
	size_t size;

	cache_sweep(cache, now, serve_stale, 86400);
	return cache_get(cache, key, strlen(key), &bytes, &size);
}

/*
 * The part of a download that failed expires with the TXT record, but tells later that the next
 * attempt must wait.
 */
static void test_sweep(struct event_base *base)
{
	static const char key[] = "sfailing.example";
	struct cache *cache = open_cache(base);
	uint32_t expires = clock_wall() + 60;
	struct part_times times = {.stored_at = expires - 60, .expires = expires};
	struct sts_facts facts = {.status = STS_FAILED,
		.failures = 5,
		.failed_at = expires - 60,
		.retry_at = expires - 60 + STS_RETRY_MAX};
	struct part part;

	uint8_t *bytes = parts_sts(&part, &facts, &times, "failing.example");
	cache_put(cache, key, sizeof key - 1, bytes, part.size);
	free(bytes);
	ok(has_failure(cache, facts.retry_at - 1, 0, key),
		"a failed download is remembered until the next attempt, whatever serve_stale is");
	ok(has_failure(cache, expires + 2 * STS_RETRY_MAX, 3 * STS_RETRY_MAX, key),
		"a longer serve_stale counts");
	ok(!has_failure(cache, expires + STS_RETRY_MAX + 1, 0, key), "then it is forgotten");
	close_cache(cache);
}

int main(void)
{
	scratch_begin();
	snprintf(directory, sizeof directory, "%s/cache", scratch_directory);
	struct event_base *base = event_base_new();
	test_unknown(base);
	test_long_names(base);
	test_policies(base);
	test_sweep(base);
	event_base_free(base);
	libevent_global_shutdown();
	return done_testing();
}
