/*
 * facts: what was looked up of a host, kept for longer than the lookup, in words and as JSON. Pure.
 */
#ifndef TLSAD_CTL_TLSA_FACTS_H
#define TLSAD_CTL_TLSA_FACTS_H

#include "common/base/text.h"
#include "common/part/part.h"

#include <jansson.h>

/* A copy that outlives the lookup, or NULL when out of memory. */
struct host_facts *facts_copy(const struct host_facts *facts);
void facts_free(struct host_facts *facts);

/* The lookup of the TLSA records that count, or of those that are not there; NULL without one. */
const struct host_lookup_result *facts_tlsa_lookup(const struct host_facts *facts);

/*
 * For how long caches may hold these TLSA records, or their absence, from now on [s]: the TTL that
 * the zone gives them, where it is known, since another cache may have asked a moment ago.
 */
uint32_t facts_tlsa_held(const struct host_facts *facts);

/* What the status means and comes from, one line without the host's name. */
void facts_words(struct text *text, const struct host_facts *facts);

json_t *facts_lookups_json(const struct host_facts *facts);
json_t *facts_tlsa_json(const struct host_tlsa *tlsa);

#endif
