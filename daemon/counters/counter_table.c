#include "daemon/counters/counter_table.h"

#include "common/dns/dns.h"
#include "daemon/counters/counters.h"
#include "daemon/server/serving_counters.h"

#include <event2/event.h>
#include <openssl/crypto.h>

/* --- labels -------------------------------------------------------------------------------- */

static const char *map_value(size_t n)
{
	return n < MAP_COUNT ? maps[n].name : "unknown";
}

static const char *result_value(size_t n)
{
	return reply_kind_name((enum reply_kind)n);
}

static const char *action_value(size_t n)
{
	return policy_action_name((enum policy_action)n);
}

static const char *reason_value(size_t n)
{
	return reason_name((enum reason)n);
}

static const char *type_value(size_t n)
{
	return dns_counted_type_name((enum dns_counted_type)n);
}

static const char *status_value(size_t n)
{
	return dns_status_name((enum dns_status)n);
}

static const char *outcome_value(size_t n)
{
	return sts_outcome_name((enum sts_outcome)n);
}

static const char *mode_value(size_t n)
{
	return sts_status_name((enum sts_status)(STS_ENFORCE + n));
}

static const char *state_value(size_t n)
{
	return probe_result_name((enum probe_result)n);
}

/* Labels of one value. */
#define ONLY_VALUE(function, words)                                                                \
	static const char *function(size_t n)                                                      \
	{                                                                                          \
		(void)n;                                                                           \
		return words;                                                                      \
	}

ONLY_VALUE(hit_value, "hit")
ONLY_VALUE(miss_value, "miss")
ONLY_VALUE(minimum_value, "minimum")
ONLY_VALUE(exception_value, "exception")
ONLY_VALUE(version_value, TLSAD_VERSION)
ONLY_VALUE(libunbound_value, dns_library_version())
ONLY_VALUE(openssl_value, OpenSSL_version(OPENSSL_VERSION_STRING))
ONLY_VALUE(libevent_value, event_get_version())

static const struct counter_label map_names = {"map", MAP_COUNT + 1, map_value};
static const struct counter_label results = {"result", REPLY_KIND_COUNT, result_value};
static const struct counter_label actions = {"action", POLICY_ACTIONS, action_value};
static const struct counter_label reasons = {"reason", REASON_COUNT, reason_value};
static const struct counter_label types = {"type", DNS_COUNTED_TYPES, type_value};
static const struct counter_label statuses = {"status", DNS_STATUS_COUNT, status_value};
static const struct counter_label outcomes = {"result", STS_OUTCOME_COUNT, outcome_value};
static const struct counter_label modes = {"mode", STS_MODE_COUNT, mode_value};
static const struct counter_label states = {"state", PROBE_RESULT_COUNT, state_value};
static const struct counter_label hit = {"result", 1, hit_value};
static const struct counter_label miss = {"result", 1, miss_value};
static const struct counter_label minimum = {"kind", 1, minimum_value};
static const struct counter_label exception = {"kind", 1, exception_value};
static const struct counter_label version = {"version", 1, version_value};
static const struct counter_label libunbound = {"libunbound", 1, libunbound_value};
static const struct counter_label openssl = {"openssl", 1, openssl_value};
static const struct counter_label libevent = {"libevent", 1, libevent_value};

/* --- the table ----------------------------------------------------------------------------- */

#define MEMBER(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define SERVING(member) .owner = COUNTER_OF_SERVING, MEMBER(struct serving_counters, member)
#define LOOKUP(member) .owner = COUNTER_OF_LOOKUP, MEMBER(struct lookup_counters, member)
#define DNS(member) .owner = COUNTER_OF_DNS, MEMBER(struct dns_counters, member)
#define STORE(member) .owner = COUNTER_OF_STORE, MEMBER(struct store_figures, member)
#define DAEMON(member) .owner = COUNTER_OF_DAEMON, MEMBER(struct daemon_figures, member)

const struct counter_row counter_table[] = {
	{
		COUNTER_REQUESTS,
		COUNTER_RISING,
		SERVING(maps.replies),
		.labels = {&map_names, &results},
		.metric = "tlsad_requests_total",
		.help = "Requests of socketmap clients, by map and reply.",
		.status = "replies",
		.total = "requests",
		.log = "requests",
	},
	{
		COUNTER_REQUESTS,
		COUNTER_HISTOGRAM,
		SERVING(seconds),
		.metric = "tlsad_request_seconds",
		.help = "Time from a request's arrival to its reply.",
	},
	{
		COUNTER_CONNECTIONS,
		COUNTER_GAUGE,
		DAEMON(workers),
		.metric = "tlsad_workers",
		.help = "Serving threads.",
		.status = "workers",
	},
	{
		COUNTER_CONNECTIONS,
		COUNTER_GAUGE,
		SERVING(connections),
		.metric = "tlsad_connections",
		.help = "Open connections of socketmap and policy clients together.",
		.status = "connections",
	},
	{
		COUNTER_CONNECTIONS,
		COUNTER_RISING,
		SERVING(accepted),
		.metric = "tlsad_connections_accepted_total",
		.help = "Connections of socketmap and policy clients that were accepted.",
		.status = "accepted",
		.log = "connections",
	},
	{
		COUNTER_CONNECTIONS,
		COUNTER_RISING,
		SERVING(refused),
		.metric = "tlsad_connections_refused_total",
		.help = "Connections refused because they came from outside [server] allow.",
		.status = "refused",
		.log = "refused",
	},
	{
		COUNTER_REQUESTS,
		COUNTER_RISING,
		SERVING(maps.hits),
		.labels = {&hit},
		.metric = "tlsad_cache_lookups_total",
		.help = "Requests for a destination, by whether the cache had every part of it.",
		.status = "hits",
		.log = "hits",
	},
	{
		COUNTER_REQUESTS,
		COUNTER_RISING,
		SERVING(maps.misses),
		.labels = {&miss},
		.metric = "tlsad_cache_lookups_total",
		.status = "misses",
		.log = "misses",
	},
	{
		COUNTER_CACHE,
		COUNTER_GAUGE,
		STORE(entries),
		.metric = "tlsad_cache_entries",
		.help = "MX sets, hosts, MTA-STS policies and trust anchors in the cache.",
		.status = "cache.entries",
		.log = "entries",
	},
	{
		COUNTER_CACHE,
		COUNTER_GAUGE,
		STORE(bytes),
		.metric = "tlsad_cache_bytes",
		.help = "Bytes in use by the cache.",
		.status = "cache.size",
	},
	{
		COUNTER_CACHE,
		COUNTER_GAUGE,
		DAEMON(cache_max),
		.metric = "tlsad_cache_max_bytes",
		.help = "Bytes that the cache may use, [cache] max_size.",
		.status = "cache.max_size",
	},
	{
		COUNTER_CACHE,
		COUNTER_RISING,
		STORE(evicted),
		.metric = "tlsad_cache_evicted_total",
		.help = "Entries deleted before they expired, to make room.",
		.status = "cache.evicted",
		.log = "evicted",
	},
	{
		COUNTER_REQUESTS,
		COUNTER_RISING,
		SERVING(maps.invalid),
		.metric = "tlsad_invalid_keys_total",
		.help = "Requests of socketmap clients whose key is not a mail destination.",
		.status = "invalid",
		.log = "invalid",
	},
	{
		COUNTER_MONITOR,
		COUNTER_RISING,
		SERVING(maps.would),
		.labels = {&results},
		.metric = "tlsad_monitored_requests_total",
		.help = "Requests of socketmap clients under [dane] mode = monitor, by what the "
			"reply would have been.",
		.status = "would",
	},
	{
		COUNTER_RULES,
		COUNTER_GAUGE,
		DAEMON(minimums),
		.labels = {&minimum},
		.metric = "tlsad_rules",
		.help = "Rules of this site, by kind.",
		.status = "rules.minimums",
	},
	{
		COUNTER_RULES,
		COUNTER_GAUGE,
		DAEMON(exceptions),
		.labels = {&exception},
		.metric = "tlsad_rules",
		.status = "rules.exceptions",
	},
	{
		COUNTER_POLICY,
		COUNTER_RISING,
		SERVING(policy.replies),
		.labels = {&actions},
		.metric = "tlsad_policy_requests_total",
		.help = "Requests of policy clients, by action.",
		.status = "policy.replies",
		.total = "policy.requests",
		.log = "policy_requests",
	},
	{
		COUNTER_POLICY,
		COUNTER_RISING,
		SERVING(policy.hits),
		.labels = {&hit},
		.metric = "tlsad_policy_cache_lookups_total",
		.help = "Requests of policy clients that needed a destination, by whether the "
			"cache had all of it.",
		.status = "policy.hits",
	},
	{
		COUNTER_POLICY,
		COUNTER_RISING,
		SERVING(policy.misses),
		.labels = {&miss},
		.metric = "tlsad_policy_cache_lookups_total",
		.status = "policy.misses",
	},
	{
		COUNTER_POLICY,
		COUNTER_RISING,
		SERVING(policy.unreadable),
		.metric = "tlsad_policy_unreadable_requests_total",
		.help = "Requests of policy clients that could not be read and ended their "
			"connection.",
		.status = "policy.unreadable",
		.log = "policy_unreadable",
	},
	{
		COUNTER_POLICY,
		COUNTER_RISING,
		SERVING(policy.monitored),
		.metric = "tlsad_policy_monitored_requests_total",
		.help = "Requests of policy clients with the action DUNNO in place of another one, "
			"under [dane] mode = monitor.",
		.status = "policy.monitored",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_RISING,
		LOOKUP(reasons),
		.labels = {&reasons},
		.metric = "tlsad_lookups_total",
		.help = "Destinations that were looked up, by reason.",
		.status = "lookups.reasons",
		.without_zeroes = true,
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_HISTOGRAM,
		LOOKUP(seconds),
		.metric = "tlsad_lookup_seconds",
		.help = "Time to look up a destination.",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_RISING,
		LOOKUP(requests),
		.metric = "tlsad_lookup_requests_total",
		.help = "Requests for a lookup, including those that only refresh the cache.",
		.status = "lookups.requests",
		.log = "lookups",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_RISING,
		LOOKUP(joined),
		.metric = "tlsad_lookups_joined_total",
		.help = "Requests for a lookup that joined a running one for the same destination.",
		.status = "lookups.joined",
		.log = "joined",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_RISING,
		LOOKUP(parts),
		.metric = "tlsad_part_lookups_total",
		.help = "MX sets, hosts and MTA-STS policies that were looked up.",
		.status = "lookups.parts",
		.log = "parts",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_RISING,
		LOOKUP(failures),
		.metric = "tlsad_part_lookup_failures_total",
		.help = "MX sets and hosts whose lookup failed.",
		.status = "lookups.failures",
		.log = "failed",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_GAUGE,
		LOOKUP(running),
		.metric = "tlsad_lookups_inflight",
		.help = "Destinations that are being looked up.",
		.status = "lookups.in_flight",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_GAUGE,
		LOOKUP(deferred),
		.metric = "tlsad_deferred_destinations",
		.help = "Destinations for which Postfix last got TEMP and that it still requests.",
		.status = "deferred.destinations",
	},
	{
		COUNTER_LOOKUPS,
		COUNTER_GAUGE,
		DAEMON(deferred_longest),
		.metric = "tlsad_deferred_longest_seconds",
		.help = "Time since the first TEMP reply to Postfix for the destination deferred longest.",
		.status = "deferred.longest",
	},
	{
		COUNTER_STS,
		COUNTER_RISING,
		LOOKUP(sts_fetches),
		.labels = {&outcomes},
		.metric = "tlsad_sts_fetches_total",
		.help = "Downloads of MTA-STS policies, by outcome.",
		.status = "sts.results",
		.total = "sts.fetches",
		.log = "sts_fetches",
		.without_zeroes = true,
	},
	{
		COUNTER_STS,
		COUNTER_GAUGE,
		LOOKUP(sts_policies),
		.labels = {&modes},
		.metric = "tlsad_sts_policies",
		.help = "MTA-STS policies in the cache, by mode.",
		.status = "sts.policies",
	},
	{
		COUNTER_DNS,
		COUNTER_RISING,
		DNS(queries),
		.labels = {&types, &statuses},
		.metric = "tlsad_dns_queries_total",
		.help = "DNS queries, by type and status.",
		.status = "dns",
	},
	{
		COUNTER_HEALTH,
		COUNTER_GAUGE,
		DAEMON(healthy),
		.metric = "tlsad_healthy",
		.help = "1 while /healthz answers 200.",
	},
	{
		COUNTER_HEALTH,
		COUNTER_GAUGE,
		DAEMON(validation_works),
		.metric = "tlsad_validation_works",
		.help = "1 while DNSSEC validation works as configured.",
	},
	{
		COUNTER_HEALTH,
		COUNTER_GAUGE,
		DAEMON(resolver_states),
		.labels = {&states},
		.metric = "tlsad_resolver_state",
		.help = "Result of the last query for the DNS root: 1 for this state, 0 for the "
			"others.",
	},
	{
		COUNTER_PROCESS,
		COUNTER_GAUGE,
		DAEMON(build),
		.labels = {&version, &libunbound, &openssl, &libevent},
		.metric = "tlsad_build_info",
		.help = "Versions, always 1.",
	},
	{
		COUNTER_PROCESS,
		COUNTER_GAUGE,
		DAEMON(uptime), /* not on /metrics: time() - tlsad_start_time_seconds */
		.status = "uptime",
	},
	{
		COUNTER_PROCESS,
		COUNTER_GAUGE,
		DAEMON(started),
		.metric = "tlsad_start_time_seconds",
		.help = "When the daemon started, in seconds since 1970.",
		.status = "started",
	},
};

const size_t counter_table_rows = sizeof counter_table / sizeof counter_table[0];

_Static_assert(sizeof counter_table / sizeof counter_table[0] <= COUNTER_ROWS_MAX, "too many rows");

/* --- rows ---------------------------------------------------------------------------------- */

size_t counter_row_labels(const struct counter_row *row)
{
	size_t count = 0;

	while (count < COUNTER_LABELS_MAX && row->labels[count] != NULL)
		count++;
	return count;
}

size_t counter_row_cells(const struct counter_row *row)
{
	size_t cells = 1;

	if (row->kind == COUNTER_HISTOGRAM)
		return sizeof(struct histogram_figures) / sizeof(uint64_t);
	for (size_t i = 0; i < counter_row_labels(row); i++)
		cells *= row->labels[i]->count;
	return cells;
}

const char *counter_row_label_value(const struct counter_row *row, size_t label, size_t cell)
{
	for (size_t i = counter_row_labels(row) - 1; i > label; i--)
		cell /= row->labels[i]->count;
	return row->labels[label]->value(cell % row->labels[label]->count);
}
