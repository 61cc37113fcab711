#include "common/part/layout.h"
#include "common/part/part.h"

#include <stdlib.h>
#include <string.h>

struct writer {
	uint8_t *bytes; /* NULL once memory ran out */
	size_t used, size;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
	if (writer->bytes == NULL)
		return;
	if (writer->size - writer->used < size) {
		size_t more = (writer->used + size) * 2;
		uint8_t *moved = realloc(writer->bytes, more);
		if (moved == NULL) {
			free(writer->bytes);
			writer->bytes = NULL;
			return;
		}
		writer->bytes = moved;
		writer->size = more;
	}
	if (size > 0)
		memcpy(writer->bytes + writer->used, bytes, size);
	writer->used += size;
}

static void put_u8(struct writer *writer, size_t value)
{
	uint8_t byte = (uint8_t)value;
	put(writer, &byte, sizeof byte);
}

static void put_u16(struct writer *writer, size_t value)
{
	uint8_t pair[2];
	layout_put_u16(pair, (uint16_t)value);
	put(writer, pair, sizeof pair);
}

static void put_u32(struct writer *writer, uint32_t value)
{
	uint8_t four[4];
	layout_put_u32(four, value);
	put(writer, four, sizeof four);
}

/* Longer bytes are cut. */
static void put_short(struct writer *writer, const char *bytes, size_t size)
{
	if (size > UINT8_MAX)
		size = UINT8_MAX;
	put_u8(writer, size);
	put(writer, bytes, size);
}

static void put_string(struct writer *writer, const char *string)
{
	put_short(writer, string, strlen(string));
}

static void put_failure(struct writer *writer, const struct part_failure *failure)
{
	put_u8(writer, failure->failure);
	put_u16(writer, failure->type);
	put_string(writer, failure->name);
	put_string(writer, failure->detail);
}

/* Write the header, with kind, status, security and count from `header`, and the failure. */
static void start(struct writer *writer, const struct part_header *header,
	const struct part_times *times, const struct part_failure *failure)
{
	uint8_t bytes[PART_HEADER_SIZE] = {
		[PART_AT_VERSION] = PART_VERSION,
		[PART_AT_KIND] = header->kind,
		[PART_AT_STATUS] = header->status,
		[PART_AT_SECURITY] = header->security,
		/* The flags may come from an older part, which may have had a failure. */
		[PART_AT_FLAGS] = (uint8_t)((times->flags & ~PART_HAS_FAILURE) |
					    (failure != NULL ? PART_HAS_FAILURE : 0)),
		[PART_AT_COUNT] = header->count,
	};

	layout_put_u32(bytes + PART_AT_STORED_AT, times->stored_at);
	layout_put_u32(bytes + PART_AT_REFRESH_AT, times->refresh_at);
	layout_put_u32(bytes + PART_AT_EXPIRES, times->expires);
	layout_put_u32(bytes + PART_AT_STALE_UNTIL, times->stale_until);
	writer->size = 256;
	writer->used = 0;
	writer->bytes = malloc(writer->size);
	put(writer, bytes, sizeof bytes);
	if (failure != NULL)
		put_failure(writer, failure);
}

static uint8_t *finish(struct writer *writer, const char *key, size_t key_size, size_t *size)
{
	if (writer->bytes == NULL)
		return NULL;
	layout_put_u32(writer->bytes + PART_AT_CHECKSUM,
		layout_checksum(writer->bytes, writer->used, key, key_size));
	*size = writer->used;
	return writer->bytes;
}

uint8_t *part_encode_mx(const struct mx_set *set, const struct part_times *times, const char *key,
	size_t key_size, size_t *size)
{
	size_t count = set->host_count < PART_HOSTS_MAX ? set->host_count : PART_HOSTS_MAX;
	struct part_header header = {
		.kind = PART_MX,
		.status = (uint8_t)set->status,
		.security = (uint8_t)set->security,
		.count = (uint8_t)count,
	};
	struct writer writer;

	start(&writer, &header, times, set->status == MX_FAILED ? &set->failure : NULL);
	for (size_t i = 0; i < count; i++) {
		put_u16(&writer, set->hosts[i].preference);
		put_string(&writer, set->hosts[i].name);
	}
	return finish(&writer, key, key_size, size);
}

static void put_question(
	struct writer *writer, const struct host_question *question, uint32_t stored_at)
{
	uint32_t expires =
		question->ttl > UINT32_MAX - stored_at ? UINT32_MAX : stored_at + question->ttl;

	put_u16(writer, question->type);
	put_u8(writer, question->outcome);
	put_u8(writer, question->security);
	put_u8(writer, question->failure);
	put_u32(writer, expires);
	put_string(writer, question->name);
	put_string(writer, question->canonical_name);
	put_string(writer, question->detail);
	put_u8(writer, question->address_count);
	for (size_t i = 0; i < question->address_count; i++)
		put(writer, question->addresses[i], question->type == DNS_TYPE_A ? 4 : 16);
}

uint8_t *part_encode_host(const struct host_facts *facts, const struct part_times *times,
	const char *key, size_t key_size, size_t *size)
{
	struct part_header header = {
		.kind = PART_HOST,
		.status = (uint8_t)facts->status,
		.count = (uint8_t)facts->question_count,
	};
	struct writer writer;

	start(&writer, &header, times, facts->status == HOST_FAILED ? &facts->failure : NULL);
	put_string(&writer, facts->base_domain);
	for (size_t i = 0; i < facts->question_count; i++)
		put_question(&writer, &facts->questions[i], times->stored_at);
	put_u16(&writer, facts->tlsa_count);
	for (size_t i = 0; i < facts->tlsa_count; i++) {
		put_u8(&writer, facts->tlsa[i].usability);
		put_u16(&writer, facts->tlsa[i].size);
		put(&writer, facts->tlsa[i].rdata, facts->tlsa[i].size);
	}
	return finish(&writer, key, key_size, size);
}

static void put_line(struct writer *writer, const struct sts_line *line)
{
	size_t size = line->value_size < UINT16_MAX ? line->value_size : UINT16_MAX;

	put_u8(writer, line->left_out);
	put_short(writer, line->key, line->key_size);
	put_u16(writer, size);
	put(writer, line->value, size);
}

uint8_t *part_encode_sts(const struct sts_facts *facts, const struct part_times *times,
	const char *key, size_t key_size, size_t *size)
{
	size_t patterns = facts->pattern_count < UINT16_MAX ? facts->pattern_count : UINT16_MAX;
	size_t lines = facts->line_count < UINT16_MAX ? facts->line_count : UINT16_MAX;
	struct part_header header = {.kind = PART_STS, .status = (uint8_t)facts->status};
	struct writer writer;

	start(&writer, &header, times, NULL);
	put_u8(&writer, facts->discovery);
	put_string(&writer, facts->id);
	put_u32(&writer, facts->max_age);
	put_u32(&writer, facts->fetched_at);
	put_u32(&writer, facts->asked_at);
	put_u8(&writer, facts->failures < UINT8_MAX ? facts->failures : UINT8_MAX);
	put_u32(&writer, facts->failed_at);
	put_u32(&writer, facts->retry_at);
	put_u32(&writer, facts->warned_at);
	put_string(&writer, facts->failed_id);
	put_string(&writer, facts->failure);
	put_u16(&writer, patterns);
	for (size_t i = 0; i < patterns; i++)
		put_short(&writer, facts->patterns[i].name, facts->patterns[i].size);
	put_u16(&writer, lines);
	for (size_t i = 0; i < lines; i++)
		put_line(&writer, &facts->lines[i]);
	return finish(&writer, key, key_size, size);
}

static void set_back(uint8_t *at, uint32_t seconds)
{
	uint32_t time = layout_get_u32(at);

	/* 0 and UINT32_MAX are not times: never, and without an end. */
	if (time != 0 && time != UINT32_MAX)
		layout_put_u32(at, time > seconds ? time - seconds : 1);
}

/* The times after the id, unless the part ends before. */
static void set_back_facts(uint8_t *at, size_t size, uint32_t seconds)
{
	static const uint8_t offsets[] = {STS_AT_FETCHED_AT, STS_AT_ASKED_AT, STS_AT_FAILED_AT,
		STS_AT_RETRY_AT, STS_AT_WARNED_AT};
	/* The discovery, the length of the id, the id. */
	size_t before = size >= 2 ? 2 + (size_t)at[1] : 2;

	if (size < before + STS_TIMES_SIZE)
		return;
	for (size_t i = 0; i < sizeof offsets; i++)
		set_back(at + before + offsets[i], seconds);
}

void part_sts_set_back(
	uint8_t *bytes, size_t size, uint32_t seconds, const char *key, size_t key_size)
{
	struct part_cursor body;
	struct part part;

	if (!part_open(&part, PART_STS, bytes, size))
		return;
	set_back(bytes + PART_AT_STORED_AT, seconds);
	set_back(bytes + PART_AT_REFRESH_AT, seconds);
	set_back(bytes + PART_AT_EXPIRES, seconds);
	part_cursor_start(&part, &body);
	set_back_facts(bytes + (body.at - bytes), (size_t)(body.end - body.at), seconds);
	layout_put_u32(bytes + PART_AT_CHECKSUM, layout_checksum(bytes, size, key, key_size));
}

uint8_t *part_encode_bytes(enum part_kind kind, const uint8_t *bytes, size_t byte_count,
	const struct part_times *times, const char *key, size_t key_size, size_t *size)
{
	struct part_header header = {.kind = (uint8_t)kind};
	struct writer writer;

	start(&writer, &header, times, NULL);
	put(&writer, bytes, byte_count);
	return finish(&writer, key, key_size, size);
}

uint8_t *part_encode_again(const uint8_t *bytes, size_t old_size, const struct part_times *times,
	const struct part_failure *failure, const char *key, size_t key_size, size_t *size)
{
	struct part old;
	struct part_cursor body;
	struct writer writer;

	if (old_size < PART_HEADER_SIZE ||
		!part_open(&old, (enum part_kind)bytes[PART_AT_KIND], bytes, old_size))
		return NULL;
	part_cursor_start(&old, &body);
	start(&writer, &old.header, times, failure);
	put(&writer, body.at, (size_t)(body.end - body.at));
	return finish(&writer, key, key_size, size);
}
