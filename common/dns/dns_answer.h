/*
 * dns_answer: parses one DNS answer, with the C library's ns_initparse() and ns_parserr(). Pure:
 * from bytes and a DNSSEC status to a struct.
 */
#ifndef TLSAD_DNS_DNS_ANSWER_H
#define TLSAD_DNS_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_NAME_MAX = 253,    /* octets as text without the last dot, RFC 1035 2.3.4 */
	DNS_NAME_SIZE = 256,   /* buffer for a name, so large that too long names are noticed */
	DNS_DETAIL_SIZE = 256, /* buffer for the text of a failure */
	/* Links of an alias chain that are followed: libunbound's own limit of restarts. */
	DNS_ALIAS_MAX = 11,
	/* Records of one RRset that are read: as many of the smallest as fit in 64 KB. */
	DNS_RECORDS_MAX = 4096,
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_RRSIG = 46,
	DNS_TYPE_TLSA = 52,
};

const char *dns_type_name(uint16_t type);

/* The numbers of the next three enums are stored in the cache: add new ones before the count. */
enum dns_outcome {
	DNS_FOUND,    /* records of the queried type, at the end of the alias chain, if any */
	DNS_NODATA,   /* the name exists, the type does not */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_FAILED,   /* no trustworthy answer: see `failure` */
	DNS_OUTCOME_COUNT,
};

const char *dns_outcome_name(enum dns_outcome outcome);

/*
 * DNSSEC status, as in RFC 4035 4.3. "Secure": this program itself validated the answer up to a
 * trust anchor.
 */
enum dns_security { DNS_SECURE, DNS_INSECURE, DNS_BOGUS, DNS_UNKNOWN, DNS_SECURITY_COUNT };

const char *dns_security_name(enum dns_security security);

enum dns_failure {
	DNS_FAILURE_NONE,
	DNS_FAILURE_BOGUS,     /* validation failed */
	DNS_FAILURE_SERVFAIL,  /* the resolver found no server with a usable answer */
	DNS_FAILURE_TIMEOUT,   /* no answer in time */
	DNS_FAILURE_MALFORMED, /* an answer that cannot be read, an alias loop, a long chain */
	DNS_FAILURE_LOCAL,     /* not sent or not usable here: out of memory, too many lookups */
	DNS_FAILURE_COUNT,
};

const char *dns_failure_name(enum dns_failure failure);

struct dns_record {
	const uint8_t *rdata; /* in the answer's bytes */
	uint16_t size;
};

struct dns_answer {
	enum dns_outcome outcome;
	enum dns_security security;
	enum dns_failure failure;
	/*
	 * How long the answer may be kept [s]: the lowest TTL of all records that it was made from,
	 * including aliases; for a negative answer also limited by the lower of the SOA's TTL and
	 * MINIMUM (RFC 2308 5). 0 if it failed.
	 */
	uint32_t ttl;
	/*
	 * From the RRSIGs of a secure answer (RFC 4034 3.1), 0 without any: when the first of them
	 * expires, including those of aliases [s since 1970], and the TTL of the queried records in
	 * their zone [s], before a forwarder's cache or our own max_ttl reduced it.
	 */
	uint32_t signature_expires;
	uint32_t original_ttl;
	bool alias;                         /* the queried name is a CNAME or below a DNAME */
	char canonical_name[DNS_NAME_SIZE]; /* the end of the alias chain: owner of the records */
	char detail[DNS_DETAIL_SIZE];       /* why it failed, one line, or empty */
	const uint8_t *packet;
	size_t packet_size;
	size_t record_count;
	struct dns_record *records; /* of the queried type; dns_answer_clear() frees them */
};

/*
 * Parse the packet that libunbound returned for `name` and `type`. The caller keeps the packet as
 * long as the answer. A packet that cannot be parsed gives a DNS_FAILED answer, never an error.
 */
void dns_answer_parse(struct dns_answer *answer, const char *name, uint16_t type,
	enum dns_security security, const uint8_t *packet, size_t packet_size);

/* Make a DNS_FAILED answer; frees the records that it had. `detail` may be NULL. */
void dns_answer_fail(struct dns_answer *answer, enum dns_failure failure,
	enum dns_security security, const char *detail);

void dns_answer_clear(struct dns_answer *answer);

/* The preference and the host of an MX record; the root is "". False if it cannot be parsed. */
bool dns_answer_mx(const struct dns_answer *answer, const struct dns_record *record,
	uint16_t *preference, char name[DNS_NAME_SIZE]);

/* Compare names without regard to ASCII case and to a dot at the end. */
bool dns_name_equal(const char *one, const char *other);

#endif
