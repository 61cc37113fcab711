/*
 * store_internal: an open store, for store.c, store_read.c and store_room.c only.
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
	MDB_txn *txn; /* the transaction with pending changes, or NULL */
	int lock;     /* file descriptor of the lock file */
	size_t page_size, pages;
	uint64_t puts; /* since the last commit */
	uint64_t evicted;
	unsigned full; /* consecutive writes that failed at LMDB's limit, since the last commit */
	char trouble[STORE_ERROR_SIZE];
	/* Figures as of the last commit; any thread may read them. */
	counter entries, bytes, evicted_seen;
};

/* Begin a transaction, unless one is open. False on failure: see store_trouble(). */
bool store_begin(struct store *store);

/*
 * A write failed with LMDB's code: pending changes are lost; sets store_trouble(). Returns false.
 */
bool store_fail(struct store *store, int code);

/* Write pending changes. */
bool store_commit_pending(struct store *store);

/*
 * Delete at most `max` values, from one end of the order (MDB_FIRST or MDB_LAST), as long as
 * their order is at least `from` and less than `below`.
 */
size_t store_delete_range(
	struct store *store, MDB_cursor_op end, uint32_t from, uint32_t below, size_t max);

/* --- store_read.c -------------------------------------------------------------------------- */

/* The value of a key, without its order. */
bool store_get_value(MDB_txn *txn, MDB_dbi values, const char *key, size_t key_size,
	const uint8_t **value, size_t *size);

/* The first key after `after` that is not one of LMDB's own, as in store_reader_next(). */
bool store_next_value(MDB_txn *txn, MDB_dbi values, const char *after, size_t after_size,
	const char **key, size_t *key_size, const uint8_t **value, size_t *size);

/* --- store_room.c -------------------------------------------------------------------------- */

/* Update the figures for other threads. */
void store_note_figures(struct store *store);

/* Are there too few free pages? A commit writes new copies of all pages that it changes. */
bool store_is_scarce(struct store *store);

/* Delete values of the lowest order until there is room. False if nothing could be deleted. */
bool store_make_room(struct store *store);

#endif
