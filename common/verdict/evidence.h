/*
 * evidence: all parts that one destination's answer is made from, seen in place wherever they are.
 *
 * The destination and the bytes belong to a request, a cache reader or a message, and must outlive
 * the evidence. Pure.
 */
#ifndef TLSAD_VERDICT_EVIDENCE_H
#define TLSAD_VERDICT_EVIDENCE_H

#include "common/verdict/decide.h"

struct evidence_host {
	uint16_t preference;
	uint8_t name_size;
	const char *name; /* no NUL byte behind it */
	struct part part;
};

struct evidence {
	const struct destination *destination; /* somebody else's, like the bytes */
	struct part mx;                        /* of a DESTINATION_DOMAIN */
	size_t host_count;                     /* 0 where the MX answer leads to none */
	struct evidence_host hosts[PART_HOSTS_MAX];
};

/*
 * From the destination, and its MX part where it is a domain, the hosts whose parts are needed.
 * The names point into the destination of `evidence` or into the MX part. False when the MX part
 * is damaged: it is worth nothing then.
 */
bool evidence_list_hosts(struct evidence *evidence);

/* What decide() needs, from parts that are all there. */
void evidence_facts(const struct evidence *evidence, struct decide_facts *facts);

/* When the first of the parts expires. */
uint32_t evidence_expires(const struct evidence *evidence);

/* Should some part be refreshed by now? */
bool evidence_refresh_due(const struct evidence *evidence, uint32_t now);

/* Does some part tell of a failure? */
bool evidence_has_failure(const struct evidence *evidence);

/* The failure that a TEMP answer tells of; false when no part failed. */
bool evidence_failure(const struct evidence *evidence, struct part_failure *failure);

#endif
