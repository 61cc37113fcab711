/*
 * part_source: where a lookup can get a part from, one row each. Another source is a file with its
 * row (as part_source_dns.c) and a line in the table of part_lookup.c. The local cache is not a
 * source: it is read for every request.
 *
 * A source is asked about one struct running_part at a time, from the loop of the lookup thread. It
 * ends with part_source_found() or part_source_missed(), once, or is cancelled.
 */
#ifndef TLSAD_LOOKUP_PART_SOURCE_H
#define TLSAD_LOOKUP_PART_SOURCE_H

#include "daemon/lookup/part_lookup.h"

struct part_source;

/* A part that is being looked up. */
struct running_part {
	struct part_lookups *lookups;
	const struct part_kind_row *kind;
	char key[PART_KEY_MAX];
	size_t key_size;
	struct part_subject subject;
	char name[DNS_NAME_MAX + 1]; /* of the subject */
	struct part_buffer old;      /* what the cache had, expired or due */

	/* The source that is asked, in a list that ends with NULL. */
	const struct part_source *const *source;
	/* The source's own, for as long as it is asked; NULL at first. */
	void *state;

	TAILQ_HEAD(, part_request) requests;
};

struct part_source {
	/* False: it cannot be asked, and keeps no state. It calls nothing back by itself. */
	bool (*start)(struct running_part *lookup);
	/* Free what start() made, whether it ended by itself or not. */
	void (*cancel)(struct running_part *lookup);
	/* What it waits for, as a timeout. */
	void (*pending)(const struct running_part *lookup, struct part_failure *failure);
};

extern const struct part_source part_source_dns;

/*
 * The part was found, or looking it up failed for good: `failed`. Takes the bytes, which are empty
 * when out of memory. The lookup is gone afterwards.
 */
void part_source_found(struct running_part *lookup, struct part_buffer part, bool failed);

/*
 * The source does not have the part: the next one is asked. If none is left, the lookup has failed.
 * The source's state is gone afterwards, and the lookup may be.
 */
void part_source_missed(struct running_part *lookup);

#endif
