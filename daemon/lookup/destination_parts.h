/*
 * destination_parts: the parts of one destination that a lookup has, as evidence, and as the
 * message with which they are sent to a serving thread. Lookup thread.
 */
#ifndef TLSAD_LOOKUP_DESTINATION_PARTS_H
#define TLSAD_LOOKUP_DESTINATION_PARTS_H

#include "daemon/lookup/lookup.h"
#include "daemon/lookup/part_buffer.h"

/* At first all zeroes except for the destination. */
struct destination_parts {
	struct destination destination;
	struct part_buffer mx; /* of a DESTINATION_DOMAIN */
	struct part_buffer sts;
	bool needs_sts; /* an MTA-STS policy can change the verdict, so `sts` must be there */
	size_t host_count;
	struct part_buffer *hosts; /* in the order of evidence_list_hosts(); calloc()ed */
};

void destination_parts_clear(struct destination_parts *parts);

/*
 * Point the evidence at the destination and its MX part, and list its hosts. False if the MX part
 * is missing or damaged.
 */
bool destination_parts_list(const struct destination_parts *parts, struct evidence *evidence);

/* The same, and also point at the parts of all hosts. False if one is missing or damaged. */
bool destination_parts_evidence(const struct destination_parts *parts, struct evidence *evidence);

/* A message with copies of all parts. NULL when out of memory or if a part is missing. */
struct lookup_result *destination_parts_result(
	const struct destination_parts *parts, const struct ta_file_finding *file);

#endif
