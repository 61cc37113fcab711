#include "common/conf/settings.h"

#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/site/action.h"
#include "common/verdict/level.h"

#include <string.h>

enum { DAY = 24 * 60 * 60 }; /* [s] */

enum change { RESTART, RELOAD };

static const char *const enforce_choices[] = {
	[ENFORCE_NATIVE] = "native", [ENFORCE_PINNED] = "pinned", NULL};
const char *const conf_mode_names[] = {
	[MODE_ENFORCE] = "enforce", [MODE_MONITOR] = "monitor", NULL};
static const char *const digest_choices[] = {
	[DIGEST_SHA256] = "sha256", [DIGEST_SHA512] = "sha512", NULL};
static const char *const insecure_mx_choices[] = {
	[INSECURE_MX_STS] = "sts", [INSECURE_MX_DANE] = "dane", NULL};
const char *const conf_requiretls_names[] = {
	[REQUIRETLS_ENFORCE] = "enforce",
	[REQUIRETLS_STARTTLS] = "opportunistic+starttls",
	[REQUIRETLS_OPPORTUNISTIC] = "opportunistic",
	NULL,
};
static const char *const log_target_choices[] = {
	[LOG_TARGET_AUTO] = "auto",
	[LOG_TARGET_STDERR] = "stderr",
	[LOG_TARGET_SYSLOG] = "syslog",
	NULL,
};

/*
 * A row is one macro: section and key, which are also the name of the member in struct conf; the
 * default; what the type needs (bounds, choices or a check); RELOAD or RESTART; the help. It does
 * not compile if the type of the member is not that of the macro.
 */
#define MEMBER(name, member, type)                                                                 \
	_Generic(&((struct conf *)NULL)->name.member, type * : offsetof(struct conf, name.member))

#define ROW(kind, c_type, name, member, initial, change, words, ...)                               \
	{                                                                                          \
		.section = #name, .key = #member, .type = kind,                                    \
		.offset = MEMBER(name, member, c_type), .standard = initial,                       \
		.reload = (change) == RELOAD, .help = words, __VA_ARGS__                           \
	}

#define CHECKED_BY(function) .check = function
#define BOUNDS(low, high) .min = low, .max = high

#define SETTING_TEXT(name, key, initial, function, change, text)                                   \
	ROW(VALUE_TEXT, char *, name, key, initial, change, text, CHECKED_BY(function))

#define SETTING_LIST(name, key, initial, function, change, text)                                   \
	ROW(VALUE_LIST, struct conf_list, name, key, initial, change, text, CHECKED_BY(function))

#define SETTING_REPEATED(name, key, initial, function, change, text)                               \
	ROW(VALUE_REPEATED, struct conf_list, name, key, initial, change, text,                    \
		CHECKED_BY(function))

#define SETTING_NUMBER(name, key, initial, low, high, change, text)                                \
	ROW(VALUE_NUMBER, uint32_t, name, key, initial, change, text, BOUNDS(low, high))

#define SETTING_WORKERS(name, key, initial, low, high, change, text)                               \
	ROW(VALUE_WORKERS, uint32_t, name, key, initial, change, text, BOUNDS(low, high))

#define SETTING_OCTAL(name, key, initial, low, high, change, text)                                 \
	ROW(VALUE_OCTAL, uint32_t, name, key, initial, change, text, BOUNDS(low, high))

#define SETTING_DURATION(name, key, initial, low, high, change, text)                              \
	ROW(VALUE_DURATION, uint32_t, name, key, initial, change, text, BOUNDS(low, high))

#define SETTING_SIZE(name, key, initial, low, high, change, text)                                  \
	ROW(VALUE_SIZE, uint64_t, name, key, initial, change, text, BOUNDS(low, high))

#define SETTING_BOOLEAN(name, key, initial, change, text)                                          \
	ROW(VALUE_BOOLEAN, bool, name, key, initial, change, text, .choices = NULL)

#define SETTING_CHOICE(name, key, initial, words, change, text)                                    \
	ROW(VALUE_CHOICE, int, name, key, initial, change, text, .choices = words)

const struct setting conf_settings[] = {
	SETTING_LIST(server, socketmap, "unix:" TLSAD_RUNDIR "/socketmap", check_endpoint, RESTART,
		"Endpoints for Postfix's requests: unix:PATH or inet:HOST:PORT, or several"),
	SETTING_LIST(server, policy, CONF_DEFAULT_POLICY, check_endpoint, RESTART,
		"Endpoints for Postfix's policy requests (smtpd), written like socketmap; "
		"empty: none"),
	SETTING_TEXT(server, control, "unix:" TLSAD_RUNDIR "/control", check_control, RESTART,
		"Endpoint for tlsactl: unix:PATH, created with mode 0600; empty: none"),
	SETTING_TEXT(server, metrics, "", check_metrics, RESTART,
		"Endpoint for Prometheus (/metrics) and health checks (/healthz) over HTTP: "
		"unix:PATH or inet:HOST:PORT; empty: none"),
	SETTING_LIST(server, allow, "127.0.0.0/8, ::1/128", check_network, RELOAD,
		"Networks that may connect to inet endpoints"),
	SETTING_WORKERS(server, workers, "auto", 1, 64, RESTART,
		"Number of worker threads; auto is one for each processor, at most 8"),
	SETTING_OCTAL(server, socket_mode, "0666", 0, 0777, RESTART, "Mode of the unix sockets"),
	SETTING_NUMBER(server, max_connections, "16384", 1, 1000000, RELOAD,
		"Maximum connections; the longest idle one is closed first"),
	SETTING_DURATION(server, idle_timeout, "2m", 1, DAY, RELOAD,
		"A connection without a request for this time is closed"),
	SETTING_TEXT(server, user, "", NULL, RESTART,
		"Account to change to after start as root; empty: none"),
	SETTING_TEXT(server, chroot, "", check_absolute, RESTART,
		"chroot here after start; everything tlsad needs must be below it; empty: none"),
	SETTING_TEXT(server, pid_file, "", check_absolute, RESTART,
		"File to write the process ID to; empty: none"),

	SETTING_TEXT(resolver, trust_anchor, TLSAD_CONFDIR "/root.key", check_absolute, RESTART,
		"File of DNSSEC trust anchors, DS or DNSKEY records; if it does not exist, "
		"IANA's built-in root keys are used"),
	SETTING_LIST(resolver, forward, "", check_forward, RESTART,
		"ADDRESS[@PORT][#TLS-NAME]: query these resolvers instead of the root, over "
		"TLS if a name is given; tlsad validates their answers itself"),
	SETTING_REPEATED(resolver, stub, "", check_stub, RESTART,
		"ZONE ADDRESS[@PORT]: name server of a private zone; may be repeated"),
	SETTING_BOOLEAN(resolver, query_localhost, "no", RESTART,
		"Allow name servers on loopback addresses"),
	SETTING_TEXT(resolver, options, "", check_absolute, RESTART,
		"File of additional libunbound options"),
	SETTING_DURATION(resolver, timeout, "20s", 1, 90, RELOAD,
		"Time limit for one destination; Postfix itself waits for 100 s"),

	SETTING_CHOICE(dane, enforce, "native", enforce_choices, RELOAD,
		"native: Postfix looks up the TLSA records itself; pinned: the reply contains "
		"their data"),
	SETTING_CHOICE(dane, site_level, "dane", tls_level_names, RELOAD,
		"Postfix's own smtp_tls_security_level; no reply weakens it"),
	SETTING_CHOICE(dane, fingerprint_digest, "sha256", digest_choices, RELOAD,
		"sha256 or sha512; must equal Postfix's smtp_tls_fingerprint_digest"),
	SETTING_TEXT(dane, tafile_dir, "", check_directory, RESTART,
		"Directory where tlsad writes pinned trust anchors for Postfix to read; empty: "
		"none"),
	SETTING_TEXT(dane, tafile_prefix, "", check_directory, RESTART,
		"The same directory as Postfix sees it, if it is in a chroot"),
	SETTING_BOOLEAN(dane, learn_trust_anchors, "no", RELOAD,
		"Fetch a trust anchor from the mail server if DNS has only its digest"),
	SETTING_CHOICE(dane, mode, "enforce", conf_mode_names, RELOAD,
		"monitor: Postfix gets no policy, and the log shows the reply that it would "
		"have got"),
	SETTING_TEXT(dane, minimums_file, "", check_absolute, RELOAD,
		"File with more rules for section minimum, one DOMAIN LEVEL per line; empty: "
		"none"),
	SETTING_TEXT(dane, exceptions_file, "", check_absolute, RELOAD,
		"File with more rules for section exception, edited by tlsactl exception; "
		"empty: none"),

	SETTING_BOOLEAN(policy, warm, "yes", RELOAD,
		"Look up a recipient's domain while its mail is still coming in"),
	SETTING_BOOLEAN(policy, announce, "no", RELOAD,
		"Add a header field that says what is known of each recipient's domain"),
	SETTING_TEXT(policy, announce_header, "X-TLS-Destination", action_check_header, RELOAD,
		"Name of that header field"),
	SETTING_TEXT(policy, lacking,
		"REJECT 5.7.10 {destination} must be reached with TLS level {required}, but offers "
		"{offered} ({reason})",
		action_check, RELOAD,
		"Action of access(5) for a destination that offers less than its minimum"),
	SETTING_DURATION(policy, wait, "8s", 1, 90, RELOAD,
		"Time limit for finding that out, then DEFER_IF_PERMIT"),
	SETTING_LIST(policy, senders, "", check_sender, RELOAD,
		"Apply minimums at RCPT only to these senders; one match among senders, "
		"sasl_usernames and clients suffices; all three empty: everybody; ADDRESS, "
		"DOMAIN, .DOMAIN, file:PATH"),
	SETTING_LIST(policy, sasl_usernames, "", check_sasl_username, RELOAD,
		"The same for SASL login names: NAME, file:PATH"),
	SETTING_LIST(policy, clients, "", check_client, RELOAD,
		"The same for clients: addresses, networks, file:PATH"),

	SETTING_BOOLEAN(sts, enable, "yes", RELOAD, "MTA-STS where DANE does not apply"),
	SETTING_CHOICE(sts, insecure_mx, "sts", insecure_mx_choices, RELOAD,
		"sts or dane: which one decides about a domain that has both, but whose MX records "
		"are not signed"),
	SETTING_DURATION(sts, timeout, "10s", 0, 60, RELOAD,
		"Time that a first reply waits for a policy after the DNS lookups"),
	SETTING_DURATION(sts, keep, "30d", DAY, 366 * DAY, RELOAD,
		"A policy that was not requested for this time is no longer kept fresh"),
	SETTING_TEXT(sts, ca_file, TLSAD_CA_FILE, check_absolute, RESTART,
		"File of the CAs that certificates of policy servers must chain to"),
	SETTING_NUMBER(sts, port, "443", 1, 65535, RELOAD,
		"Port of policy servers; other values are for tests"),
	SETTING_BOOLEAN(sts, private_addresses, "no", RELOAD,
		"Allow policy servers on loopback and private addresses"),

	SETTING_CHOICE(requiretls, otherwise, "opportunistic+starttls", conf_requiretls_names,
		RELOAD,
		"Reply of the map requiretls for destinations whose hosts are not all "
		"authenticated"),

	SETTING_TEXT(cache, path, TLSAD_CACHEDIR, check_absolute, RESTART,
		"Directory of the cache and of the root key's state"),
	SETTING_SIZE(cache, max_size, "1G", 1 << 20, UINT64_C(1) << 44, RESTART,
		"Maximum size of the cache file; the entries that expire first make room for "
		"new ones"),
	SETTING_DURATION(cache, min_ttl, "30s", 0, DAY, RELOAD, "Minimum time to keep a result"),
	SETTING_DURATION(
		cache, max_ttl, "1d", 1, 30 * DAY, RELOAD, "Maximum time to keep a result"),
	SETTING_DURATION(cache, failure_ttl, "30s", 1, DAY, RELOAD,
		"Time before a failed lookup is tried again"),
	SETTING_NUMBER(cache, prefetch, "10", 0, 50, RELOAD,
		"Refresh entries requested in the last N % of their lifetime; 0: off"),
	SETTING_DURATION(cache, serve_stale, "1h", 0, 30 * DAY, RELOAD,
		"Time that an expired DANE entry is still used while refreshing it fails"),

	SETTING_CHOICE(log, target, "auto", log_target_choices, RESTART,
		"auto (standard error, with levels for systemd's journal), stderr, syslog"),
	SETTING_BOOLEAN(log, answers, "no", RELOAD, "Log replies from the cache as well"),
};

const size_t conf_setting_count = sizeof conf_settings / sizeof conf_settings[0];

_Static_assert(sizeof conf_settings / sizeof conf_settings[0] <= SETTINGS_MAX, "too many rows");

const struct setting *setting_find(const char *section, const char *key)
{
	for (size_t i = 0; i < conf_setting_count; i++) {
		if (strcmp(conf_settings[i].section, section) == 0 &&
			strcmp(conf_settings[i].key, key) == 0)
			return &conf_settings[i];
	}
	return NULL;
}
