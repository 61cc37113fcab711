/*
 * packet: a small builder of DNS messages (RFC 1035 4.1), right ones and wrong ones, byte by byte.
 */
#ifndef TLSAD_T_UNIT_PACKET_H
#define TLSAD_T_UNIT_PACKET_H

#include "t/unit/tap.h"

enum { PACKET_MAX = 70000, PACKET_HEAD = 12 };

enum packet_section { PACKET_ANSWER = 1, PACKET_AUTHORITY = 2, PACKET_ADDITIONAL = 3 };

struct packet {
	size_t size;
	uint8_t bytes[PACKET_MAX];
};

static inline void packet_u8(struct packet *packet, unsigned value)
{
	if (packet->size == PACKET_MAX)
		bail_out("a packet too long to be built");
	packet->bytes[packet->size++] = (uint8_t)value;
}

static inline void packet_u16(struct packet *packet, unsigned value)
{
	packet_u8(packet, value >> 8);
	packet_u8(packet, value & 255);
}

static inline void packet_u32(struct packet *packet, uint32_t value)
{
	packet_u16(packet, value >> 16);
	packet_u16(packet, value & 65535);
}

/* Without compression; "" and "." are the root. No escapes. */
static inline void packet_name(struct packet *packet, const char *name)
{
	while (*name != '\0' && strcmp(name, ".") != 0) {
		size_t length = strcspn(name, ".");
		packet_u8(packet, (unsigned)length);
		for (size_t i = 0; i < length; i++)
			packet_u8(packet, (unsigned char)name[i]);
		name += length + (name[length] == '.');
	}
	packet_u8(packet, 0);
}

/* A pointer to that place of the packet (RFC 1035 4.1.4). */
static inline void packet_pointer(struct packet *packet, unsigned place)
{
	packet_u16(packet, 0xc000 | place);
}

/* The head and one question. */
static inline void packet_begin(
	struct packet *packet, unsigned rcode, const char *name, unsigned type)
{
	packet->size = 0;
	packet_u16(packet, 0x1234);
	packet_u16(packet, 0x8180 | rcode); /* response, recursion desired and available */
	packet_u16(packet, 1);
	packet_u16(packet, 0);
	packet_u16(packet, 0);
	packet_u16(packet, 0);
	packet_name(packet, name);
	packet_u16(packet, type);
	packet_u16(packet, 1);
}

/* Count one record more in a section, 0 being the questions. */
static inline void packet_count(struct packet *packet, unsigned section)
{
	uint8_t *count = packet->bytes + 4 + 2 * section;
	unsigned value = (unsigned)(count[0] << 8 | count[1]) + 1;
	count[0] = (uint8_t)(value >> 8);
	count[1] = (uint8_t)value;
}

/* A record's beginning, its owner written before; returns the place of its length. */
static inline size_t packet_record_begin(
	struct packet *packet, enum packet_section section, unsigned type, uint32_t ttl)
{
	packet_count(packet, section);
	packet_u16(packet, type);
	packet_u16(packet, 1);
	packet_u32(packet, ttl);
	packet_u16(packet, 0);
	return packet->size - 2;
}

/* Its end: what was written since is its RDATA. */
static inline void packet_record_end(struct packet *packet, size_t length_at)
{
	size_t length = packet->size - length_at - 2;
	packet->bytes[length_at] = (uint8_t)(length >> 8);
	packet->bytes[length_at + 1] = (uint8_t)length;
}

/* A record whose RDATA is these octets. */
static inline void packet_record(struct packet *packet, enum packet_section section,
	const char *owner, unsigned type, uint32_t ttl, const void *rdata, size_t size)
{
	packet_name(packet, owner);
	size_t length_at = packet_record_begin(packet, section, type, ttl);
	for (size_t i = 0; i < size; i++)
		packet_u8(packet, ((const uint8_t *)rdata)[i]);
	packet_record_end(packet, length_at);
}

/* One whose RDATA is a name: CNAME, DNAME, NS. */
static inline void packet_record_name(struct packet *packet, enum packet_section section,
	const char *owner, unsigned type, uint32_t ttl, const char *target)
{
	packet_name(packet, owner);
	size_t length_at = packet_record_begin(packet, section, type, ttl);
	packet_name(packet, target);
	packet_record_end(packet, length_at);
}

static inline void packet_mx(struct packet *packet, const char *owner, uint32_t ttl,
	unsigned preference, const char *exchange)
{
	packet_name(packet, owner);
	size_t length_at = packet_record_begin(packet, PACKET_ANSWER, 15, ttl);
	packet_u16(packet, preference);
	packet_name(packet, exchange);
	packet_record_end(packet, length_at);
}

static inline void packet_soa(
	struct packet *packet, const char *owner, uint32_t ttl, uint32_t minimum)
{
	packet_name(packet, owner);
	size_t length_at = packet_record_begin(packet, PACKET_AUTHORITY, 6, ttl);
	packet_name(packet, "ns.example");
	packet_name(packet, "hostmaster.example");
	for (uint32_t i = 1; i <= 4; i++)
		packet_u32(packet, i * 100000);
	packet_u32(packet, minimum);
	packet_record_end(packet, length_at);
}

#endif
