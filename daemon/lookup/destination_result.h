/*
 * destination_result: what happens with the parts of a destination when its lookup ends, in the
 * lookup thread: the verdict is counted, the result is sent to those who wait, and an MTA-STS
 * policy that no MX host matches is looked up again.
 */
#ifndef TLSAD_LOOKUP_DESTINATION_RESULT_H
#define TLSAD_LOOKUP_DESTINATION_RESULT_H

#include "daemon/lookup/destination_lookup.h"
#include "daemon/lookup/destination_parts.h"

/*
 * Count a lookup that began at `began` [us, clock_exact_us()] and has ended. True if the reply is
 * TEMP.
 */
bool destination_result_note(struct destination_lookups *lookups, const char *key,
	const struct destination_parts *parts, uint64_t began);

/*
 * Send the result to the sender of the request, and free the request. Out of memory, nothing is
 * sent, and the serving thread gives up after a while (worker.c).
 */
void destination_result_send(struct destination_lookups *lookups, struct lookup_request *request,
	const char *key, const struct destination_parts *parts, const struct ta_file_finding *file,
	bool deferred);

/* Update the counters of destinations whose mail is deferred. */
void destination_result_count_deferred(struct destination_lookups *lookups);

#endif
