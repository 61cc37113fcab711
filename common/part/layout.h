/*
 * layout: the format of a part's bytes, described only here. encode.c writes it and decode.c reads
 * it; apart from these, only tests include this header.
 *
 * Numbers are unsigned, in network byte order and unaligned; a string is a u8 length and its
 * octets. So a part has the same bytes on every machine.
 *
 * Header, PART_HEADER_SIZE octets:
 *
 *    0  u32  checksum     FNV-1a of the key and of all following octets
 *    4  u8   version      PART_VERSION
 *    5  u8   kind         enum part_kind
 *    6  u8   status       enum mx_status, host_status or sts_status, otherwise 0
 *    7  u8   security     enum dns_security of the MX answer, otherwise 0
 *    8  u8   flags        enum part_flags
 *    9  u8   count        hosts of an MX set, questions of a host, otherwise 0
 *   10  u16  (unused)     0
 *   12  u32  stored_at    all times: wall clock, [s] since 1970
 *   16  u32  refresh_at
 *   20  u32  expires
 *   24  u32  stale_until
 *
 * After the header:
 *
 *   failure      only with PART_HAS_FAILURE: u8 failure, u16 type, string name, string detail
 *   MX set       count * { u16 preference, string name }
 *   TA           DER of a certificate or of a SubjectPublicKeyInfo
 *   TA attempt   nothing
 *   STS policy   u8 discovery, string id, u32 max_age, u32 fetched_at, u32 asked_at, u8 failures,
 *                u32 failed_at, u32 retry_at, u32 warned_at, string failed_id, string failure,
 *                u16 patterns, patterns * { string name }, u16 lines,
 *                lines * { u8 left_out, string key, u16 size, octets of the value }
 *   host         string base_domain,
 *                count * { u16 type, u8 outcome, u8 security, u8 failure, u32 expires, string name,
 *                          string canonical_name, string detail, u8 addresses,
 *                          addresses * { 4 octets for type A, otherwise 16 } },
 *                u16 records, records * { u8 usability, u16 size, octets }
 *
 * In every version the first five octets are the checksum, computed in the same way, and the
 * version; a version may change the rest. So an unknown version can be distinguished from a damaged
 * part.
 */
#ifndef TLSAD_PART_LAYOUT_H
#define TLSAD_PART_LAYOUT_H

#include <stdint.h>
#include <string.h>

enum part_offset {
	PART_AT_CHECKSUM = 0,
	PART_AT_VERSION = 4,
	PART_AT_KIND = 5,
	PART_AT_STATUS = 6,
	PART_AT_SECURITY = 7,
	PART_AT_FLAGS = 8,
	PART_AT_COUNT = 9,
	PART_AT_STORED_AT = 12,
	PART_AT_REFRESH_AT = 16,
	PART_AT_EXPIRES = 20,
	PART_AT_STALE_UNTIL = 24,
};

/* Of an STS policy, counted from the end of its id; STS_TIMES_SIZE: the end of the last one. */
enum sts_offset {
	STS_AT_FETCHED_AT = 4,
	STS_AT_ASKED_AT = 8,
	STS_AT_FAILED_AT = 13,
	STS_AT_RETRY_AT = 17,
	STS_AT_WARNED_AT = 21,
	STS_TIMES_SIZE = 25,
};

static inline uint16_t layout_get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t layout_get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void layout_put_u16(uint8_t *at, uint16_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

static inline void layout_put_u32(uint8_t *at, uint32_t number)
{
	layout_put_u16(at, (uint16_t)(number >> 16));
	layout_put_u16(at + 2, (uint16_t)number);
}

/* FNV-1a finds accidental damage on a disk, not manipulation; 32 bits are enough for that. */
static inline uint32_t layout_checksum_add(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ at[i]) * 16777619u;
	return sum;
}

/* The checksum of a part of at least PART_AT_VERSION octets under this key. */
static inline uint32_t layout_checksum(
	const uint8_t *bytes, size_t size, const char *key, size_t key_size)
{
	uint32_t sum = layout_checksum_add(2166136261u, key, key_size);
	return layout_checksum_add(sum, bytes + PART_AT_VERSION, size - PART_AT_VERSION);
}

#endif
