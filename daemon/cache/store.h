/*
 * store: keys and values in a file that is mapped into memory: a thin wrapper around LMDB, which
 * does not depend on DNS.
 *
 * Every value has an order, a number. When the store is full, values with the lowest order are
 * deleted first. One thread writes. Any number of threads read, each through its own reader,
 * without locks, waits or allocations. A store belongs to one process at a time.
 *
 * Commits are not forced to the disk: a killed process loses nothing that was committed, but a
 * power failure may lose or damage the file. store_open() therefore checks the whole file, in a
 * child process that may crash on it, and sets a damaged file aside (store_file.h).
 */
#ifndef TLSAD_CACHE_STORE_H
#define TLSAD_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_reader;

enum {
	STORE_KEY_MAX = 500, /* [bytes] LMDB's limit is 511, of which the order takes 4 */
	STORE_ERROR_SIZE = 400,
};

struct store_settings {
	const char *directory;
	uint64_t max_size; /* [bytes] */
	uint32_t format;   /* of the values; a file of another format is set aside */
	/* Is this value undamaged, and does it belong to this key? */
	bool (*intact)(const uint8_t *value, size_t size, const char *key, size_t key_size);
};

/*
 * NULL with one line in `error` if the directory is missing, not writable, full, or in use by
 * another process. A damaged file is set aside, which is logged and is not an error. Call it before
 * there are threads, since it forks.
 */
struct store *store_open(const struct store_settings *settings, char error[STORE_ERROR_SIZE]);

/*
 * Write pending changes, force everything to the disk and seal the file. Call it after the last
 * reader is freed.
 */
void store_close(struct store *store);

/* --- to read: each reader in one thread ---------------------------------------------------- */

struct store_reader *store_reader_new(struct store *store);
void store_reader_free(struct store_reader *reader);

/* Begin to read: values found are valid and unchanged until store_reader_end(). */
bool store_reader_begin(struct store_reader *reader);
void store_reader_end(struct store_reader *reader);

bool store_reader_get(struct store_reader *reader, const char *key, size_t key_size,
	const uint8_t **value, size_t *size);

/*
 * The first key after `after`, in byte order, with its value; false after the last key. An empty
 * `after` gives the first key.
 */
bool store_reader_next(struct store_reader *reader, const char *after, size_t after_size,
	const char **key, size_t *key_size, const uint8_t **value, size_t *size);

/* --- to write: one thread ------------------------------------------------------------------ */

/* Store a value; pending until store_commit(). False on failure: see store_trouble(). */
bool store_put(struct store *store, const char *key, size_t key_size, const uint8_t *value,
	size_t size, uint32_t order);

/*
 * Read a value, pending ones included. It is valid until the next call of any of these functions.
 */
bool store_get(
	struct store *store, const char *key, size_t key_size, const uint8_t **value, size_t *size);

/* As store_reader_next(), pending values included; valid as with store_get(). */
bool store_next(struct store *store, const char *after, size_t after_size, const char **key,
	size_t *key_size, const uint8_t **value, size_t *size);

/* Delete a value; pending as well. False if there is no such key. */
bool store_delete(struct store *store, const char *key, size_t key_size);

/* Make pending changes visible to readers, and delete values if room is scarce. */
bool store_commit(struct store *store);

/* Delete at most `max` values with an order below `order`; pending. Returns their number. */
size_t store_expire(struct store *store, uint32_t order, size_t max);

/* The same for values with an order above `order`. */
size_t store_expire_above(struct store *store, uint32_t order, size_t max);

/*
 * Has the disk room for more? On a full disk some writes still succeed, as long as the store reuses
 * its own pages.
 */
bool store_disk_has_room(const struct store *store);

/* Why the last write failed, as text; empty if it succeeded. */
const char *store_trouble(const struct store *store);

struct store_figures {
	uint64_t entries;
	uint64_t bytes;   /* in use, of max_size */
	uint64_t evicted; /* deleted to make room, since the start */
};

void store_figures(struct store *store, struct store_figures *figures);

#endif
