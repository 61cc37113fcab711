/*
 * store: keys and values on disk and in memory at once, a thin wrapper around LMDB that knows
 * nothing of DNS.
 *
 * Every value has an order, a number. When the store has no room left, the values of the lowest
 * order go first. One thread writes; any number read, without a lock, without waiting and without
 * allocating, each through a reader of its own. A store belongs to one process at a time.
 *
 * Commits are not forced to the disk: a killed process loses nothing that was committed, a power
 * failure may lose or damage the file. That is why store_open() looks through the whole file, in
 * a child process that may crash on it, and sets aside what is damaged.
 */
#ifndef TLSAD_CACHE_STORE_H
#define TLSAD_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_reader;

enum {
	STORE_KEY_MAX = 500, /* of LMDB's 511, less the order */
	STORE_ERROR_SIZE = 400,
};

struct store_settings {
	const char *directory;
	uint64_t max_size; /* [bytes] */
	uint32_t format;   /* of the values; a file of another one is set aside */
	/* Is this value what was stored under this key? */
	bool (*intact)(const uint8_t *value, size_t size, const char *key, size_t key_size);
};

/*
 * NULL when the directory is missing, not writable, full, or in use by another process: `error`
 * says so in one line. A damaged file is set aside with a message in the log and is no error.
 * To be called before there are threads.
 */
struct store *store_open(const struct store_settings *settings, char error[STORE_ERROR_SIZE]);

/* After the last reader is freed. Writes what is pending and forces all to the disk. */
void store_close(struct store *store);

/* --- to read: each reader in one thread ---------------------------------------------------- */

struct store_reader *store_reader_new(struct store *store);
void store_reader_free(struct store_reader *reader);

/* Values found stay where they are, and as they are, until store_reader_end(). */
bool store_reader_begin(struct store_reader *reader);
void store_reader_end(struct store_reader *reader);

bool store_reader_get(struct store_reader *reader, const char *key, size_t key_size,
	const uint8_t **value, size_t *size);

/*
 * The first key behind this one, in the order of their bytes, with its value; false behind the
 * last. An empty key stands before all others.
 */
bool store_reader_next(struct store_reader *reader, const char *after, size_t after_size,
	const char **key, size_t *key_size, const uint8_t **value, size_t *size);

/* --- to write: one thread ------------------------------------------------------------------ */

/* Pending until store_commit(). False when it could not be kept: see store_trouble(). */
bool store_put(struct store *store, const char *key, size_t key_size, const uint8_t *value,
	size_t size, uint32_t order);

/* Sees what is pending too. The value stays until the next call of any of these. */
bool store_get(
	struct store *store, const char *key, size_t key_size, const uint8_t **value, size_t *size);

/* Pending as well; false when there is no such key. */
bool store_delete(struct store *store, const char *key, size_t key_size);

/* Make what is pending visible to readers, and room where it is scarce. */
bool store_commit(struct store *store);

/* Delete values of an order below `order`, at most `max` of them; pending. Returns how many. */
size_t store_expire(struct store *store, uint32_t order, size_t max);

/* The same from the other end: values of an order above `order`. */
size_t store_expire_above(struct store *store, uint32_t order, size_t max);

/*
 * Has the disk room for more? A store on a full one can still be written now and then, as long as
 * it reuses its own pages.
 */
bool store_disk_has_room(const struct store *store);

/* Why the last write failed, in words; empty when it succeeded. */
const char *store_trouble(const struct store *store);

struct store_figures {
	uint64_t entries;
	uint64_t bytes;   /* in use, of max_size */
	uint64_t evicted; /* for want of room, since the start */
};

void store_figures(struct store *store, struct store_figures *figures);

#endif
