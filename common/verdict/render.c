#include "common/verdict/render.h"

#include <stdlib.h>
#include <string.h>

/* --- names and digests --------------------------------------------------------------------- */

static void add_digests(struct text *out, const struct pins *pins)
{
	for (size_t i = 0; i < pins->count; i++) {
		if (i > 0)
			text_add(out, "|");
		text_add_fingerprint(out, pins->entries + i * pins->size, pins->size);
	}
}

/* The names of the current `match`. */
struct names {
	struct text *out; /* NULL: only count them */
	size_t count;
	struct {
		const char *bytes;
		size_t size;
	} names[2 * PART_HOSTS_MAX + 1];
};

/*
 * A single label is left out: it could be `nexthop` or `hostname`, which Postfix would replace by
 * another name, in the second case by one from DNS.
 */
static bool can_match(const char *name, size_t size)
{
	return memchr(name, '.', size) != NULL && destination_name_valid(name, size);
}

static void add_name(struct names *names, const char *name, size_t size)
{
	if (!can_match(name, size))
		return;
	for (size_t i = 0; i < names->count; i++) {
		if (names->names[i].size == size && memcmp(names->names[i].bytes, name, size) == 0)
			return;
	}
	if (names->out != NULL) {
		if (names->count > 0)
			text_add(names->out, ":");
		text_add_bytes(names->out, name, size);
	}
	names->names[names->count].bytes = name;
	names->names[names->count++].size = size;
}

size_t render_match_names(struct text *out, const struct evidence *evidence)
{
	const struct destination *destination = evidence->destination;
	struct names names = {.out = out, .count = 0};

	for (size_t i = 0; i < evidence->host_count; i++) {
		const struct evidence_host *host = &evidence->hosts[i];
		struct part_cursor cursor;

		if (host->part.header.status != HOST_USABLE)
			continue;
		part_cursor_start(&host->part, &cursor);
		struct part_bytes base_domain = part_base_domain(&cursor);
		add_name(&names, (const char *)base_domain.bytes, base_domain.size);
		add_name(&names, host->name, host->name_size);
	}
	if (destination->kind == DESTINATION_DOMAIN)
		add_name(&names, destination->name, destination->name_length);
	return names.count;
}

/* --- MTA-STS ------------------------------------------------------------------------------- */

/* The patterns, as Postfix's `match` has them: `.example.com` for `*.example.com`. */
static void add_patterns(struct text *out, const struct part *sts)
{
	struct part_cursor cursor;
	struct sts_facts facts;
	struct sts_pattern pattern;

	part_cursor_start(sts, &cursor);
	part_read_sts(&cursor, &facts);
	for (size_t i = 0; i < facts.pattern_count; i++) {
		part_next_sts_pattern(&cursor, &pattern);
		size_t wildcard = pattern.size > 0 && pattern.name[0] == '*' ? 1 : 0;
		if (i > 0)
			text_add(out, ":");
		text_add_bytes(out, pattern.name + wildcard, pattern.size - wildcard);
	}
}

/* Braces and quotes have a meaning in Postfix's attributes. */
static bool has_no_syntax(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		if (byte < ' ' || byte == 0x7f || byte == '{' || byte == '}' || byte == '"')
			return false;
	}
	return true;
}

static bool is_reportable(const struct sts_line *line)
{
	return !line->left_out && has_no_syntax(line->key, line->key_size) &&
	       has_no_syntax(line->value, line->value_size);
}

static void add_lines(struct text *out, struct part_cursor *cursor)
{
	struct sts_line line;

	for (size_t left = part_sts_line_count(cursor); left > 0 && !cursor->damaged; left--) {
		part_next_sts_line(cursor, &line);
		if (cursor->damaged || !is_reportable(&line))
			continue;
		text_add(out, " { policy_string = ");
		text_add_bytes(out, line.key, line.key_size);
		text_add(out, ": ");
		text_add_bytes(out, line.value, line.value_size);
		text_add(out, " }");
	}
}

/* Postfix's attributes of a policy (TLSRPT_README, postconf(5) smtp_tls_policy_maps). */
static void add_report(struct text *out, const struct evidence *evidence, bool lines)
{
	struct part_cursor cursor, patterns;
	struct sts_facts facts;
	struct sts_pattern pattern;

	part_cursor_start(&evidence->sts, &cursor);
	part_read_sts(&cursor, &facts);
	patterns = cursor;
	text_add(out, " policy_type=sts policy_domain=");
	text_add(out, evidence->destination->name);
	for (size_t i = 0; i < facts.pattern_count; i++)
		part_next_sts_pattern(&cursor, &pattern);
	if (lines)
		add_lines(out, &cursor);
	for (size_t i = 0; i < facts.pattern_count; i++) {
		part_next_sts_pattern(&patterns, &pattern);
		text_add(out, " mx_host_pattern=");
		text_add_bytes(out, pattern.name, pattern.size);
	}
}

/* As much as Postfix accepts after `OK `. */
static void add_report_that_fits(struct text *out, size_t value, const struct evidence *evidence)
{
	static const size_t max = RENDER_REPLY_MAX - (sizeof "OK " - 1);
	size_t before = out->used;

	for (unsigned attempt = 0; attempt < 2; attempt++) {
		add_report(out, evidence, attempt == 0);
		if (!out->cut && out->used - value <= max)
			return;
		text_cut(out, before);
	}
}

/* --- TLSA records -------------------------------------------------------------------------- */

static int compare_records(const void *one, const void *other)
{
	const struct tlsa_record *a = one, *b = other;
	unsigned first = (unsigned)a->usage << 16 | (unsigned)a->selector << 8 | a->matching_type;
	unsigned second = (unsigned)b->usage << 16 | (unsigned)b->selector << 8 | b->matching_type;
	size_t common = a->data_size < b->data_size ? a->data_size : b->data_size;

	if (first != second)
		return first < second ? -1 : 1;
	int order = memcmp(a->data, b->data, common);
	return order != 0 ? order : (a->data_size > b->data_size) - (a->data_size < b->data_size);
}

bool render_measure_tlsa(const struct part *host, size_t *count, size_t *size)
{
	/* The three numbers of a usable record have one digit each, with a blank after each. */
	enum { NUMBERS = sizeof "3 1 1 " - 1, SEPARATOR = sizeof ", " - 1 };
	struct pin_walk walk;
	struct tlsa_record record;

	*count = *size = 0;
	pin_walk_start(&walk, host);
	while (pin_walk_next(&walk, &record)) {
		*size += (*count > 0 ? SEPARATOR : 0) + NUMBERS + 2 * record.data_size;
		(*count)++;
	}
	return !walk.cursor.damaged;
}

static void add_record(struct text *out, const struct tlsa_record *record, bool first)
{
	text_add_format(out, "%s%u %u %u ", first ? "" : ", ", record->usage, record->selector,
		record->matching_type);
	text_add_hex(out, record->data, record->data_size);
}

/* Sorted, so that the same records give the same reply. Without memory, in the order of DNS. */
static void add_tlsa(struct text *out, const struct part *host)
{
	struct tlsa_record *records = NULL, record;
	size_t count = 0;
	struct pin_walk walk;

	pin_walk_start(&walk, host);
	if (walk.left > 0)
		records = calloc(walk.left, sizeof *records);
	for (; pin_walk_next(&walk, &record); count++) {
		if (records != NULL)
			records[count] = record;
		else
			add_record(out, &record, count == 0);
	}
	if (records == NULL)
		return;
	qsort(records, count, sizeof *records, compare_records);
	for (size_t i = 0; i < count; i++)
		add_record(out, &records[i], i == 0);
	free(records);
}

/* --- replies ------------------------------------------------------------------------------- */

void render_failure(struct text *out, const struct part_failure *failure)
{
	text_add_escaped(out, failure->name, strlen(failure->name));
	text_add(out, " ");
	text_add(out, dns_type_name(failure->type));
	text_add(out, ": ");
	text_add(out, dns_failure_name(failure->failure));
	if (failure->detail[0] != '\0') {
		text_add(out, ": ");
		text_add_escaped(out, failure->detail, strlen(failure->detail));
	}
}

static void add_policy(struct text *out, const struct reply *reply)
{
	size_t value = out->used;

	text_add(out, tls_level_names[reply->level]);
	switch (reply->match) {
	case MATCH_NONE:
		return;
	case MATCH_NEXTHOP:
		text_add(out, " match=nexthop:dot-nexthop");
		return;
	case MATCH_DIGESTS:
		text_add(out, " match=");
		add_digests(out, reply->pins);
		return;
	case MATCH_HOSTS:
		text_add(out, " match=");
		render_match_names(out, reply->evidence);
		text_add(out, " tafile=");
		text_add(out, reply->ta_file);
		return;
	case MATCH_STS:
		text_add(out, " match=");
		add_patterns(out, &reply->evidence->sts);
		text_add(out, " servername=hostname");
		if (reply->tlsrpt)
			add_report_that_fits(out, value, reply->evidence);
		return;
	}
}

void render_value(struct text *out, const struct reply *reply)
{
	switch (reply->content) {
	case REPLY_POLICY:
		add_policy(out, reply);
		return;
	case REPLY_TLSA:
		add_tlsa(out, &reply->evidence->hosts[0].part);
		return;
	case REPLY_TEXT:
		text_add(out, reply->text);
		return;
	}
}

static void add_why(struct text *out, const struct reply *reply)
{
	struct part_failure failure;

	if (reply->text != NULL)
		text_add(out, reply->text);
	else if (reply->evidence != NULL && evidence_failure(reply->evidence, &failure))
		render_failure(out, &failure);
	else
		text_add(out, "lookup failed");
}

void render_reply(struct text *out, const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_OK:
		text_add(out, "OK ");
		render_value(out, reply);
		return;
	case REPLY_TEMP:
		text_add(out, "TEMP ");
		add_why(out, reply);
		return;
	case REPLY_PERM:
		text_add(out, "PERM ");
		if (reply->text != NULL)
			text_add(out, reply->text);
		return;
	default:
		/* The blank is part of the reply (socketmap_table(5)). */
		text_add(out, "NOTFOUND ");
	}
}
