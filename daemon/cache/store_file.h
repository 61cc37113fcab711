/*
 * store_file: the layout of the file, and whether a file that is found at the start may be used.
 *
 * Two trees in one LMDB file: the main one, key to { u32 order, value }, and "order", { u32 order
 * in network byte order, key } to nothing, which sorts all keys by their order. A third one,
 * "meta", holds the format. The main tree also holds LMDB's records of the other two, under their
 * names, which begin with a byte that no key begins with.
 *
 * LMDB believes what its file says: a damaged page can crash whoever reads it, and one that only
 * a writer looks at crashes the writer, later. So a file is used as it is only when it is, byte
 * for byte, the one that was sealed when the daemon ended. Any other one, after a crash or a power
 * failure, is read by a child process, value by value, into a new file; whatever goes wrong on
 * that way, a crash of the child included, means that the old file is damaged.
 */
#ifndef TLSAD_CACHE_STORE_FILE_H
#define TLSAD_CACHE_STORE_FILE_H

#include "daemon/cache/store.h"

#include <arpa/inet.h>
#include <lmdb.h>

#define STORE_ORDER_TREE "\001order"
#define STORE_META_TREE "\001meta"
#define STORE_FORMAT_KEY "format"

enum { STORE_PATH_SIZE = 4096 };

struct store_trees {
	MDB_dbi values, order, meta;
};

struct store_order_key {
	char bytes[sizeof(uint32_t) + STORE_KEY_MAX];
	MDB_val val;
};

/* Each returns 0 or LMDB's error. */
int store_open_env(MDB_env **env, const char *path, uint64_t size, unsigned flags);
int store_open_trees(MDB_txn *txn, struct store_trees *trees, uint32_t format);
int store_insert(MDB_txn *txn, const struct store_trees *trees, MDB_val *key, const void *value,
	size_t size, uint32_t order);

void store_make_order_key(struct store_order_key *order_key, uint32_t order, const MDB_val *key);

/*
 * Make sure that what stands at `path` can be used, or that nothing stands there: what cannot be
 * used is set aside with a message in the log. False and one line when even that is not possible.
 */
bool store_prepare_file(
	const char *path, const struct store_settings *settings, char error[STORE_ERROR_SIZE]);

/* The file is closed and will not change: note the digest of its format and its bytes. */
void store_seal_file(const char *path, uint32_t format);

#endif
