#include "daemon/cache/store_internal.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	READERS_MAX = 128, /* threads of this process */
	/* [bytes] LMDB uses 64 for each reader, and a little more than 64 for itself. */
	READERS_FILE_SIZE = 16384,
	DISK_ROOM_MIN = 64 * 1024, /* [bytes] enough for some commits */
};

#define PATH_ADVICE "; set it to a directory with free space in which tlsad's account may write"

/* --- opening ------------------------------------------------------------------------------- */

static bool own_directory(struct store *store, const char *directory, char *error)
{
	char path[4096];

	if (mkdir(directory, 0750) != 0 && errno != EEXIST) {
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: cannot create the directory %.200s: %s" PATH_ADVICE,
			directory, strerror(errno));
		return false;
	}
	snprintf(path, sizeof path, "%s/lock", directory);
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock < 0) {
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: cannot write in %.200s: %s" PATH_ADVICE, directory,
			strerror(errno));
		return false;
	}
	if (flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: %.200s is in use by another tlsad; stop it or set another path",
			directory);
		return false;
	}
	return true;
}

int store_open_env(MDB_env **env, const char *path, uint64_t size, unsigned flags)
{
	int code = mdb_env_create(env);
	if (code != 0)
		return code;
	if ((code = mdb_env_set_maxdbs(*env, 2)) != 0 ||
		(code = mdb_env_set_maxreaders(*env, READERS_MAX)) != 0 ||
		(code = mdb_env_set_mapsize(*env, size)) != 0 ||
		(code = mdb_env_open(
			 *env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC | flags, 0640)) != 0) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return code;
}

int store_open_trees(MDB_txn *txn, struct store_trees *trees, uint32_t format)
{
	MDB_val key = {.mv_size = sizeof STORE_FORMAT_KEY - 1, .mv_data = STORE_FORMAT_KEY};
	MDB_val data = {.mv_size = sizeof format, .mv_data = &format};
	int code;

	if ((code = mdb_dbi_open(txn, NULL, 0, &trees->values)) != 0 ||
		(code = mdb_dbi_open(txn, STORE_ORDER_TREE, MDB_CREATE, &trees->order)) != 0 ||
		(code = mdb_dbi_open(txn, STORE_META_TREE, MDB_CREATE, &trees->meta)) != 0)
		return code;
	return mdb_put(txn, trees->meta, &key, &data, 0);
}

/*
 * LMDB maps its file of readers into memory and writes to it: on a full disk that would raise
 * SIGBUS. So the file is created here in its full size. No other process has it open, since we have
 * the lock.
 */
static bool make_readers_file(const char *path, char *error)
{
	char name[STORE_PATH_SIZE + 8];

	snprintf(name, sizeof name, "%s-lock", path);
	unlink(name);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	int code = fd < 0 ? errno : posix_fallocate(fd, 0, READERS_FILE_SIZE);
	if (fd >= 0)
		close(fd);
	if (code != 0)
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: cannot write %.200s: %s" PATH_ADVICE, name, strerror(code));
	return code == 0;
}

static bool open_trees(struct store *store, uint32_t format)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (code == 0) {
		code = store_open_trees(txn, &store->trees, format);
		if (code != 0)
			mdb_txn_abort(txn);
		else
			code = mdb_txn_commit(txn);
	}
	/* Write to the disk once at the start, to notice a full disk now. */
	if (code == 0)
		code = mdb_env_sync(store->env, 1);
	if (code != 0)
		snprintf(store->trouble, sizeof store->trouble, "%s", mdb_strerror(code));
	return code == 0;
}

static bool open_store(struct store *store, const struct store_settings *settings, char *error)
{
	const char *path = store->path;
	MDB_stat stat;

	snprintf(store->path, sizeof store->path, "%.4000s/parts.mdb", settings->directory);
	if (!own_directory(store, settings->directory, error) ||
		!store_prepare_file(path, settings, error) || !make_readers_file(path, error))
		return false;
	int code = store_open_env(&store->env, path, settings->max_size, 0);
	if (code != 0) {
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: cannot open %.200s: %s" PATH_ADVICE, path,
			mdb_strerror(code));
		return false;
	}
	if (!open_trees(store, settings->format)) {
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: cannot write %.200s: %.80s" PATH_ADVICE, path,
			store->trouble);
		return false;
	}
	mdb_env_stat(store->env, &stat);
	store->page_size = stat.ms_psize;
	store->pages = settings->max_size / stat.ms_psize;
	return true;
}

struct store *store_open(const struct store_settings *settings, char error[STORE_ERROR_SIZE])
{
	struct store *store = calloc(1, sizeof *store);

	if (store == NULL) {
		snprintf(error, STORE_ERROR_SIZE, "out of memory");
		return NULL;
	}
	store->lock = -1;
	store->format = settings->format;
	if (!open_store(store, settings, error)) {
		store_close(store);
		return NULL;
	}
	store_note_figures(store);
	return store;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	if (store->env != NULL) {
		if (store->txn != NULL && mdb_txn_commit(store->txn) != 0)
			log_warning("the last changes of the cache %s could not be written; they "
				    "are looked up again when needed",
				store->path);
		int code = mdb_env_sync(store->env, 1);
		mdb_env_close(store->env);
		if (code == 0)
			store_seal_file(store->path, store->format);
	}
	if (store->lock >= 0)
		close(store->lock);
	free(store);
}

/* --- to write ------------------------------------------------------------------------------ */

bool store_disk_has_room(const struct store *store)
{
	struct statvfs disk;
	return fstatvfs(store->lock, &disk) != 0 ||
	       (uint64_t)disk.f_bavail * disk.f_frsize >= DISK_ROOM_MIN;
}

bool store_fail(struct store *store, int code)
{
	/* LMDB reports EIO if a full disk cuts a write short. */
	if (code == EIO && !store_disk_has_room(store))
		code = ENOSPC;
	if (store->txn != NULL)
		mdb_txn_abort(store->txn);
	store->txn = NULL;
	store->full += code == MDB_MAP_FULL;
	snprintf(store->trouble, sizeof store->trouble, "%s", mdb_strerror(code));
	return false;
}

const char *store_trouble(const struct store *store)
{
	return store->trouble;
}

bool store_begin(struct store *store)
{
	if (store->txn != NULL)
		return true;
	int code = mdb_txn_begin(store->env, NULL, 0, &store->txn);
	if (code == 0)
		return true;
	store->txn = NULL;
	return store_fail(store, code);
}

void store_make_order_key(struct store_order_key *order_key, uint32_t order, const MDB_val *key)
{
	order = htonl(order);
	memcpy(order_key->bytes, &order, sizeof order);
	memcpy(order_key->bytes + sizeof order, key->mv_data, key->mv_size);
	order_key->val.mv_size = sizeof order + key->mv_size;
	order_key->val.mv_data = order_key->bytes;
}

/* Remove the entry for the key's present value from the tree "order". */
static int forget_order(struct store *store, MDB_val *key)
{
	struct store_order_key order_key;
	MDB_val old;
	uint32_t order;
	int code = mdb_get(store->txn, store->trees.values, key, &old);

	if (code == MDB_NOTFOUND)
		return 0;
	if (code != 0)
		return code;
	if (old.mv_size < sizeof order)
		return MDB_CORRUPTED;
	memcpy(&order, old.mv_data, sizeof order);
	store_make_order_key(&order_key, order, key);
	code = mdb_del(store->txn, store->trees.order, &order_key.val, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

int store_insert(MDB_txn *txn, const struct store_trees *trees, MDB_val *key, const void *value,
	size_t size, uint32_t order)
{
	struct store_order_key order_key;
	MDB_val data = {.mv_size = sizeof order + size}, nothing = {.mv_size = 0};
	int code = mdb_put(txn, trees->values, key, &data, MDB_RESERVE);

	if (code != 0)
		return code;
	memcpy(data.mv_data, &order, sizeof order);
	memcpy((char *)data.mv_data + sizeof order, value, size);
	store_make_order_key(&order_key, order, key);
	return mdb_put(txn, trees->order, &order_key.val, &nothing, 0);
}

bool store_put(struct store *store, const char *key, size_t key_size, const uint8_t *value,
	size_t size, uint32_t order)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	int code;

	if (key_size == 0 || key_size > STORE_KEY_MAX)
		return store_fail(store, MDB_BAD_VALSIZE);
	if (!store_begin(store))
		return false;
	if ((code = forget_order(store, &name)) != 0 ||
		(code = store_insert(store->txn, &store->trees, &name, value, size, order)) != 0)
		return store_fail(store, code);
	store->puts++;
	return true;
}

bool store_get(
	struct store *store, const char *key, size_t key_size, const uint8_t **value, size_t *size)
{
	return store_begin(store) &&
	       store_get_value(store->txn, store->trees.values, key, key_size, value, size);
}

bool store_next(struct store *store, const char *after, size_t after_size, const char **key,
	size_t *key_size, const uint8_t **value, size_t *size)
{
	return store_begin(store) && store_next_value(store->txn, store->trees.values, after,
					     after_size, key, key_size, value, size);
}

bool store_delete(struct store *store, const char *key, size_t key_size)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	int code;

	if (!store_begin(store))
		return false;
	if ((code = forget_order(store, &name)) == 0)
		code = mdb_del(store->txn, store->trees.values, &name, NULL);
	if (code != 0 && code != MDB_NOTFOUND)
		store_fail(store, code);
	return code == 0;
}

size_t store_delete_range(
	struct store *store, MDB_cursor_op end, uint32_t from, uint32_t below, size_t max)
{
	MDB_cursor *cursor;
	MDB_val key, data;
	size_t count = 0;
	int code;

	if (!store_begin(store))
		return 0;
	if ((code = mdb_cursor_open(store->txn, store->trees.order, &cursor)) != 0) {
		store_fail(store, code);
		return 0;
	}
	while (count < max && (code = mdb_cursor_get(cursor, &key, &data, end)) == 0) {
		uint32_t order;
		memcpy(&order, key.mv_data, sizeof order);
		order = ntohl(order);
		if (order < from || order >= below)
			break;
		MDB_val name = {
			.mv_size = key.mv_size - sizeof order,
			.mv_data = (char *)key.mv_data + sizeof order,
		};
		code = mdb_del(store->txn, store->trees.values, &name, NULL);
		if (code == 0 || code == MDB_NOTFOUND)
			code = mdb_cursor_del(cursor, 0);
		if (code != 0)
			break;
		count++;
	}
	mdb_cursor_close(cursor);
	if (code != 0 && code != MDB_NOTFOUND) {
		store_fail(store, code);
		return 0;
	}
	return count;
}

size_t store_expire(struct store *store, uint32_t order, size_t max)
{
	return store_delete_range(store, MDB_FIRST, 0, order, max);
}

size_t store_expire_above(struct store *store, uint32_t order, size_t max)
{
	return store_delete_range(store, MDB_LAST, order + 1, UINT32_MAX, max);
}

bool store_commit_pending(struct store *store)
{
	if (store->txn == NULL)
		return true;
	int code = mdb_txn_commit(store->txn);
	store->txn = NULL;
	return code == 0 || store_fail(store, code);
}

bool store_commit(struct store *store)
{
	if (store->txn == NULL && store->full == 0)
		return true;
	bool good = store_commit_pending(store);
	/* A single failure may only mean that there was too much in one commit. */
	if ((store->full > 1 || store_is_scarce(store)) && store_make_room(store))
		log_debug("the cache is full: the entries that expire first were deleted, %ju so "
			  "far; see [cache] max_size",
			(uintmax_t)store->evicted);
	if (good && store->puts > 0)
		store->full = 0;
	if (good)
		store->trouble[0] = '\0';
	store->puts = 0;
	store_note_figures(store);
	return good;
}
