/*
 * part_kind: the kinds of parts that can be looked up, one row each. To add a kind, add a file with
 * its row (see part_kind_mx.c) and a line in part_kind.c. Its facts and its bytes belong to
 * common/part, where it has a row with its name, its key and its statuses (common/part/kind.c).
 *
 * A row has the functions to look up one part of its kind and to encode the result. Facts are the
 * kind's struct in common/part/facts.h. Rows are constant; their functions keep no state. Trust
 * anchors have no row: they come from a mail server, several in one connection, and a failed one is
 * never part of a reply (daemon/lookup/ta_fetch.h). Lookup thread.
 */
#ifndef TLSAD_LOOKUP_PART_KIND_H
#define TLSAD_LOOKUP_PART_KIND_H

#include "common/dane/lookup_settings.h"
#include "common/part/part.h"
#include "daemon/cache/lifetime.h"

/* Which part of its kind: a name in lower case, and a port if the kind has one. */
struct part_subject {
	const char *name;
	uint16_t port;
};

/* What those who wait for a lookup want; it may change while the lookup runs. */
struct part_wish {
	bool asked;    /* somebody asked for it, now; false: it is only kept fresh */
	bool mismatch; /* STS policies: no MX host matches, so that it is downloaded again */
	bool flushed;  /* the old part was deleted meanwhile: it must not be used any more */
};

struct part_lookups;

/* What a lookup needs. The owner keeps everything until the lookup is freed. */
struct part_task {
	struct part_lookups *lookups;
	struct lookup_settings settings;
	const struct part_subject *subject; /* its name is copied */
	const struct part_wish *wish;
	const struct part *old; /* the part in the cache, expired or due; NULL: none */
};

/* The caller that waits for a lookup; embedded in the caller's own struct. */
struct part_kind_waiter {
	/* Called once, from the loop. `facts` are valid until it returns. It frees the lookup. */
	void (*found)(struct part_kind_waiter *waiter, const void *facts);
};

struct part_kind_row {
	enum part_kind kind;
	uint16_t question_type; /* enum dns_type for a failure before the first query */
	/* Start a lookup. NULL when out of memory. */
	void *(*start)(const struct part_task *task, struct part_kind_waiter *waiter);
	/* Stop the lookup if it runs, and free it. NULL is allowed. */
	void (*cancel)(void *lookup);
	/* Make a failure of type timeout for the query that the lookup waits for. */
	void (*pending)(const void *lookup, struct part_failure *failure);
	bool (*failed)(const void *facts);
	/* How long facts found at `now`, failed or not, are valid, and when to refresh them. */
	struct part_times (*lifetime)(
		const void *facts, const struct lifetime_settings *settings, uint32_t now);
	/*
	 * The bytes of the part, allocated with malloc(). NULL when out of memory; the old part
	 * then stays.
	 */
	uint8_t *(*encode)(const void *facts, const struct part_times *times, const char *key,
		size_t key_size, size_t *size);
	/* The same for a lookup that failed, or was never started. */
	uint8_t *(*encode_failure)(const struct part_failure *failure,
		const struct part_times *times, const char *key, size_t key_size, size_t *size);

	/* Can the part be used? NULL: it can. */
	bool (*is_whole)(const struct part *part);
	/* May a part with this status still be used after it has expired, if the refresh fails? */
	bool (*may_be_stale)(uint8_t status);
};

extern const struct part_kind_row part_kind_mx, part_kind_host, part_kind_sts;

/* NULL for a kind that is not looked up. */
const struct part_kind_row *part_kind_find(enum part_kind kind);

#endif
