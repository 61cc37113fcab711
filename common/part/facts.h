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
	PART_DIGEST_MAX = 64,   /* [octets] of SHA-512 */
	STS_ID_SIZE = 33,       /* buffer for the id of an MTA-STS policy, RFC 8461 3.1 */
	STS_FAILURE_SIZE = 256, /* buffer for why a download failed */
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

/* The policy of MTA-STS (RFC 8461) that holds for a policy domain. */
enum sts_status {
	STS_ABSENT,  /* the domain announces no policy */
	STS_ENFORCE, /* a policy of this mode, RFC 8461 5 */
	STS_TESTING,
	STS_NONE,
	STS_FAILED,  /* unknown, and no older policy is left: the lookup or the download failed */
	STS_PENDING, /* unknown: the download has not ended yet */
	STS_STATUS_COUNT,
	/* The first three that are policies. */
	STS_MODE_COUNT = STS_NONE - STS_ENFORCE + 1,
};

const char *sts_status_name(enum sts_status status);

/* Is there a policy? */
static inline bool sts_has_policy(enum sts_status status)
{
	return status == STS_ENFORCE || status == STS_TESTING || status == STS_NONE;
}

/* What the answer to the query for the TXT record said (RFC 8461 3.1). */
enum sts_discovery {
	STS_DISCOVERED,
	STS_NO_RECORD,        /* none at all, or none of MTA-STS */
	STS_SEVERAL_RECORDS,  /* of MTA-STS: none of them counts */
	STS_MALFORMED_RECORD, /* the only one of MTA-STS */
	STS_LOOKUP_FAILED,
	STS_DISCOVERY_COUNT,
};

/* A host name, or `*.` and a host name, in lower case without a dot at its end. */
struct sts_pattern {
	const char *name; /* without a NUL byte at its end */
	size_t size;
};

/* A line of a policy file, without blanks at the ends of its two fields and without NUL bytes. */
struct sts_line {
	const char *key, *value;
	size_t key_size, value_size;
	bool left_out; /* an `mx` that is not a pattern */
};

struct sts_facts {
	enum sts_status status;
	enum sts_discovery discovery; /* of the last query */
	/* Of the policy, with STS_ENFORCE, STS_TESTING and STS_NONE; otherwise empty and 0. */
	char id[STS_ID_SIZE];
	uint32_t max_age;    /* [s] */
	uint32_t fetched_at; /* all times: wall clock, [s] since 1970 */
	size_t pattern_count;
	const struct sts_pattern *patterns;
	size_t line_count;
	const struct sts_line *lines;
	/* The last time that somebody wanted to know the policy. */
	uint32_t asked_at;
	/* Downloads that failed one after the other, and the last of them. 0 after a good one. */
	unsigned failures;
	uint32_t failed_at, retry_at;
	uint32_t warned_at;             /* the last log line about such a failure */
	char failed_id[STS_ID_SIZE];    /* of the record that led to it */
	char failure[STS_FAILURE_SIZE]; /* why, one line of printable ASCII */
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
