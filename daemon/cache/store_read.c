/*
 * Readers of the store, each in one thread.
 */
#include "daemon/cache/store_internal.h"

#include <stdlib.h>
#include <string.h>

struct store_reader {
	struct store *store;
	MDB_txn *txn;
	bool renewed;
};

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

bool store_get_value(MDB_txn *txn, MDB_dbi values, const char *key, size_t key_size,
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
	return reader->renewed && store_get_value(reader->txn, reader->store->trees.values, key,
					  key_size, value, size);
}

bool store_next_value(MDB_txn *txn, MDB_dbi values, const char *after, size_t after_size,
	const char **key, size_t *key_size, const uint8_t **value, size_t *size)
{
	/* The names of LMDB's own records, for the other trees, begin with a byte 1. */
	static const char first[] = {'\002'};
	bool begin = after_size == 0;
	MDB_val name = {.mv_size = begin ? sizeof first : after_size,
		.mv_data = (void *)(uintptr_t)(begin ? first : after)};
	MDB_val data;
	MDB_cursor *cursor;

	if (mdb_cursor_open(txn, values, &cursor) != 0)
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

bool store_reader_next(struct store_reader *reader, const char *after, size_t after_size,
	const char **key, size_t *key_size, const uint8_t **value, size_t *size)
{
	return reader->renewed && store_next_value(reader->txn, reader->store->trees.values, after,
					  after_size, key, key_size, value, size);
}
