/*
 * root_anchor: where validation starts.
 *
 * The configured file, or the copies of IANA's root keys that are built in, is only the seed. For
 * the root zone libunbound follows rolls of the key (RFC 5011 2) and writes what it learns into a
 * file. It ends the whole process when that file cannot be written, so it never gets one on a
 * disk that may fill up: it works on a private copy in memory (the runtime directory or /dev/shm),
 * and root_anchor_keep() carries what it learned to `root.key` in the state directory, where the
 * next start finds it.
 */
#ifndef TLSAD_DNS_ROOT_ANCHOR_H
#define TLSAD_DNS_ROOT_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>

struct root_anchors;

/*
 * NULL and one line when the seed cannot be read. A state that was made from another seed, or
 * that holds no key, is dropped with a message.
 */
struct root_anchors *root_anchor_open(
	const char *seed_file, const char *state_directory, char *error, size_t error_size);

/* Removes the working copy. */
void root_anchor_close(struct root_anchors *anchors);

/* The working copy in which libunbound follows rolls of the key, or NULL when the seed has nothing
 * for the root. */
const char *root_anchor_tracked_file(const struct root_anchors *anchors);

/* Anchors of other zones, one record a string. */
const char *const *root_anchor_others(const struct root_anchors *anchors, size_t *count);

/* What came of the stored state when it was looked for. */
enum root_anchor_state {
	ROOT_ANCHOR_STATE_NONE, /* there is none, or no anchor for the root that it could belong to
				 */
	ROOT_ANCHOR_STATE_USED,
	ROOT_ANCHOR_STATE_UNREADABLE,
	ROOT_ANCHOR_STATE_OLD,     /* it grew from another trust anchor */
	ROOT_ANCHOR_STATE_DAMAGED, /* or the root's keys were revoked */
};

enum root_anchor_state root_anchor_state(const struct root_anchors *anchors);

/* The file where the state is, or would be. */
const char *root_anchor_state_file(const struct root_anchors *anchors);

/* The keys of IANA's root that are built in, as DS records, a line each. */
const char *root_anchor_built_in(void);

/* Store what libunbound has learned since; trouble is logged once. */
void root_anchor_keep(struct root_anchors *anchors);

/* Forget the stored state and start from the seed again; false when that is what there was. */
bool root_anchor_reset(struct root_anchors *anchors);

#endif
