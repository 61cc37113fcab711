/*
 * part: what is known of one mail domain's MX set, of one host, or of one trust anchor, as the
 * bytes that the cache keeps. The kinds are listed in common/part/kind.c, the bytes are described
 * in common/part/layout.h, the keys in common/part/key.h, what goes in and comes out in
 * common/part/facts.h.
 *
 * A part carries its own times and everything that deciding and explaining need; answers are made
 * from parts again and again and are never kept. Reading is done in place, is checked against the
 * part's size at every step, and allocates nothing. Pure.
 *
 * All times are wall-clock seconds since 1970 (unsigned, good until 2106).
 *
 * A part of a version or a kind that this program does not know is no damage: part_intact() holds
 * for it, part_open() does not. Whoever reads passes over it, as if it were not there.
 */
#ifndef TLSAD_PART_PART_H
#define TLSAD_PART_PART_H

#include "common/part/facts.h"
#include "common/part/key.h"
#include "common/part/kind.h"

enum {
	/*
	 * Of the cache's file. Changes where parts of before could not even be passed over, or are
	 * all of no use: the cache sets a file of another format aside.
	 */
	PART_FORMAT = 2,
	/* Of a part's bytes; changes with every change of the layout of a known kind. */
	PART_VERSION = 1,
	PART_HEADER_SIZE = 28, /* [octets] */
	/* Seconds that a clock may be set back without making what is stored look wrong. */
	PART_CLOCK_SLACK = 60,
};

enum part_flags {
	PART_STALE = 1,       /* outlived its own expiry because refreshing it failed */
	PART_SECOND_VIEW = 2, /* looked up in DNS_VIEW_SECOND */
	PART_HAS_FAILURE = 4, /* a struct part_failure stands in it */
};

/* What the fixed beginning of every part says, without its checksum and its version. */
struct part_header {
	uint32_t stored_at;
	uint32_t refresh_at; /* from then on a request for it starts a refresh */
	uint32_t expires;
	uint32_t stale_until; /* with PART_STALE: when it ends for good */
	uint8_t kind;         /* enum part_kind */
	uint8_t status;       /* enum mx_status or enum host_status */
	uint8_t security;     /* enum dns_security of the MX answer */
	uint8_t flags;
	uint8_t count; /* of the hosts of an MX set, of the questions of a host */
};

/* --- to build: encode.c -------------------------------------------------------------------- */

/* What the caller decides: times and flags. */
struct part_times {
	uint32_t stored_at, refresh_at, expires, stale_until;
	uint8_t flags;
};

/* malloc()ed bytes of the part that is kept under `key`, or NULL when out of memory. */
uint8_t *part_encode_mx(const struct mx_set *set, const struct part_times *times, const char *key,
	size_t key_size, size_t *size);
uint8_t *part_encode_host(const struct host_facts *facts, const struct part_times *times,
	const char *key, size_t key_size, size_t *size);

/* A part of a kind that has no more to it than these bytes. */
uint8_t *part_encode_bytes(enum part_kind kind, const uint8_t *bytes, size_t byte_count,
	const struct part_times *times, const char *key, size_t key_size, size_t *size);

/* The same part with other times and a failure beside what it says; NULL when out of memory. */
uint8_t *part_encode_again(const uint8_t *bytes, size_t old_size, const struct part_times *times,
	const struct part_failure *failure, const char *key, size_t key_size, size_t *size);

/* --- to read: decode.c --------------------------------------------------------------------- */

struct part {
	struct part_header header;
	const uint8_t *bytes; /* the whole part */
	size_t size;
};

/*
 * False when the bytes cannot be a part of that kind, or are of a version that is not known. The
 * header alone, PART_HEADER_SIZE octets of a part, opens as well; there is only less in it.
 */
bool part_open(struct part *part, enum part_kind kind, const uint8_t *bytes, size_t size);

/* The expiry alone, of a part of at least PART_HEADER_SIZE octets that was encoded here. */
uint32_t part_expires(const uint8_t *bytes);

/* Does the checksum hold, whatever the version and the kind? Costs a look at every byte. */
bool part_intact(const uint8_t *bytes, size_t size, const char *key, size_t key_size);

/* May it be used now? Not when it expired, nor when it was stored in what is now the future. */
bool part_fresh(const struct part_header *header, uint32_t now);

/* A place in a part's variable bytes. */
struct part_cursor {
	const uint8_t *at, *end;
	bool damaged; /* ran past the end: what was read since is worthless */
};

struct part_mx_host {
	uint16_t preference;
	uint8_t name_size; /* at most DNS_NAME_MAX */
	const char *name;  /* no NUL byte behind it */
};

void part_cursor_start(const struct part *part, struct part_cursor *cursor);

/* What is behind the header of a PART_TA. */
const uint8_t *part_bytes_of(const struct part *part, size_t *size);

/*
 * MX sets: call header.count times. A name longer than DNS_NAME_MAX, which no host can have, makes
 * the cursor damaged.
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

/* Hosts, in this order: base domain, header.count questions, the number of TLSA records, these. */
struct part_bytes part_base_domain(struct part_cursor *cursor);
void part_next_question(struct part_cursor *cursor, struct part_question *question);
size_t part_tlsa_count(struct part_cursor *cursor);
void part_next_tlsa(struct part_cursor *cursor, struct part_tlsa *tlsa);

/* What failed; false when nothing did. */
bool part_failure(const struct part *part, struct part_failure *failure);

#endif
