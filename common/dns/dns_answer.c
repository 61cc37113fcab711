#include "common/dns/dns_answer.h"

#include "common/base/text.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

const char *dns_type_name(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_A:
		return "A";
	case DNS_TYPE_NS:
		return "NS";
	case DNS_TYPE_CNAME:
		return "CNAME";
	case DNS_TYPE_SOA:
		return "SOA";
	case DNS_TYPE_MX:
		return "MX";
	case DNS_TYPE_TXT:
		return "TXT";
	case DNS_TYPE_AAAA:
		return "AAAA";
	case DNS_TYPE_DNAME:
		return "DNAME";
	case DNS_TYPE_RRSIG:
		return "RRSIG";
	case DNS_TYPE_TLSA:
		return "TLSA";
	default:
		return "?";
	}
}

static const char *const outcome_names[DNS_OUTCOME_COUNT] = {
	[DNS_FOUND] = "found",
	[DNS_NODATA] = "nodata",
	[DNS_NXDOMAIN] = "nxdomain",
	[DNS_FAILED] = "failed",
};

static const char *const security_names[DNS_SECURITY_COUNT] = {
	[DNS_SECURE] = "secure",
	[DNS_INSECURE] = "insecure",
	[DNS_BOGUS] = "bogus",
	[DNS_UNKNOWN] = "unknown",
};

static const char *const failure_names[DNS_FAILURE_COUNT] = {
	[DNS_FAILURE_NONE] = "none",
	[DNS_FAILURE_BOGUS] = "bogus",
	[DNS_FAILURE_SERVFAIL] = "servfail",
	[DNS_FAILURE_TIMEOUT] = "timeout",
	[DNS_FAILURE_MALFORMED] = "malformed",
	[DNS_FAILURE_LOCAL] = "local",
};

const char *dns_outcome_name(enum dns_outcome outcome)
{
	return outcome < DNS_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

const char *dns_security_name(enum dns_security security)
{
	return security < DNS_SECURITY_COUNT ? security_names[security] : "unknown";
}

const char *dns_failure_name(enum dns_failure failure)
{
	return failure < DNS_FAILURE_COUNT ? failure_names[failure] : "unknown";
}

static size_t length_without_dot(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && name[length - 1] == '.' ? length - 1 : length;
}

bool dns_name_equal(const char *one, const char *other)
{
	size_t length = length_without_dot(one);
	if (length != length_without_dot(other))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text_lower(one[i]) != text_lower(other[i]))
			return false;
	}
	return true;
}

/* Copy in lower case, without a dot at the end; false if it is too long for any name. */
static bool copy_name(char out[DNS_NAME_SIZE], const char *name)
{
	size_t length = length_without_dot(name);
	if (length >= DNS_NAME_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		out[i] = text_lower(name[i]);
	out[length] = '\0';
	return true;
}

void dns_answer_fail(struct dns_answer *answer, enum dns_failure failure,
	enum dns_security security, const char *detail)
{
	struct text text;

	free(answer->records);
	memset(answer, 0, sizeof *answer);
	answer->outcome = DNS_FAILED;
	answer->failure = failure;
	answer->security = security;
	text_init(&text, answer->detail, sizeof answer->detail);
	if (detail != NULL)
		text_add_escaped(&text, detail, strlen(detail));
}

static void least(uint32_t *ttl, uint32_t other)
{
	/* RFC 2181 8: treat a TTL with the top bit set as zero. */
	if (other > INT32_MAX)
		other = 0;
	if (other < *ttl)
		*ttl = other;
}

/* Read a name that must fill its RDATA exactly. */
static bool read_name(
	const struct dns_answer *answer, const uint8_t *rdata, size_t size, char name[NS_MAXDNAME])
{
	return size > 0 && ns_name_uncompress(answer->packet, answer->packet + answer->packet_size,
				   rdata, name, NS_MAXDNAME) == (int)size;
}

static bool is_among(char names[][DNS_NAME_SIZE], unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/*
 * Follow the alias chain and collect the records at its end. libunbound puts the chain in order,
 * each link once; in another order the records are not found, which nothing_left() notices.
 */
static bool read_answer_section(struct dns_answer *answer, ns_msg *message, uint16_t type)
{
	unsigned count = ns_msg_count(*message, ns_s_an);
	char seen[DNS_ALIAS_MAX][DNS_NAME_SIZE]; /* names that were aliases */
	unsigned links = 0;
	ns_rr record;

	answer->records = calloc(
		count < DNS_RECORDS_MAX ? count + 1 : DNS_RECORDS_MAX, sizeof *answer->records);
	if (answer->records == NULL)
		return false;
	for (unsigned i = 0; i < count; i++) {
		char target[NS_MAXDNAME];

		if (ns_parserr(message, ns_s_an, (int)i, &record) != 0)
			return false;
		if (ns_rr_class(record) != ns_c_in)
			continue;
		uint16_t record_type = (uint16_t)ns_rr_type(record);
		if (record_type == DNS_TYPE_DNAME) {
			least(&answer->ttl, ns_rr_ttl(record));
			continue;
		}
		if (!dns_name_equal(ns_rr_name(record), answer->canonical_name))
			continue;
		if (record_type == type) {
			least(&answer->ttl, ns_rr_ttl(record));
			if (answer->record_count < DNS_RECORDS_MAX) {
				struct dns_record *found = &answer->records[answer->record_count++];
				found->rdata = ns_rr_rdata(record);
				found->size = ns_rr_rdlen(record);
			}
		} else if (record_type == DNS_TYPE_CNAME && answer->record_count == 0) {
			if (links == DNS_ALIAS_MAX)
				return false;
			memcpy(seen[links++], answer->canonical_name, DNS_NAME_SIZE);
			if (!read_name(answer, ns_rr_rdata(record), ns_rr_rdlen(record), target) ||
				!copy_name(answer->canonical_name, target) ||
				is_among(seen, links, answer->canonical_name))
				return false;
			least(&answer->ttl, ns_rr_ttl(record));
			answer->alias = true;
		}
	}
	return true;
}

/*
 * Does the answer section contain no record at the end of the chain? If there is one, the section
 * was out of order, and the answer must not be read as the absence of records.
 */
static bool nothing_left(const struct dns_answer *answer, ns_msg *message, uint16_t type)
{
	ns_rr record;

	for (unsigned i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, (int)i, &record) != 0)
			return false;
		uint16_t record_type = (uint16_t)ns_rr_type(record);
		if ((record_type == type || record_type == DNS_TYPE_CNAME) &&
			ns_rr_class(record) == ns_c_in &&
			dns_name_equal(ns_rr_name(record), answer->canonical_name))
			return false;
	}
	return true;
}

/* Offsets in the RDATA of an RRSIG and its least size (RFC 4034 3.1). */
enum { RRSIG_COVERED = 0, RRSIG_TTL = 4, RRSIG_EXPIRATION = 8, RRSIG_MIN = 18 };

static void read_signatures(struct dns_answer *answer, ns_msg *message, uint16_t type)
{
	ns_rr record;

	for (unsigned i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, (int)i, &record) != 0)
			return;
		if ((uint16_t)ns_rr_type(record) != DNS_TYPE_RRSIG ||
			ns_rr_rdlen(record) < RRSIG_MIN)
			continue;
		const uint8_t *rdata = ns_rr_rdata(record);
		uint32_t expires = (uint32_t)ns_get32(rdata + RRSIG_EXPIRATION);
		if (answer->signature_expires == 0 || expires < answer->signature_expires)
			answer->signature_expires = expires;
		if (ns_get16(rdata + RRSIG_COVERED) == type &&
			dns_name_equal(ns_rr_name(record), answer->canonical_name))
			answer->original_ttl = (uint32_t)ns_get32(rdata + RRSIG_TTL);
	}
}

/* RFC 2308 5: how long a negative answer may be kept. Without a SOA it must not be kept. */
static bool read_negative_ttl(struct dns_answer *answer, ns_msg *message)
{
	bool found = false;
	ns_rr record;

	for (unsigned i = 0; i < ns_msg_count(*message, ns_s_ns); i++) {
		if (ns_parserr(message, ns_s_ns, (int)i, &record) != 0)
			return false;
		if ((uint16_t)ns_rr_type(record) != DNS_TYPE_SOA || ns_rr_rdlen(record) < 4)
			continue;
		least(&answer->ttl, ns_rr_ttl(record));
		/* MINIMUM is the SOA's last field (RFC 1035 3.3.13). */
		least(&answer->ttl,
			(uint32_t)ns_get32(ns_rr_rdata(record) + ns_rr_rdlen(record) - 4));
		found = true;
	}
	if (!found)
		answer->ttl = 0;
	return true;
}

static bool read_packet(struct dns_answer *answer, const char *name, uint16_t type, ns_msg *message)
{
	ns_rr question;

	if (ns_initparse(answer->packet, (int)answer->packet_size, message) != 0)
		return false;
	if (ns_msg_count(*message, ns_s_qd) != 1 ||
		ns_parserr(message, ns_s_qd, 0, &question) != 0 || ns_rr_type(question) != type ||
		!dns_name_equal(ns_rr_name(question), name))
		return false;
	if (!copy_name(answer->canonical_name, name) || !read_answer_section(answer, message, type))
		return false;
	if (answer->security == DNS_SECURE)
		read_signatures(answer, message, type);
	if (answer->record_count > 0) {
		answer->outcome = DNS_FOUND;
		return true;
	}
	if (!nothing_left(answer, message, type))
		return false;
	answer->outcome =
		ns_msg_getflag(*message, ns_f_rcode) == ns_r_nxdomain ? DNS_NXDOMAIN : DNS_NODATA;
	return read_negative_ttl(answer, message);
}

void dns_answer_parse(struct dns_answer *answer, const char *name, uint16_t type,
	enum dns_security security, const uint8_t *packet, size_t packet_size)
{
	ns_msg message;

	memset(answer, 0, sizeof *answer);
	answer->security = security;
	answer->packet = packet;
	answer->packet_size = packet_size;
	answer->ttl = UINT32_MAX;
	if (packet_size > NS_MAXMSG || !read_packet(answer, name, type, &message)) {
		dns_answer_fail(answer, DNS_FAILURE_MALFORMED, security,
			"the answer cannot be parsed, or its alias chain loops or is too long");
		return;
	}
	/* libunbound truncates an answer above 64 KB, as any resolver does: it is not NODATA. */
	if (ns_msg_getflag(message, ns_f_tc)) {
		dns_answer_fail(
			answer, DNS_FAILURE_MALFORMED, security, "the answer is larger than 64 KB");
		return;
	}
	int rcode = ns_msg_getflag(message, ns_f_rcode);
	if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
		dns_answer_fail(
			answer, DNS_FAILURE_SERVFAIL, security, "the resolver returned an error");
}

void dns_answer_clear(struct dns_answer *answer)
{
	free(answer->records);
	answer->records = NULL;
	answer->record_count = 0;
}

bool dns_answer_mx(const struct dns_answer *answer, const struct dns_record *record,
	uint16_t *preference, char name[DNS_NAME_SIZE])
{
	char exchange[NS_MAXDNAME];

	if (record->size < 3)
		return false;
	*preference = (uint16_t)ns_get16(record->rdata);
	if (!read_name(answer, record->rdata + 2, record->size - 2u, exchange))
		return false;
	/* The root, which the C library writes as "." or as "", is "" here. */
	return copy_name(name, exchange);
}
