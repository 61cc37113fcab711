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
	bool has_sts;      /* a part about the MTA-STS policy was needed and is there */
	struct part sts;   /* with it */
	size_t host_count; /* 0 if the MX part has no hosts */
	struct evidence_host hosts[PART_HOSTS_MAX];
};

/*
 * List the hosts whose parts are needed, from the destination and, if it is a domain, its MX part.
 * The names point into the destination or into the MX part. False if the MX part is damaged and
 * must not be used. Clears `has_sts`.
 */
bool evidence_list_hosts(struct evidence *evidence);

/*
 * Can this part of an MTA-STS policy be used? False if it is damaged, has a pattern that no lookup
 * stores, or requires authentication by no pattern at all.
 */
bool evidence_sts_is_whole(const struct part *sts);

/* Does this host match the patterns of the MTA-STS policy (RFC 8461 4.1)? Does any host? */
bool evidence_host_matches_sts(const struct evidence *evidence, size_t host);
bool evidence_matches_sts(const struct evidence *evidence);

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
