/*
 * Layout behind the header:
 *
 *   failure    only with PART_HAS_FAILURE: u8 failure, u16 type, string name, string detail
 *   MX set     count * { u16 preference, string name }
 *   anchor     DER of a certificate or of a SubjectPublicKeyInfo
 *   attempt    nothing
 *   host       string base_domain,
 *              count * { u16 type, u8 outcome, u8 security, u8 failure, u32 expires, string name,
 *                        string canonical_name, string detail, u8 addresses,
 *                        addresses * { 4 or 16 octets } },
 *              u16 records, records * { u8 usability, u16 size, octets }
 *
 * A string is a u8 length and its bytes; numbers are in the machine's byte order, unaligned.
 */
#include "common/part/part.h"

#include <stdlib.h>
#include <string.h>

static const char *const mx_status_names[MX_STATUS_COUNT] = {
	[MX_FOUND] = "found",
	[MX_ABSENT] = "absent",
	[MX_NULL] = "null",
	[MX_NXDOMAIN] = "nxdomain",
	[MX_FAILED] = "failed",
};

static const char *const host_status_names[HOST_STATUS_COUNT] = {
	[HOST_USABLE] = "usable",
	[HOST_UNUSABLE] = "unusable",
	[HOST_NONE] = "none",
	[HOST_UNREACHABLE] = "unreachable",
	[HOST_FAILED] = "failed",
};

const char *mx_status_name(enum mx_status status)
{
	return status < MX_STATUS_COUNT ? mx_status_names[status] : "unknown";
}

const char *host_status_name(enum host_status status)
{
	return status < HOST_STATUS_COUNT ? host_status_names[status] : "unknown";
}

size_t part_mx_key(char key[PART_KEY_MAX], const char *domain, size_t size)
{
	key[0] = PART_MX;
	memcpy(key + 1, domain, size);
	return size + 1;
}

size_t part_host_key(char key[PART_KEY_MAX], const char *name, size_t size, uint16_t port)
{
	char digits[5];
	size_t at = sizeof digits;

	key[0] = PART_HOST;
	memcpy(key + 1, name, size);
	size++;
	key[size++] = ':';
	do {
		digits[--at] = (char)('0' + port % 10);
		port /= 10;
	} while (port != 0);
	memcpy(key + size, digits + at, sizeof digits - at);
	return size + sizeof digits - at;
}

/* FNV-1a: against accidents on a disk, not against people; 32 bits are enough for that. */
static uint32_t checksum_add(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ at[i]) * 16777619u;
	return sum;
}

static uint32_t checksum(const uint8_t *bytes, size_t size, const char *key, size_t key_size)
{
	uint32_t sum = checksum_add(2166136261u, key, key_size);
	return checksum_add(sum, bytes + sizeof sum, size - sizeof sum);
}

/* --- to build ------------------------------------------------------------------------------ */

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
	uint16_t pair = (uint16_t)value;
	put(writer, &pair, sizeof pair);
}

static void put_string(struct writer *writer, const char *string)
{
	size_t size = strlen(string);
	if (size > UINT8_MAX)
		size = UINT8_MAX;
	put_u8(writer, size);
	put(writer, string, size);
}

static void put_failure(struct writer *writer, const struct part_failure *failure)
{
	put_u8(writer, failure->failure);
	put_u16(writer, failure->type);
	put_string(writer, failure->name);
	put_string(writer, failure->detail);
}

static void start(struct writer *writer, struct part_header *header, const struct part_times *times,
	const struct part_failure *failure)
{
	header->stored_at = times->stored_at;
	header->refresh_at = times->refresh_at;
	header->expires = times->expires;
	header->stale_until = times->stale_until;
	header->flags = (uint8_t)((times->flags & ~PART_HAS_FAILURE) |
				  (failure != NULL ? PART_HAS_FAILURE : 0));
	writer->size = 256;
	writer->used = 0;
	writer->bytes = malloc(writer->size);
	put(writer, header, sizeof *header);
	if (failure != NULL)
		put_failure(writer, failure);
}

static uint8_t *finish(struct writer *writer, const char *key, size_t key_size, size_t *size)
{
	if (writer->bytes == NULL)
		return NULL;
	uint32_t sum = checksum(writer->bytes, writer->used, key, key_size);
	memcpy(writer->bytes, &sum, sizeof sum);
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

static void put_lookup(
	struct writer *writer, const struct host_lookup_result *lookup, uint32_t stored_at)
{
	uint32_t expires =
		lookup->ttl > UINT32_MAX - stored_at ? UINT32_MAX : stored_at + lookup->ttl;

	put_u16(writer, lookup->type);
	put_u8(writer, lookup->outcome);
	put_u8(writer, lookup->security);
	put_u8(writer, lookup->failure);
	put(writer, &expires, sizeof expires);
	put_string(writer, lookup->name);
	put_string(writer, lookup->canonical_name);
	put_string(writer, lookup->detail);
	put_u8(writer, lookup->address_count);
	for (size_t i = 0; i < lookup->address_count; i++)
		put(writer, lookup->addresses[i], lookup->type == DNS_TYPE_A ? 4 : 16);
}

uint8_t *part_encode_host(const struct host_facts *facts, const struct part_times *times,
	const char *key, size_t key_size, size_t *size)
{
	struct part_header header = {
		.kind = PART_HOST,
		.status = (uint8_t)facts->status,
		.count = (uint8_t)facts->lookup_count,
	};
	struct writer writer;

	start(&writer, &header, times, facts->status == HOST_FAILED ? &facts->failure : NULL);
	put_string(&writer, facts->base_domain);
	for (size_t i = 0; i < facts->lookup_count; i++)
		put_lookup(&writer, &facts->lookups[i], times->stored_at);
	put_u16(&writer, facts->tlsa_count);
	for (size_t i = 0; i < facts->tlsa_count; i++) {
		put_u8(&writer, facts->tlsa[i].usability);
		put_u16(&writer, facts->tlsa[i].size);
		put(&writer, facts->tlsa[i].rdata, facts->tlsa[i].size);
	}
	return finish(&writer, key, key_size, size);
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

/* --- to read ------------------------------------------------------------------------------- */

static unsigned status_count(enum part_kind kind)
{
	switch (kind) {
	case PART_MX:
		return MX_STATUS_COUNT;
	case PART_HOST:
		return HOST_STATUS_COUNT;
	default:
		return 1;
	}
}

bool part_open(struct part *part, enum part_kind kind, const uint8_t *bytes, size_t size)
{
	if (size < sizeof part->header)
		return false;
	memcpy(&part->header, bytes, sizeof part->header);
	part->bytes = bytes;
	part->size = size;
	return part->header.kind == kind && part->header.status < status_count(kind) &&
	       part->header.count <= PART_HOSTS_MAX;
}

bool part_intact(const uint8_t *bytes, size_t size, const char *key, size_t key_size)
{
	uint32_t sum;

	if (size < sizeof(struct part_header))
		return false;
	memcpy(&sum, bytes, sizeof sum);
	return sum == checksum(bytes, size, key, key_size);
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
		/* Numbers read as zero; longer things are given their size by the caller. */
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
	uint16_t value;
	memcpy(&value, take(cursor, sizeof value), sizeof value);
	return value;
}

static uint32_t take_u32(struct part_cursor *cursor)
{
	uint32_t value;
	memcpy(&value, take(cursor, sizeof value), sizeof value);
	return value;
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

static void skip_failure(struct part_cursor *cursor)
{
	take(cursor, 3);
	take_string(cursor);
	take_string(cursor);
}

void part_cursor_start(const struct part *part, struct part_cursor *cursor)
{
	cursor->at = part->bytes + sizeof part->header;
	cursor->end = part->bytes + part->size;
	cursor->damaged = false;
	if ((part->header.flags & PART_HAS_FAILURE) != 0)
		skip_failure(cursor);
}

const uint8_t *part_bytes_of(const struct part *part, size_t *size)
{
	*size = part->size - sizeof part->header;
	return part->bytes + sizeof part->header;
}

void part_next_mx_host(struct part_cursor *cursor, struct part_mx_host *host)
{
	host->preference = take_u16(cursor);
	struct part_bytes name = take_string(cursor);
	host->name = (const char *)name.bytes;
	host->name_size = (uint8_t)name.size;
}

struct part_bytes part_base_domain(struct part_cursor *cursor)
{
	return take_string(cursor);
}

void part_next_lookup(struct part_cursor *cursor, struct part_lookup *lookup)
{
	lookup->type = take_u16(cursor);
	lookup->outcome = take_u8(cursor);
	lookup->security = take_u8(cursor);
	lookup->failure = take_u8(cursor);
	lookup->expires = take_u32(cursor);
	lookup->name = take_string(cursor);
	lookup->canonical_name = take_string(cursor);
	lookup->detail = take_string(cursor);
	lookup->address_count = take_u8(cursor);
	lookup->address_size = lookup->type == DNS_TYPE_A ? 4 : 16;
	struct part_bytes addresses =
		take_bytes(cursor, lookup->address_count * lookup->address_size);
	lookup->addresses = addresses.bytes;
	if (cursor->damaged)
		lookup->address_count = 0;
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

static void copy_string(char *out, size_t size, struct part_bytes bytes)
{
	if (bytes.size >= size)
		bytes.size = size - 1;
	memcpy(out, bytes.bytes, bytes.size);
	out[bytes.size] = '\0';
}

bool part_failure(const struct part *part, struct part_failure *failure)
{
	struct part_cursor cursor = {
		.at = part->bytes + sizeof part->header,
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

uint8_t *part_encode_again(const uint8_t *bytes, size_t old_size, const struct part_times *times,
	const struct part_failure *failure, const char *key, size_t key_size, size_t *size)
{
	struct part old;
	struct part_cursor body;
	struct writer writer;

	memcpy(&old.header, bytes, sizeof old.header);
	old.bytes = bytes;
	old.size = old_size;
	part_cursor_start(&old, &body);
	start(&writer, &old.header, times, failure);
	put(&writer, body.at, (size_t)(body.end - body.at));
	return finish(&writer, key, key_size, size);
}
