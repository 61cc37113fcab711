/*
 * part: the result of one lookup, as bytes in the cache: the MX set of one mail domain, one host,
 * one MTA-STS policy, or one trust anchor. The kinds are listed in common/part/kind.c, the bytes
 * are described in common/part/layout.h, the keys in common/part/key.h, and the facts that are
 * encoded in common/part/facts.h.
 *
 * A part contains its own times and everything that is needed to decide and to explain. Replies are
 * made from parts for each request and are never stored. Parts are read in place; every step is
 * checked against the size of the part, and nothing is allocated. Pure.
 *
 * All times are wall-clock seconds since 1970 (unsigned, valid until 2106).
 *
 * A part of an unknown version or kind is not damaged: part_intact() is true and part_open() is
 * false. A reader skips it as if it did not exist.
 */
#ifndef TLSAD_PART_PART_H
#define TLSAD_PART_PART_H

#include "common/part/facts.h"
#include "common/part/key.h"
#include "common/part/kind.h"

enum {
	/*
	 * Format of the cache file. Increase it if old parts could not even be skipped, or if all
	 * of them became useless: the cache then sets a file of the old format aside.
	 */
	PART_FORMAT = 2,
	/* Version of a part's bytes; increase it with every change of the layout of a known kind.
	 */
	PART_VERSION = 1,
	PART_HEADER_SIZE = 28, /* [octets] */
	/* How far the clock may be set back before stored parts are no longer used [s]. */
	PART_CLOCK_SLACK = 60,
};

enum part_flags {
	PART_STALE = 1,       /* expired but still used, because refreshing it failed */
	PART_SECOND_VIEW = 2, /* looked up in DNS_VIEW_SECOND */
	PART_HAS_FAILURE = 4, /* it contains a struct part_failure */
};

/* The header of a part, without its checksum and its version. */
struct part_header {
	uint32_t stored_at;
	uint32_t refresh_at; /* from this time on, a request for the part starts a refresh */
	uint32_t expires;
	uint32_t stale_until; /* with PART_STALE: when it can no longer be used */
	uint8_t kind;         /* enum part_kind */
	uint8_t status;       /* enum mx_status, host_status or sts_status */
	uint8_t security;     /* enum dns_security of the MX answer */
	uint8_t flags;
	uint8_t count; /* hosts of an MX set, queries of a host */
};

/* --- writing: encode.c --------------------------------------------------------------------- */

/* Times and flags, which the caller decides. */
struct part_times {
	uint32_t stored_at, refresh_at, expires, stale_until;
	uint8_t flags;
};

/* The bytes of the part with this key, which the caller frees; NULL: out of memory. */
uint8_t *part_encode_mx(const struct mx_set *set, const struct part_times *times, const char *key,
	size_t key_size, size_t *size);
uint8_t *part_encode_host(const struct host_facts *facts, const struct part_times *times,
	const char *key, size_t key_size, size_t *size);

/* At most UINT16_MAX patterns and lines are written, each value cut at UINT16_MAX octets. */
uint8_t *part_encode_sts(const struct sts_facts *facts, const struct part_times *times,
	const char *key, size_t key_size, size_t *size);

/* A part of a kind that consists of a header and these bytes. */
uint8_t *part_encode_bytes(enum part_kind kind, const uint8_t *bytes, size_t byte_count,
	const struct part_times *times, const char *key, size_t key_size, size_t *size);

/*
 * A copy of a part with other times, and with this failure unless it is NULL. NULL: out of memory,
 * or `bytes` is not a part.
 */
uint8_t *part_encode_again(const uint8_t *bytes, size_t old_size, const struct part_times *times,
	const struct part_failure *failure, const char *key, size_t key_size, size_t *size);

/*
 * The clock was set back by that many seconds: move all times of an STS part with it, in place, so
 * that the policy keeps its age. Times that were not set or have no end stay, and so do parts of
 * other kinds.
 */
void part_sts_set_back(
	uint8_t *bytes, size_t size, uint32_t seconds, const char *key, size_t key_size);

/* --- reading: decode.c --------------------------------------------------------------------- */

struct part {
	struct part_header header;
	const uint8_t *bytes; /* the whole part */
	size_t size;
};

/*
 * False if the bytes cannot be a part of this kind, or if their version is unknown. The header
 * alone, the first PART_HEADER_SIZE octets, can be opened too. `part` points to `bytes`.
 */
bool part_open(struct part *part, enum part_kind kind, const uint8_t *bytes, size_t size);

/* Only the expiry, of a part of at least PART_HEADER_SIZE octets of the known version. */
uint32_t part_expires(const uint8_t *bytes);

/* Is the checksum correct? For any version and kind. Reads every byte. */
bool part_intact(const uint8_t *bytes, size_t size, const char *key, size_t key_size);

/*
 * Has the part not expired? False too if it was stored more than PART_CLOCK_SLACK after `now`: then
 * the clock was set back and its age is unknown.
 */
bool part_fresh(const struct part_header *header, uint32_t now);

/* A position in the bytes after a part's header. */
struct part_cursor {
	const uint8_t *at, *end;
	bool damaged; /* ran past the end: the values read since are invalid */
};

struct part_mx_host {
	uint16_t preference;
	uint8_t name_size; /* at most DNS_NAME_MAX */
	const char *name;  /* without a NUL byte at its end */
};

void part_cursor_start(const struct part *part, struct part_cursor *cursor);

/* The bytes after the header of a PART_TA. */
const uint8_t *part_bytes_of(const struct part *part, size_t *size);

/*
 * For MX sets: call it header.count times. A name longer than DNS_NAME_MAX, which no host can have,
 * counts as damage.
 */
void part_next_mx_host(struct part_cursor *cursor, struct part_mx_host *host);

struct part_bytes {
	const uint8_t *bytes;
	size_t size;
};

struct part_question {
	uint16_t type;
	enum dns_outcome outcome;
	enum dns_security security;
	enum dns_failure failure;
	uint32_t expires;
	struct part_bytes name, canonical_name, detail;
	size_t address_count, address_size;
	const uint8_t *addresses;
};

struct part_tlsa {
	uint8_t usability; /* as in struct host_tlsa */
	struct part_bytes rdata;
};

/*
 * For hosts, in this order: the base domain, header.count queries, the number of TLSA records, the
 * TLSA records.
 */
struct part_bytes part_base_domain(struct part_cursor *cursor);
void part_next_question(struct part_cursor *cursor, struct part_question *question);
size_t part_tlsa_count(struct part_cursor *cursor);
void part_next_tlsa(struct part_cursor *cursor, struct part_tlsa *tlsa);

/*
 * For STS policies. part_read_sts() reads all but patterns and lines: only their numbers are set.
 * Then come pattern_count patterns, the number of lines, and the lines. The strings point to the
 * bytes of the part.
 */
void part_read_sts(struct part_cursor *cursor, struct sts_facts *facts);
void part_next_sts_pattern(struct part_cursor *cursor, struct sts_pattern *pattern);
size_t part_sts_line_count(struct part_cursor *cursor);
void part_next_sts_line(struct part_cursor *cursor, struct sts_line *line);

/* The failure in a part; false if it has none. */
bool part_failure(const struct part *part, struct part_failure *failure);

#endif
