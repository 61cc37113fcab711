/*
 * part_source: where a lookup can get a part from, one row each. To add a source, add a file with
 * its row (see part_source_dns.c) and a line in the table of part_lookup.c. The local cache is not
 * a source: it is read for every request.
 *
 * A source works on one struct running_part, in the lookup thread. It calls part_source_found() or
 * part_source_missed() once, or is cancelled.
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
	struct part_buffer old;      /* the part in the cache, expired or due */
	struct part_wish wish;
	/* The source that is asked now, in a list that ends with NULL. */
	const struct part_source *const *source;
	/* The source's own state while it is asked; NULL at first. */
	void *state;

	TAILQ_HEAD(, part_request) requests;
};

struct part_source {
	/* False if it cannot be asked; it keeps no state then. It must not call back inside. */
	bool (*start)(struct running_part *lookup);
	/* Free the state that start() made, whether the source has finished or not. */
	void (*cancel)(struct running_part *lookup);
	/* Make a failure of type timeout for the query that the source waits for. */
	void (*pending)(const struct running_part *lookup, struct part_failure *failure);
};

extern const struct part_source part_source_dns;

/*
 * The part was found, or with `failed`, no source can find it. The function owns the bytes, which
 * are empty when out of memory. It frees the lookup.
 */
void part_source_found(struct running_part *lookup, struct part_buffer part, bool failed);

/*
 * The source does not have the part: ask the next one. If none is left, the lookup has failed.
 * Frees the source's state, and perhaps the lookup.
 */
void part_source_missed(struct running_part *lookup);

#endif
