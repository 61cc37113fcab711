/*
 * destination_parts: the parts of one destination that a lookup has got, as evidence, and as the
 * message that carries them to a serving thread.
 */
#ifndef TLSAD_LOOKUP_DESTINATION_PARTS_H
#define TLSAD_LOOKUP_DESTINATION_PARTS_H

#include "daemon/lookup/lookup.h"
#include "daemon/lookup/part_buffer.h"

/* Zeroes but for the destination at first. */
struct destination_parts {
	struct destination destination;
	struct part_buffer mx; /* of a DESTINATION_DOMAIN */
	size_t host_count;
	struct part_buffer *hosts; /* in the order of evidence_list_hosts(); calloc()ed */
};

void destination_parts_clear(struct destination_parts *parts);

/*
 * Let the evidence point at the destination and as many parts as there are: with the MX part its
 * hosts are listed. False when the MX part is missing or damaged.
 */
bool destination_parts_list(const struct destination_parts *parts, struct evidence *evidence);

/* The same, and at the parts of all hosts. False when one is missing. */
bool destination_parts_evidence(const struct destination_parts *parts, struct evidence *evidence);

/* A message with copies of all; NULL when out of memory or when a part is missing. */
struct lookup_result *destination_parts_result(
	const struct destination_parts *parts, const struct ta_file_finding *file);

#endif
