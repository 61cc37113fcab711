/*
 * store_file: the layout of the file, and the check of an existing file at the start.
 *
 * An LMDB file with three trees. The main tree maps a key to { u32 order, value }. The tree "order"
 * maps { u32 order in network byte order, key } to nothing: it sorts all keys by their order. The
 * tree "meta" has the format. The main tree also has LMDB's own records of the other two under
 * their names, which begin with a byte that no key begins with.
 *
 * LMDB does not check its file: reading a damaged page can crash the process, for pages that only a
 * writer reads much later. So an existing file is used as it is only if it is, byte for byte, the
 * file that was sealed when the daemon ended. After a crash or a power failure, a child process
 * copies value by value into a new file. Any failure of the copy, including a crash of the child,
 * means that the old file is damaged.
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
 * Make sure that the file at `path` can be used, or that there is no file: a file that cannot be
 * used is set aside or removed, which is logged. False with one line if even that is not possible.
 */
bool store_prepare_file(
	const char *path, const struct store_settings *settings, char error[STORE_ERROR_SIZE]);

/* Write the seal, a digest of the format and all bytes. The file must be closed and not change. */
void store_seal_file(const char *path, uint32_t format);

#endif
