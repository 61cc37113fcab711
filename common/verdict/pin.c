#include "common/verdict/pin.h"

#include <string.h>

static const char *const obstacle_texts[PIN_OBSTACLE_COUNT] = {
	[PIN_CLEAR] = "nothing prevents it",
	[PIN_NO_DANE] = "the destination has no DANE",
	[PIN_INSECURE_MX] =
		("the MX records are not signed, and [dane] site_level or a minimum asks for more"),
	[PIN_NOT_ALL_HOSTS] = "not every host has usable TLSA records",
	[PIN_MIXED_USAGES] = "DANE-EE and DANE-TA records cannot be combined in one reply",
	[PIN_OTHER_DIGEST] = "its digest algorithm is not that of [dane] fingerprint_digest",
	[PIN_NO_DIRECTORY] = "trust anchors can be passed to Postfix only with [dane] tafile_dir",
	[PIN_ONLY_DIGEST] = ("DNS has only a digest of the trust anchor, and [dane] "
			     "learn_trust_anchors is off"),
	[PIN_TOO_MANY] = "there are more records than fit in a reply",
	[PIN_DAMAGED] = "its cache entry is damaged",
	[PIN_TA_UNKNOWN] = "none of its servers sent the trust anchor that the digest names",
	[PIN_NOT_YET] = "its trust anchors were not fetched in time; the next request tries again",
	[PIN_NOT_WRITTEN] = "the file of trust anchors could not be written to [dane] tafile_dir",
};

const char *pin_obstacle_text(enum pin_obstacle obstacle)
{
	return obstacle < PIN_OBSTACLE_COUNT ? obstacle_texts[obstacle] : "unknown";
}

void pin_walk_start(struct pin_walk *walk, const struct part *host)
{
	struct part_question question;

	part_cursor_start(host, &walk->cursor);
	part_base_domain(&walk->cursor);
	for (unsigned i = 0; i < host->header.count && !walk->cursor.damaged; i++)
		part_next_question(&walk->cursor, &question);
	walk->left = part_tlsa_count(&walk->cursor);
}

bool pin_walk_next(struct pin_walk *walk, struct tlsa_record *record)
{
	while (walk->left > 0 && !walk->cursor.damaged) {
		struct part_tlsa tlsa;

		walk->left--;
		part_next_tlsa(&walk->cursor, &tlsa);
		if (!walk->cursor.damaged && tlsa.usability == TLSA_USABLE &&
			tlsa_read(tlsa.rdata.bytes, tlsa.rdata.size, record))
			return true;
	}
	return false;
}

/* RFC 7671 5.1: for DANE-EE only the digest matters, as at Postfix's level fingerprint. */
static enum pin_obstacle digest_of(const struct pin_settings *settings,
	const struct tlsa_record *record, uint8_t *entry, size_t *size)
{
	return tlsa_digest(record, settings->digest, entry, size) ? PIN_CLEAR : PIN_OTHER_DIGEST;
}

static enum pin_obstacle ta_of(const struct pin_settings *settings,
	const struct tlsa_record *record, uint8_t *entry, size_t *size)
{
	struct ta_digest ta = {.selector = record->selector};
	size_t digest_size;

	if (!settings->tas)
		return PIN_NO_DIRECTORY;
	if (record->matching_type != TLSA_FULL && !settings->learn)
		return PIN_ONLY_DIGEST;
	ta.matching_type = record->matching_type == TLSA_FULL ? TLSA_SHA256 : record->matching_type;
	if (!tlsa_digest(record, ta.matching_type, ta.digest, &digest_size))
		return PIN_TA_UNKNOWN;
	memcpy(entry, &ta, sizeof ta);
	*size = sizeof ta;
	return PIN_CLEAR;
}

enum pin_obstacle pin_record(const struct pin_settings *settings, const struct tlsa_record *record,
	uint8_t *entry, size_t *size)
{
	return record->usage == TLSA_DANE_EE ? digest_of(settings, record, entry, size)
					     : ta_of(settings, record, entry, size);
}

/* Add an entry at its place in the order, unless it is already there. */
static bool add(struct pins *pins, const uint8_t *entry)
{
	size_t low = 0, high = pins->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = memcmp(entry, pins->entries + middle * pins->size, pins->size);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if ((pins->count + 1) * pins->size > sizeof pins->entries)
		return false;
	uint8_t *place = pins->entries + low * pins->size;
	memmove(place + pins->size, place, (pins->count - low) * pins->size);
	memcpy(place, entry, pins->size);
	pins->count++;
	return true;
}

static bool give_up(struct pins *pins, enum pin_obstacle obstacle)
{
	pins->form = PIN_NOTHING;
	pins->obstacle = obstacle;
	return false;
}

static bool add_record(
	const struct pin_settings *settings, struct pins *pins, const struct tlsa_record *record)
{
	enum pin_form form = record->usage == TLSA_DANE_EE ? PIN_FINGERPRINTS : PIN_TAS;
	uint8_t entry[sizeof(struct ta_digest)];

	if (pins->form != PIN_NOTHING && pins->form != form)
		return give_up(pins, PIN_MIXED_USAGES);
	enum pin_obstacle obstacle = pin_record(settings, record, entry, &pins->size);
	if (obstacle != PIN_CLEAR)
		return give_up(pins, obstacle);
	pins->form = form;
	return add(pins, entry) || give_up(pins, PIN_TOO_MANY);
}

static bool add_host(const struct pin_settings *settings, struct pins *pins,
	const struct evidence *evidence, size_t index)
{
	struct pin_walk walk;
	struct tlsa_record record;

	pin_walk_start(&walk, &evidence->hosts[index].part);
	while (pin_walk_next(&walk, &record)) {
		if (add_record(settings, pins, &record))
			continue;
		pins->at_record = true;
		pins->host = index;
		pins->record = record;
		return false;
	}
	return !walk.cursor.damaged || give_up(pins, PIN_DAMAGED);
}

/* Postfix skips a host whose lookup failed, and cannot use a host without an address. */
static bool counts(enum host_status status)
{
	return status != HOST_FAILED && status != HOST_UNREACHABLE;
}

void pin_collect(const struct pin_settings *settings, const struct evidence *evidence,
	struct verdict verdict, struct pins *pins)
{
	pins->form = PIN_NOTHING;
	pins->obstacle = PIN_CLEAR;
	pins->at_record = false;
	pins->count = 0;
	if (verdict.level != VERDICT_DANE && verdict.level != VERDICT_DANE_ONLY) {
		pins->obstacle = PIN_NO_DANE;
		return;
	}
	if (verdict.reason == REASON_DANE_INSECURE_MX && settings->strict_site) {
		give_up(pins, PIN_INSECURE_MX);
		return;
	}
	if (verdict.reason == REASON_DANE_UNUSABLE) {
		pins->form = PIN_ENCRYPT;
		return;
	}
	for (size_t i = 0; i < evidence->host_count; i++) {
		enum host_status status = evidence->hosts[i].part.header.status;

		if (!counts(status))
			continue;
		/* The policy demands authentication: the other hosts get no mail. */
		if (status != HOST_USABLE && verdict.reason == REASON_DANE_PARTIAL_STS)
			continue;
		if (status != HOST_USABLE) {
			give_up(pins, PIN_NOT_ALL_HOSTS);
			return;
		}
		if (!add_host(settings, pins, evidence, i))
			return;
	}
	if (pins->count == 0)
		give_up(pins, PIN_DAMAGED);
}

void pin_explain(const struct pins *pins, const struct evidence *evidence, struct text *out)
{
	if (pins->at_record) {
		const struct evidence_host *host = &evidence->hosts[pins->host];
		text_add_escaped(out, host->name, host->name_size);
		text_add_format(out, ", TLSA %u %u %u: ", pins->record.usage, pins->record.selector,
			pins->record.matching_type);
	}
	text_add(out, pin_obstacle_text(pins->obstacle));
}
