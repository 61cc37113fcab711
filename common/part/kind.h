/*
 * kind: the kinds of parts, one row each: what a key of the kind names, and what the header of such
 * a part can say. Encoding, decoding, keys and lists of the cache read this table. How a kind is
 * looked up is in daemon/lookup/part_kind.h. Pure.
 */
#ifndef TLSAD_PART_KIND_H
#define TLSAD_PART_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number is kept in keys and in parts. */
enum part_kind {
	PART_MX = 'm',
	PART_HOST = 'h',
	/* Of a trust anchor that DNS names by a digest: what a server has shown, DER. */
	PART_TA = 'a',
	/* A server did not show it; nothing but the header. */
	PART_TA_ATTEMPT = 't',
};

struct part_kind_format {
	enum part_kind kind;
	const char *name; /* in lists of the cache and in log lines */
	/* What a key of the kind has after its first octet, in this order. */
	bool key_has_name, key_has_port, key_has_ta;
	bool has_security; /* the header says an enum dns_security */
	/* Of the header's status: how many there are, and their names. */
	uint8_t status_count;
	const char *const *status_names;
};

enum { PART_KIND_COUNT = 4 };

extern const struct part_kind_format part_kind_formats[PART_KIND_COUNT];

/* NULL for what is not in the enum. In the header, as each part that is read needs it. */
static inline const struct part_kind_format *part_kind_format(enum part_kind kind)
{
	for (size_t i = 0; i < PART_KIND_COUNT; i++) {
		if (part_kind_formats[i].kind == kind)
			return &part_kind_formats[i];
	}
	return NULL;
}

/* "mx", "host", "anchor", "attempt"; "unknown" for what is not in the enum. */
const char *part_kind_name(enum part_kind kind);

/* "found", "usable", ...; "unknown" for a kind or a status that does not exist. */
const char *part_status_name(enum part_kind kind, unsigned status);

#endif
