/*
 * Two trees in one LMDB file: the main one, key to { u32 order, value }, and "order", { u32 order
 * in network byte order, key } to nothing, which sorts all keys by their order. A third one,
 * "meta", holds the format. The main tree also holds LMDB's records of the other two, under their
 * names, which begin with a byte that no key begins with.
 */
#include "daemon/store.h"

#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	READERS_MOST = 128, /* threads of this process */
	/* Looking through a file: a machine that needs longer for it serves better with none. */
	CHECK_SECONDS = 120,
	/* Pages that must stay free: a commit needs new ones before it frees the old. */
	PAGES_FREE_LEAST = 64,
	EVICT_AT_ONCE = 256,
};

#define ORDER_TREE "\001order"
#define META_TREE "\001meta"

struct store {
	MDB_env *env;
	MDB_dbi values, order, meta;
	MDB_txn *txn; /* what is pending, or NULL */
	int lock;     /* file descriptor of the lock file */
	size_t page_size, pages;
	uint64_t puts; /* since the last commit */
	uint64_t evicted;
	bool full; /* a write met LMDB's limit */
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

static int open_env(MDB_env **env, const char *path, uint64_t size, unsigned flags)
{
	int code = mdb_env_create(env);
	if (code != 0)
		return code;
	if ((code = mdb_env_set_maxdbs(*env, 2)) != 0 ||
		(code = mdb_env_set_maxreaders(*env, READERS_MOST)) != 0 ||
		(code = mdb_env_set_mapsize(*env, size)) != 0 ||
		(code = mdb_env_open(*env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC | flags,
			 0640)) != 0) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return code;
}

static bool check_order(MDB_txn *txn, MDB_dbi order, const MDB_val *key, uint32_t number)
{
	char bytes[sizeof number + STORE_KEY_LONGEST];
	MDB_val order_key = {.mv_size = sizeof number + key->mv_size, .mv_data = bytes}, nothing;

	if (key->mv_size > STORE_KEY_LONGEST)
		return false;
	number = htonl(number);
	memcpy(bytes, &number, sizeof number);
	memcpy(bytes + sizeof number, key->mv_data, key->mv_size);
	return mdb_get(txn, order, &order_key, &nothing) == 0;
}

/* LMDB's own list of free pages: what it names must lie in the file, or live pages are lost. */
static bool check_free_pages(MDB_txn *txn, size_t last_page)
{
	MDB_cursor *cursor;
	MDB_val key, data;
	bool good = mdb_cursor_open(txn, 0, &cursor) == 0;
	int code = MDB_NOTFOUND;

	while (good && (code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
		size_t count, page;
		good = key.mv_size == sizeof count && data.mv_size >= sizeof count;
		if (!good)
			break;
		memcpy(&count, data.mv_data, sizeof count);
		good = count <= data.mv_size / sizeof count - 1;
		for (size_t i = 1; good && i <= count; i++) {
			memcpy(&page, (char *)data.mv_data + i * sizeof page, sizeof page);
			good = page <= last_page;
		}
	}
	return good && code == MDB_NOTFOUND;
}

/* Every value, its checksum and its place in the order; then the order tree has no more. */
static bool check_values(MDB_txn *txn, const struct store_settings *settings)
{
	MDB_dbi values, order;
	MDB_cursor *cursor;
	MDB_val key, data;
	MDB_stat stat;
	size_t count = 0;
	int code;

	if (mdb_dbi_open(txn, NULL, 0, &values) != 0 ||
		mdb_dbi_open(txn, ORDER_TREE, 0, &order) != 0 ||
		mdb_cursor_open(txn, values, &cursor) != 0)
		return false;
	while ((code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
		uint32_t number;
		if (key.mv_size > 0 && *(const char *)key.mv_data == '\001')
			continue;
		if (data.mv_size < sizeof number)
			return false;
		memcpy(&number, data.mv_data, sizeof number);
		if (!settings->intact((const uint8_t *)data.mv_data + sizeof number,
			    data.mv_size - sizeof number, key.mv_data, key.mv_size) ||
			!check_order(txn, order, &key, number))
			return false;
		count++;
	}
	return code == MDB_NOTFOUND && mdb_stat(txn, order, &stat) == 0 && stat.ms_entries == count;
}

enum check_result { CHECK_GOOD, CHECK_DAMAGED, CHECK_OTHER_FORMAT };

static enum check_result check_file(const char *path, const struct store_settings *settings)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi meta;
	MDB_val key = {.mv_size = 6, .mv_data = "format"}, data;
	MDB_envinfo info;
	uint32_t format;

	if (open_env(&env, path, settings->max_size, MDB_RDONLY | MDB_NOLOCK) != 0 ||
		mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 || mdb_env_info(env, &info) != 0)
		return CHECK_DAMAGED;
	if (mdb_dbi_open(txn, META_TREE, 0, &meta) != 0 || mdb_get(txn, meta, &key, &data) != 0 ||
		data.mv_size != sizeof format)
		return CHECK_DAMAGED;
	memcpy(&format, data.mv_data, sizeof format);
	if (format != settings->format)
		return CHECK_OTHER_FORMAT;
	if (!check_free_pages(txn, info.me_last_pgno) || !check_values(txn, settings))
		return CHECK_DAMAGED;
	return CHECK_GOOD;
}

/* In a child process, because LMDB trusts its file and a damaged one can crash the reader. */
static enum check_result check_in_child(const char *path, const struct store_settings *settings)
{
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		return CHECK_DAMAGED;
	if (child == 0) {
		/* A crash is an answer here; nobody needs its core or a report of it. */
		static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE};
		for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
			signal(crashes[i], SIG_DFL);
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null >= 0)
			dup2(null, STDERR_FILENO);
		alarm(CHECK_SECONDS);
		_exit(check_file(path, settings));
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return CHECK_DAMAGED;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) <= CHECK_OTHER_FORMAT
		       ? (enum check_result)WEXITSTATUS(status)
		       : CHECK_DAMAGED;
}

/* Look at the file that is there, and set it aside when it cannot be used. */
static bool prepare_file(const char *path, const struct store_settings *settings, char *error)
{
	char aside[4096 + 16];
	struct stat status;
	const char *why;

	if (stat(path, &status) != 0)
		return true;
	if (!S_ISREG(status.st_mode)) {
		snprintf(error, STORE_ERROR_SIZE, "%.200s is no file; remove it", path);
		return false;
	}
	if ((uint64_t)status.st_size > settings->max_size) {
		why = "is larger than [cache] max_size";
	} else {
		switch (check_in_child(path, settings)) {
		case CHECK_GOOD:
			return true;
		case CHECK_OTHER_FORMAT:
			why = "was written by another version";
			break;
		default:
			why = "is damaged";
			break;
		}
	}
	/* One is kept, for who wants to look; more would fill the disk. */
	snprintf(aside, sizeof aside, "%s.set-aside", path);
	if (rename(path, aside) != 0) {
		snprintf(error, STORE_ERROR_SIZE, "%.150s %s and cannot be renamed: %s", path, why,
			strerror(errno));
		return false;
	}
	log_warning("the cache %s %s: set aside as %s, starting with an empty one", path, why, aside);
	return true;
}

static bool open_trees(struct store *store, uint32_t format)
{
	MDB_val key = {.mv_size = 6, .mv_data = "format"};
	MDB_val data = {.mv_size = sizeof format, .mv_data = &format};
	MDB_txn *txn;
	int code = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (code == 0) {
		if ((code = mdb_dbi_open(txn, NULL, 0, &store->values)) != 0 ||
			(code = mdb_dbi_open(txn, ORDER_TREE, MDB_CREATE, &store->order)) != 0 ||
			(code = mdb_dbi_open(txn, META_TREE, MDB_CREATE, &store->meta)) != 0 ||
			(code = mdb_put(txn, store->meta, &key, &data, 0)) != 0)
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
	char path[4096];
	MDB_stat stat;

	snprintf(path, sizeof path, "%s/parts.mdb", settings->directory);
	if (!own_directory(store, settings->directory, error) ||
		!prepare_file(path, settings, error))
		return false;
	int code = open_env(&store->env, path, settings->max_size, 0);
	if (code != 0) {
		snprintf(error, STORE_ERROR_SIZE, "cannot open %.200s: %s", path, mdb_strerror(code));
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
		mdb_env_sync(store->env, 1);
		mdb_env_close(store->env);
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
	       get(reader->txn, reader->store->values, key, key_size, value, size);
}

/* --- to write ------------------------------------------------------------------------------ */

static bool trouble(struct store *store, int code)
{
	if (store->txn != NULL)
		mdb_txn_abort(store->txn);
	store->txn = NULL;
	store->full = store->full || code == MDB_MAP_FULL;
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

struct order_key {
	char bytes[sizeof(uint32_t) + STORE_KEY_LONGEST];
	MDB_val val;
};

static void make_order_key(struct order_key *order_key, uint32_t order, const MDB_val *key)
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
	struct order_key order_key;
	MDB_val old;
	uint32_t order;
	int code = mdb_get(store->txn, store->values, key, &old);

	if (code == MDB_NOTFOUND)
		return 0;
	if (code != 0)
		return code;
	if (old.mv_size < sizeof order)
		return MDB_CORRUPTED;
	memcpy(&order, old.mv_data, sizeof order);
	make_order_key(&order_key, order, key);
	code = mdb_del(store->txn, store->order, &order_key.val, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

bool store_put(struct store *store, const char *key, size_t key_size, const uint8_t *value,
	size_t size, uint32_t order)
{
	struct order_key order_key;
	MDB_val name = {.mv_size = key_size, .mv_data = (void *)(uintptr_t)key};
	MDB_val data = {.mv_size = sizeof order + size};
	MDB_val nothing = {.mv_size = 0};
	int code;

	if (key_size == 0 || key_size > STORE_KEY_LONGEST)
		return trouble(store, MDB_BAD_VALSIZE);
	if (!begin(store))
		return false;
	make_order_key(&order_key, order, &name);
	if ((code = forget_order(store, &name)) != 0 ||
		(code = mdb_put(store->txn, store->values, &name, &data, MDB_RESERVE)) != 0)
		return trouble(store, code);
	memcpy(data.mv_data, &order, sizeof order);
	memcpy((char *)data.mv_data + sizeof order, value, size);
	if ((code = mdb_put(store->txn, store->order, &order_key.val, &nothing, 0)) != 0)
		return trouble(store, code);
	store->puts++;
	return true;
}

bool store_get(struct store *store, const char *key, size_t key_size, const uint8_t **value,
	size_t *size)
{
	return begin(store) && get(store->txn, store->values, key, key_size, value, size);
}

/* Delete from the low end of the order. */
static size_t delete_lowest(struct store *store, uint32_t below, size_t most)
{
	MDB_cursor *cursor;
	MDB_val key, data;
	size_t count = 0;
	int code;

	if (!begin(store))
		return 0;
	if ((code = mdb_cursor_open(store->txn, store->order, &cursor)) != 0) {
		trouble(store, code);
		return 0;
	}
	while (count < most && (code = mdb_cursor_get(cursor, &key, &data, MDB_FIRST)) == 0) {
		uint32_t order;
		memcpy(&order, key.mv_data, sizeof order);
		if (ntohl(order) >= below)
			break;
		MDB_val name = {
			.mv_size = key.mv_size - sizeof order,
			.mv_data = (char *)key.mv_data + sizeof order,
		};
		code = mdb_del(store->txn, store->values, &name, NULL);
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
	return delete_lowest(store, order, most);
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
	bool good = mdb_stat(txn, store->values, &values) == 0 &&
		    mdb_stat(txn, store->order, &order) == 0;
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

/* Too few pages left for a commit to copy what it changes? */
static bool scarce(struct store *store)
{
	size_t entries, pages;
	size_t least = store->pages / 8;

	if (least < PAGES_FREE_LEAST)
		least = PAGES_FREE_LEAST;
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

/*
 * Deleting frees few whole pages at first, it leaves holes that new values fill. So not more goes
 * than came, twice over, and at least a handful: the store settles just below its limit.
 */
static bool make_room(struct store *store)
{
	size_t most = store->puts * 2 > EVICT_AT_ONCE ? store->puts * 2 : EVICT_AT_ONCE;
	size_t gone = delete_lowest(store, UINT32_MAX, most);

	store->evicted += gone;
	return gone > 0 && commit(store);
}

bool store_commit(struct store *store)
{
	if (store->txn == NULL && !store->full)
		return true;
	bool good = commit(store);
	if ((store->full || scarce(store)) && make_room(store))
		log_debug("the cache is full: entries that expire first are gone, %ju so far",
			(uintmax_t)store->evicted);
	store->full = false;
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
