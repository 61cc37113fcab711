/*
 * dns_answer: what one DNS answer says, read from its bytes with the C library's ns_initparse()
 * and ns_parserr(). Pure: bytes and a security status in, a struct out.
 */
#ifndef TLSAD_DNS_DNS_ANSWER_H
#define TLSAD_DNS_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DNS_NAME_MAX = 253,    /* octets as text without the last dot, RFC 1035 2.3.4 */
	DNS_NAME_SIZE = 256,   /* of a name as text, with room to see one that is too long */
	DNS_DETAIL_SIZE = 256, /* of the words of a failure */
	/* Links of an alias chain that are followed: libunbound's own limit on restarts. */
	DNS_ALIAS_MAX = 11,
	/* Records of one RRset that are looked at; what 64 KB can hold of the smallest. */
	DNS_RECORDS_MAX = 4096,
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_MX = 15,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_RRSIG = 46,
	DNS_TYPE_TLSA = 52,
};

const char *dns_type_name(uint16_t type);

/* Numbers of the next three are kept in the cache's parts: new ones go before the count. */
enum dns_outcome {
	DNS_FOUND,    /* records of the type asked for, at the end of any alias chain */
	DNS_NODATA,   /* the name exists, the type does not */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_FAILED,   /* no answer that can be trusted: see `failure` */
	DNS_OUTCOME_COUNT,
};

const char *dns_outcome_name(enum dns_outcome outcome);

/* As in RFC 4035 4.3; "secure" is validated up to a trust anchor, and by this program itself. */
enum dns_security { DNS_SECURE, DNS_INSECURE, DNS_BOGUS, DNS_UNKNOWN, DNS_SECURITY_COUNT };

const char *dns_security_name(enum dns_security security);

enum dns_failure {
	DNS_FAILURE_NONE,
	DNS_FAILURE_BOGUS,     /* validation failed */
	DNS_FAILURE_SERVFAIL,  /* the resolver found no server that answers usefully */
	DNS_FAILURE_TIMEOUT,   /* no answer in time */
	DNS_FAILURE_MALFORMED, /* an answer that cannot be read, an alias loop, a long chain */
	DNS_FAILURE_LOCAL,     /* nothing was asked: out of memory, too many lookups */
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
	 * Seconds the answer may be kept: the least TTL of every record it was made from, aliases
	 * too, and for what is absent the lesser of the SOA's TTL and MINIMUM (RFC 2308 5). 0 when
	 * it failed.
	 */
	uint32_t ttl;
	/*
	 * What the RRSIGs of a secure answer say (RFC 4034 3.1), 0 without any: when the first of
	 * them ends [s since 1970], those of aliases too, and the TTL that the zone gives the
	 * records asked for [s], of which a forwarder's cache and our own max_ttl may have taken.
	 */
	uint32_t signature_expires;
	uint32_t original_ttl;
	bool alias;                         /* the name asked for is a CNAME, or under a DNAME */
	char canonical_name[DNS_NAME_SIZE]; /* where the records are: the alias chain's end */
	char detail[DNS_DETAIL_SIZE];       /* why it failed, one line, or empty */
	const uint8_t *packet;
	size_t packet_size;
	size_t record_count;
	struct dns_record *records; /* of the type asked for; dns_answer_clear() frees them */
};

/*
 * Read a packet that libunbound gave for `name` and `type`. The packet must outlive the answer.
 * A packet that cannot be read is a DNS_FAILED answer, never an error.
 */
void dns_answer_parse(struct dns_answer *answer, const char *name, uint16_t type,
	enum dns_security security, const uint8_t *packet, size_t packet_size);

/* An answer that says: failed. `detail` may be NULL. */
void dns_answer_fail(struct dns_answer *answer, enum dns_failure failure,
	enum dns_security security, const char *detail);

void dns_answer_clear(struct dns_answer *answer);

/* The preference and the name of an MX record as text; false when it cannot be read. */
bool dns_answer_mx(const struct dns_answer *answer, const struct dns_record *record,
	uint16_t *preference, char name[DNS_NAME_SIZE]);

/* Names in DNS are equal without regard to ASCII case and to a dot at the end. */
bool dns_name_equal(const char *one, const char *other);

#endif
