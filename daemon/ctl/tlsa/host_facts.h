/*
 * host_facts: keeps the result of a host lookup (common/part/facts.h) and makes text and JSON from
 * it. No state, no I/O.
 */
#ifndef TLSAD_CTL_TLSA_HOST_FACTS_H
#define TLSAD_CTL_TLSA_HOST_FACTS_H

#include "common/base/text.h"
#include "common/part/facts.h"

#include <arpa/inet.h>
#include <jansson.h>

/* A copy that stays valid after the lookup, or NULL when out of memory. */
struct host_facts *host_facts_copy(const struct host_facts *facts);
void host_facts_free(struct host_facts *facts);

/* The TLSA lookup that decided, with or without records; NULL if there was no TLSA lookup. */
const struct host_question *host_facts_tlsa_lookup(const struct host_facts *facts);

/*
 * How long caches may hold these TLSA records, or their absence, from now on [s]: the TTL in the
 * zone, if known, because another cache may have queried the zone just now.
 */
uint32_t host_facts_tlsa_ttl(const struct host_facts *facts);

/* Adds what the status means and its reason, one line without the name of the host. */
void host_facts_add_text(struct text *text, const struct host_facts *facts);

/* The n-th address of a lookup of type A or AAAA. */
const char *host_facts_print_address(
	const struct host_question *question, size_t n, char text[INET6_ADDRSTRLEN]);

json_t *host_facts_lookups_json(const struct host_facts *facts);

/*
 * Prints a record like tlsa_record_text(), with `digits` hexadecimal digits, at most
 * HOST_TLSA_DIGITS, the length of a SHA-256 digest. Returns `text`.
 */
enum { HOST_TLSA_DIGITS = 64, HOST_TLSA_TEXT_SIZE = HOST_TLSA_DIGITS + 32 };

const char *host_tlsa_print(
	const struct host_tlsa *tlsa, size_t digits, char text[HOST_TLSA_TEXT_SIZE]);

json_t *host_tlsa_json(const struct host_tlsa *tlsa);

#endif
