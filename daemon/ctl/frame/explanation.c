#include "daemon/ctl/frame/explanation.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/socketmap_reply.h"
#include "daemon/ctl/frame/terminal.h"
#include "daemon/ctl/frame/time_text.h"

#include <string.h>
#include <time.h>

enum {
	INDENT = 2,
	RECORD_DEPTH = 3,  /* of TLSA records in the tree */
	TEXT_COLUMN = 12,  /* where the text of a line begins, after its first word */
	DIGITS_SHOWN = 64, /* hexadecimal digits of a record's data: a SHA-256 digest */
	WORDS_SIZE = 4096,
};

/* --- words and their colours --------------------------------------------------------------- */

static const struct {
	const char *word;
	enum terminal_style style;
} styles[] = {
	{"secure", TERMINAL_GOOD},
	{"usable", TERMINAL_GOOD},
	{"enforce", TERMINAL_GOOD},
	{"testing", TERMINAL_WARNING},
	{"absent", TERMINAL_FAINT},
	{"pending", TERMINAL_WARNING},
	{"insecure", TERMINAL_WARNING},
	{"unusable", TERMINAL_WARNING},
	{"none", TERMINAL_WARNING},
	{"unreachable", TERMINAL_FAINT},
	{"bogus", TERMINAL_BAD},
	{"failed", TERMINAL_BAD},
	{"NOTFOUND", TERMINAL_WARNING},
	{"TEMP", TERMINAL_BAD},
	{"TIMEOUT", TERMINAL_BAD},
	{"PERM", TERMINAL_BAD},
};

static enum terminal_style style_of(const char *word)
{
	for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
		if (strcmp(styles[i].word, word) == 0)
			return styles[i].style;
	}
	/* A level of TLS. */
	return TERMINAL_GOOD;
}

static bool is(const json_t *object, const char *member, const char *word)
{
	return strcmp(client_string(object, member), word) == 0;
}

/* The DNSSEC status of an answer, or "bogus" or "failed" if the lookup failed. */
static const char *trust_of(const json_t *object)
{
	if (!is(object, "status", "failed"))
		return client_string(object, "dnssec");
	return is(object, "dnssec", "bogus") || is(object, "failure", "bogus") ? "bogus" : "failed";
}

/* The words of a line, with "..." at the end if they did not fit. */
static const char *words_of(struct text *text)
{
	text_mark_cut(text);
	return text->bytes;
}

/* Prints a line of the tree: status, time left, type, text. Only the status is indented. */
static void print_line(const struct terminal *terminal, unsigned depth, const char *word,
	const json_t *times, const char *what, const char *words)
{
	char left[TIME_TEXT_SIZE] = "";
	unsigned indent = depth * INDENT;

	if (json_object_get(times, "ttl") != NULL)
		time_text_duration_short(left, client_integer(times, "ttl"));
	terminal_print_row(terminal, indent, style_of(word), word, TEXT_COLUMN - indent,
		"%4s  %-4s  %s", left, what, words);
}

static void add_stale(struct text *text, const json_t *part)
{
	char until[TIME_TEXT_SIZE];

	if (json_is_true(json_object_get(part, "stale")))
		text_add_format(text,
			"; expired entry still used, until %s at the latest: refreshing it failed",
			time_text_date(until, client_integer(part, "stale_until")));
}

/* --- the tree ------------------------------------------------------------------------------ */

/* What all functions that print the tree need. */
struct page {
	const struct terminal *terminal;
	/*
	 * The reply of `policy`, in monitor mode the one that would be given. It is printed below
	 * the tree, so the tree does not repeat its reason.
	 */
	const char *reply;
};

/* Lower case, like "tlsactl check" and "tlsactl tlsa create". */
static void add_digits(struct text *text, const char *data)
{
	size_t begin = text->used;

	text_add_format(text, "%.*s", DIGITS_SHOWN, data);
	for (size_t i = begin; i < text->used; i++)
		text->bytes[i] = text_lower(text->bytes[i]);
	if (strlen(data) > DIGITS_SHOWN)
		text_add(text, "...");
}

static void print_record(const struct page *page, const json_t *record)
{
	bool usable = json_is_true(json_object_get(record, "usable"));
	char words[WORDS_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	if (json_object_get(record, "usage") != NULL) {
		text_add_format(&text,
			"%" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT
			" ",
			client_integer(record, "usage"), client_integer(record, "selector"),
			client_integer(record, "matching_type"));
		add_digits(&text, client_string(record, "data"));
	}
	if (!usable)
		text_add_format(&text, ": %s", client_string(record, "why"));
	if (client_string(record, "trust_anchor")[0] != '\0')
		text_add_format(&text, "; trust anchor %s", client_string(record, "trust_anchor"));
	if (client_string(record, "not_pinned")[0] != '\0')
		text_add_format(&text, "; not pinned: %s", client_string(record, "not_pinned"));
	print_line(page->terminal, RECORD_DEPTH, usable ? "usable" : "unusable", NULL, "",
		words_of(&text));
}

/* Does the reply contain this failure as its reason? */
static bool is_reason(const struct page *page, const json_t *lookup)
{
	char words[WORDS_SIZE];

	snprintf(words, sizeof words, "%s %s: %s: %s", client_string(lookup, "name"),
		client_string(lookup, "type"), client_string(lookup, "failure"),
		client_string(lookup, "detail"));
	return strstr(page->reply, words) != NULL;
}

static void add_outcome(const struct page *page, struct text *text, const json_t *lookup)
{
	const json_t *addresses = json_object_get(lookup, "addresses"), *address;
	size_t i;

	if (is(lookup, "status", "failed")) {
		text_add_format(text, ": %s", client_string(lookup, "failure"));
		if (client_string(lookup, "detail")[0] != '\0' && !is_reason(page, lookup))
			text_add_format(text, ": %s", client_string(lookup, "detail"));
	} else if (is(lookup, "status", "nodata")) {
		text_add(text, ": no records of this type");
	} else if (is(lookup, "status", "nxdomain")) {
		text_add(text, ": the name does not exist");
	}
	if (client_string(lookup, "canonical_name")[0] != '\0')
		text_add_format(text, ", an alias of %s", client_string(lookup, "canonical_name"));
	json_array_foreach(addresses, i, address)
	{
		if (json_is_string(address))
			text_add_format(
				text, "%s%s", i == 0 ? ": " : ", ", json_string_value(address));
	}
}

static void print_lookup(const struct page *page, const json_t *lookup)
{
	char words[WORDS_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	text_add(&text, client_string(lookup, "name"));
	add_outcome(page, &text, lookup);
	print_line(page->terminal, 2, trust_of(lookup), lookup, client_string(lookup, "type"),
		words_of(&text));
}

static void print_not_shown(
	const struct terminal *terminal, unsigned depth, json_int_t count, const char *what)
{
	unsigned indent = depth * INDENT;

	if (count > 0)
		terminal_print_row(terminal, indent, TERMINAL_FAINT, "...", TEXT_COLUMN - indent,
			"and %" JSON_INTEGER_FORMAT " more %s%s", count, what,
			count == 1 ? "" : "s");
}

static void print_host(const struct page *page, const json_t *host, bool in_set)
{
	const json_t *element;
	char words[WORDS_SIZE];
	struct text text;
	size_t i;

	text_init(&text, words, sizeof words);
	text_add_format(&text, "%s:%" JSON_INTEGER_FORMAT, client_string(host, "name"),
		client_integer(host, "port"));
	if (in_set)
		text_add_format(&text, ", preference %" JSON_INTEGER_FORMAT,
			client_integer(host, "preference"));
	add_stale(&text, host);
	print_line(page->terminal, 1, client_string(host, "status"), host, "host", words_of(&text));
	json_array_foreach(json_object_get(host, "lookups"), i, element)
		print_lookup(page, element);
	json_array_foreach(json_object_get(host, "tlsa"), i, element) print_record(page, element);
	print_not_shown(page->terminal, RECORD_DEPTH, client_integer(host, "tlsa_not_shown"),
		"TLSA record");
}

static void print_mx(const struct page *page, const json_t *mx, size_t hosts)
{
	const char *failure = client_string(mx, "failure");
	char words[WORDS_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	if (is(mx, "status", "found"))
		text_add_format(&text, "%s: %zu host%s", client_string(mx, "name"), hosts,
			hosts == 1 ? "" : "s");
	else if (is(mx, "status", "absent"))
		text_add_format(&text,
			"%s: no MX records; the domain is its own host (RFC 5321 5.1)",
			client_string(mx, "name"));
	else if (is(mx, "status", "null"))
		text_add_format(&text, "%s: null MX, the domain accepts no mail (RFC 7505)",
			client_string(mx, "name"));
	else if (is(mx, "status", "nxdomain"))
		text_add_format(&text, "%s: the domain does not exist", client_string(mx, "name"));
	else
		text_add(&text,
			strstr(page->reply, failure) != NULL ? client_string(mx, "name") : failure);
	add_stale(&text, mx);
	print_line(page->terminal, 0, trust_of(mx), mx, "MX", words_of(&text));
}

/* --- the MTA-STS policy -------------------------------------------------------------------- */

static void print_names(const struct page *page, enum terminal_style style, const char *label,
	const json_t *names, const char *after, json_int_t not_shown)
{
	char words[WORDS_SIZE];
	const json_t *name;
	struct text text;
	size_t i;

	if (json_array_size(names) == 0)
		return;
	text_init(&text, words, sizeof words);
	json_array_foreach(names, i, name)
		text_add_format(&text, "%s%s", i > 0 ? ", " : "", json_string_value(name));
	if (not_shown > 0)
		text_add_format(&text, " and %" JSON_INTEGER_FORMAT " more", not_shown);
	text_add(&text, after);
	terminal_print_row(
		page->terminal, INDENT, style, label, TEXT_COLUMN - INDENT, "%s", words_of(&text));
}

static void print_download(const struct page *page, const json_t *sts)
{
	int64_t now = (int64_t)time(NULL);
	int64_t retry = client_integer(sts, "retry_at") - now;
	char ago[TIME_TEXT_SIZE], left[TIME_TEXT_SIZE];

	if (json_object_get(sts, "failure") == NULL)
		return;
	time_text_duration(ago, now - client_integer(sts, "failed_at"));
	time_text_duration(left, retry > 0 ? retry : 0);
	terminal_print_row(page->terminal, INDENT, TERMINAL_BAD, "failed", TEXT_COLUMN - INDENT,
		"the last download, %s ago: %s; tried again in %s", ago,
		client_string(sts, "failure"), left);
}

static void print_sts(const struct page *page, const json_t *sts)
{
	bool has_policy = json_object_get(sts, "id") != NULL;
	char words[WORDS_SIZE], ago[TIME_TEXT_SIZE], age[TIME_TEXT_SIZE];
	struct text text;

	if (!json_is_object(sts))
		return;
	text_init(&text, words, sizeof words);
	text_add_format(&text, "%s: TXT record: %s", client_string(sts, "domain"),
		client_string(sts, "record"));
	if (has_policy) {
		time_text_duration(ago, client_integer(sts, "age"));
		time_text_duration(age, client_integer(sts, "max_age"));
		text_add_format(&text, "; policy %s, downloaded %s ago, max_age %s",
			client_string(sts, "id"), ago, age);
	}
	print_line(page->terminal, 0, client_string(sts, "status"), sts, "STS", words_of(&text));
	print_names(page, TERMINAL_PLAIN, "patterns", json_object_get(sts, "patterns"), "",
		client_integer(sts, "patterns_not_shown"));
	print_names(page, TERMINAL_GOOD, "match", json_object_get(sts, "hosts_matching"), "", 0);
	print_names(page, TERMINAL_BAD, "no match", json_object_get(sts, "hosts_not_matching"),
		": not in the policy", 0);
	print_names(page, TERMINAL_WARNING, "left out", json_object_get(sts, "mx_left_out"),
		": not a host name or pattern", 0);
	print_download(page, sts);
}

/* --- all of the tree ----------------------------------------------------------------------- */

static void print_tree(const struct page *page, const json_t *explanation)
{
	const struct terminal *terminal = page->terminal;
	const json_t *mx = json_object_get(explanation, "mx"), *host;
	const json_t *hosts = json_object_get(explanation, "hosts");
	json_int_t not_shown = client_integer(explanation, "hosts_not_shown");
	size_t i;

	if (!json_is_object(mx) && json_array_size(hosts) == 0)
		return;
	terminal_print_blank(terminal);
	if (json_is_object(mx))
		print_mx(page, mx, json_array_size(hosts) + (size_t)not_shown);
	json_array_foreach(hosts, i, host)
		print_host(page, host, json_is_object(mx) && is(mx, "status", "found"));
	print_not_shown(terminal, 1, not_shown, "host");
	print_sts(page, json_object_get(explanation, "sts"));
}

/* --- the rule and the replies --------------------------------------------------------------- */

static void print_times(const struct terminal *terminal, const json_t *explanation)
{
	bool cached = json_is_true(json_object_get(explanation, "cached"));
	json_int_t ttl = client_integer(explanation, "ttl");
	char left[TIME_TEXT_SIZE], date[TIME_TEXT_SIZE];

	if (json_is_null(json_object_get(explanation, "kind")))
		return;
	terminal_print_row(terminal, 0, TERMINAL_PLAIN, "cached", TEXT_COLUMN,
		"%s; the first entry expires in %s, %s",
		cached ? "yes, all of it" : "partly: tlsad looked up the missing entries",
		time_text_duration(left, ttl), time_text_date(date, (int64_t)time(NULL) + ttl));
}

static void add_place(struct text *text, const json_t *rule)
{
	if (json_is_string(json_object_get(rule, "file")))
		text_add_format(text, ", %s:%" JSON_INTEGER_FORMAT, client_string(rule, "file"),
			client_integer(rule, "line"));
}

static void print_minimum(const struct terminal *terminal, const json_t *minimum)
{
	const json_t *reached = json_object_get(minimum, "reached");
	char words[WORDS_SIZE];
	struct text text;

	if (!json_is_object(minimum))
		return;
	text_init(&text, words, sizeof words);
	text_add_format(&text, "%s for %s", client_string(minimum, "level"),
		client_string(minimum, "domain"));
	add_place(&text, minimum);
	if (json_is_false(reached))
		text_add_format(&text, ": it offers %s", client_string(minimum, "offered"));
	terminal_print_row(terminal, 0, json_is_false(reached) ? TERMINAL_WARNING : TERMINAL_PLAIN,
		"minimum", TEXT_COLUMN, "%s", words_of(&text));
}

static void print_exception(const struct terminal *terminal, const json_t *exception)
{
	bool in_force = json_is_true(json_object_get(exception, "in_force"));
	char words[WORDS_SIZE];
	struct text text;

	if (!json_is_object(exception))
		return;
	text_init(&text, words, sizeof words);
	text_add_format(&text, "%s for %s", client_string(exception, "level"),
		client_string(exception, "domain"));
	if (client_string(exception, "until")[0] != '\0')
		text_add_format(&text, " until %s", client_string(exception, "until"));
	add_place(&text, exception);
	text_add_format(&text, ": %s", client_string(exception, "state"));
	if (client_string(exception, "instead_of")[0] != '\0')
		text_add_format(&text, ", instead of %s", client_string(exception, "instead_of"));
	if (client_string(exception, "why")[0] != '\0')
		text_add_format(&text, "; %s", client_string(exception, "why"));
	terminal_print_row(terminal, 0, in_force ? TERMINAL_WARNING : TERMINAL_PLAIN, "exception",
		TEXT_COLUMN, "%s", words_of(&text));
}

static void print_rules(const struct terminal *terminal, const json_t *explanation)
{
	print_minimum(terminal, json_object_get(explanation, "minimum"));
	print_exception(terminal, json_object_get(explanation, "exception"));
}

/* The replies, in the order in which they are printed. */
static const struct reply_row {
	const char *member;
	const char *label;
	const char *words; /* before the reply */
	enum terminal_style style;
} reply_rows[] = {
	{"reply", "policy", "", TERMINAL_PLAIN},
	{"would", "monitor", "nothing is enforced; without monitor mode the reply would be ",
		TERMINAL_WARNING},
	{"native", "native", "", TERMINAL_PLAIN},
	{"pinned", "pinned", "", TERMINAL_PLAIN},
};

/* The first row with the same reply; this may be the row itself. */
static const struct reply_row *find_equal(const json_t *explanation, const struct reply_row *row)
{
	const struct reply_row *earlier = reply_rows;

	while (earlier < row && strcmp(client_string(explanation, earlier->member),
					client_string(explanation, row->member)) != 0)
		earlier++;
	return earlier;
}

/*
 * Does not repeat a reply: the text of TEMP can be long. A reply without text, `NOTFOUND `, ends in
 * a blank.
 */
static void print_reply(
	const struct terminal *terminal, const json_t *explanation, const struct reply_row *row)
{
	const char *reply = client_string(explanation, row->member);
	const struct reply_row *equal = find_equal(explanation, row);
	size_t size = strlen(reply);

	if (size > 0 && reply[size - 1] == ' ')
		size--;
	if (size > 0)
		terminal_print_row(terminal, 0, row->style, row->label, TEXT_COLUMN, "%s%s%.*s",
			row->words, equal == row ? "" : "the same as ",
			equal == row ? (int)size : (int)strlen(equal->label),
			equal == row ? reply : equal->label);
}

static void print_replies(const struct terminal *terminal, const json_t *explanation)
{
	const char *not_pinned = client_string(explanation, "not_pinned");

	terminal_print_blank(terminal);
	terminal_print_row(terminal, 0, TERMINAL_PLAIN, "rule", TEXT_COLUMN, "%s: %s",
		client_string(explanation, "reason"), client_string(explanation, "rule"));
	print_rules(terminal, explanation);
	for (size_t i = 0; i < sizeof reply_rows / sizeof reply_rows[0]; i++)
		print_reply(terminal, explanation, &reply_rows[i]);
	if (not_pinned[0] != '\0')
		terminal_print_row(
			terminal, 0, TERMINAL_WARNING, "not pinned", TEXT_COLUMN, "%s", not_pinned);
	print_times(terminal, explanation);
}

static void print_text(const json_t *explanation, const struct socketmap_reply *reply)
{
	char label[32];
	struct terminal terminal;
	const char *would = client_string(explanation, "would");
	struct page page = {
		&terminal, would[0] != '\0' ? would : client_string(explanation, "reply")};

	terminal_open(&terminal, stdout);
	/* Of a reply OK only the level: the whole reply is printed below. */
	snprintf(label, sizeof label, "%.*s",
		reply->exit_status == CTL_YES ? (int)strcspn(reply->text, " ")
					      : (int)strlen(reply->status),
		reply->exit_status == CTL_YES ? reply->text : reply->status);
	terminal_print_row(&terminal, 0, style_of(label), label, TEXT_COLUMN, "%s",
		client_string(explanation, "destination"));
	print_tree(&page, explanation);
	print_replies(&terminal, explanation);
}

int explanation_print(const struct ctl *ctl, const json_t *explanation)
{
	struct socketmap_reply reply;

	if (!socketmap_reply_parse(&reply, client_string(explanation, "reply"))) {
		client_log_missing("reply");
		return EX_UNAVAILABLE;
	}
	if (ctl->json)
		json_output_print(explanation);
	else
		print_text(explanation, &reply);
	return reply.exit_status;
}
