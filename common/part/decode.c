#include "common/part/layout.h"
#include "common/part/part.h"

static void read_header(struct part_header *header, const uint8_t *bytes)
{
	header->stored_at = layout_get_u32(bytes + PART_AT_STORED_AT);
	header->refresh_at = layout_get_u32(bytes + PART_AT_REFRESH_AT);
	header->expires = layout_get_u32(bytes + PART_AT_EXPIRES);
	header->stale_until = layout_get_u32(bytes + PART_AT_STALE_UNTIL);
	header->kind = bytes[PART_AT_KIND];
	header->status = bytes[PART_AT_STATUS];
	header->security = bytes[PART_AT_SECURITY];
	header->flags = bytes[PART_AT_FLAGS];
	header->count = bytes[PART_AT_COUNT];
}

bool part_open(struct part *part, enum part_kind kind, const uint8_t *bytes, size_t size)
{
	if (size < PART_HEADER_SIZE || bytes[PART_AT_VERSION] != PART_VERSION)
		return false;
	read_header(&part->header, bytes);
	part->bytes = bytes;
	part->size = size;
	const struct part_kind_format *format = part_kind_format(kind);
	return format != NULL && part->header.kind == kind &&
	       part->header.status < format->status_count && part->header.count <= PART_HOSTS_MAX;
}

uint32_t part_expires(const uint8_t *bytes)
{
	return layout_get_u32(bytes + PART_AT_EXPIRES);
}

bool part_intact(const uint8_t *bytes, size_t size, const char *key, size_t key_size)
{
	return size > PART_AT_VERSION && layout_get_u32(bytes + PART_AT_CHECKSUM) ==
						 layout_checksum(bytes, size, key, key_size);
}

bool part_fresh(const struct part_header *header, uint32_t now)
{
	return now < header->expires &&
	       (uint64_t)header->stored_at <= (uint64_t)now + PART_CLOCK_SLACK;
}

static const uint8_t *take(struct part_cursor *cursor, size_t size)
{
	static const uint8_t nothing[UINT8_MAX];

	if ((size_t)(cursor->end - cursor->at) < size) {
		cursor->damaged = true;
		cursor->at = cursor->end;
		/* Numbers are read as zero; the caller sets the size of longer fields to zero. */
		return nothing;
	}
	const uint8_t *at = cursor->at;
	cursor->at += size;
	return at;
}

static uint8_t take_u8(struct part_cursor *cursor)
{
	return *take(cursor, 1);
}

static uint16_t take_u16(struct part_cursor *cursor)
{
	return layout_get_u16(take(cursor, 2));
}

static uint32_t take_u32(struct part_cursor *cursor)
{
	return layout_get_u32(take(cursor, 4));
}

static struct part_bytes take_bytes(struct part_cursor *cursor, size_t size)
{
	struct part_bytes bytes = {take(cursor, size), size};
	if (cursor->damaged)
		bytes.size = 0;
	return bytes;
}

static struct part_bytes take_string(struct part_cursor *cursor)
{
	return take_bytes(cursor, take_u8(cursor));
}

static void copy_string(char *out, size_t size, struct part_bytes bytes)
{
	if (bytes.size >= size)
		bytes.size = size - 1;
	memcpy(out, bytes.bytes, bytes.size);
	out[bytes.size] = '\0';
}

static void skip_failure(struct part_cursor *cursor)
{
	take(cursor, 3);
	take_string(cursor);
	take_string(cursor);
}

void part_cursor_start(const struct part *part, struct part_cursor *cursor)
{
	cursor->at = part->bytes + PART_HEADER_SIZE;
	cursor->end = part->bytes + part->size;
	cursor->damaged = false;
	if ((part->header.flags & PART_HAS_FAILURE) != 0)
		skip_failure(cursor);
}

const uint8_t *part_bytes_of(const struct part *part, size_t *size)
{
	*size = part->size - PART_HEADER_SIZE;
	return part->bytes + PART_HEADER_SIZE;
}

void part_next_mx_host(struct part_cursor *cursor, struct part_mx_host *host)
{
	host->preference = take_u16(cursor);
	struct part_bytes name = take_string(cursor);
	if (name.size > DNS_NAME_MAX) {
		cursor->damaged = true;
		name.size = 0;
	}
	host->name = (const char *)name.bytes;
	host->name_size = (uint8_t)name.size;
}

struct part_bytes part_base_domain(struct part_cursor *cursor)
{
	return take_string(cursor);
}

void part_next_question(struct part_cursor *cursor, struct part_question *question)
{
	question->type = take_u16(cursor);
	question->outcome = take_u8(cursor);
	question->security = take_u8(cursor);
	question->failure = take_u8(cursor);
	question->expires = take_u32(cursor);
	question->name = take_string(cursor);
	question->canonical_name = take_string(cursor);
	question->detail = take_string(cursor);
	question->address_count = take_u8(cursor);
	question->address_size = question->type == DNS_TYPE_A ? 4 : 16;
	struct part_bytes addresses =
		take_bytes(cursor, question->address_count * question->address_size);
	question->addresses = addresses.bytes;
	if (cursor->damaged)
		question->address_count = 0;
}

size_t part_tlsa_count(struct part_cursor *cursor)
{
	return take_u16(cursor);
}

void part_next_tlsa(struct part_cursor *cursor, struct part_tlsa *tlsa)
{
	tlsa->usability = take_u8(cursor);
	tlsa->rdata = take_bytes(cursor, take_u16(cursor));
}

void part_read_sts(struct part_cursor *cursor, struct sts_facts *facts)
{
	/* Not memset(): this is part of a reply from the cache, and most of the size is strings. */
	facts->status = STS_ABSENT;
	facts->patterns = NULL;
	facts->line_count = 0;
	facts->lines = NULL;
	facts->discovery = take_u8(cursor);
	copy_string(facts->id, sizeof facts->id, take_string(cursor));
	facts->max_age = take_u32(cursor);
	facts->fetched_at = take_u32(cursor);
	facts->asked_at = take_u32(cursor);
	facts->failures = take_u8(cursor);
	facts->failed_at = take_u32(cursor);
	facts->retry_at = take_u32(cursor);
	facts->warned_at = take_u32(cursor);
	copy_string(facts->failed_id, sizeof facts->failed_id, take_string(cursor));
	copy_string(facts->failure, sizeof facts->failure, take_string(cursor));
	facts->pattern_count = take_u16(cursor);
}

void part_next_sts_pattern(struct part_cursor *cursor, struct sts_pattern *pattern)
{
	struct part_bytes name = take_string(cursor);

	pattern->name = (const char *)name.bytes;
	pattern->size = name.size;
}

size_t part_sts_line_count(struct part_cursor *cursor)
{
	return take_u16(cursor);
}

void part_next_sts_line(struct part_cursor *cursor, struct sts_line *line)
{
	line->left_out = take_u8(cursor) != 0;
	struct part_bytes key = take_string(cursor);
	struct part_bytes value = take_bytes(cursor, take_u16(cursor));
	line->key = (const char *)key.bytes;
	line->key_size = key.size;
	line->value = (const char *)value.bytes;
	line->value_size = value.size;
}

bool part_failure(const struct part *part, struct part_failure *failure)
{
	struct part_cursor cursor = {
		.at = part->bytes + PART_HEADER_SIZE,
		.end = part->bytes + part->size,
	};

	memset(failure, 0, sizeof *failure);
	if ((part->header.flags & PART_HAS_FAILURE) == 0)
		return false;
	failure->failure = take_u8(&cursor);
	failure->type = take_u16(&cursor);
	copy_string(failure->name, sizeof failure->name, take_string(&cursor));
	copy_string(failure->detail, sizeof failure->detail, take_string(&cursor));
	return !cursor.damaged;
}
