/*
 * part: what is known of one mail domain's MX set or of one host, as the bytes that the cache
 * keeps.
 *
 * A part carries its own times and everything that deciding and explaining need; answers are made
 * from parts again and again and are never kept. Reading is done in place, is checked against the
 * part's size at every step, and allocates nothing. Pure.
 *
 * All times are wall-clock seconds since 1970 (unsigned, good until 2106).
 */
#ifndef TLSAD_PART_PART_H
#define TLSAD_PART_PART_H

#include "common/dane/destination.h"
#include "common/dane/tlsa.h"
#include "common/dns/dns_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Changes with every change of the layout below: the cache sets files of others aside. */
	PART_FORMAT = 1,
	/*
	 * Hosts of one MX set; a larger one is a failed lookup. Postfix tries 5 addresses of a
	 * destination (smtp_mx_address_limit), so more than 100 hosts are no mail system.
	 */
	PART_HOSTS_MAX = 100,
	/* Address records kept for explain; what counts is whether there are any. */
	PART_ADDRESSES_MAX = 16,
	/* A, AAAA, CNAME, and TLSA at two base domains. */
	PART_LOOKUPS_MAX = 5,
	/* Seconds that a clock may be set back without making what is stored look wrong. */
	PART_CLOCK_SLACK = 60,
	/* A kind, a name, a colon and a port. */
	PART_KEY_MAX = 1 + DESTINATION_NAME_MAX + 6,
};

enum part_kind {
	PART_MX = 'm',
	PART_HOST = 'h',
	/* Of a trust anchor that DNS names by a digest: what a server has shown, DER. */
	PART_TA = 'a',
	/* A server did not show it; nothing but the header. */
	PART_TA_ATTEMPT = 't',
};

enum mx_status {
	MX_FOUND,    /* there are MX records; `security` tells how much they are worth */
	MX_ABSENT,   /* none: the domain is its own host (RFC 5321 5.1) */
	MX_NULL,     /* `MX 0 .` alone: takes no mail (RFC 7505) */
	MX_NXDOMAIN, /* no such domain */
	MX_FAILED,
	MX_STATUS_COUNT,
};

const char *mx_status_name(enum mx_status status);

enum host_status {
	HOST_USABLE,      /* secure TLSA records, at least one of them usable */
	HOST_UNUSABLE,    /* secure TLSA records, none usable: TLS without authentication */
	HOST_NONE,        /* without DANE */
	HOST_UNREACHABLE, /* no address */
	HOST_FAILED,
	HOST_STATUS_COUNT,
};

const char *host_status_name(enum host_status status);

enum part_flags {
	PART_STALE = 1,       /* outlived its own expiry because refreshing it failed */
	PART_SECOND_VIEW = 2, /* looked up in DNS_VIEW_SECOND */
	PART_HAS_FAILURE = 4, /* a struct part_failure stands in it */
};

/* The fixed beginning of every part, in the machine's own byte order. */
struct part_header {
	uint32_t checksum; /* of the key and all that follows */
	uint32_t stored_at;
	uint32_t refresh_at; /* from then on a request for it starts a refresh */
	uint32_t expires;
	uint32_t stale_until; /* with PART_STALE: when it ends for good */
	uint8_t kind;
	uint8_t status;   /* enum mx_status or enum host_status */
	uint8_t security; /* enum dns_security of the MX answer */
	uint8_t flags;
	uint8_t count; /* of the hosts of an MX set, of the lookups of a host */
	uint8_t unused[3];
};

/* Which question failed, and why. */
struct part_failure {
	enum dns_failure failure;
	uint16_t type;
	char name[DNS_NAME_SIZE];
	char detail[DNS_DETAIL_SIZE];
};

/* --- to build ------------------------------------------------------------------------------ */

struct mx_host {
	uint16_t preference;
	char name[DESTINATION_NAME_MAX + 1];
};

struct mx_set {
	enum mx_status status;
	enum dns_security security;
	uint32_t ttl;               /* [s] */
	uint32_t signature_expires; /* as in struct dns_answer; not kept in the part */
	size_t host_count;
	struct mx_host *hosts;
	struct part_failure failure; /* when failed */
};

/* One question that a host's status was made from. */
struct host_lookup_result {
	uint16_t type;
	enum dns_outcome outcome;
	enum dns_security security;
	enum dns_failure failure;
	uint32_t ttl; /* [s] */
	/* As in struct dns_answer; not kept in the part. */
	uint32_t signature_expires, original_ttl;
	char name[DNS_NAME_SIZE];
	char canonical_name[DNS_NAME_SIZE]; /* empty when it is the name itself */
	char detail[DNS_DETAIL_SIZE];
	size_t address_count;
	uint8_t addresses[PART_ADDRESSES_MAX][16]; /* IPv4: the first 4 octets */
};

struct host_tlsa {
	enum tlsa_usability usability;
	uint16_t size;
	const uint8_t *rdata;
};

struct host_facts {
	enum host_status status;
	uint32_t ttl; /* [s] */
	/* A family of addresses failed that could have made another status. */
	bool uncertain;
	char base_domain[DNS_NAME_SIZE]; /* of the TLSA records found, or empty */
	size_t lookup_count;
	struct host_lookup_result lookups[PART_LOOKUPS_MAX];
	size_t tlsa_count;
	struct host_tlsa *tlsa;
	struct part_failure failure; /* when failed */
};

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

/* --- to read ------------------------------------------------------------------------------- */

struct part {
	struct part_header header;
	const uint8_t *bytes; /* the whole part */
	size_t size;
};

/* False when the bytes cannot be a part of that kind. */
bool part_open(struct part *part, enum part_kind kind, const uint8_t *bytes, size_t size);

/* Does the checksum hold? Costs a look at every byte. */
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
	uint8_t name_size;
	const char *name; /* no NUL byte behind it */
};

void part_cursor_start(const struct part *part, struct part_cursor *cursor);

/* What is behind the header of a PART_TA. */
const uint8_t *part_bytes_of(const struct part *part, size_t *size);

/* MX sets: call header.count times. */
void part_next_mx_host(struct part_cursor *cursor, struct part_mx_host *host);

struct part_bytes {
	const uint8_t *bytes;
	size_t size;
};

struct part_lookup {
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
	enum tlsa_usability usability;
	struct part_bytes rdata;
};

/* Hosts, in this order: base domain, header.count lookups, the number of TLSA records, these. */
struct part_bytes part_base_domain(struct part_cursor *cursor);
void part_next_lookup(struct part_cursor *cursor, struct part_lookup *lookup);
size_t part_tlsa_count(struct part_cursor *cursor);
void part_next_tlsa(struct part_cursor *cursor, struct part_tlsa *tlsa);

/* What failed; false when nothing did. */
bool part_failure(const struct part *part, struct part_failure *failure);

/* --- keys ---------------------------------------------------------------------------------- */

/* Each returns the length; names are lower case. */
size_t part_mx_key(char key[PART_KEY_MAX], const char *domain, size_t size);
size_t part_host_key(char key[PART_KEY_MAX], const char *name, size_t size, uint16_t port);

#endif
