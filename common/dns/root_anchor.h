/*
 * root_anchor: the trust anchors, where DNSSEC validation starts.
 *
 * The configured file, or the built-in copies of IANA's root keys, is only the seed. For the root
 * zone libunbound follows changes of the key (RFC 5011 2) and writes the new keys to a file. It
 * ends the whole process if it cannot write that file, so the file must not be on a disk that may
 * fill up: libunbound works on a private copy in memory (in the runtime directory or /dev/shm), and
 * root_anchor_keep() copies the new keys to `root.key` in the state directory, where the next start
 * finds them.
 *
 * A struct root_anchors belongs to one thread. Errors are one line with the file.
 */
#ifndef TLSAD_DNS_ROOT_ANCHOR_H
#define TLSAD_DNS_ROOT_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>

struct root_anchors;

/*
 * NULL and one line if the seed cannot be read. A stored state that was made from another seed, or
 * that contains no key, is ignored and logged.
 */
struct root_anchors *root_anchor_open(
	const char *seed_file, const char *state_directory, char *error, size_t error_size);

/* Remove the working copy and free everything. */
void root_anchor_close(struct root_anchors *anchors);

/*
 * The working copy, in which libunbound follows changes of the root key; NULL if the seed has no
 * record of the root.
 */
const char *root_anchor_tracked_file(const struct root_anchors *anchors);

/* The trust anchors of other zones, one record in each string. */
const char *const *root_anchor_others(const struct root_anchors *anchors, size_t *count);

/* The stored state, as found at start. */
enum root_anchor_state {
	ROOT_ANCHOR_STATE_NONE, /* does not exist, or the seed has no record of the root */
	ROOT_ANCHOR_STATE_USED,
	ROOT_ANCHOR_STATE_UNREADABLE,
	ROOT_ANCHOR_STATE_OLD,     /* was made from another trust anchor */
	ROOT_ANCHOR_STATE_DAMAGED, /* or too large, or the root's keys were revoked */
};

enum root_anchor_state root_anchor_state(const struct root_anchors *anchors);

/* The path of the stored state, which need not exist. */
const char *root_anchor_state_file(const struct root_anchors *anchors);

/* The built-in keys of IANA's root, as DS records, one per line. */
const char *root_anchor_built_in(void);

/* Store the keys if libunbound has changed them. A failure is logged once, until it succeeds. */
void root_anchor_keep(struct root_anchors *anchors);

/*
 * Ignore the stored state and start from the seed again. False if the state was not in use, or if
 * the working copy cannot be written.
 */
bool root_anchor_reset(struct root_anchors *anchors);

/* Log that the stored state cannot be used. */
void root_anchor_warn(const struct root_anchors *anchors);

#endif
