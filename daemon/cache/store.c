#include "daemon/cache/store_file.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	READERS_MAX = 128, /* threads of this process */
	/* LMDB gives each reader 64 bytes, and itself as much and a little. */
	READERS_FILE_SIZE = 16384,
	/*
	 * Pages that must stay free: a commit writes every page that it changes anew, and what it
	 * and the one before it freed cannot be used yet. Values that come together lie all over
	 * the trees, so in a small store that is nearly all of it, in a large one these many.
	 */
	PAGES_FREE_MAX = 8192,
	DISK_ROOM_MIN = 64 * 1024, /* [bytes] some commits' worth */
	EVICT_AT_ONCE = 256,
	EVICT_STEP = 16,
};

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
	_Atomic uint64_t entries, bytes, evicted_seen;
};

struct store_reader {
	struct store *store;
	MDB_txn *txn;
	bool renewed;
};

/* --- opening ------------------------------------------------------------------------------- */

static bool own_directory(struct store *store, const char *directory, char *error)
{
	char path[4096];

	if (mkdir(directory, 0750) != 0 && errno != EEXIST) {
		snprintf(error, STORE_ERROR_SIZE, "cannot make the directory %.200s: %s", directory,
			strerror(errno));
		return false;
	}
	snprintf(path, sizeof path, "%s/lock", directory);
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock < 0) {
		snprintf(error, STORE_ERROR_SIZE, "cannot write in %.200s: %s", directory,
			strerror(errno));
		return false;
	}
	if (flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
		snprintf(error, STORE_ERROR_SIZE,
			"%.200s is in use by another tlsad; stop it or set another [cache] path",
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
 * LMDB maps its file of readers into memory and writes into it: on a full disk that would be a bus
 * error. So the file is made here, whole. Nobody else has it open, or we had no lock.
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
		snprintf(error, STORE_ERROR_SIZE, "cannot write %.200s: %s", name, strerror(code));
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
	/* Once at the start to the disk: a full one is to be noticed now. */
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
		snprintf(error, STORE_ERROR_SIZE, "cannot open %.200s: %s", path,
			mdb_strerror(code));
		return false;
	}
	if (!open_trees(store, settings->format)) {
		snprintf(error, STORE_ERROR_SIZE, "cannot write %.200s: %.100s", path,
			store->trouble);
		return false;
	}
	mdb_env_stat(store->env, &stat);
	store->page_size = stat.ms_psize;
	store->pages = settings->max_size / stat.ms_psize;
	return true;
}

static void note_figures(struct store *store);

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
	note_figures(store);
	return store;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	if (store->env != NULL) {
		if (store->txn != NULL && mdb_txn_commit(store->txn) != 0)
			log_warning("the last changes of the cache could not be written");
		int code = mdb_env_sync(store->env, 1);
		mdb_env_close(store->env);
		if (code == 0)
			store_seal_file(store->path, store->format);
	}
	if (store->lock >= 0)
		close(store->lock);
	free(store);
}

/* --- to read ------------------------------------------------------------------------------- */

struct store_reader *store_reader_new(struct store *store)
{
	struct store_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL)
		return NULL;
	reader->store = store;
	if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &reader->txn) != 0) {
		free(reader);
		return NULL;
	}
	mdb_txn_reset(reader->txn);
	return reader;
}

void store_reader_free(struct store_reader *reader)
{
	if (reader == NULL)
		return;
	mdb_txn_abort(reader->txn);
	free(reader);
}

bool store_reader_begin(struct store_reader *reader)
{
	reader->renewed = mdb_txn_renew(reader->txn) == 0;
	return reader->renewed;
}

void store_reader_end(struct store_reader *reader)
{
	if (reader->renewed)
		mdb_txn_reset(reader->txn);
	reader->renewed = false;
}

static bool get(MDB_txn *txn, MDB_dbi values, const char *key, size_t key_size,
	const uint8_t **value, size_t *size)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	MDB_val data;

	if (mdb_get(txn, values, &name, &data) != 0 || data.mv_size < sizeof(uint32_t))
		return false;
	*value = (const uint8_t *)data.mv_data + sizeof(uint32_t);
	*size = data.mv_size - sizeof(uint32_t);
	return true;
}

bool store_reader_get(struct store_reader *reader, const char *key, size_t key_size,
	const uint8_t **value, size_t *size)
{
	return reader->renewed &&
	       get(reader->txn, reader->store->trees.values, key, key_size, value, size);
}

bool store_reader_next(struct store_reader *reader, const char *after, size_t after_size,
	const char **key, size_t *key_size, const uint8_t **value, size_t *size)
{
	/* LMDB's own records, of the other trees, have names that begin with a 1. */
	static const char first[] = {'\002'};
	bool begin = after_size == 0;
	MDB_val name = {.mv_size = begin ? sizeof first : after_size,
		.mv_data = (void *)(uintptr_t)(begin ? first : after)};
	MDB_val data;
	MDB_cursor *cursor;

	if (!reader->renewed ||
		mdb_cursor_open(reader->txn, reader->store->trees.values, &cursor) != 0)
		return false;
	int code = mdb_cursor_get(cursor, &name, &data, MDB_SET_RANGE);
	if (code == 0 && name.mv_size == after_size && memcmp(name.mv_data, after, after_size) == 0)
		code = mdb_cursor_get(cursor, &name, &data, MDB_NEXT);
	mdb_cursor_close(cursor);
	if (code != 0 || data.mv_size < sizeof(uint32_t))
		return false;
	*key = name.mv_data;
	*key_size = name.mv_size;
	*value = (const uint8_t *)data.mv_data + sizeof(uint32_t);
	*size = data.mv_size - sizeof(uint32_t);
	return true;
}

/* --- to write ------------------------------------------------------------------------------ */

bool store_disk_has_room(const struct store *store)
{
	struct statvfs disk;
	return fstatvfs(store->lock, &disk) != 0 ||
	       (uint64_t)disk.f_bavail * disk.f_frsize >= DISK_ROOM_MIN;
}

static bool trouble(struct store *store, int code)
{
	/* LMDB calls it so when a full disk cuts a write short. */
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

static bool begin(struct store *store)
{
	if (store->txn != NULL)
		return true;
	int code = mdb_txn_begin(store->env, NULL, 0, &store->txn);
	if (code == 0)
		return true;
	store->txn = NULL;
	return trouble(store, code);
}

void store_make_order_key(struct store_order_key *order_key, uint32_t order, const MDB_val *key)
{
	order = htonl(order);
	memcpy(order_key->bytes, &order, sizeof order);
	memcpy(order_key->bytes + sizeof order, key->mv_data, key->mv_size);
	order_key->val.mv_size = sizeof order + key->mv_size;
	order_key->val.mv_data = order_key->bytes;
}

/* Take the value that stands under the key out of the order. */
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
		return trouble(store, MDB_BAD_VALSIZE);
	if (!begin(store))
		return false;
	if ((code = forget_order(store, &name)) != 0 ||
		(code = store_insert(store->txn, &store->trees, &name, value, size, order)) != 0)
		return trouble(store, code);
	store->puts++;
	return true;
}

bool store_get(
	struct store *store, const char *key, size_t key_size, const uint8_t **value, size_t *size)
{
	return begin(store) && get(store->txn, store->trees.values, key, key_size, value, size);
}

bool store_delete(struct store *store, const char *key, size_t key_size)
{
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	int code;

	if (!begin(store))
		return false;
	if ((code = forget_order(store, &name)) == 0)
		code = mdb_del(store->txn, store->trees.values, &name, NULL);
	if (code != 0 && code != MDB_NOTFOUND)
		trouble(store, code);
	return code == 0;
}

/* Delete from one end of the order, MDB_FIRST or MDB_LAST, as long as it lies in the range. */
static size_t delete_range(
	struct store *store, MDB_cursor_op end, uint32_t least, uint32_t below, size_t most)
{
	MDB_cursor *cursor;
	MDB_val key, data;
	size_t count = 0;
	int code;

	if (!begin(store))
		return 0;
	if ((code = mdb_cursor_open(store->txn, store->trees.order, &cursor)) != 0) {
		trouble(store, code);
		return 0;
	}
	while (count < most && (code = mdb_cursor_get(cursor, &key, &data, end)) == 0) {
		uint32_t order;
		memcpy(&order, key.mv_data, sizeof order);
		order = ntohl(order);
		if (order < least || order >= below)
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
		trouble(store, code);
		return 0;
	}
	return count;
}

size_t store_expire(struct store *store, uint32_t order, size_t most)
{
	return delete_range(store, MDB_FIRST, 0, order, most);
}

size_t store_expire_above(struct store *store, uint32_t order, size_t most)
{
	return delete_range(store, MDB_LAST, order + 1, UINT32_MAX, most);
}

static size_t tree_pages(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

/* Entries and pages in use, as of the last commit. */
static bool count(struct store *store, size_t *entries, size_t *pages)
{
	MDB_stat values, order;
	MDB_txn *txn = store->txn;
	bool own = txn == NULL;

	if (own && mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0)
		return false;
	bool good = mdb_stat(txn, store->trees.values, &values) == 0 &&
		    mdb_stat(txn, store->trees.order, &order) == 0;
	if (own)
		mdb_txn_abort(txn);
	if (!good)
		return false;
	*entries = order.ms_entries;
	/* Two for LMDB's own, one for the format. */
	*pages = tree_pages(&values) + tree_pages(&order) + 3;
	return true;
}

static void note_figures(struct store *store)
{
	size_t entries, pages;

	if (!count(store, &entries, &pages))
		return;
	atomic_store_explicit(&store->entries, entries, memory_order_relaxed);
	atomic_store_explicit(&store->bytes, pages * store->page_size, memory_order_relaxed);
	atomic_store_explicit(&store->evicted_seen, store->evicted, memory_order_relaxed);
}

/* Too few pages left for a commit to write anew what it changes? */
static bool scarce(struct store *store)
{
	size_t entries, pages;
	size_t least = store->pages * 5 / 8;

	if (least > PAGES_FREE_MAX)
		least = PAGES_FREE_MAX;
	return count(store, &entries, &pages) && entries > 0 && pages + least > store->pages;
}

static bool commit(struct store *store)
{
	if (store->txn == NULL)
		return true;
	int code = mdb_txn_commit(store->txn);
	store->txn = NULL;
	return code == 0 || trouble(store, code);
}

/* All but LMDB's own records of the other trees, which stand in the same tree. */
static int drop_values(struct store *store)
{
	MDB_cursor *cursor;
	MDB_val key, data;
	int code = mdb_cursor_open(store->txn, store->trees.values, &cursor);

	if (code != 0)
		return code;
	while ((code = mdb_cursor_get(cursor, &key, &data, MDB_LAST)) == 0 &&
		*(const char *)key.mv_data != '\001')
		if ((code = mdb_cursor_del(cursor, 0)) != 0)
			break;
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

static bool evict(struct store *store, size_t most)
{
	size_t gone = delete_range(store, MDB_FIRST, 0, UINT32_MAX, most);

	if (gone == 0 || !commit(store))
		return false;
	store->evicted += gone;
	return true;
}

/* The last resort: emptying the trees needs hardly a page. */
static bool empty(struct store *store)
{
	size_t entries = 0, pages;

	count(store, &entries, &pages);
	if (!begin(store))
		return false;
	int code = mdb_drop(store->txn, store->trees.order, 0);
	if (code == 0)
		code = drop_values(store);
	if (code != 0)
		return trouble(store, code);
	if (!commit(store))
		return false;
	store->evicted += entries;
	return true;
}

/*
 * Deleting small values frees few whole pages at first, it leaves holes that new ones fill. So not
 * more goes than came, twice over, and at least a handful: the store settles just below its limit.
 * Where values are large a few of them are enough.
 */
static bool make_room(struct store *store)
{
	size_t most = store->puts * 2 > EVICT_AT_ONCE ? store->puts * 2 : EVICT_AT_ONCE;
	size_t gone = 0, step = EVICT_STEP, entries, pages;

	if (count(store, &entries, &pages) && entries / 16 < step)
		step = entries / 16 + 1;
	do {
		if (!evict(store, step) && !evict(store, 1))
			return gone > 0 || empty(store);
		gone += step;
	} while (gone < most && scarce(store));
	return true;
}

bool store_commit(struct store *store)
{
	if (store->txn == NULL && store->full == 0)
		return true;
	bool good = commit(store);
	/* Once, it may just have been too much for one commit. */
	if ((store->full > 1 || scarce(store)) && make_room(store))
		log_debug("the cache is full: entries that expire first are gone, %ju so far",
			(uintmax_t)store->evicted);
	if (good && store->puts > 0)
		store->full = 0;
	if (good)
		store->trouble[0] = '\0';
	store->puts = 0;
	note_figures(store);
	return good;
}

void store_figures(struct store *store, struct store_figures *figures)
{
	figures->entries = atomic_load_explicit(&store->entries, memory_order_relaxed);
	figures->bytes = atomic_load_explicit(&store->bytes, memory_order_relaxed);
	figures->evicted = atomic_load_explicit(&store->evicted_seen, memory_order_relaxed);
}
