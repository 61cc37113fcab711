/*
 * part_kind: the kinds of parts that can be looked up, one row each. Another kind is a file with
 * its row (as part_kind_mx.c) and a line in part_kind.c; its facts and bytes belong to common/part,
 * where it has a row for its name, its key and its statuses (common/part/kind.c).
 *
 * A row says how one part of its kind is looked up and what becomes of what was found. Facts are
 * the kind's own struct of common/part/facts.h. Rows are constant; their functions keep no state.
 * Trust anchors have no row: they come from a mail server, several with one connection, and a
 * failed one is never handed on (daemon/lookup/ta_fetch.h).
 */
#ifndef TLSAD_LOOKUP_PART_KIND_H
#define TLSAD_LOOKUP_PART_KIND_H

#include "common/dane/lookup_settings.h"
#include "common/part/part.h"
#include "daemon/cache/lifetime.h"

/* Which part of its kind: a name, lower case, no NUL in it, and a port if the kind has one. */
struct part_subject {
	const char *name;
	uint16_t port;
};

/* Who waits for a lookup of the kind; embedded in the waiter's own struct. */
struct part_kind_waiter {
	/* Called once, from the loop. `facts` live until it returns. Here the lookup is freed. */
	void (*found)(struct part_kind_waiter *waiter, const void *facts);
};

struct part_kind_row {
	enum part_kind kind;
	uint16_t question_type; /* enum dns_type that a failure names when nothing was asked */

	/* NULL when out of memory. The subject's name need not stay. */
	void *(*start)(const struct lookup_settings *settings, const struct part_subject *subject,
		struct part_kind_waiter *waiter);
	/* Stop it if it runs, and free it. NULL is fine. */
	void (*cancel)(void *lookup);
	/* The question that it waits for, as a timeout. */
	void (*pending)(const void *lookup, struct part_failure *failure);

	bool (*failed)(const void *facts);
	/* How long what was found at `now` lives, failed or not, and when to look again. */
	struct part_times (*lifetime)(
		const void *facts, const struct lifetime_settings *settings, uint32_t now);
	/* malloc()ed; NULL when out of memory. */
	uint8_t *(*encode)(const void *facts, const struct part_times *times, const char *key,
		size_t key_size, size_t *size);
	/* The part of a lookup that failed like this, or was not made. */
	uint8_t *(*encode_failure)(const struct part_failure *failure,
		const struct part_times *times, const char *key, size_t key_size, size_t *size);

	/* May a part of this status live on when looking it up again fails? */
	bool (*may_be_stale)(uint8_t status);
};

extern const struct part_kind_row part_kind_mx, part_kind_host;

/* NULL for a kind that is not looked up. */
const struct part_kind_row *part_kind_find(enum part_kind kind);

#endif
