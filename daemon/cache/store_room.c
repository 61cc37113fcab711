/*
 * Room in the store: how much is in use, and what is deleted when it is full.
 */
#include "daemon/cache/store_internal.h"

enum {
	/*
	 * Pages that must stay free: a commit writes a new copy of every page that it changes, and
	 * the pages that it and the commit before it freed cannot be used yet. The values of one
	 * commit are spread over the trees: in a small store they change nearly all pages, in a
	 * large one at most this number.
	 */
	PAGES_FREE_MAX = 8192,
	EVICT_MAX = 256,
	EVICT_STEP = 16,
};

static size_t tree_pages(const MDB_stat *stat)
{
	return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

/* Entries and pages in use, as of the last commit. */
static bool count_used(struct store *store, size_t *entries, size_t *pages)
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
	/* Two meta pages of LMDB, one page for the format. */
	*pages = tree_pages(&values) + tree_pages(&order) + 3;
	return true;
}

void store_note_figures(struct store *store)
{
	size_t entries, pages;

	if (!count_used(store, &entries, &pages))
		return;
	counter_set(&store->entries, entries);
	counter_set(&store->bytes, pages * store->page_size);
	counter_set(&store->evicted_seen, store->evicted);
}

bool store_is_scarce(struct store *store)
{
	size_t entries, pages;
	size_t needed = store->pages * 5 / 8;

	if (needed > PAGES_FREE_MAX)
		needed = PAGES_FREE_MAX;
	return count_used(store, &entries, &pages) && entries > 0 && pages + needed > store->pages;
}

/* Delete everything but LMDB's own records of the other trees, which are in the same tree. */
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

static bool evict(struct store *store, size_t max)
{
	size_t gone = store_delete_range(store, MDB_FIRST, 0, UINT32_MAX, max);

	if (gone == 0 || !store_commit_pending(store))
		return false;
	store->evicted += gone;
	return true;
}

/* The last resort: emptying the trees needs hardly any free pages. */
static bool empty(struct store *store)
{
	size_t entries = 0, pages;

	count_used(store, &entries, &pages);
	if (!store_begin(store))
		return false;
	int code = mdb_drop(store->txn, store->trees.order, 0);
	if (code == 0)
		code = drop_values(store);
	if (code != 0)
		return store_fail(store, code);
	if (!store_commit_pending(store))
		return false;
	store->evicted += entries;
	return true;
}

/*
 * Deleting small values frees few whole pages at first: it leaves gaps that new values fill. So the
 * number of deletions is limited to twice the number of puts, or EVICT_MAX if that is more: the
 * store stays just below its limit. If values are large, deleting a few of them is enough.
 */
bool store_make_room(struct store *store)
{
	size_t max = store->puts * 2 > EVICT_MAX ? store->puts * 2 : EVICT_MAX;
	size_t gone = 0, step = EVICT_STEP, entries, pages;

	if (count_used(store, &entries, &pages) && entries / 16 < step)
		step = entries / 16 + 1;
	do {
		if (!evict(store, step) && !evict(store, 1))
			return gone > 0 || empty(store);
		gone += step;
	} while (gone < max && store_is_scarce(store));
	return true;
}

void store_figures(struct store *store, struct store_figures *figures)
{
	figures->entries = counter_read(&store->entries);
	figures->bytes = counter_read(&store->bytes);
	figures->evicted = counter_read(&store->evicted_seen);
}
