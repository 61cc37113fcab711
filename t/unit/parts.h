/*
 * parts: parts made for tests, from what they say to their bytes and open again.
 */
#ifndef TLSAD_T_UNIT_PARTS_H
#define TLSAD_T_UNIT_PARTS_H

#include "common/dane/tlsa.h"
#include "common/part/part.h"

#include "t/unit/tap.h"

enum { PARTS_NOW = 1700000000 };

/* An hour's life from PARTS_NOW on. */
static inline struct part_times parts_times(void)
{
	return (struct part_times){
		.stored_at = PARTS_NOW,
		.refresh_at = PARTS_NOW + 3240,
		.expires = PARTS_NOW + 3600,
	};
}

static inline void parts_fail(struct part_failure *failure, enum dns_failure kind, uint16_t type,
	const char *name, const char *detail)
{
	memset(failure, 0, sizeof *failure);
	failure->failure = kind;
	failure->type = type;
	snprintf(failure->name, sizeof failure->name, "%s", name);
	snprintf(failure->detail, sizeof failure->detail, "%s", detail);
}

/* The bytes of an MX set, malloc()ed; the part opened. */
static inline uint8_t *parts_mx(struct part *part, const struct mx_set *set,
	const struct part_times *times, const char *domain)
{
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_MX, domain, strlen(domain), 0);
	uint8_t *bytes = part_encode_mx(set, times, key, key_size, &size);

	if (bytes == NULL || !part_open(part, PART_MX, bytes, size))
		bail_out("an MX part cannot be made");
	return bytes;
}

static inline uint8_t *parts_host(struct part *part, const struct host_facts *facts,
	const struct part_times *times, const char *name, uint16_t port)
{
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_HOST, name, strlen(name), port);
	uint8_t *bytes = part_encode_host(facts, times, key, key_size, &size);

	if (bytes == NULL || !part_open(part, PART_HOST, bytes, size))
		bail_out("a host part cannot be made");
	return bytes;
}

/* A host with a question for addresses, one for TLSA records, and these TLSA records. */
static inline void parts_host_facts(struct host_facts *facts, enum host_status status,
	const char *name, struct host_tlsa *tlsa, size_t tlsa_count)
{
	memset(facts, 0, sizeof *facts);
	facts->status = status;
	facts->ttl = 3600;
	facts->question_count = 2;
	facts->questions[0] = (struct host_question){
		.type = DNS_TYPE_A,
		.outcome = DNS_FOUND,
		.security = DNS_SECURE,
		.ttl = 300,
		.address_count = 1,
		.addresses = {{192, 0, 2, 1}},
	};
	snprintf(facts->questions[0].name, DNS_NAME_SIZE, "%s", name);
	facts->questions[1] = (struct host_question){
		.type = DNS_TYPE_TLSA,
		.outcome = DNS_FOUND,
		.security = DNS_SECURE,
		.ttl = 600,
	};
	snprintf(facts->questions[1].name, DNS_NAME_SIZE, "_25._tcp.%.200s", name);
	if (tlsa_count > 0)
		snprintf(facts->base_domain, sizeof facts->base_domain, "%s", name);
	facts->tlsa_count = tlsa_count;
	facts->tlsa = tlsa;
	if (status == HOST_FAILED)
		parts_fail(&facts->failure, DNS_FAILURE_SERVFAIL, DNS_TYPE_TLSA,
			facts->questions[1].name, "no name server gave a usable answer");
}

enum { PARTS_LINES_MAX = 16 };

/* The facts of a policy with these lines, each a key and its value; NULL ends them. */
struct parts_sts {
	struct sts_facts facts;
	struct sts_line lines[PARTS_LINES_MAX];
	struct sts_pattern patterns[PARTS_LINES_MAX];
};

static inline void parts_sts_facts(
	struct parts_sts *policy, enum sts_status status, const char *const lines[][2])
{
	memset(policy, 0, sizeof *policy);
	policy->facts.status = status;
	policy->facts.discovery = STS_DISCOVERED;
	snprintf(policy->facts.id, sizeof policy->facts.id, "20261129T010203");
	policy->facts.max_age = 86400;
	policy->facts.fetched_at = PARTS_NOW;
	policy->facts.asked_at = PARTS_NOW;
	for (size_t i = 0; i < PARTS_LINES_MAX && lines[i][0] != NULL; i++) {
		policy->lines[i] = (struct sts_line){
			lines[i][0], lines[i][1], strlen(lines[i][0]), strlen(lines[i][1]), false};
		policy->facts.line_count++;
		if (strcmp(lines[i][0], "mx") == 0)
			policy->patterns[policy->facts.pattern_count++] =
				(struct sts_pattern){lines[i][1], strlen(lines[i][1])};
	}
	policy->facts.lines = policy->lines;
	policy->facts.patterns = policy->patterns;
}

static inline uint8_t *parts_sts(struct part *part, const struct sts_facts *facts,
	const struct part_times *times, const char *domain)
{
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_STS, domain, strlen(domain), 0);
	uint8_t *bytes = part_encode_sts(facts, times, key, key_size, &size);

	if (bytes == NULL || !part_open(part, PART_STS, bytes, size))
		bail_out("an STS part cannot be made");
	return bytes;
}

#endif
