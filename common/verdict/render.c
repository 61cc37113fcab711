#include "common/verdict/render.h"

#include <stdlib.h>
#include <string.h>

/* At `dane` a host without DANE is reached at `may`: is that less than the site asks for? */
static bool site_is_above_may(enum site_level site)
{
	return site == SITE_ENCRYPT || site >= SITE_DANE_ONLY;
}

struct reply render_native(struct verdict verdict, enum site_level site)
{
	switch (verdict.level) {
	case VERDICT_TEMP:
		return (struct reply){REPLY_TEMP, NULL};
	case VERDICT_DANE_ONLY:
		return (struct reply){REPLY_OK, "dane-only"};
	case VERDICT_DANE:
		if (!site_is_above_may(site))
			return (struct reply){REPLY_OK, "dane"};
		/* Unusable records make TLS mandatory: a site that asks for that gets it. */
		if (verdict.reason == REASON_DANE_UNUSABLE && site == SITE_ENCRYPT)
			return (struct reply){REPLY_OK, "encrypt"};
		return (struct reply){REPLY_NOTFOUND, NULL};
	case VERDICT_NOTFOUND:
		break;
	}
	return (struct reply){REPLY_NOTFOUND, NULL};
}

struct reply render_encrypt(enum site_level site)
{
	if (site >= SITE_DANE_ONLY)
		return (struct reply){REPLY_NOTFOUND, NULL};
	return (struct reply){REPLY_OK, "encrypt"};
}

bool render_fingerprints(struct text *out, const struct pins *pins)
{
	text_add(out, "OK fingerprint match=");
	for (size_t i = 0; i < pins->count; i++) {
		if (i > 0)
			text_add(out, "|");
		text_add_fingerprint(out, pins->entries + i * pins->size, pins->size);
	}
	return !out->cut;
}

/* Names of a `match` that is being written. */
struct names {
	struct text *out;
	size_t count;
	struct {
		const char *bytes;
		size_t size;
	} names[2 * PART_HOSTS_MAX + 1];
};

/* One label could be `nexthop` or `hostname`, which Postfix would replace by a name from DNS. */
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
	if (names->count > 0)
		text_add(names->out, ":");
	text_add_bytes(names->out, name, size);
	names->names[names->count].bytes = name;
	names->names[names->count++].size = size;
}

bool render_tas(struct text *out, const struct evidence *evidence, const char *file)
{
	const struct destination *destination = evidence->destination;
	struct names names = {.out = out, .count = 0};

	text_add(out, "OK secure match=");
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
	text_add(out, " tafile=");
	text_add(out, file);
	return names.count > 0 && !out->cut;
}

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

bool render_tlsa(struct text *out, const struct part *host, size_t *count)
{
	struct tlsa_record *records = NULL, record;
	struct pin_walk walk;

	*count = 0;
	pin_walk_start(&walk, host);
	if (walk.left > 0) {
		records = calloc(walk.left, sizeof *records);
		if (records == NULL)
			return false;
	}
	while (pin_walk_next(&walk, &record))
		records[(*count)++] = record;
	if (*count > 0)
		qsort(records, *count, sizeof *records, compare_records);
	for (size_t i = 0; i < *count; i++) {
		text_add_format(out, "%s%u %u %u ", i > 0 ? ", " : "", records[i].usage,
			records[i].selector, records[i].matching_type);
		text_add_hex(out, records[i].data, records[i].data_size);
	}
	free(records);
	return !out->cut && !walk.cursor.damaged;
}

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

void render_reply(struct text *out, const struct reply *reply, const struct part_failure *failure)
{
	switch (reply->kind) {
	case REPLY_OK:
		text_add(out, "OK ");
		text_add(out, reply->policy);
		return;
	case REPLY_TEMP:
		text_add(out, "TEMP ");
		if (failure != NULL)
			render_failure(out, failure);
		else
			text_add(out, "lookup failed");
		return;
	case REPLY_PERM:
		text_add(out, "PERM ");
		return;
	default:
		/* The blank is part of the reply (socketmap_table(5)). */
		text_add(out, "NOTFOUND ");
	}
}
