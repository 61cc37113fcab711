/*
 * evidence: all parts that are needed for the reply about one destination, read in place.
 *
 * The destination and the bytes belong to a request, a cache reader or a message, which must keep
 * them as long as the evidence. Pure.
 */
#ifndef TLSAD_VERDICT_EVIDENCE_H
#define TLSAD_VERDICT_EVIDENCE_H

#include "common/verdict/decide.h"

struct evidence_host {
	uint16_t preference;
	uint8_t name_size;
	const char *name; /* without a NUL byte at its end */
	struct part part;
};

struct evidence {
	const struct destination *destination;
	struct part mx;    /* with DESTINATION_DOMAIN */
	size_t host_count; /* 0 if the MX part has no hosts */
	struct evidence_host hosts[PART_HOSTS_MAX];
};

/*
 * List the hosts whose parts are needed, from the destination and, if it is a domain, its MX part.
 * The names point into the destination or into the MX part. False if the MX part is damaged and
 * must not be used.
 */
bool evidence_list_hosts(struct evidence *evidence);

/* The facts for decide(); all parts must be present. */
void evidence_facts(const struct evidence *evidence, struct decide_facts *facts);

/* The earliest time at which one of the parts expires. */
uint32_t evidence_expires(const struct evidence *evidence);

/* Is a refresh of at least one part due? */
bool evidence_refresh_due(const struct evidence *evidence, uint32_t now);

/* Does at least one part contain a failure? */
bool evidence_has_failure(const struct evidence *evidence);

/* The failure that a TEMP reply reports, the first one; false if no part has a failure. */
bool evidence_failure(const struct evidence *evidence, struct part_failure *failure);

#endif
