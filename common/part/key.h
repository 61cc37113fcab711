/*
 * key: makes and reads the keys of all parts in the cache. The first octet is the kind (enum
 * part_kind), the rest names one part of that kind:
 *
 *   MX set       domain
 *   host         name ":" port in decimal
 *   TA           u8 selector, u8 matching type, 64 octets of digest (struct ta_digest)
 *   TA attempt   name ":" port, as of a host, then the TA's 66 octets
 *
 * Names are lower case, A-labels, without a dot at the end, and no longer than DNS_NAME_MAX. A key
 * has no NUL byte after it. common/part/kind.c lists the fields of each kind. Pure.
 */
#ifndef TLSAD_PART_KEY_H
#define TLSAD_PART_KEY_H

#include "common/part/facts.h"
#include "common/part/kind.h"

#include <string.h>

enum {
	/* Of an MX set or a host: kind, name, colon and port [octets]. */
	PART_KEY_MAX = 1 + DNS_NAME_MAX + 6,
	PART_TA_KEY_SIZE = 1 + (int)sizeof(struct ta_digest),
	PART_TA_ATTEMPT_KEY_MAX = PART_KEY_MAX + (int)sizeof(struct ta_digest),
};

/* --- making keys; each function returns the length of the key ------------------------------ */

/* Writes `:` and the port in decimal. */
size_t part_key_put_port(char *at, uint16_t port);

/*
 * The key of a kind with a name, without the trust anchor that may follow. `port` is used only if
 * the kind has one. Inline because every request makes some keys of a constant kind.
 */
static inline size_t part_named_key(
	char key[PART_KEY_MAX], enum part_kind kind, const char *name, size_t size, uint16_t port)
{
	const struct part_kind_format *format = part_kind_format(kind);
	size_t used = 1 + size;

	key[0] = (char)kind;
	memcpy(key + 1, name, size);
	if (format != NULL && format->key_has_port)
		used += part_key_put_port(key + used, port);
	return used;
}

size_t part_ta_key(char key[PART_TA_KEY_SIZE], const struct ta_digest *ta);
size_t part_ta_attempt_key(char key[PART_TA_ATTEMPT_KEY_MAX], const char *name, size_t size,
	uint16_t port, const struct ta_digest *ta);

/* --- reading keys -------------------------------------------------------------------------- */

/* The fields of a key. Members that the kind does not have are zero. */
struct part_key {
	enum part_kind kind;
	const char *name; /* in the key, no NUL byte after it */
	size_t name_size;
	uint16_t port;
	struct ta_digest ta;
};

/*
 * False if the kind is unknown or if the functions above could not have made the key: a name with
 * octets that a lower-case host name cannot have, a port with leading zeros or above 65535, a TA
 * that no TLSA record can name, missing or additional octets.
 */
bool part_key_read(struct part_key *read, const char *key, size_t size);

#endif
