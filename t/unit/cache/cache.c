/*
 * cache: parts of unknown versions and kinds: a cache with such parts opens and keeps the others,
 * does not find them, a list passes over them and over malformed keys, and a new part replaces
 * them; an MX set with a name that is too long for any host is a miss, and so is a policy that
 * cannot be used, each time. A failed download is remembered after its part has expired. When the
 * clock is set back, policies keep their ages. The clock is replaced here.
 */
#include "daemon/cache/cache.h"

#include "common/base/clock.h"
#include "common/part/layout.h"
#include "common/sts/sts_update.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

static char directory[SCRATCH_PATH_SIZE + 8];

/* --- the clock ----------------------------------------------------------------------------- */

static uint32_t wall = PARTS_NOW, steady = 5000;

uint32_t clock_wall(void)
{
	return wall;
}

uint32_t clock_steady(void)
{
	return steady;
}

uint64_t clock_steady_us(void)
{
	return (uint64_t)steady * 1000000;
}

uint64_t clock_exact_us(void)
{
	return clock_steady_us();
}

/* Time passes, then the clock is set back. */
static void pass(uint32_t seconds, uint32_t back)
{
	wall += seconds - back;
	steady += seconds;
}

/* --- parts --------------------------------------------------------------------------------- */

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
			evidence.has_sts == (wanted != CACHE_MISS),
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

/* --- the clock is set back ----------------------------------------------------------------- */

enum { HOUR = 3600, DAY = 24 * HOUR, MANY = 600 /* more than in a commit */ };

/* A policy downloaded an hour ago, and its times. */
static struct part_times put_old_policy(struct cache *cache, const char *domain, uint32_t max_age)
{
	static const char *const lines[PARTS_LINES_MAX][2] = {{"mx", "mx.example.com"}};
	struct part_times times = {.stored_at = wall - HOUR,
		.refresh_at = wall + HOUR / 2,
		.expires = wall - HOUR + max_age};
	struct parts_sts policy;
	struct part part;
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_STS, domain, strlen(domain), 0);

	parts_sts_facts(&policy, STS_ENFORCE, lines);
	policy.facts.max_age = max_age;
	policy.facts.fetched_at = wall - HOUR;
	uint8_t *bytes = parts_sts(&part, &policy.facts, &times, domain);
	cache_put(cache, key, key_size, bytes, part.size);
	free(bytes);
	return times;
}

/* The part of a key, which begins with its kind, as the lookup thread sees it. */
static bool get_part(struct cache *cache, const char *key, struct part *part)
{
	const uint8_t *bytes;
	size_t size;

	return cache_get(cache, key, strlen(key), &bytes, &size) &&
	       part_intact(bytes, size, key, strlen(key)) &&
	       part_open(part, (enum part_kind)key[0], bytes, size);
}

static void check_times(struct cache *cache, const char *key, const struct part_times *times,
	uint32_t back, const char *what)
{
	struct part part = {0};

	if (!ok(get_part(cache, key, &part), "%s: there it is", what))
		return;
	is_number(part.header.stored_at, (int64_t)times->stored_at - back, "%s: stored", what);
	is_number(part.header.refresh_at, (int64_t)times->refresh_at - back, "%s: refresh", what);
	is_number(part.header.expires, (int64_t)times->expires - back, "%s: expires", what);
}

static void check_correct(struct cache *cache, uint32_t back, const char *what)
{
	uint32_t seconds = 0;

	cache_notice_clock(cache);
	ok(cache_correct_clock(cache, &seconds), "%s: noticed", what);
	is_number(seconds, back, "%s: by how much", what);
	ok(!cache_correct_clock(cache, &seconds), "%s: once", what);
}

static void test_set_back(struct event_base *base)
{
	static const struct {
		const char *what;
		uint32_t back;
	} rows[] = {
		{"to a moment after the policy was stored", HOUR / 2},
		{"to a moment before it", 12 * HOUR},
		{"by more than its max_age", 30 * DAY},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cache *cache = open_cache(base);
		struct cache_reader *reader = cache_reader_new(cache);
		struct part_times times = put_old_policy(cache, "old.example", DAY);
		put_old_policy(cache, "over.example", HOUR + 10);
		put_old_policy(cache, "longest.example", STS_MAX_AGE_MAX);
		pass(20, rows[i].back);
		check_correct(cache, rows[i].back, rows[i].what);
		/* Entries that expire later than possible are deleted. */
		cache_sweep(cache, wall, 0, DAY);
		check_times(cache, "sold.example", &times, rows[i].back, rows[i].what);
		check_policy(reader, "old.example", CACHE_HIT, "it is used");
		check_policy(reader, "longest.example", CACHE_HIT, "so is one of the longest age");
		check_policy(reader, "over.example", CACHE_MISS, "one that had expired is not");
		pass(23 * HOUR - 21, 0);
		check_policy(reader, "old.example", CACHE_REFRESH, "in its last second");
		pass(1, 0);
		check_policy(reader, "old.example", CACHE_MISS, "when its max_age is over");
		cache_reader_free(reader);
		cache_flush(cache, NULL);
		close_cache(cache);
	}
}

/* All of them are moved, and only once; also those that are not in a commit yet. */
static void test_many(struct event_base *base)
{
	struct cache *cache = open_cache(base);
	struct part_times times = {0}, mx = now_and_an_hour();
	unsigned moved = 0;
	char name[64];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "%u.example", i);
		times = put_old_policy(cache, name, DAY);
	}
	put_mx(cache, 'm', "known.example", PART_AT_CHECKSUM, 0);
	put_mx(cache, 's', "other.example", PART_AT_VERSION, PART_VERSION + 1);
	pass(0, HOUR);
	check_correct(cache, HOUR, "many policies");
	for (unsigned i = 0; i < MANY; i++) {
		struct part part;
		snprintf(name, sizeof name, "s%u.example", i);
		moved +=
			get_part(cache, name, &part) && part.header.expires == times.expires - HOUR;
	}
	is_number(moved, MANY, "all have moved");
	check_times(cache, "mknown.example", &mx, 0, "an MX set has not");
	const uint8_t *bytes;
	size_t size;
	ok(cache_get(cache, "sother.example", 14, &bytes, &size), "another version is passed over");
	cache_flush(cache, NULL);
	close_cache(cache);
}

/* The lookup thread has not seen the first one when the second one comes. */
static void test_twice(struct event_base *base)
{
	struct cache *cache = open_cache(base);
	struct part_times times = put_old_policy(cache, "old.example", DAY);

	is_number(cache_clock(cache), wall, "the time");
	pass(10, HOUR);
	is_number(cache_clock(cache), wall + HOUR, "set back: the time as it was");
	pass(10, 2 * HOUR);
	is_number(cache_clock(cache), wall + 3 * HOUR, "set back once more: as it was");
	check_correct(cache, 3 * HOUR, "twice");
	check_times(cache, "sold.example", &times, 3 * HOUR, "twice");
	is_number(cache_clock(cache), wall, "then the time as it is");
	pass(0, PART_CLOCK_SLACK);
	is_number(cache_clock(cache), wall, "set back a little: the time as it is");
	pass(0, 1);
	check_correct(cache, PART_CLOCK_SLACK + 1, "little steps add up");
	cache_flush(cache, NULL);
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
	test_set_back(base);
	test_many(base);
	test_twice(base);
	event_base_free(base);
	libevent_global_shutdown();
	return done_testing();
}
