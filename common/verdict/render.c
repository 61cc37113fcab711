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
