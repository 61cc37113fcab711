/*
 * status: is the daemon healthy, and what has it done? Prints text from the tables below, the most
 * important first, with units; with --json the daemon's object, unchanged.
 */
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/conf/conf.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/size_text.h"
#include "daemon/ctl/frame/terminal.h"
#include "daemon/ctl/frame/time_text.h"

#include <ctype.h>
#include <string.h>

enum {
	INDENT = 2,
	LABEL_WIDTH = 12, /* "monitor mode" */
	MEMBERS_MAX = 3,  /* of one row */
	PATH_SIZE = 128,
	WORDS_SIZE = 2048,
};

/* --- members of the status ----------------------------------------------------------------- */

/* `path` is "member" or "object.member". NULL if it is missing. */
static const json_t *find(const json_t *status, const char *path)
{
	char name[PATH_SIZE];
	const char *dot = strchr(path, '.');

	if (dot == NULL)
		return json_object_get(status, path);
	snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
	return json_object_get(json_object_get(status, name), dot + 1);
}

static json_int_t number(const json_t *status, const char *path)
{
	return json_integer_value(find(status, path));
}

static const char *string(const json_t *status, const char *path)
{
	const char *value = json_string_value(find(status, path));
	return value != NULL ? value : "";
}

static bool is_monitoring(const json_t *status)
{
	return strcmp(string(status, "mode"), conf_mode_names[MODE_MONITOR]) == 0;
}

static json_int_t sum(const json_t *object)
{
	const char *member;
	json_t *value;
	json_int_t all = 0;

	json_object_foreach((json_t *)object, member, value) all += json_integer_value(value);
	return all;
}

/* "3 ok, 1 temp" */
static void add_counts(struct text *text, const json_t *object)
{
	const char *member;
	json_t *value;
	bool first = true;

	json_object_foreach((json_t *)object, member, value)
	{
		text_add_format(text, "%s%" JSON_INTEGER_FORMAT " %s", first ? "" : ", ",
			json_integer_value(value), member);
		first = false;
	}
	if (first)
		text_add(text, "none yet");
}

/* The same in upper case, as Postfix reads these replies. */
static void add_replies(struct text *text, const json_t *object)
{
	size_t begin = text->used;

	add_counts(text, object);
	for (size_t i = begin; i < text->used; i++)
		text->bytes[i] = (char)toupper((unsigned char)text->bytes[i]);
}

static void add_value(struct text *text, const json_t *value)
{
	const json_t *element;
	size_t i;

	if (json_is_string(value))
		text_add(text, json_string_value(value));
	else if (json_is_integer(value))
		text_add_format(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		text_add_format(text, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		text_add(text, json_is_true(value) ? "yes" : "no");
	else if (json_is_object(value))
		add_counts(text, value);
	else if (!json_is_array(value))
		text_add(text, "-");
	json_array_foreach(value, i, element)
	{
		if (i > 0)
			text_add(text, ", ");
		add_value(text, element);
	}
}

/* --- rows ---------------------------------------------------------------------------------- */

struct row {
	const char *label;
	const char *members[MEMBERS_MAX]; /* shown by this row; it needs the first */
	/*
	 * Adds the text after the label and returns the label's style; if there is no text the row
	 * is left out. NULL: the value of the first member, and then `words`.
	 */
	enum terminal_style (*add)(struct text *text, const json_t *status);
	const char *words; /* or NULL */
};

static enum terminal_style add_healthy(struct text *text, const json_t *status)
{
	bool healthy = json_is_true(find(status, "healthy"));

	if (healthy)
		text_add(text, "yes");
	else
		text_add_format(text, "NO: %s", string(status, "health"));
	return healthy ? TERMINAL_GOOD : TERMINAL_BAD;
}

static enum terminal_style add_remedy(struct text *text, const json_t *status)
{
	const char *state = string(status, "resolver.state");

	if (json_is_true(find(status, "healthy")))
		return TERMINAL_PLAIN;
	if (strcmp(state, "works") == 0)
		text_add(text, "systemctl restart tlsad; \"journalctl -u tlsad\" shows what came "
			       "before");
	else
		text_add_format(text,
			"%srun \"tlsactl doctor\" as root: it finds the cause and says what to do",
			strcmp(state, "unknown") == 0
				? "right after a start wait a few seconds; then "
				: "");
	return TERMINAL_STRONG;
}

static enum terminal_style add_resolver(struct text *text, const json_t *status)
{
	const char *state = string(status, "resolver.state");

	text_add_format(text, "%s: %s", state, string(status, "resolver.text"));
	return strcmp(state, "works") == 0 ? TERMINAL_GOOD : TERMINAL_WARNING;
}

static enum terminal_style add_deferred(struct text *text, const json_t *status)
{
	json_int_t count = number(status, "deferred.destinations");
	char longest[TIME_TEXT_SIZE];

	if (count == 0) {
		text_add(text, "no destination");
		return TERMINAL_PLAIN;
	}
	text_add_format(text,
		"%" JSON_INTEGER_FORMAT
		" destination%s whose last reply %s TEMP, the longest for %s: "
		"%stlsad's log has the reasons",
		count, count == 1 ? "" : "s", is_monitoring(status) ? "would have been" : "was",
		time_text_duration(longest, number(status, "deferred.longest")),
		is_monitoring(status) ? "" : "Postfix keeps the mail in its queue; ");
	return TERMINAL_WARNING;
}

static enum terminal_style add_mode(struct text *text, const json_t *status)
{
	bool monitoring = is_monitoring(status);

	text_add_format(text, "%s%s", string(status, "mode"),
		monitoring ? ": nothing is enforced; Postfix gets NOTFOUND for every destination"
			   : "");
	return monitoring ? TERMINAL_WARNING : TERMINAL_PLAIN;
}

static enum terminal_style add_running(struct text *text, const json_t *status)
{
	char duration[TIME_TEXT_SIZE], date[TIME_TEXT_SIZE];

	text_add_format(text, "for %s, since %s",
		time_text_duration(duration, number(status, "uptime")),
		time_text_date(date, number(status, "started")));
	return TERMINAL_PLAIN;
}

static enum terminal_style add_version(struct text *text, const json_t *status)
{
	text_add_format(text, "%s, process %" JSON_INTEGER_FORMAT, string(status, "version"),
		number(status, "pid"));
	return TERMINAL_PLAIN;
}

static enum terminal_style add_libraries(struct text *text, const json_t *status)
{
	const char *member;
	json_t *value;
	bool first = true;

	json_object_foreach((json_t *)find(status, "versions"), member, value)
	{
		text_add_format(text, "%s%s ", first ? "" : ", ", member);
		add_value(text, value);
		first = false;
	}
	return TERMINAL_PLAIN;
}

static enum terminal_style add_map_replies(struct text *text, const json_t *status)
{
	add_replies(text, find(status, "replies"));
	return TERMINAL_PLAIN;
}

/* The counts remain after monitor mode has ended. */
static enum terminal_style add_would(struct text *text, const json_t *status)
{
	const json_t *would = find(status, "would");

	if (is_monitoring(status) || sum(would) > 0) {
		text_add(text, "replies that would have been given: ");
		add_replies(text, would);
	}
	return TERMINAL_PLAIN;
}

static void add_cache_use(struct text *text, json_int_t hits, json_int_t misses)
{
	text_add_format(text,
		"%" JSON_INTEGER_FORMAT " answered from the cache, %" JSON_INTEGER_FORMAT
		" had to wait for a lookup",
		hits, misses);
	if (hits + misses > 0)
		text_add_format(text, " (%.0f %% from the cache)",
			100.0 * (double)hits / (double)(hits + misses));
}

static enum terminal_style add_map_cache(struct text *text, const json_t *status)
{
	add_cache_use(text, number(status, "hits"), number(status, "misses"));
	return TERMINAL_PLAIN;
}

static enum terminal_style add_policy_monitored(struct text *text, const json_t *status)
{
	json_int_t count = number(status, "policy.monitored");

	if (is_monitoring(status) || count > 0)
		text_add_format(text,
			"%" JSON_INTEGER_FORMAT " got dunno instead of another action", count);
	return TERMINAL_PLAIN;
}

static enum terminal_style add_policy_cache(struct text *text, const json_t *status)
{
	add_cache_use(text, number(status, "policy.hits"), number(status, "policy.misses"));
	return TERMINAL_PLAIN;
}

static enum terminal_style add_lookups(struct text *text, const json_t *status)
{
	text_add_format(text,
		"%" JSON_INTEGER_FORMAT ", of which %" JSON_INTEGER_FORMAT
		" joined an equal lookup that was running",
		number(status, "lookups.requests"), number(status, "lookups.joined"));
	return TERMINAL_PLAIN;
}

static enum terminal_style add_parts(struct text *text, const json_t *status)
{
	text_add_format(text,
		"%" JSON_INTEGER_FORMAT
		" MX sets, hosts and MTA-STS policies looked up, of which %" JSON_INTEGER_FORMAT
		" failed",
		number(status, "lookups.parts"), number(status, "lookups.failures"));
	return TERMINAL_PLAIN;
}

static enum terminal_style add_cache_size(struct text *text, const json_t *status)
{
	json_int_t size = number(status, "cache.size"), most = number(status, "cache.max_size");
	char used[SIZE_TEXT_SIZE], limit[SIZE_TEXT_SIZE];

	text_add_format(text, "%s of %s", size_text(used, (uint64_t)size),
		size_text(limit, (uint64_t)most));
	if (most > 0)
		text_add_format(text, " (%.1f %%)", 100.0 * (double)size / (double)most);
	return TERMINAL_PLAIN;
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct row daemon_rows[] = {
	{"healthy", {"healthy", "health"}, add_healthy, NULL},
	{"what to do", {"healthy"}, add_remedy, NULL},
	{"DNSSEC", {"resolver"}, add_resolver, NULL},
	{"deferred", {"deferred"}, add_deferred, NULL},
	{"mode", {"mode"}, add_mode, NULL},
	{"running", {"uptime", "started"}, add_running, NULL},
	{"version", {"version", "pid"}, add_version, NULL},
	{"libraries", {"versions"}, add_libraries, NULL},
};
static const struct row socketmap_rows[] = {
	{"endpoints", {"endpoints"}, NULL, NULL},
	{"requests", {"requests"}, NULL, NULL},
	{"replies", {"replies"}, add_map_replies, NULL},
	{"monitor mode", {"would"}, add_would, NULL},
	{"cache", {"hits", "misses"}, add_map_cache, NULL},
	{"invalid", {"invalid"}, NULL, " with a key that is not a mail destination"},
};
static const struct row policy_rows[] = {
	{"endpoints", {"policy.endpoints"}, NULL, NULL},
	{"requests", {"policy.requests"}, NULL, NULL},
	{"actions", {"policy.replies"}, NULL, NULL},
	{"monitor mode", {"policy.monitored"}, add_policy_monitored, NULL},
	{"cache", {"policy.hits", "policy.misses"}, add_policy_cache, NULL},
	{"unreadable", {"policy.unreadable"}, NULL,
		" that could not be read; tlsad closed the connection"},
};
static const struct row connection_rows[] = {
	{"open", {"connections"}, NULL, " now, of socketmap and policy clients together"},
	{"accepted", {"accepted"}, NULL, NULL},
	{"refused", {"refused"}, NULL, " from addresses that [server] allow does not contain"},
	{"workers", {"workers"}, NULL, " serving threads"},
};
static const struct row lookup_rows[] = {
	{"results", {"lookups.reasons"}, NULL, NULL},
	{"requests", {"lookups.requests", "lookups.joined"}, add_lookups, NULL},
	{"running", {"lookups.in_flight"}, NULL, " now"},
	{"parts", {"lookups.parts", "lookups.failures"}, add_parts, NULL},
	{"DNS queries", {"dns"}, NULL, NULL},
};
static const struct row sts_rows[] = {
	{"policies", {"sts.policies"}, NULL, NULL},
	{"downloads", {"sts.fetches"}, NULL, " of policies"},
	{"outcomes", {"sts.results"}, NULL, NULL},
};
static const struct row cache_rows[] = {
	{"size", {"cache.size", "cache.max_size"}, add_cache_size, NULL},
	{"entries", {"cache.entries"}, NULL, " MX sets, hosts, MTA-STS policies and trust anchors"},
	{"evicted", {"cache.evicted"}, NULL, " entries deleted before they expired, to make room"},
	{"directory", {"cache.path"}, NULL, NULL},
};
static const struct row rule_rows[] = {
	{"minimums", {"rules.minimums"}, NULL, NULL},
	{"exceptions", {"rules.exceptions"}, NULL, NULL},
};

static const struct section {
	const char *heading; /* NULL: the first one */
	const struct row *rows;
	size_t count;
} sections[] = {
#define ROWS(rows) rows, sizeof rows / sizeof rows[0]
	{NULL, ROWS(daemon_rows)},
	{"socketmap requests (smtp_tls_policy_maps)", ROWS(socketmap_rows)},
	{"policy requests (check_policy_service)", ROWS(policy_rows)},
	{"connections", ROWS(connection_rows)},
	{"lookups", ROWS(lookup_rows)},
	{"MTA-STS", ROWS(sts_rows)},
	{"cache", ROWS(cache_rows)},
	{"rules of this site", ROWS(rule_rows)},
};

enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

/* --- printing ------------------------------------------------------------------------------ */

static void print_heading(const struct terminal *terminal, const char *heading)
{
	terminal_print_blank(terminal);
	terminal_print_row(terminal, 0, TERMINAL_STRONG, heading, 0, "%s", "");
}

static enum terminal_style add_row(struct text *text, const struct row *row, const json_t *status)
{
	if (row->add != NULL)
		return row->add(text, status);
	add_value(text, find(status, row->members[0]));
	if (row->words != NULL)
		text_add(text, row->words);
	return TERMINAL_PLAIN;
}

static void print_section(
	const struct terminal *terminal, const struct section *section, const json_t *status)
{
	bool headed = section->heading == NULL;
	char words[WORDS_SIZE];
	struct text text;

	for (size_t i = 0; i < section->count; i++) {
		const struct row *row = &section->rows[i];
		/* A daemon of another version may lack a member. */
		if (find(status, row->members[0]) == NULL)
			continue;
		text_init(&text, words, sizeof words);
		enum terminal_style style = add_row(&text, row, status);
		if (text.used == 0)
			continue;
		text_mark_cut(&text);
		if (!headed)
			print_heading(terminal, section->heading);
		headed = true;
		terminal_print_row(terminal, section->heading == NULL ? 0 : INDENT, style,
			row->label, LABEL_WIDTH + (section->heading == NULL ? INDENT : 0), "%s",
			words);
	}
}

/* Does some row show this member, or the whole object that it is in? */
static bool is_shown(const char *path)
{
	size_t object = strcspn(path, ".");

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		for (size_t j = 0; j < MEMBERS_MAX * sections[i].count; j++) {
			const char *member =
				sections[i].rows[j / MEMBERS_MAX].members[j % MEMBERS_MAX];
			if (member != NULL && (strcmp(member, path) == 0 ||
						      (strlen(member) == object &&
							      strncmp(member, path, object) == 0)))
				return true;
		}
	}
	return false;
}

/* Prints members that no row shows: the daemon may be newer than this program. */
static void print_others(const struct terminal *terminal, const json_t *object, const char *prefix,
	unsigned depth, bool *headed)
{
	char path[PATH_SIZE], words[WORDS_SIZE];
	const char *member;
	json_t *value;
	struct text text;

	json_object_foreach((json_t *)object, member, value)
	{
		snprintf(path, sizeof path, "%.60s%s%.60s", prefix, depth > 0 ? "." : "", member);
		if (is_shown(path))
			continue;
		if (json_is_object(value)) {
			if (depth < 2)
				print_others(terminal, value, path, depth + 1, headed);
			continue;
		}
		if (!*headed)
			print_heading(terminal, "other");
		*headed = true;
		text_init(&text, words, sizeof words);
		add_value(&text, value);
		terminal_print_row(
			terminal, INDENT, TERMINAL_PLAIN, path, LABEL_WIDTH, "%s", words);
	}
}

static void print_text(const json_t *status)
{
	struct terminal terminal;
	bool headed = false;

	terminal_open(&terminal, stdout);
	for (size_t i = 0; i < SECTION_COUNT; i++)
		print_section(&terminal, &sections[i], status);
	print_others(&terminal, status, "", 0, &headed);
}

static int report(const struct ctl *ctl, const json_t *status)
{
	if (!json_is_object(status)) {
		client_log_missing("status");
		return EX_UNAVAILABLE;
	}
	if (ctl->json)
		json_output_print(status);
	else
		print_text(status);
	return CTL_YES;
}

int status_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct response response;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, NULL);

	if (status != ARGUMENTS_GO_ON)
		return status;
	json_t *request = json_pack("{s:s}", "verb", "status");
	if (client_ask(ctl, request, EX_UNAVAILABLE, &response, &status)) {
		status = report(ctl, json_object_get(response.object, "status"));
		response_clear(&response);
	}
	return status;
}
