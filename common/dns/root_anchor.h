/*
 * anchor: where validation starts.
 *
 * The configured file, or the copies of IANA's root keys that are built in, is only the seed. For
 * the root zone libunbound follows rolls of the key (RFC 5011) and writes what it learns into a
 * file. It ends the whole process when that file cannot be written, so it never gets one on a
 * disk that may fill up: it works on a private copy in memory (the runtime directory or /dev/shm),
 * and anchor_keep() carries what it learned to `root.key` in the state directory, where the next
 * start finds it.
 */
#ifndef TLSAD_ANCHOR_H
#define TLSAD_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>

struct anchors;

/*
 * NULL and one line when the seed cannot be read. A state that was made from another seed, or
 * that holds no key, is dropped with a message.
 */
struct anchors *anchor_open(
	const char *seed_file, const char *state_directory, char *error, size_t error_size);

/* Removes the working copy. */
void anchor_close(struct anchors *anchors);

/* The working copy for libunbound's RFC 5011, or NULL when the seed has nothing for the root. */
const char *anchor_tracked_file(const struct anchors *anchors);

/* Anchors of other zones, one record a string. */
const char *const *anchor_others(const struct anchors *anchors, size_t *count);

/* What came of the stored state when it was looked for. */
enum anchor_state {
	ANCHOR_STATE_NONE, /* there is none, or no anchor for the root that it could belong to */
	ANCHOR_STATE_USED,
	ANCHOR_STATE_UNREADABLE,
	ANCHOR_STATE_OLD,     /* it grew from another trust anchor */
	ANCHOR_STATE_DAMAGED, /* or the root's keys were revoked */
};

enum anchor_state anchor_state(const struct anchors *anchors);

/* The file where the state is, or would be. */
const char *anchor_state_file(const struct anchors *anchors);

/* The keys of IANA's root that are built in, as DS records, a line each. */
const char *anchor_built_in(void);

/* Store what libunbound has learned since; trouble is logged once. */
void anchor_keep(struct anchors *anchors);

/* Forget the stored state and start from the seed again; false when that is what there was. */
bool anchor_reset(struct anchors *anchors);

#endif
