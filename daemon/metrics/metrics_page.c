/*
 * The page /metrics: every family stands here once. The names are fixed; labels come from tables of
 * the program, never from what was asked.
 */
#include "daemon/metrics/metrics.h"

#include "common/dns/dns.h"
#include "daemon/health/health.h"
#include "daemon/metrics/exposition.h"

#include <event2/event.h>
#include <openssl/crypto.h>

static const char *const result_names[REPLY_KIND_COUNT] = {
	[REPLY_OK] = "ok",
	[REPLY_NOTFOUND] = "notfound",
	[REPLY_TEMP] = "temp",
	[REPLY_PERM] = "perm",
};

static void add_requests(struct text *out, const struct server_figures *figures)
{
	static const char name[] = "tlsad_requests_total";

	exposition_family(
		out, name, EXPOSITION_COUNTER, "Requests of socketmap clients, by map and answer.");
	for (size_t map = 0; map <= MAP_COUNT; map++) {
		const char *map_name = map < MAP_COUNT ? maps[map].name : "unknown";
		for (size_t kind = 0; kind < REPLY_KIND_COUNT; kind++) {
			struct exposition_label labels[] = {
				{"map", map_name}, {"result", result_names[kind]}};
			exposition_sample(out, name, labels, 2, figures->by_map[map][kind]);
		}
	}
	exposition_histogram(out, "tlsad_request_seconds",
		"Time from a request's arrival to its answer.", &figures->seconds);
}

static void add_connections(struct text *out, const struct server_figures *figures)
{
	exposition_number(out, "tlsad_connections", EXPOSITION_GAUGE,
		"Open connections of socketmap clients.", figures->connections);
	exposition_number(out, "tlsad_connections_refused_total", EXPOSITION_COUNTER,
		"Connections from outside [server] allow.", figures->refused);
}

static void add_cache(struct text *out, const struct metrics_services *services,
	const struct conf *conf, const struct server_figures *figures)
{
	static const char name[] = "tlsad_cache_lookups_total";
	static const struct exposition_label hit = {"result", "hit"}, miss = {"result", "miss"};
	struct store_figures stored;

	cache_figures(services->cache, &stored);
	exposition_family(out, name, EXPOSITION_COUNTER,
		"Requests for a destination, by whether the cache had all of it.");
	exposition_sample(out, name, &hit, 1, figures->hits);
	exposition_sample(out, name, &miss, 1, figures->misses);
	exposition_number(out, "tlsad_cache_entries", EXPOSITION_GAUGE,
		"MX sets, hosts and trust anchors in the cache.", stored.entries);
	exposition_number(
		out, "tlsad_cache_bytes", EXPOSITION_GAUGE, "Bytes that they take.", stored.bytes);
	exposition_number(out, "tlsad_cache_max_bytes", EXPOSITION_GAUGE,
		"Bytes that they may take, [cache] max_size.", conf->cache.max_size);
	exposition_number(out, "tlsad_cache_evicted_total", EXPOSITION_COUNTER,
		"Entries that had to make room before they expired.", stored.evicted);
}

static void add_lookups(struct text *out, const struct lookup *lookup)
{
	static const char name[] = "tlsad_lookups_total";
	const struct lookup_counters *counters = lookup_counters(lookup);
	struct histogram_figures seconds = {.sum = 0};

	exposition_family(
		out, name, EXPOSITION_COUNTER, "Destinations that were looked up, by reason.");
	for (size_t reason = 0; reason < REASON_COUNT; reason++) {
		struct exposition_label label = {"reason", reason_name((enum reason)reason)};
		exposition_sample(out, name, &label, 1, counter_read(&counters->reasons[reason]));
	}
	histogram_read(&counters->seconds, &seconds);
	exposition_histogram(out, "tlsad_lookup_seconds",
		"Time that it took to look a destination up.", &seconds);
	exposition_number(out, "tlsad_lookups_inflight", EXPOSITION_GAUGE,
		"Destinations that are being looked up.", counter_read(&counters->in_flight));
	exposition_number(out, "tlsad_deferred_destinations", EXPOSITION_GAUGE,
		"Destinations whose last answer was TEMP, and that are still asked for.",
		counter_read(&counters->deferred));
	exposition_number(out, "tlsad_deferred_longest_seconds", EXPOSITION_GAUGE,
		"Time since the first TEMP answer of that which is deferred for longest.",
		lookup_deferred_seconds(lookup));
}

static void add_dns(struct text *out, const struct lookup *lookup)
{
	static const char name[] = "tlsad_dns_queries_total";
	const struct dns_counters *counters = lookup_dns_counters(lookup);

	exposition_family(
		out, name, EXPOSITION_COUNTER, "Questions to the resolver, by type and status.");
	for (size_t type = 0; type < DNS_COUNTED_TYPES; type++) {
		for (size_t status = 0; status < DNS_STATUS_COUNT; status++) {
			struct exposition_label labels[] = {
				{"type", dns_counted_type_name((enum dns_counted_type)type)},
				{"status", dns_status_name((enum dns_status)status)}};
			exposition_sample(out, name, labels, 2,
				counter_read(&counters->queries[type][status]));
		}
	}
}

static void add_health(struct text *out, const struct metrics_services *services)
{
	static const char name[] = "tlsad_resolver_state";
	const struct probe_state *resolver = &lookup_counters(services->lookup)->resolver;
	int now = atomic_load(&resolver->result);
	char words[HEALTH_WORDS_SIZE];

	exposition_number(out, "tlsad_healthy", EXPOSITION_GAUGE, "1 while /healthz answers 200.",
		health_check(services->server, services->lookup, words));
	exposition_number(out, "tlsad_validation_works", EXPOSITION_GAUGE,
		"1 while DNSSEC validation works as it is configured.",
		atomic_load(&resolver->expected));
	exposition_family(out, name, EXPOSITION_GAUGE,
		"What the last look at the DNS root has found: 1 for one state, 0 for the others.");
	for (int state = 0; state < PROBE_RESULT_COUNT; state++) {
		struct exposition_label label = {
			"state", probe_result_name((enum probe_result)state)};
		exposition_sample(out, name, &label, 1, state == now);
	}
}

static void add_build(struct text *out)
{
	const struct exposition_label labels[] = {
		{"version", TLSAD_VERSION},
		{"libunbound", dns_library_version()},
		{"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
		{"libevent", event_get_version()},
	};

	exposition_family(out, "tlsad_build_info", EXPOSITION_GAUGE, "Versions, always 1.");
	exposition_sample(out, "tlsad_build_info", labels, sizeof labels / sizeof labels[0], 1);
}

void metrics_page(
	const struct metrics_services *services, const struct conf *conf, struct text *out)
{
	struct server_figures figures;

	server_figures(services->server, &figures);
	add_requests(out, &figures);
	add_connections(out, &figures);
	add_cache(out, services, conf, &figures);
	add_lookups(out, services->lookup);
	add_dns(out, services->lookup);
	add_health(out, services);
	add_build(out);
}
