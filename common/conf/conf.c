#include "common/conf/conf.h"

#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/site/action.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum setting_type {
	SETTING_TEXT,     /* a file, a directory; may be empty */
	SETTING_LIST,     /* words separated by commas or blanks; each is checked */
	SETTING_REPEATED, /* may stand on several lines, each one entry */
	SETTING_NUMBER,
	SETTING_WORKERS, /* a number or `auto` */
	SETTING_OCTAL,
	SETTING_DURATION, /* s m h d */
	SETTING_SIZE,     /* k M G */
	SETTING_BOOLEAN,
	SETTING_CHOICE,
};

typedef bool entry_check(const char *entry, char *error, size_t error_size);

struct setting {
	const char *section;
	const char *key;
	enum setting_type type;
	size_t offset; /* in struct conf */
	const char *standard;
	uint64_t least, most;
	const char *const *choices; /* NULL-terminated, the value is the index */
	entry_check *check;         /* of a text, or of one entry of a list */
	bool reload;
	const char *help;
};

static const char *const enforce_choices[] = {
	[ENFORCE_NATIVE] = "native", [ENFORCE_PINNED] = "pinned", NULL};
static const char *const mode_choices[] = {
	[MODE_ENFORCE] = "enforce", [MODE_MONITOR] = "monitor", NULL};
static const char *const digest_choices[] = {
	[DIGEST_SHA256] = "sha256", [DIGEST_SHA512] = "sha512", NULL};
const char *const conf_site_levels[] = {
	[TLS_LEVEL_NONE] = "none",
	[TLS_LEVEL_MAY] = "may",
	[TLS_LEVEL_ENCRYPT] = "encrypt",
	[TLS_LEVEL_DANE] = "dane",
	[TLS_LEVEL_DANE_ONLY] = "dane-only",
	[TLS_LEVEL_FINGERPRINT] = "fingerprint",
	[TLS_LEVEL_VERIFY] = "verify",
	[TLS_LEVEL_SECURE] = "secure",
	NULL,
};
static const char *const log_target_choices[] = {
	[LOG_TARGET_AUTO] = "auto",
	[LOG_TARGET_STDERR] = "stderr",
	[LOG_TARGET_SYSLOG] = "syslog",
	NULL,
};

static bool check_endpoint(const char *entry, char *error, size_t error_size)
{
	struct endpoint endpoint;
	return endpoint_parse(&endpoint, entry, error, error_size);
}

static bool check_control(const char *entry, char *error, size_t error_size)
{
	struct endpoint endpoint;

	if (entry[0] == '\0')
		return true;
	if (!endpoint_parse(&endpoint, entry, error, error_size))
		return false;
	if (endpoint.address.ss_family == AF_UNIX)
		return true;
	snprintf(error, error_size, "write unix:PATH; who may ask is a matter of permissions");
	return false;
}

static bool check_metrics(const char *entry, char *error, size_t error_size)
{
	struct endpoint endpoint;
	return entry[0] == '\0' || endpoint_parse(&endpoint, entry, error, error_size);
}

static bool check_network(const char *entry, char *error, size_t error_size)
{
	struct network network;
	return network_parse(&network, entry, error, error_size);
}

static bool check_sender(const char *entry, char *error, size_t error_size)
{
	return error_size >= SUBMITTERS_ERROR_SIZE &&
	       submitters_check(SUBMITTERS_SENDERS, entry, error);
}

static bool check_sasl_username(const char *entry, char *error, size_t error_size)
{
	return error_size >= SUBMITTERS_ERROR_SIZE &&
	       submitters_check(SUBMITTERS_SASL_USERNAMES, entry, error);
}

static bool check_client(const char *entry, char *error, size_t error_size)
{
	return error_size >= SUBMITTERS_ERROR_SIZE &&
	       submitters_check(SUBMITTERS_CLIENTS, entry, error);
}

/* libunbound checks the rest; the blank between zone and address it cannot miss for us. */
static bool check_stub(const char *entry, char *error, size_t error_size)
{
	if (strpbrk(entry, " \t") != NULL)
		return true;
	snprintf(error, error_size, "write ZONE ADDRESS[@PORT]");
	return false;
}

static bool check_absolute(const char *entry, char *error, size_t error_size)
{
	if (entry[0] == '\0' || entry[0] == '/')
		return true;
	snprintf(error, error_size, "write the whole path, from / on");
	return false;
}

/* It stands in an answer, whose words are separated by blanks and commas (postconf(5)). */
static bool check_directory(const char *entry, char *error, size_t error_size)
{
	const char *words = NULL;

	if (entry[0] != '\0' && entry[0] != '/')
		words = "write the whole path, from / on";
	if (strlen(entry) > CONF_DIRECTORY_MAX)
		words = "the path is too long";
	for (const char *at = entry; *at != '\0'; at++) {
		if (*at <= ' ' || *at >= 0x7f || strchr(",{}:=", *at) != NULL)
			words = "in an answer Postfix could not read a path with blanks, commas, "
				"colons, braces or '='";
	}
	if (words != NULL)
		snprintf(error, error_size, "%s", words);
	return words == NULL;
}

#define AT(member) offsetof(struct conf, member)
#define LIMITLESS UINT32_MAX
#define DAY (24 * 60 * 60)

static const struct setting settings[] = {
	{"server", "socketmap", SETTING_LIST, AT(server.socketmap),
		"unix:" TLSAD_RUNDIR "/socketmap", 0, 0, NULL, check_endpoint, false,
		"where Postfix asks: unix:PATH or inet:HOST:PORT, or several"},
	{"server", "policy", SETTING_LIST, AT(server.policy), CONF_DEFAULT_POLICY, 0, 0, NULL,
		check_endpoint, false,
		"where Postfix's smtpd asks about recipients, like socketmap; empty is nowhere"},
	{"server", "control", SETTING_TEXT, AT(server.control), "unix:" TLSAD_RUNDIR "/control", 0,
		0, NULL, check_control, false,
		"where tlsactl asks: unix:PATH, mode 0600; empty is nowhere"},
	{"server", "metrics", SETTING_TEXT, AT(server.metrics), "", 0, 0, NULL, check_metrics,
		false,
		"where Prometheus asks for /metrics and others for /healthz, over HTTP: "
		"unix:PATH or inet:HOST:PORT; empty is nowhere"},
	{"server", "allow", SETTING_LIST, AT(server.allow), "127.0.0.0/8, ::1/128", 0, 0, NULL,
		check_network, true, "networks that may connect to inet endpoints"},
	{"server", "workers", SETTING_WORKERS, AT(server.workers), "auto", 1, 64, NULL, NULL, false,
		"serving threads; auto is one a processor, at most 8"},
	{"server", "socket_mode", SETTING_OCTAL, AT(server.socket_mode), "0666", 0, 0777, NULL,
		NULL, false, "mode of the unix sockets"},
	{"server", "max_connections", SETTING_NUMBER, AT(server.max_connections), "16384", 1,
		1000000, NULL, NULL, true,
		"beyond it the connection that is idle for longest gives way"},
	{"server", "idle_timeout", SETTING_DURATION, AT(server.idle_timeout), "2m", 1, DAY, NULL,
		NULL, true, "a connection without a request for so long is closed"},
	{"server", "user", SETTING_TEXT, AT(server.user), "", 0, 0, NULL, NULL, false,
		"account to change to when started as root; empty is none"},
	{"server", "chroot", SETTING_TEXT, AT(server.chroot), "", 0, 0, NULL, check_absolute, false,
		"directory that is the root from then on; empty is none"},
	{"server", "pid_file", SETTING_TEXT, AT(server.pid_file), "", 0, 0, NULL, check_absolute,
		false, "file for the process's number; empty is none"},
	{"resolver", "trust_anchor", SETTING_TEXT, AT(resolver.trust_anchor),
		TLSAD_CONFDIR "/root.key", 0, 0, NULL, NULL, false,
		"DNSSEC trust anchors, DS or DNSKEY records; when the file is absent the "
		"keys of IANA's root that are built in"},
	{"resolver", "forward", SETTING_LIST, AT(resolver.forward), "", 0, 0, NULL, NULL, false,
		"ADDRESS[@PORT][#TLS-NAME]: ask these resolvers instead of the root, over TLS where "
		"a name is given; their answers are validated here all the same"},
	{"resolver", "stub", SETTING_REPEATED, AT(resolver.stub), "", 0, 0, NULL, check_stub, false,
		"ZONE ADDRESS[@PORT]: name servers of a private zone; may be repeated"},
	{"resolver", "query_localhost", SETTING_BOOLEAN, AT(resolver.query_localhost), "no", 0, 0,
		NULL, NULL, false, "allow name servers on loopback addresses"},
	{"resolver", "options", SETTING_TEXT, AT(resolver.options), "", 0, 0, NULL, NULL, false,
		"a file of further libunbound options"},
	{"resolver", "timeout", SETTING_DURATION, AT(resolver.timeout), "20s", 1, 90, NULL, NULL,
		true, "time for one destination; Postfix itself waits for 100 s"},
	{"dane", "enforce", SETTING_CHOICE, AT(dane.enforce), "native", 0, 0, enforce_choices, NULL,
		true,
		"native: Postfix looks up the TLSA records itself; pinned: the answer carries "
		"what they say"},
	{"dane", "site_level", SETTING_CHOICE, AT(dane.site_level), "dane", 0, 0, conf_site_levels,
		NULL, true, "Postfix's own smtp_tls_security_level; no answer weakens it"},
	{"dane", "fingerprint_digest", SETTING_CHOICE, AT(dane.fingerprint_digest), "sha256", 0, 0,
		digest_choices, NULL, true,
		"sha256 or sha512; must equal Postfix's smtp_tls_fingerprint_digest"},
	{"dane", "tafile_dir", SETTING_TEXT, AT(dane.tafile_dir), "", 0, 0, NULL, check_directory,
		false,
		"directory where pinned trust anchors are written for Postfix to read; empty is "
		"none"},
	{"dane", "tafile_prefix", SETTING_TEXT, AT(dane.tafile_prefix), "", 0, 0, NULL,
		check_directory, false,
		"the same directory as Postfix sees it, where that is in a chroot"},
	{"dane", "learn_trust_anchors", SETTING_BOOLEAN, AT(dane.learn_trust_anchors), "no", 0, 0,
		NULL, NULL, true,
		"fetch from the mail server a trust anchor of which DNS has only a digest"},
	{"dane", "mode", SETTING_CHOICE, AT(dane.mode), "enforce", 0, 0, mode_choices, NULL, true,
		"monitor: Postfix is told nothing, and the log tells what it would have been told"},
	{"dane", "minimums_file", SETTING_TEXT, AT(dane.minimums_file), "", 0, 0, NULL, NULL, true,
		"a file with more of section minimum, DOMAIN LEVEL a line; empty is none"},
	{"dane", "exceptions_file", SETTING_TEXT, AT(dane.exceptions_file), "", 0, 0, NULL, NULL,
		true,
		"a file with more of section exception, for tlsactl exception to edit; empty is "
		"none"},
	{"policy", "warm", SETTING_BOOLEAN, AT(policy.warm), "yes", 0, 0, NULL, NULL, true,
		"look a recipient's domain up while its mail is still coming in"},
	{"policy", "announce", SETTING_BOOLEAN, AT(policy.announce), "no", 0, 0, NULL, NULL, true,
		"tell in a header field what is known of each recipient's domain"},
	{"policy", "announce_header", SETTING_TEXT, AT(policy.announce_header), "X-TLS-Destination",
		0, 0, NULL, action_check_header, true, "the name of that header field"},
	{"policy", "lacking", SETTING_TEXT, AT(policy.lacking),
		"REJECT 5.7.10 {destination} must be reached with TLS level {required}, but offers "
		"{offered} ({reason})",
		0, 0, NULL, action_check, true,
		"an action of access(5) for a destination that offers less than its minimum"},
	{"policy", "wait", SETTING_DURATION, AT(policy.wait), "8s", 1, 90, NULL, NULL, true,
		"time to find out whether it does, then DEFER_IF_PERMIT"},
	{"policy", "senders", SETTING_LIST, AT(policy.senders), "", 0, 0, NULL, check_sender, true,
		"only these are held to minimums at RCPT: user@example.org, example.org, "
		".example.org, file:PATH; none of the three is everybody"},
	{"policy", "sasl_usernames", SETTING_LIST, AT(policy.sasl_usernames), "", 0, 0, NULL,
		check_sasl_username, true, "or these: names of SASL logins, file:PATH"},
	{"policy", "clients", SETTING_LIST, AT(policy.clients), "", 0, 0, NULL, check_client, true,
		"or these: addresses, networks, file:PATH"},
	{"sts", "enable", SETTING_BOOLEAN, AT(sts.enable), "no", 0, 0, NULL, NULL, true,
		"MTA-STS where DANE does not apply; this version has none of it yet"},
	{"cache", "path", SETTING_TEXT, AT(cache.path), TLSAD_CACHEDIR, 0, 0, NULL, NULL, false,
		"directory of the cache and of the root key's state"},
	{"cache", "max_size", SETTING_SIZE, AT(cache.max_size), "1G", 1 << 20, UINT64_C(1) << 44,
		NULL, NULL, false, "the cache never grows beyond it"},
	{"cache", "min_ttl", SETTING_DURATION, AT(cache.min_ttl), "30s", 0, DAY, NULL, NULL, true,
		"what is looked up lives at least so long"},
	{"cache", "max_ttl", SETTING_DURATION, AT(cache.max_ttl), "1d", 1, 30 * DAY, NULL, NULL,
		true, "and at most so long"},
	{"cache", "failure_ttl", SETTING_DURATION, AT(cache.failure_ttl), "30s", 1, DAY, NULL, NULL,
		true, "a failed lookup is not tried again for so long"},
	{"cache", "prefetch", SETTING_NUMBER, AT(cache.prefetch), "10", 0, 50, NULL, NULL, true,
		"refresh what is asked for in the last percent of its life; 0 is off"},
	{"cache", "serve_stale", SETTING_DURATION, AT(cache.serve_stale), "1h", 0, 30 * DAY, NULL,
		NULL, true, "a DANE answer may outlive a failed refresh by so long"},
	{"log", "target", SETTING_CHOICE, AT(log.target), "auto", 0, 0, log_target_choices, NULL,
		false, "auto (standard error, with levels for systemd's journal), stderr, syslog"},
	{"log", "answers", SETTING_BOOLEAN, AT(log.answers), "no", 0, 0, NULL, NULL, true,
		"answers from the cache have a line in the log, too"},
};

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

/* Sections whose keys are domains. */
static const struct open_section {
	const char *name;
	rules_adder *add;
	bool (*same)(const struct rules *one, const struct rules *other);
	bool raw; /* there is no comment behind a value */
} open_sections[] = {
	{"minimum", rules_add_minimum, rules_same_minimums, false},
	{"exception", rules_add_exception, rules_same_exceptions, true},
};

enum {
	OPEN_SECTION_COUNT = sizeof open_sections / sizeof open_sections[0],
	OVERRIDE_KEY_SIZE = 4 * RULES_KEY_SIZE, /* a domain in UTF-8 */
};

static const struct open_section *find_open_section(const char *name)
{
	for (size_t i = 0; i < OPEN_SECTION_COUNT; i++) {
		if (strcmp(open_sections[i].name, name) == 0)
			return &open_sections[i];
	}
	return NULL;
}

/* One run over a file and the overrides. */
struct loading {
	struct conf *conf;
	const char *file;
	FILE *stream; /* NULL behind the end of the file */
	bool was_set[SETTING_COUNT];
	bool overridden[SETTING_COUNT];
	unsigned line;
	/* As it stands in the file: what inih takes for a comment is an exception's reason. */
	char raw[CONF_LINE_MAX + 2];
	bool continued; /* the line begins with a blank: more of the setting before */
	bool failed;
	char error[CONF_ERROR_SIZE];
};

static bool complain(struct loading *loading, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first error is kept; returns false for the caller to return. */
static bool complain(struct loading *loading, const char *format, ...)
{
	if (!loading->failed) {
		va_list arguments;
		va_start(arguments, format);
		vsnprintf(loading->error, sizeof loading->error, format, arguments);
		va_end(arguments);
		loading->failed = true;
	}
	return false;
}

static bool refuse(
	struct loading *loading, const struct setting *setting, const char *value, const char *what)
{
	return complain(
		loading, "[%s] %s = %.100s: %s", setting->section, setting->key, value, what);
}

static void *member(const struct conf *conf, const struct setting *setting)
{
	return (char *)(uintptr_t)conf + setting->offset;
}

static bool parse_number(const char *value, int base, uint64_t *number)
{
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(value, &end, base);
	return errno == 0 && *end == '\0';
}

/* A number with a letter for its unit behind it, or without. */
static bool parse_unit(
	const char *value, const char *letters, const uint64_t *units, uint64_t *number)
{
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (errno != 0)
		return false;
	if (*end == '\0')
		return true;
	const char *letter = strchr(letters, *end);
	if (letter == NULL || end[1] != '\0')
		return false;
	uint64_t unit = units[letter - letters];
	if (*number > UINT64_MAX / unit)
		return false;
	*number *= unit;
	return true;
}

static bool parse_duration(const char *value, uint64_t *seconds)
{
	static const uint64_t units[] = {1, 60, 60 * 60, DAY};
	return parse_unit(value, "smhd", units, seconds);
}

static bool parse_size(const char *value, uint64_t *size)
{
	static const uint64_t units[] = {1 << 10, 1 << 20, 1 << 30};
	return parse_unit(value, "kMG", units, size);
}

static bool parse_boolean(const char *value, bool *boolean)
{
	static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (text_equal_nocase(value, strlen(value), words[i])) {
			*boolean = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool set_number(struct loading *loading, const struct setting *setting, const char *value)
{
	uint64_t number = 0;
	bool read = false;
	char what[128];

	switch (setting->type) {
	case SETTING_WORKERS:
		if (strcmp(value, "auto") == 0) {
			*(uint32_t *)member(loading->conf, setting) = 0;
			return true;
		}
		read = parse_number(value, 10, &number);
		break;
	case SETTING_OCTAL:
		read = parse_number(value, 8, &number);
		break;
	case SETTING_DURATION:
		read = parse_duration(value, &number);
		break;
	case SETTING_SIZE:
		read = parse_size(value, &number);
		break;
	default:
		read = parse_number(value, 10, &number);
		break;
	}
	if (!read || number < setting->least || number > setting->most) {
		const char *form = setting->type == SETTING_DURATION
					   ? " seconds, or with s, m, h, d"
				   : setting->type == SETTING_SIZE ? " bytes, or with k, M, G"
								   : "";
		const char *format = setting->type == SETTING_OCTAL
					     ? "expected an octal number from %jo to %jo%s"
					     : "expected a number from %ju to %ju%s";
		snprintf(what, sizeof what, format, (uintmax_t)setting->least,
			(uintmax_t)setting->most, form);
		return refuse(loading, setting, value, what);
	}
	if (setting->type == SETTING_SIZE)
		*(uint64_t *)member(loading->conf, setting) = number;
	else
		*(uint32_t *)member(loading->conf, setting) = (uint32_t)number;
	return true;
}

static bool set_choice(struct loading *loading, const struct setting *setting, const char *value)
{
	char words[256];
	struct text text;
	size_t count = 0;

	for (; setting->choices[count] != NULL; count++) {
		if (text_equal_nocase(value, strlen(value), setting->choices[count])) {
			*(int *)member(loading->conf, setting) = (int)count;
			return true;
		}
	}
	text_init(&text, words, sizeof words);
	text_add(&text, count > 1 ? "expected one of" : "this version has only");
	for (size_t i = 0; i < count; i++)
		text_add_format(&text, "%s %s", i > 0 ? "," : "", setting->choices[i]);
	return refuse(loading, setting, value, words);
}

static bool set_text(struct loading *loading, const struct setting *setting, const char *value)
{
	char **text = member(loading->conf, setting);
	char what[256];

	if (setting->check != NULL && !setting->check(value, what, sizeof what))
		return refuse(loading, setting, value, what);
	char *copy = strdup(value);

	if (copy == NULL)
		return refuse(loading, setting, value, "out of memory");
	free(*text);
	*text = copy;
	return true;
}

static bool add_entry(
	struct loading *loading, const struct setting *setting, const char *entry, size_t size)
{
	struct conf_list *list = member(loading->conf, setting);
	char what[256];

	if (list->count == CONF_LIST_MAX) {
		snprintf(what, sizeof what, "more than %d entries", CONF_LIST_MAX);
		return refuse(loading, setting, entry, what);
	}
	char *copy = strndup(entry, size);
	if (copy == NULL)
		return refuse(loading, setting, entry, "out of memory");
	if (setting->check != NULL && !setting->check(copy, what, sizeof what)) {
		refuse(loading, setting, copy, what);
		free(copy);
		return false;
	}
	list->entries[list->count++] = copy;
	return true;
}

static void clear_list(struct conf_list *list)
{
	while (list->count > 0)
		free(list->entries[--list->count]);
}

static bool add_entries(struct loading *loading, const struct setting *setting, const char *value)
{
	static const char separators[] = ", \t";

	if (setting->type == SETTING_REPEATED)
		return value[0] == '\0' || add_entry(loading, setting, value, strlen(value));
	for (value += strspn(value, separators); *value != '\0';
		value += strspn(value, separators)) {
		size_t length = strcspn(value, separators);
		if (!add_entry(loading, setting, value, length))
			return false;
		value += length;
	}
	return true;
}

static bool set_value(struct loading *loading, const struct setting *setting, const char *value)
{
	switch (setting->type) {
	case SETTING_TEXT:
		return set_text(loading, setting, value);
	case SETTING_LIST:
	case SETTING_REPEATED:
		return add_entries(loading, setting, value);
	case SETTING_BOOLEAN:
		return parse_boolean(value, member(loading->conf, setting)) ||
		       refuse(loading, setting, value, "expected yes or no");
	case SETTING_CHOICE:
		return set_choice(loading, setting, value);
	default:
		return set_number(loading, setting, value);
	}
}

static bool complain_unknown(struct loading *loading, const char *section, const char *key)
{
	const char *names[SETTING_COUNT + OPEN_SECTION_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(settings[i].section, section) == 0)
			names[count++] = settings[i].key;
	}
	if (count > 0) {
		const char *near = text_nearest(key, names, count);
		if (near != NULL)
			return complain(loading, "[%s] has no setting '%.60s'; did you mean '%s'?",
				section, key, near);
		for (size_t i = 0; i < SETTING_COUNT; i++) {
			if (strcmp(settings[i].key, key) == 0)
				return complain(loading,
					"[%s] has no setting '%.60s'; it belongs to [%s]", section,
					key, settings[i].section);
		}
		return complain(loading,
			"[%s] has no setting '%.60s'; see tlsad.conf(5) for those that exist",
			section, key);
	}
	for (size_t i = 0; i < SETTING_COUNT; i++)
		names[i] = settings[i].section;
	for (size_t i = 0; i < OPEN_SECTION_COUNT; i++)
		names[SETTING_COUNT + i] = open_sections[i].name;
	const char *near = text_nearest(section, names, SETTING_COUNT + OPEN_SECTION_COUNT);
	if (near != NULL)
		return complain(
			loading, "there is no section [%.60s]; did you mean [%s]?", section, near);
	return complain(loading,
		"'%.60s' stands in section [%.60s], which does not exist; see tlsad.conf(5)", key,
		section);
}

static bool need_rules(struct conf *conf)
{
	if (conf->rules == NULL)
		conf->rules = rules_new();
	return conf->rules != NULL;
}

/* The value of the line that is being read, to its end. */
static const char *raw_value(struct loading *loading)
{
	char *value = loading->raw + strcspn(loading->raw, "=:");
	size_t size;

	value += *value != '\0';
	value += strspn(value, " \t");
	for (size = strlen(value); size > 0 && strchr(" \t\r\n", value[size - 1]) != NULL; size--)
		value[size - 1] = '\0';
	return value;
}

static bool take_rule(struct loading *loading, const struct open_section *section, const char *key,
	const char *value)
{
	bool in_file = loading->stream != NULL;
	struct rule_place place = {NULL, in_file ? loading->line : 0};
	char words[RULES_ERROR_SIZE];

	if (need_rules(loading->conf))
		place.file = rules_source(loading->conf->rules, in_file ? loading->file : "-o");
	if (place.file == NULL)
		return complain(loading, "out of memory");
	if (in_file && section->raw)
		value = raw_value(loading);
	return section->add(loading->conf->rules, place, key, value, words) ||
	       complain(loading, "[%s] %s", section->name, words);
}

/* One `key = value`. `again` when it goes on with the setting of the line before. */
static bool take_value(struct loading *loading, const char *section, const char *key,
	const char *value, bool again)
{
	const struct open_section *open = find_open_section(section);

	if (open != NULL && again)
		return complain(loading, "[%s]: a rule has one line, which begins with its domain",
			section);
	if (open != NULL)
		return take_rule(loading, open, key, value);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *setting = &settings[i];
		bool list = setting->type == SETTING_LIST || setting->type == SETTING_REPEATED;

		if (strcmp(setting->section, section) != 0 || strcmp(setting->key, key) != 0)
			continue;
		if (again && !list)
			return complain(loading,
				"[%s] %s: a line that begins with a blank goes on with the line "
				"before, and this setting has one line",
				section, key);
		if (loading->was_set[i] && !again && setting->type != SETTING_REPEATED)
			return complain(loading, "[%s] %s is set twice", section, key);
		loading->was_set[i] = true;
		return set_value(loading, setting, value);
	}
	return complain_unknown(loading, section, key);
}

/* inih's reader: counts lines, and finds those that it would cut in two. */
static char *read_line(char *line, int size, void *context)
{
	struct loading *loading = context;

	/* One error is enough; after it the rest need not be read. */
	if (loading->failed || fgets(line, size, loading->stream) == NULL)
		return NULL;
	loading->line++;
	size_t length = strlen(line);
	if (length + 1 == (size_t)size && line[length - 1] != '\n') {
		complain(loading,
			"the line is longer than %d bytes; break it and begin the next "
			"line with a blank",
			CONF_LINE_MAX);
		return NULL;
	}
	snprintf(loading->raw, sizeof loading->raw, "%s", line);
	loading->continued = line[0] == ' ' || line[0] == '\t';
	return line;
}

static int take_line(void *context, const char *section, const char *key, const char *value)
{
	struct loading *loading = context;
	if (loading->failed)
		return 0;
	return take_value(loading, section, key, value, loading->continued);
}

static bool load_file(struct loading *loading, const char *file, bool file_must_exist)
{
	loading->file = file;
	loading->stream = fopen(file, "re");
	if (loading->stream == NULL) {
		if (errno == ENOENT && !file_must_exist)
			return true;
		return complain(loading, "cannot read it: %s", strerror(errno));
	}
	int bad_line = ini_parse_stream(read_line, loading, take_line, loading);
	if (ferror(loading->stream)) {
		complain(loading, "cannot read it: %s", strerror(errno));
	} else if (bad_line > 0 && (!loading->failed || (unsigned)bad_line < loading->line)) {
		/* inih reads on behind a line that it cannot read, and tells at the end. */
		loading->failed = false;
		loading->line = (unsigned)bad_line;
		complain(loading, "expected '[section]', 'key = value' or a comment");
	}
	fclose(loading->stream);
	loading->stream = NULL;
	return !loading->failed;
}

/* `SECTION.KEY=VALUE`: replaces what the file says, or an earlier override of a single value. */
static bool take_override(struct loading *loading, const char *override)
{
	char section[64], key[OVERRIDE_KEY_SIZE];
	const char *dot = strchr(override, '.');
	const char *equals = strchr(override, '=');

	if (dot == NULL || equals == NULL || dot > equals || dot - override >= 64 ||
		equals - dot > OVERRIDE_KEY_SIZE)
		return complain(loading, "expected SECTION.KEY=VALUE");
	snprintf(section, sizeof section, "%.*s", (int)(dot - override), override);
	snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(settings[i].section, section) == 0 &&
			strcmp(settings[i].key, key) == 0) {
			bool repeated = settings[i].type == SETTING_REPEATED;
			/* The first override replaces what the file says; more stubs add up. */
			if (settings[i].type == SETTING_LIST ||
				(repeated && !loading->overridden[i]))
				clear_list(member(loading->conf, &settings[i]));
			loading->overridden[i] = true;
			loading->was_set[i] = false;
		}
	}
	return take_value(loading, section, key, equals + 1, false);
}

static bool take_defaults(struct loading *loading)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (!loading->was_set[i] && !set_value(loading, &settings[i], settings[i].standard))
			return false;
	}
	return true;
}

/* libunbound would leave such a server out and fail without a word. */
static bool names_loopback(
	struct loading *loading, const char *key, const struct conf_list *servers)
{
	for (size_t i = 0; i < servers->count; i++) {
		const char *entry = servers->entries[i];
		const char *blank = strpbrk(entry, " \t");
		const char *address = blank != NULL ? blank + strspn(blank, " \t") : entry;

		/* What stands behind an address is its end, a port or a name. */
		if (strncmp(address, "127.", 4) == 0 ||
			(strncmp(address, "::1", 3) == 0 && strchr("@#", address[3]) != NULL))
			return !complain(loading,
				"[resolver] %s = %.100s is an address of this host: set "
				"query_localhost = yes",
				key, entry);
	}
	return false;
}

static bool check_anchors(struct loading *loading)
{
	const struct conf *conf = loading->conf;

	if (conf->dane.tafile_dir[0] != '\0')
		return true;
	if (conf->dane.tafile_prefix[0] != '\0')
		return complain(loading, "[dane] tafile_prefix without tafile_dir: name the "
					 "directory that tlsad writes to as well");
	if (conf->dane.learn_trust_anchors)
		return complain(loading, "[dane] learn_trust_anchors = yes without tafile_dir: "
					 "there is no place to write trust anchors to");
	return true;
}

/* What one setting demands of another. */
static bool check_together(struct loading *loading)
{
	const struct conf *conf = loading->conf;
	size_t with_tls = 0;

	if (conf->cache.min_ttl > conf->cache.max_ttl)
		return complain(loading, "[cache] min_ttl is larger than max_ttl");
	if (conf->sts.enable)
		return complain(loading, "[sts] enable = yes: this version does not have MTA-STS "
					 "yet; write no, or remove the line");
	if (conf->server.socketmap.count == 0)
		return complain(loading, "[server] socketmap is empty: nobody could ask");
	if (conf->server.chroot[0] != '\0' && conf->server.user[0] == '\0')
		return complain(loading, "[server] chroot without user: root can leave any chroot; "
					 "name an account");
	if (!check_anchors(loading))
		return false;
	if (conf->cache.path[0] == '\0')
		return complain(loading, "[cache] path is empty; name a directory");
	if (!conf->resolver.query_localhost &&
		(names_loopback(loading, "forward", &conf->resolver.forward) ||
			names_loopback(loading, "stub", &conf->resolver.stub)))
		return false;
	for (size_t i = 0; i < conf->resolver.forward.count; i++)
		with_tls += strchr(conf->resolver.forward.entries[i], '#') != NULL;
	if (with_tls != 0 && with_tls != conf->resolver.forward.count)
		return complain(
			loading, "[resolver] forward: give all of them a #TLS-NAME, or none");
	return true;
}

struct conf *conf_load(const char *file, bool file_must_exist, char *const *overrides,
	size_t override_count, char error[CONF_ERROR_SIZE])
{
	struct loading loading = {.line = 0};

	loading.conf = calloc(1, sizeof *loading.conf);
	if (loading.conf == NULL) {
		snprintf(error, CONF_ERROR_SIZE, "out of memory");
		return NULL;
	}
	atomic_init(&loading.conf->references, 1);
	if (!load_file(&loading, file, file_must_exist)) {
		if (loading.line > 0)
			snprintf(error, CONF_ERROR_SIZE, "%.200s:%u: %.290s", file, loading.line,
				loading.error);
		else
			snprintf(error, CONF_ERROR_SIZE, "%.200s: %.290s", file, loading.error);
		conf_release(loading.conf);
		return NULL;
	}
	for (size_t i = 0; i < override_count && !loading.failed; i++) {
		if (!take_override(&loading, overrides[i]))
			snprintf(error, CONF_ERROR_SIZE, "-o %.100s: %.390s", overrides[i],
				loading.error);
	}
	if (!loading.failed && (!take_defaults(&loading) || !check_together(&loading)))
		snprintf(error, CONF_ERROR_SIZE, "%.200s: %.300s", file, loading.error);
	if (loading.failed) {
		conf_release(loading.conf);
		return NULL;
	}
	return loading.conf;
}

static bool load_narrowing(struct conf *conf, char error[CONF_ERROR_SIZE])
{
	const struct {
		const char *key;
		const struct conf_list *list;
	} lists[SUBMITTERS_LISTS] = {
		[SUBMITTERS_SENDERS] = {"senders", &conf->policy.senders},
		[SUBMITTERS_SASL_USERNAMES] = {"sasl_usernames", &conf->policy.sasl_usernames},
		[SUBMITTERS_CLIENTS] = {"clients", &conf->policy.clients},
	};
	char words[SUBMITTERS_ERROR_SIZE];

	conf->policy.submitters = submitters_new();
	if (conf->policy.submitters == NULL)
		return false;
	for (size_t list = 0; list < SUBMITTERS_LISTS; list++) {
		for (size_t i = 0; i < lists[list].list->count; i++) {
			if (submitters_add(conf->policy.submitters, (enum submitters_list)list,
				    lists[list].list->entries[i], words))
				continue;
			snprintf(error, CONF_ERROR_SIZE, "[policy] %s: %s", lists[list].key, words);
			return false;
		}
	}
	return true;
}

/* A minimum that nobody finds is none, so its file must be there; tlsactl makes the other. */
bool conf_load_rules(struct conf *conf, char error[CONF_ERROR_SIZE])
{
	const struct {
		const char *file;
		bool must_exist;
		rules_adder *add;
	} files[] = {
		{conf->dane.minimums_file, true, rules_add_minimum},
		{conf->dane.exceptions_file, false, rules_add_exception},
	};

	snprintf(error, CONF_ERROR_SIZE, "out of memory");
	if (!load_narrowing(conf, error))
		return false;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (files[i].file[0] == '\0')
			continue;
		if (!need_rules(conf) || !rules_read(conf->rules, files[i].file,
						 files[i].must_exist, files[i].add, error))
			return false;
	}
	if (conf->dane.mode == MODE_MONITOR)
		return need_rules(conf);
	if (rules_key_count(conf->rules) == 0) {
		rules_free(conf->rules);
		conf->rules = NULL;
	}
	return true;
}

struct conf *conf_hold(struct conf *conf)
{
	atomic_fetch_add(&conf->references, 1);
	return conf;
}

void conf_release(struct conf *conf)
{
	if (conf == NULL || atomic_fetch_sub(&conf->references, 1) != 1)
		return;
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (settings[i].type == SETTING_TEXT)
			free(*(char **)member(conf, &settings[i]));
		else if (settings[i].type == SETTING_LIST || settings[i].type == SETTING_REPEATED)
			clear_list(member(conf, &settings[i]));
	}
	rules_free(conf->rules);
	submitters_free(conf->policy.submitters);
	free(conf);
}

static void print_list(FILE *out, const struct setting *setting, const struct conf_list *list)
{
	if (setting->type == SETTING_LIST || list->count == 0)
		fprintf(out, "%s =", setting->key);
	for (size_t i = 0; i < list->count; i++) {
		if (setting->type == SETTING_REPEATED)
			fprintf(out, "%s%s = %s", i > 0 ? "\n" : "", setting->key,
				list->entries[i]);
		else
			/* A line that begins with a blank goes on with the one before. */
			fprintf(out, "%s %s", i > 0 ? ",\n\t" : "", list->entries[i]);
	}
}

static void print_value(FILE *out, const struct setting *setting, const struct conf *conf)
{
	const void *value = member(conf, setting);

	if (setting->type == SETTING_LIST || setting->type == SETTING_REPEATED) {
		print_list(out, setting, value);
		return;
	}
	fprintf(out, "%s = ", setting->key);
	switch (setting->type) {
	case SETTING_TEXT:
		fputs(*(char *const *)value, out);
		break;
	case SETTING_BOOLEAN:
		fputs(*(const bool *)value ? "yes" : "no", out);
		break;
	case SETTING_CHOICE:
		fputs(setting->choices[*(const int *)value], out);
		break;
	case SETTING_SIZE:
		fprintf(out, "%ju", (uintmax_t) * (const uint64_t *)value);
		break;
	case SETTING_OCTAL:
		fprintf(out, "0%03o", *(const uint32_t *)value);
		break;
	case SETTING_WORKERS:
		if (*(const uint32_t *)value == 0) {
			fputs("auto", out);
			break;
		}
		/* fall through */
	default:
		fprintf(out, "%u", *(const uint32_t *)value);
		break;
	}
}

/* Those that stand in the configuration itself; the others' files are settings. */
static void print_minimums(FILE *out, const struct conf *conf)
{
	const char *head = "\n[minimum]\n", *key;
	enum minimum_level level;
	struct rule_place place;

	for (size_t i = 0; i < rules_key_count(conf->rules); i++) {
		if (!rules_minimum(conf->rules, i, &key, &level, &place) ||
			strcmp(place.file, conf->dane.minimums_file) == 0)
			continue;
		fprintf(out, "%s%s = %s\n", head, key, minimum_names[level]);
		head = "";
	}
}

static void print_exceptions(FILE *out, const struct conf *conf)
{
	const char *head = "\n[exception]\n";
	const struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++) {
		struct exception_terms terms = {
			exception->level, exception->until, exception->reason};
		char words[EXCEPTION_REASON_MAX + 64];
		struct text text;

		if (strcmp(exception->place.file, conf->dane.exceptions_file) == 0)
			continue;
		text_init(&text, words, sizeof words);
		exception_print(&terms, &text);
		fprintf(out, "%s%s = %s\n", head, exception->key, words);
		head = "";
	}
}

void conf_print(const struct conf *conf, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(section, settings[i].section) != 0) {
			fprintf(out, "%s[%s]\n", *section != '\0' ? "\n" : "", settings[i].section);
			section = settings[i].section;
		}
		fprintf(out, "# %s\n", settings[i].help);
		print_value(out, &settings[i], conf);
		fputc('\n', out);
	}
	print_minimums(out, conf);
	print_exceptions(out, conf);
}

static char *value_text(const struct setting *setting, const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	print_value(out, setting, conf);
	fclose(out);
	return text;
}

const char *conf_difference(const struct conf *one, const struct conf *other, size_t n)
{
	static _Thread_local char name[64];

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		char *first = value_text(&settings[i], one);
		char *second = value_text(&settings[i], other);
		bool same = first != NULL && second != NULL && strcmp(first, second) == 0;
		free(first);
		free(second);
		if (same || n-- > 0)
			continue;
		snprintf(name, sizeof name, "%s.%s", settings[i].section, settings[i].key);
		return name;
	}
	for (size_t i = 0; i < OPEN_SECTION_COUNT; i++) {
		if (!open_sections[i].same(one->rules, other->rules) && n-- == 0)
			return open_sections[i].name;
	}
	return NULL;
}

bool conf_reloadable(const char *setting)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		size_t length = strlen(settings[i].section);
		if (strncmp(setting, settings[i].section, length) == 0 && setting[length] == '.' &&
			strcmp(setting + length + 1, settings[i].key) == 0)
			return settings[i].reload;
	}
	return find_open_section(setting) != NULL;
}

static bool copy_list(struct conf_list *to, const struct conf_list *from)
{
	clear_list(to);
	for (size_t i = 0; i < from->count; i++) {
		to->entries[i] = strdup(from->entries[i]);
		if (to->entries[i] == NULL)
			return false;
		to->count++;
	}
	return true;
}

static bool copy_value(const struct setting *setting, struct conf *to, const struct conf *from)
{
	void *place = member(to, setting);
	const void *value = member(from, setting);

	switch (setting->type) {
	case SETTING_TEXT: {
		char *copy = strdup(*(char *const *)value);
		if (copy == NULL)
			return false;
		free(*(char **)place);
		*(char **)place = copy;
		return true;
	}
	case SETTING_LIST:
	case SETTING_REPEATED:
		return copy_list(place, value);
	case SETTING_SIZE:
		*(uint64_t *)place = *(const uint64_t *)value;
		return true;
	case SETTING_BOOLEAN:
		*(bool *)place = *(const bool *)value;
		return true;
	case SETTING_CHOICE:
		*(int *)place = *(const int *)value;
		return true;
	default:
		*(uint32_t *)place = *(const uint32_t *)value;
		return true;
	}
}

bool conf_keep(struct conf *conf, const struct conf *in_force)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (!settings[i].reload && !copy_value(&settings[i], conf, in_force))
			return false;
	}
	return true;
}
