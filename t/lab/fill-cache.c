/*
 * fill-cache - writes a cache of any size, without DNS queries
 *
 *	fill-cache DIRECTORY COUNT
 *
 * Writes the MX sets of domain-1.example to domain-COUNT.example into the cache of that directory,
 * which no tlsad may have open, and their only host, mx.example, with a record 3 1 1. Everything
 * expires after an hour.
 */
#include "common/base/clock.h"
#include "common/dane/tlsa.h"
#include "daemon/cache/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIFE = 3600 };

static const char host_name[] = "mx.example";

static void die(const char *words)
{
	fprintf(stderr, "fill-cache: %s\n", words);
	exit(1);
}

static struct part_times times(void)
{
	uint32_t now = clock_wall();
	return (struct part_times){
		.stored_at = now, .refresh_at = now + LIFE, .expires = now + LIFE};
}

static void put(struct cache *cache, const char *key, size_t key_size, uint8_t *bytes, size_t size)
{
	if (bytes == NULL)
		die("out of memory");
	cache_put(cache, key, key_size, bytes, size);
	free(bytes);
}

static void put_host(struct cache *cache)
{
	static uint8_t rdata[35] = {3, 1, 1, 0xab};
	struct host_tlsa tlsa = {TLSA_USABLE, sizeof rdata, rdata};
	struct host_facts facts = {
		.status = HOST_USABLE, .ttl = LIFE, .tlsa_count = 1, .tlsa = &tlsa};
	struct part_times life = times();
	char key[PART_KEY_MAX];
	size_t size = 0,
	       key_size = part_named_key(key, PART_HOST, host_name, strlen(host_name), 25);

	snprintf(facts.base_domain, sizeof facts.base_domain, "%s", host_name);
	uint8_t *bytes = part_encode_host(&facts, &life, key, key_size, &size);
	put(cache, key, key_size, bytes, size);
}

static void put_domain(struct cache *cache, unsigned long number)
{
	struct mx_host host = {.preference = 10};
	struct mx_set set = {.status = MX_FOUND,
		.security = DNS_SECURE,
		.ttl = LIFE,
		.host_count = 1,
		.hosts = &host};
	struct part_times life = times();
	char key[PART_KEY_MAX], name[64];
	size_t size = 0;

	snprintf(host.name, sizeof host.name, "%s", host_name);
	snprintf(name, sizeof name, "domain-%lu.example", number);
	size_t key_size = part_named_key(key, PART_MX, name, strlen(name), 0);
	uint8_t *bytes = part_encode_mx(&set, &life, key, key_size, &size);
	put(cache, key, key_size, bytes, size);
}

int main(int count, char **arguments)
{
	char setting[512], error[CONF_ERROR_SIZE], words[STORE_ERROR_SIZE];
	char *overrides[] = {setting};

	if (count != 3)
		die("usage: fill-cache DIRECTORY COUNT");
	snprintf(setting, sizeof setting, "cache.path=%s", arguments[1]);
	struct conf *conf = conf_load("/nonexistent", false, overrides, 1, error);
	if (conf == NULL)
		die(error);
	struct cache *cache = cache_open(conf, words);
	struct event_base *base = event_base_new();
	if (cache == NULL)
		die(words);
	if (base == NULL || !cache_start_writing(cache, base))
		die("out of memory");
	put_host(cache);
	for (unsigned long i = 1; i <= strtoul(arguments[2], NULL, 10); i++)
		put_domain(cache, i);
	cache_stop_writing(cache);
	cache_close(cache);
	event_base_free(base);
	conf_release(conf);
	libevent_global_shutdown();
	return 0;
}
