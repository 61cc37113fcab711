/*
 * store_internal: what store.c, store_read.c and store_room.c share: an open store.
 */
#ifndef TLSAD_CACHE_STORE_INTERNAL_H
#define TLSAD_CACHE_STORE_INTERNAL_H

#include "common/base/counter.h"
#include "daemon/cache/store_file.h"

#include <stdatomic.h>

struct store {
	MDB_env *env;
	struct store_trees trees;
	char path[STORE_PATH_SIZE];
	uint32_t format;
	MDB_txn *txn; /* what is pending, or NULL */
	int lock;     /* file descriptor of the lock file */
	size_t page_size, pages;
	uint64_t puts; /* since the last commit */
	uint64_t evicted;
	unsigned full; /* how often in turn writes met LMDB's limit before a commit */
	char trouble[STORE_ERROR_SIZE];
	/* For readers of the figures in other threads. */
	counter entries, bytes, evicted_seen;
};

/* Begin a transaction, unless one is open. False when that is not possible: see store_trouble(). */
bool store_begin(struct store *store);

/* A write failed with LMDB's code: what is pending is lost, and store_trouble() says why. */
bool store_fail(struct store *store, int code);

/* Write what is pending. */
bool store_commit_pending(struct store *store);

/*
 * Delete from one end of the order, MDB_FIRST or MDB_LAST, as long as it lies in the range, `max`
 * values at most.
 */
size_t store_delete_range(
	struct store *store, MDB_cursor_op end, uint32_t from, uint32_t below, size_t max);

/* --- store_read.c -------------------------------------------------------------------------- */

/* The value under a key, less its order. */
bool store_get_value(MDB_txn *txn, MDB_dbi values, const char *key, size_t key_size,
	const uint8_t **value, size_t *size);

/* --- store_room.c -------------------------------------------------------------------------- */

/* For readers of the figures in other threads, as of the last commit. */
void store_note_figures(struct store *store);

/* Too few pages left for a commit to write again what it changes? */
bool store_is_scarce(struct store *store);

/* Delete values of the lowest order until there is room again. False when nothing could be deleted.
 */
bool store_make_room(struct store *store);

#endif
