/*
 * The verb status: what the daemon has done so far.
 */
#include "common/base/clock.h"
#include "common/dns/dns.h"
#include "daemon/control/connection.h"
#include "daemon/control/verbs.h"
#include "daemon/health/health.h"

#include <idn2.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <unistd.h>

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *versions(void)
{
	char lmdb[32];
	int major, minor, patch;

	mdb_version(&major, &minor, &patch);
	snprintf(lmdb, sizeof lmdb, "%d.%d.%d", major, minor, patch);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "libunbound", dns_library_version(),
		"openssl", OpenSSL_version(OPENSSL_VERSION_STRING), "libevent", event_get_version(),
		"lmdb", lmdb, "libidn2", idn2_check_version(NULL), "jansson", jansson_version_str(),
		"inih", INIH_VERSION);
}

static void add_policy(json_t *status, const struct policy_figures *figures)
{
	json_t *policy = json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests",
		number(figures->requests), "hits", number(figures->hits), "misses",
		number(figures->misses), "unreadable", number(figures->unreadable), "monitored",
		number(figures->monitored));
	json_t *replies = json_object();

	for (size_t i = 0; i < POLICY_ACTIONS; i++)
		json_object_set_new(replies, policy_action_name((enum policy_action)i),
			number(figures->replies[i]));
	json_object_set_new(policy, "replies", replies);
	json_object_set_new(status, "policy", policy);
}

static void add_server(json_t *status, const struct control *control)
{
	struct server_figures figures;

	server_figures(control->services.server, &figures);
	json_object_set_new(status, "workers", number(figures.workers));
	json_object_set_new(status, "connections", number(figures.connections));
	json_object_set_new(status, "accepted", number(figures.accepted));
	json_object_set_new(status, "refused", number(figures.refused));
	json_object_set_new(status, "requests", number(figures.requests));
	json_object_set_new(status, "hits", number(figures.hits));
	json_object_set_new(status, "misses", number(figures.misses));
	json_object_set_new(status, "invalid", number(figures.invalid));
	json_object_set_new(status, "replies",
		json_pack("{s:o, s:o, s:o, s:o}", "ok", number(figures.replies[REPLY_OK]),
			"notfound", number(figures.replies[REPLY_NOTFOUND]), "temp",
			number(figures.replies[REPLY_TEMP]), "perm",
			number(figures.replies[REPLY_PERM])));
	json_object_set_new(status, "mode",
		json_string(control->conf->dane.mode == MODE_MONITOR ? "monitor" : "enforce"));
	json_object_set_new(status, "would",
		json_pack("{s:o, s:o, s:o}", "ok", number(figures.would[REPLY_OK]), "notfound",
			number(figures.would[REPLY_NOTFOUND]), "temp",
			number(figures.would[REPLY_TEMP])));
	json_object_set_new(status, "rules",
		json_pack("{s:o, s:o}", "minimums",
			number(rules_minimum_count(control->conf->rules)), "exceptions",
			number(rules_exception_count(control->conf->rules))));
	add_policy(status, &figures.policy);
}

static void add_reasons(json_t *lookups, const struct lookup_counters *counters)
{
	json_t *reasons = json_object();

	for (size_t i = 0; i < REASON_COUNT; i++) {
		uint64_t count = atomic_load(&counters->reasons[i]);
		if (count > 0)
			json_object_set_new(reasons, reason_name((enum reason)i), number(count));
	}
	json_object_set_new(lookups, "reasons", reasons);
}

/* What /healthz says (daemon/health/health.h). */
static void add_health(json_t *status, const struct control *control)
{
	char words[HEALTH_WORDS_SIZE];
	bool healthy = health_check(control->services.server, control->services.lookup, words);

	json_object_set_new(status, "healthy", json_boolean(healthy));
	json_object_set_new(status, "health", json_string(words));
}

static void add_lookups(json_t *status, const struct control *control)
{
	const struct lookup_counters *counters = lookup_counters(control->services.lookup);
	enum probe_result validation = (enum probe_result)atomic_load(&counters->resolver.result);

	json_object_set_new(status, "lookups",
		json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests",
			number(atomic_load(&counters->requests)), "joined",
			number(atomic_load(&counters->joined)), "parts",
			number(atomic_load(&counters->parts)), "failures",
			number(atomic_load(&counters->failures)), "in_flight",
			number(atomic_load(&counters->in_flight))));
	add_reasons(json_object_get(status, "lookups"), counters);
	json_object_set_new(status, "deferred",
		json_pack("{s:o, s:o}", "destinations", number(atomic_load(&counters->deferred)),
			"longest", number(lookup_deferred_seconds(control->services.lookup))));
	json_object_set_new(status, "resolver",
		json_pack("{s:s, s:s}", "state", probe_result_name(validation), "text",
			probe_result_text(validation)));
}

static void add_cache(json_t *status, const struct control *control)
{
	struct store_figures figures;

	cache_figures(control->services.cache, &figures);
	json_object_set_new(status, "cache",
		json_pack("{s:s, s:o, s:o, s:o, s:o}", "path", control->conf->cache.path, "entries",
			number(figures.entries), "size", number(figures.bytes), "max_size",
			number(control->conf->cache.max_size), "evicted", number(figures.evicted)));
}

void control_status(struct control_connection *connection, json_t *id, json_t *request)
{
	const struct control *control = connection->control;
	const struct listeners *listeners = server_listeners(control->services.server);
	json_t *status = json_object(), *endpoints = json_array();

	(void)request;
	for (size_t i = 0; i < listeners->count; i++) {
		char text[ENDPOINT_TEXT_SIZE];
		endpoint_print(&listeners->endpoints[i], text);
		json_array_append_new(endpoints, json_string(text));
	}
	json_object_set_new(status, "version", json_string(TLSAD_VERSION));
	json_object_set_new(status, "pid", json_integer(getpid()));
	json_object_set_new(status, "uptime", number(clock_steady() - control->started));
	json_object_set_new(status, "versions", versions());
	json_object_set_new(status, "endpoints", endpoints);
	add_health(status, control);
	add_server(status, control);
	add_lookups(status, control);
	add_cache(status, control);
	control_respond(connection, id, json_pack("{s:o}", "status", status));
}
