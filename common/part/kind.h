/*
 * kind: the table of the kinds of parts, one row each: which fields a key of the kind has, and
 * which values the header of such a part can have. Encoding, decoding, keys and lists of the cache
 * use this table. daemon/lookup/part_kind.h says how each kind is looked up. Pure.
 */
#ifndef TLSAD_PART_KIND_H
#define TLSAD_PART_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are stored in keys and in parts. */
enum part_kind {
	PART_MX = 'm',
	PART_HOST = 'h',
	PART_STS = 's', /* the MTA-STS policy of a policy domain */
	/* A trust anchor of which DNS has only a digest: the DER that a server sent. */
	PART_TA = 'a',
	/* A server did not send the trust anchor; the part is only the header. */
	PART_TA_ATTEMPT = 't',
};

struct part_kind_format {
	enum part_kind kind;
	const char *name; /* in lists of the cache and in log lines */
	/* The fields of a key after its first octet, in this order. */
	bool key_has_name, key_has_port, key_has_ta;
	bool has_security; /* the header contains an enum dns_security */
	/* The number of values that the header's status can have, and their names. */
	uint8_t status_count;
	const char *const *status_names;
};

enum { PART_KIND_COUNT = 5 };

extern const struct part_kind_format part_kind_formats[PART_KIND_COUNT];

/* NULL for an unknown kind. Inline because it is called for each part that is read. */
static inline const struct part_kind_format *part_kind_format(enum part_kind kind)
{
	for (size_t i = 0; i < PART_KIND_COUNT; i++) {
		if (part_kind_formats[i].kind == kind)
			return &part_kind_formats[i];
	}
	return NULL;
}

/* "mx", "host", "sts", "anchor", "attempt"; "unknown" for an unknown kind. */
const char *part_kind_name(enum part_kind kind);

/* "found", "usable", ...; "unknown" for an unknown kind or status. */
const char *part_status_name(enum part_kind kind, unsigned status);

#endif
