/*
 * facts: the results of lookups, before they are encoded: the MX set of a mail domain, the
 * addresses and TLSA records of a host, the reason of a failure, and the digest that names a trust
 * anchor.
 *
 * Lookups fill these structs, and common/part/encode.c turns them into a part. A struct owns
 * nothing; the lookup owns the arrays. The numbers of all enums here are stored in the cache: add
 * new ones before the count.
 */
#ifndef TLSAD_PART_FACTS_H
#define TLSAD_PART_FACTS_H

#include "common/dns/dns_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/*
	 * Hosts of one MX set; a larger set is a failed lookup. Postfix tries 5 addresses of a
	 * destination (smtp_mx_address_limit), so no mail system needs more than 100 hosts.
	 */
	PART_HOSTS_MAX = 100,
	/* Address records kept for explain; the status depends only on whether there are any. */
	PART_ADDRESSES_MAX = 16,
	/* A, AAAA, CNAME, and TLSA at two base domains. */
	PART_QUESTIONS_MAX = 5,
	PART_DIGEST_MAX = 64, /* [octets] of SHA-512 */
};

enum mx_status {
	MX_FOUND,    /* there are MX records; `security` is their DNSSEC status */
	MX_ABSENT,   /* no MX records: the domain is its own host (RFC 5321 5.1) */
	MX_NULL,     /* only `MX 0 .`: the domain accepts no mail (RFC 7505 3) */
	MX_NXDOMAIN, /* the domain does not exist */
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

/* Which query failed, and why. */
struct part_failure {
	enum dns_failure failure;
	uint16_t type; /* enum dns_type of the query */
	char name[DNS_NAME_SIZE];
	char detail[DNS_DETAIL_SIZE];
};

struct mx_host {
	uint16_t preference;
	char name[DNS_NAME_MAX + 1];
};

struct mx_set {
	enum mx_status status;
	enum dns_security security;
	uint32_t ttl;               /* [s] */
	uint32_t signature_expires; /* as in struct dns_answer; not stored in the part */
	size_t host_count;
	struct mx_host *hosts;
	struct part_failure failure; /* with MX_FAILED */
};

/* One query that the status of a host depends on, and its answer. */
struct host_question {
	uint16_t type;
	enum dns_outcome outcome;
	enum dns_security security;
	enum dns_failure failure;
	uint32_t ttl; /* [s] */
	/* As in struct dns_answer; not stored in the part. */
	uint32_t signature_expires, original_ttl;
	char name[DNS_NAME_SIZE];
	char canonical_name[DNS_NAME_SIZE]; /* empty if it is the name itself */
	char detail[DNS_DETAIL_SIZE];
	size_t address_count;
	uint8_t addresses[PART_ADDRESSES_MAX][16]; /* IPv4: the first 4 octets */
};

struct host_tlsa {
	uint8_t usability; /* enum tlsa_usability (common/dane/tlsa.h); 0: usable */
	uint16_t size;     /* [octets] */
	const uint8_t *rdata;
};

struct host_facts {
	enum host_status status;
	uint32_t ttl; /* [s] */
	/* The lookup of one address family failed; with it the status could be another one. */
	bool uncertain;
	char base_domain[DNS_NAME_SIZE]; /* of the TLSA records found, or empty */
	size_t question_count;
	struct host_question questions[PART_QUESTIONS_MAX];
	size_t tlsa_count;
	struct host_tlsa *tlsa;
	struct part_failure failure; /* with HOST_FAILED */
};

/*
 * The name of a trust anchor, which is its digest: the one in a TLSA record that has only a digest,
 * or the SHA-256 of the data of a TLSA record that contains the whole certificate or key. The
 * numbers are those of RFC 6698 2.1. Compared as bytes, so unused octets are zero.
 */
struct ta_digest {
	uint8_t selector;
	uint8_t matching_type;           /* TLSA_SHA256 or TLSA_SHA512 */
	uint8_t digest[PART_DIGEST_MAX]; /* a shorter one is padded with zeroes */
};

_Static_assert(sizeof(struct ta_digest) == 2 + PART_DIGEST_MAX, "it is compared as bytes");

#endif
