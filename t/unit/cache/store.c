/*
 * store: a value is found, by the writer at once and by readers after a commit, and again after a
 * restart or a kill; values of the lowest order are deleted first and the file never exceeds its
 * size; a reader's view does not change while the writer continues; files of another format and
 * damaged ones are set aside and never crash the process; a store that cannot be opened gives the
 * reason in one line.
 */
#include "daemon/cache/store.h"

#include "t/unit/scratch.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { SMALL = 1 << 20, FORMAT = 1, CAPTURED_SIZE = 64 * 1024, VALUE_MAX = 100000 };

static char captured[CAPTURED_SIZE];
static char error[STORE_ERROR_SIZE];

/* --- values that can be checked ------------------------------------------------------------- */

static uint32_t sum_of(const char *key, size_t key_size, const uint8_t *bytes, size_t size)
{
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < key_size; i++)
		sum = (sum ^ (uint8_t)key[i]) * 16777619U;
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	return sum;
}

static bool intact(const uint8_t *value, size_t size, const char *key, size_t key_size)
{
	uint32_t sum;

	if (size < sizeof sum)
		return false;
	memcpy(&sum, value, sizeof sum);
	return sum == sum_of(key, key_size, value + sizeof sum, size - sizeof sum);
}

/* A value of that size for that key; `seed` makes another one. */
static const uint8_t *value_for(const char *key, size_t size, unsigned seed)
{
	static uint8_t value[VALUE_MAX];
	uint64_t state = seed * UINT64_C(2654435761) + 88172645463325252;

	for (size_t i = sizeof(uint32_t); i < size; i++)
		value[i] = (uint8_t)tap_random(&state);
	uint32_t sum = sum_of(key, strlen(key), value + sizeof sum, size - sizeof sum);
	memcpy(value, &sum, sizeof sum);
	return value;
}

static bool put(struct store *store, const char *key, size_t size, unsigned seed, uint32_t order)
{
	return store_put(store, key, strlen(key), value_for(key, size, seed), size, order);
}

static bool same(const uint8_t *value, size_t size, const char *key, size_t expected, unsigned seed)
{
	return size == expected && memcmp(value, value_for(key, expected, seed), size) == 0;
}

static bool writer_has(struct store *store, const char *key, size_t expected, unsigned seed)
{
	const uint8_t *value;
	size_t size;
	return store_get(store, key, strlen(key), &value, &size) &&
	       same(value, size, key, expected, seed);
}

static bool reader_has(struct store_reader *reader, const char *key, size_t expected, unsigned seed)
{
	const uint8_t *value;
	size_t size;
	return store_reader_get(reader, key, strlen(key), &value, &size) &&
	       same(value, size, key, expected, seed);
}

static bool reader_lacks(struct store_reader *reader, const char *key)
{
	const uint8_t *value;
	size_t size;
	return !store_reader_get(reader, key, strlen(key), &value, &size);
}

/* --- stores -------------------------------------------------------------------------------- */

static struct store_settings settings_for(const char *directory)
{
	return (struct store_settings){
		.directory = directory,
		.max_size = SMALL,
		.format = FORMAT,
		.intact = intact,
	};
}

static struct store *open_at(const char *directory)
{
	struct store_settings settings = settings_for(directory);
	struct store *store = store_open(&settings, error);

	if (store == NULL)
		diag("%s", error);
	return store;
}

/* Where LMDB's file is. */
static const char *file_of(const char *directory)
{
	static char path[SCRATCH_PATH_SIZE + 16];
	snprintf(path, sizeof path, "%s/parts.mdb", directory);
	return path;
}

static const char *beside(const char *directory, const char *suffix)
{
	static char path[SCRATCH_PATH_SIZE + 64];
	snprintf(path, sizeof path, "%s%s", file_of(directory), suffix);
	return path;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static uint64_t file_size(const char *directory)
{
	struct stat status;
	return stat(file_of(directory), &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void test_put_and_get(void)
{
	const char *directory = scratch_path("plain");
	struct store *store = open_at(directory);
	struct store_reader *reader = store_reader_new(store);
	struct store_figures figures;
	const uint8_t *value;
	size_t size;
	char long_key[STORE_KEY_MAX + 2];

	ok(store != NULL && reader != NULL, "a missing store is created");
	ok(!store_get(store, "a", 1, &value, &size), "an empty store has nothing");
	ok(put(store, "a", 100, 1, 10), "put");
	ok(writer_has(store, "a", 100, 1), "the writer sees what is pending");
	ok(store_reader_begin(reader) && reader_lacks(reader, "a"), "a reader does not");
	store_reader_end(reader);
	ok(store_commit(store), "commit");
	ok(reader_lacks(reader, "a"), "a reader that has not begun sees nothing");
	store_reader_begin(reader);
	ok(reader_has(reader, "a", 100, 1), "a reader sees what was committed");
	store_reader_end(reader);
	ok(store_commit(store), "a commit without changes succeeds");

	put(store, "a", 50, 2, 20);
	store_commit(store);
	store_reader_begin(reader);
	ok(reader_has(reader, "a", 50, 2), "a value takes the place of an older one");
	ok(reader_lacks(reader, "A") && reader_lacks(reader, "aa") && reader_lacks(reader, "") &&
			!store_reader_get(reader, "a\0", 2, &value, &size),
		"other keys have nothing");
	store_reader_end(reader);
	store_figures(store, &figures);
	ok(figures.entries == 1 && figures.evicted == 0 && figures.bytes > 0 &&
			figures.bytes <= SMALL,
		"one entry");

	memset(long_key, 'k', sizeof long_key);
	ok(store_put(store, long_key, STORE_KEY_MAX, (const uint8_t *)"12345", 5, 5) &&
			store_get(store, long_key, STORE_KEY_MAX, &value, &size) && size == 5 &&
			memcmp(value, "12345", 5) == 0,
		"the longest key");
	ok(store_put(store, "\x80\xff\x00\x02", 4, (const uint8_t *)"", 0, 6) &&
			store_get(store, "\x80\xff\x00\x02", 4, &value, &size) && size == 0,
		"a key of any bytes and a value of none");
	store_commit(store);
	is_string(store_trouble(store), "", "no trouble");
	ok(!store_put(store, long_key, STORE_KEY_MAX + 1, (const uint8_t *)"1", 1, 5) &&
			store_trouble(store)[0] != '\0',
		"a longer key is refused: %s", store_trouble(store));
	ok(!store_put(store, "", 0, (const uint8_t *)"1", 1, 5), "and so is an empty one");
	ok(put(store, "b", 100, 3, 30) && store_commit(store) && writer_has(store, "b", 100, 3),
		"the next one is put as ever");
	is_string(store_trouble(store), "", "and the trouble is over");
	store_reader_free(reader);
	store_close(store);
	scratch_remove(directory);
}

static void test_reopen(void)
{
	const char *directory = scratch_path("reopen");
	struct store *store = open_at(directory);
	struct store_figures figures;

	many_begin("values of many sizes, found again after a restart");
	for (unsigned i = 0; i < 300; i++) {
		char key[32];
		snprintf(key, sizeof key, "key-%u", i);
		many(put(store, key, 4 + i * 3, i, i), "put %u", i);
	}
	many(put(store, "large", 60000, 999, 5), "put a large one");
	many(put(store, "pending", 10, 7, 7) && writer_has(store, "key-7", 4 + 21, 7), "put");
	/* No commit: closing writes what is pending. */
	store_close(store);
	for (int round = 0; round < 2; round++) {
		/* The second time without the seal: the whole file is checked. */
		if (round == 1)
			unlink(beside(directory, ".seal"));
		capture_begin();
		store = open_at(directory);
		capture_end(captured, sizeof captured);
		many(store != NULL && captured[0] == '\0', "round %d opens without a log line: %s",
			round, captured);
		for (unsigned i = 0; i < 300; i++) {
			char key[32];
			snprintf(key, sizeof key, "key-%u", i);
			many(writer_has(store, key, 4 + i * 3, i), "round %d: get %u", round, i);
		}
		many(writer_has(store, "large", 60000, 999) && writer_has(store, "pending", 10, 7),
			"round %d: the others", round);
		store_figures(store, &figures);
		many(figures.entries == 302, "round %d: %ju entries", round,
			(uintmax_t)figures.entries);
		/* The order is known too. */
		many(store_expire(store, 7 + (uint32_t)round, 1000) == (round == 0 ? 8 : 2),
			"round %d: values below order 7", round);
		many(round == 1 || !writer_has(store, "key-6", 4 + 18, 6), "are gone");
		many(round == 1 || writer_has(store, "key-7", 4 + 21, 7), "no others are");
		if (round == 0) {
			/* Put back the values for the next round. */
			for (unsigned i = 0; i < 7; i++) {
				char key[32];
				snprintf(key, sizeof key, "key-%u", i);
				put(store, key, 4 + i * 3, i, 100);
			}
			put(store, "large", 60000, 999, 100);
		}
		store_close(store);
	}
	many_end();
	scratch_remove(directory);
}

/* --- order --------------------------------------------------------------------------------- */

static void test_expire(void)
{
	const char *directory = scratch_path("expire");
	struct store *store = open_at(directory);

	/* Orders that would sort differently in the machine's byte order. */
	static const uint32_t orders[] = {
		0, 1, 255, 256, 257, 65535, 65536, 16777216, 2147483647, 2147483648U, 4294967294U};
	enum { COUNT = sizeof orders / sizeof orders[0] };
	for (unsigned i = 0; i < COUNT; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u", COUNT - i);
		put(store, key, 20, i, orders[i]);
	}
	is_number((int64_t)store_expire(store, 0, 100), 0, "nothing is below 0");
	is_number((int64_t)store_expire(store, 256, 100), 3, "three are below 256");
	is_number((int64_t)store_expire(store, 256, 100), 0, "and then no more");
	is_number((int64_t)store_expire(store, UINT32_MAX, 2), 2, "no more than asked for");
	ok(!writer_has(store, "8", 20, 3) && !writer_has(store, "7", 20, 4) &&
			writer_has(store, "6", 20, 5),
		"and the lowest first");
	/* A value that is put again has only its new order. */
	put(store, "6", 20, 77, 4294967295U - 5);
	is_number((int64_t)store_expire(store, 65536, 100), 0,
		"a value that was put again has a new order");
	ok(writer_has(store, "6", 20, 77), "and stays");
	is_number((int64_t)store_expire(store, 2147483648U, 100), 3, "up to the middle");
	is_number((int64_t)store_expire(store, UINT32_MAX, 100), 3, "and the rest");
	store_commit(store);
	struct store_figures figures;
	store_figures(store, &figures);
	is_number((int64_t)figures.entries, 0, "nothing is left");
	store_close(store);
	scratch_remove(directory);
}

/* Ten times more than fits, with growing orders: the store keeps its size limit and the newest. */
static void test_eviction(void)
{
	const char *directory = scratch_path("full");
	struct store *store = open_at(directory);
	struct store_figures figures;
	enum { COUNT = 20000, EACH = 50, ETERNAL = 100 };
	unsigned failed = 0, oldest = COUNT, missing = 0;

	many_begin("twenty thousand values in a store of a megabyte");
	for (unsigned i = 0; i < ETERNAL; i++) {
		char key[32];
		snprintf(key, sizeof key, "eternal-%u", i);
		many(put(store, key, 200, i, 4000000000U + i), "eternal %u", i);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u.example.com", i * 7919 % COUNT);
		failed += !put(store, key, 100 + i % 200, i, 1000 + i);
		if (i % EACH != EACH - 1)
			continue;
		failed += !store_commit(store);
		store_figures(store, &figures);
		many(figures.bytes <= SMALL && file_size(directory) <= SMALL,
			"after %u: %ju bytes in use, a file of %ju", i, (uintmax_t)figures.bytes,
			(uintmax_t)file_size(directory));
		many(writer_has(store, key, 100 + i % 200, i), "%u itself is there", i);
	}
	many(failed == 0, "%u writes failed", failed);
	for (unsigned i = 0; i < ETERNAL; i++) {
		char key[32];
		snprintf(key, sizeof key, "eternal-%u", i);
		many(writer_has(store, key, 200, i), "eternal %u, of the highest order, stays", i);
	}
	/* All remaining values are newer than all deleted ones. */
	for (unsigned i = 0; i < COUNT; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u.example.com", i * 7919 % COUNT);
		bool there = writer_has(store, key, 100 + i % 200, i);
		if (there && oldest == COUNT)
			oldest = i;
		missing += !there && oldest != COUNT;
	}
	many(missing == 0, "%u went that are younger than %u, which stayed", missing, oldest);
	store_figures(store, &figures);
	many(figures.entries == COUNT - oldest + ETERNAL && figures.evicted == oldest,
		"%ju entries and %ju evicted, but %u are left", (uintmax_t)figures.entries,
		(uintmax_t)figures.evicted, COUNT - oldest);
	many(COUNT - oldest > 300, "only %u values in a megabyte", COUNT - oldest);
	many_end();

	/* A full store that was killed can be read and written again. */
	store_close(store);
	unlink(beside(directory, ".seal"));
	capture_begin();
	store = open_at(directory);
	capture_end(captured, sizeof captured);
	store_figures(store, &figures);
	ok(store != NULL && captured[0] == '\0' && figures.entries == COUNT - oldest + ETERNAL,
		"a full store whose daemon was killed opens with all it had: %s", captured);
	many_begin("and accepts new values");
	for (unsigned i = 0; i < 2000; i++) {
		char key[32];
		snprintf(key, sizeof key, "new-%u", i);
		many(put(store, key, 300, i, 100000 + i), "new %u: %s", i, store_trouble(store));
		if (i % EACH == EACH - 1)
			many(store_commit(store) && writer_has(store, key, 300, i), "new %u", i);
	}
	many_end();
	store_close(store);
	scratch_remove(directory);
}

/*
 * Values so large that few fit: making room deletes values of the lowest order and keeps the
 * others, above all the newest one.
 */
static void test_few_values(void)
{
	static const size_t sizes[] = {500, 2000, 4000, 20000, 50000};
	const char *directory = scratch_path("few");

	many_begin("making room in a store of few values leaves most of them");
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		struct store *store = open_at(directory);
		struct store_figures figures, before = {0};
		unsigned at_once = sizes[s] > 5000 ? 1 : 5;
		for (unsigned i = 0; i < 1000; i++) {
			char key[32];
			snprintf(key, sizeof key, "%u", i * 7919 % 1000);
			many(put(store, key, sizes[s], i, 1000 + i), "%zu bytes: put %u: %s",
				sizes[s], i, store_trouble(store));
			if (i % at_once != at_once - 1)
				continue;
			many(store_commit(store), "%zu bytes: commit %u: %s", sizes[s], i,
				store_trouble(store));
			many(writer_has(store, key, sizes[s], i), "%zu bytes: %u went at once",
				sizes[s], i);
			store_figures(store, &figures);
			many(figures.entries + 1 >= before.entries / 2,
				"%zu bytes: of %ju values %ju are left", sizes[s],
				(uintmax_t)before.entries, (uintmax_t)figures.entries);
			before = figures;
		}
		many(figures.evicted > 0 && figures.entries * sizes[s] > SMALL / 10,
			"%zu bytes: %ju values are left in a megabyte", sizes[s],
			(uintmax_t)figures.entries);
		store_close(store);
		scratch_remove(directory);
	}
	many_end();
}

/* Random orders and sizes, also large ones: writes may fail, but not two commits in a row. */
static void test_large_values(void)
{
	const char *directory = scratch_path("large");
	struct store *store = open_at(directory);
	struct store_figures figures;
	uint64_t state = 0x5eed;
	unsigned failed = 0, in_a_row = 0, most_in_a_row = 0;

	ok(!put(store, "huge", VALUE_MAX, 1, 1) ||
			(store_commit(store) && writer_has(store, "huge", VALUE_MAX, 1)),
		"a value of a tenth of the store is kept, or refused");
	store_commit(store);
	many_begin("values of up to 64 KB in a store of a megabyte");
	for (unsigned i = 0; i < 1500; i++) {
		char key[32];
		size_t size = 4 + tap_random(&state) % (i % 10 == 0 ? 65000 : 3000);
		snprintf(key, sizeof key, "%u", (unsigned)(tap_random(&state) % 500));
		bool good = put(store, key, size, i, (uint32_t)tap_random(&state));
		if (!good)
			many(store_trouble(store)[0] != '\0', "%u: a failure has a text", i);
		failed += !good;
		in_a_row = good ? 0 : in_a_row + 1;
		if (in_a_row > most_in_a_row)
			most_in_a_row = in_a_row;
		if (!good || i % 10 == 9)
			store_commit(store);
		store_figures(store, &figures);
		many(figures.bytes <= SMALL && file_size(directory) <= SMALL, "%u: too large", i);
	}
	many(most_in_a_row < 10 && failed < 300, "%u writes failed, %u in a row", failed,
		most_in_a_row);
	many(put(store, "last", 100, 1, 4000000000U) && store_commit(store) &&
			writer_has(store, "last", 100, 1),
		"at the end it can be written: %s", store_trouble(store));
	many_end();
	store_close(store);
	unlink(beside(directory, ".seal"));
	store = open_at(directory);
	ok(store != NULL && writer_has(store, "last", 100, 1), "and read again");
	store_close(store);
	scratch_remove(directory);
}

/* More than can fit, in one commit. */
static void test_too_much_at_once(void)
{
	const char *directory = scratch_path("burst");
	struct store *store = open_at(directory);
	unsigned failed = 0;

	put(store, "before", 100, 1, 5000000);
	store_commit(store);
	for (unsigned i = 0; i < 3000; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u", i);
		failed += !put(store, key, 1000, i, i);
	}
	ok(failed > 0, "three megabytes do not fit in one: %u writes failed", failed);
	store_commit(store);
	ok(put(store, "after", 100, 2, 5000000) && store_commit(store) &&
			writer_has(store, "after", 100, 2),
		"but the store can be written after a commit: %s", store_trouble(store));
	ok(writer_has(store, "before", 100, 1), "and has what was committed before");
	is_string(store_trouble(store), "", "and no trouble");
	store_close(store);
	scratch_remove(directory);
}

/* --- readers ------------------------------------------------------------------------------- */

static void test_snapshot(void)
{
	const char *directory = scratch_path("snapshot");
	struct store *store = open_at(directory);
	struct store_reader *old = store_reader_new(store), *new = store_reader_new(store);
	const uint8_t *value;
	size_t size;

	for (unsigned i = 0; i < 50; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u", i);
		put(store, key, 500, i, i);
	}
	store_commit(store);
	store_reader_begin(old);
	ok(store_reader_get(old, "7", 1, &value, &size), "a reader has found a value");
	for (unsigned round = 1; round <= 10; round++) {
		for (unsigned i = 0; i < 50; i++) {
			char key[32];
			snprintf(key, sizeof key, "%u", i);
			put(store, key, 400, i + 1000 * round, i);
		}
		store_commit(store);
	}
	store_expire(store, 25, 100);
	store_commit(store);
	ok(same(value, size, "7", 500, 7), "it does not move or change");
	many_begin("a reader that began before sees all as it was, one that began after as it is");
	store_reader_begin(new);
	for (unsigned i = 0; i < 50; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u", i);
		many(reader_has(old, key, 500, i), "before: %u", i);
		many(i < 25 ? reader_lacks(new, key) : reader_has(new, key, 400, i + 10000),
			"after: %u", i);
	}
	many_end();
	store_reader_end(old);
	store_reader_begin(old);
	ok(reader_lacks(old, "7"), "after it begins again it sees the new values");
	store_reader_end(old);
	store_reader_end(new);
	ok(reader_lacks(new, "30"), "after its end it sees nothing");
	store_reader_free(old);
	store_reader_free(new);
	store_close(store);
	scratch_remove(directory);
}

enum { READERS = 3, COMMITS = 500, AT_ONCE = 4, PAIRS = 8, THREADS_SIZE = 16 * SMALL };

struct reading {
	struct store *store;
	atomic_bool *over;
	unsigned long looks, wrong, went_back;
};

/* All pairs are written in one commit, so all have the same age, which never decreases. */
static void *read_pairs(void *argument)
{
	struct reading *reading = argument;
	struct store_reader *reader = store_reader_new(reading->store);
	uint32_t last = 0;

	while (!atomic_load(reading->over)) {
		uint32_t first = 0;
		if (!store_reader_begin(reader)) {
			reading->wrong++;
			continue;
		}
		for (unsigned i = 0; i < PAIRS; i++) {
			char key[16];
			const uint8_t *value;
			size_t size;
			uint32_t age;
			snprintf(key, sizeof key, "pair-%u", i);
			if (!store_reader_get(reader, key, strlen(key), &value, &size) ||
				!intact(value, size, key, strlen(key))) {
				reading->wrong++;
				continue;
			}
			memcpy(&age, value + 4, sizeof age);
			if (i == 0)
				first = age;
			reading->wrong += age != first;
		}
		store_reader_end(reader);
		reading->went_back += first < last;
		last = first;
		reading->looks++;
	}
	store_reader_free(reader);
	return NULL;
}

static bool put_pairs(struct store *store, uint32_t age)
{
	bool good = true;

	for (unsigned i = 0; i < PAIRS; i++) {
		char key[16];
		uint8_t value[300];
		snprintf(key, sizeof key, "pair-%u", i);
		memset(value, (int)(age + i), sizeof value);
		memcpy(value + 4, &age, sizeof age);
		uint32_t sum = sum_of(key, strlen(key), value + 4, sizeof value - 4);
		memcpy(value, &sum, sizeof sum);
		good = good && store_put(store, key, strlen(key), value, sizeof value, 4000000000U);
	}
	return good && store_commit(store);
}

static void test_threads(void)
{
	const char *directory = scratch_path("threads");
	struct store_settings settings = settings_for(directory);
	settings.max_size = THREADS_SIZE;
	struct store *store = store_open(&settings, error);
	struct reading readings[READERS];
	pthread_t threads[READERS];
	atomic_bool over;
	unsigned failed = 0;

	atomic_init(&over, false);
	failed += !put_pairs(store, 1);
	for (int i = 0; i < READERS; i++) {
		readings[i] = (struct reading){.store = store, .over = &over};
		if (pthread_create(&threads[i], NULL, read_pairs, &readings[i]) != 0)
			bail_out("no threads");
	}
	for (uint32_t age = 2; age < COMMITS; age++) {
		for (unsigned i = 0; i < AT_ONCE; i++) {
			char key[16];
			snprintf(key, sizeof key, "%u-%u", age, i);
			failed += !put(store, key, 8000, age, age);
		}
		failed += !put_pairs(store, age);
		/*
		 * As the daemon does: a reader that is not scheduled for a while keeps old pages. /
		 */
		usleep(1500);
	}
	atomic_store(&over, true);
	struct store_figures figures;
	store_figures(store, &figures);
	ok(figures.evicted > 0, "values were deleted meanwhile: %ju", (uintmax_t)figures.evicted);
	is_number(failed, 0, "%d commits while %d threads read, evicting all the time", COMMITS,
		READERS);
	for (int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		ok(readings[i].looks > 0 && readings[i].wrong == 0 && readings[i].went_back == 0,
			"reader %d: what one commit wrote was seen whole, and time went on", i);
		if (readings[i].wrong + readings[i].went_back > 0)
			diag("%lu looks, %lu wrong, %lu back", readings[i].looks, readings[i].wrong,
				readings[i].went_back);
	}
	store_close(store);
	scratch_remove(directory);
}

/* --- existing files at the start ----------------------------------------------------------- */

/* Run it in a child process, which may crash; returns its exit status, or 128 plus the signal. */
static int in_child(int (*run)(const char *), const char *directory)
{
	int status = 0;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		_exit(run(directory));
	if (child < 0 || waitpid(child, &status, 0) < 0)
		bail_out("no child process");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

enum { SAMPLES = 140, SAMPLES_GONE = 40 };

static void sample_key(char key[32], unsigned i)
{
	snprintf(key, 32, "%08x.example", i * 2654435761U);
}

/* A store of a few dozen pages, also free ones, killed instead of closed. */
static int make_sample(const char *directory)
{
	struct store_settings settings = settings_for(directory);
	struct store *store = store_open(&settings, error);
	char key[32];

	for (unsigned round = 0; store != NULL && round < 3; round++) {
		for (unsigned i = 0; i < SAMPLES; i++) {
			sample_key(key, i);
			if (!put(store, key, i % 30 == 0 ? 6000 : 150, round, i))
				return 1;
		}
		if (!store_commit(store))
			return 1;
	}
	if (store != NULL &&
		(store_expire(store, SAMPLES_GONE, 1000) != SAMPLES_GONE || !store_commit(store)))
		return 1;
	return store == NULL;
}

/* Open the file, read everything, write, close: 0 if every successful call was correct. */
static int use_store(const char *directory)
{
	struct store_settings settings = settings_for(directory);
	struct store *store = store_open(&settings, error);
	char key[32];
	unsigned found = 0;

	if (store == NULL)
		return 2;
	struct store_reader *reader = store_reader_new(store);
	store_reader_begin(reader);
	for (unsigned i = 0; i < SAMPLES; i++) {
		const uint8_t *value;
		size_t size;
		sample_key(key, i);
		if (!store_reader_get(reader, key, strlen(key), &value, &size))
			continue;
		if (!intact(value, size, key, strlen(key)))
			return 3;
		found++;
	}
	store_reader_end(reader);
	/* The file must be set aside or used completely. */
	if (found != 0 && found != SAMPLES - SAMPLES_GONE)
		return 4;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "new-%u", i);
		if (!put(store, key, 500, i, 1000 + i))
			return 5;
		if (i % 20 == 19 && !store_commit(store))
			return 6;
	}
	store_expire(store, 300, 1000);
	if (!store_commit(store) || !writer_has(store, "new-99", 500, 99))
		return 7;
	store_reader_free(reader);
	store_close(store);
	return found != 0 ? 100 : 0;
}

static const char *outcome_name(int outcome)
{
	static const char *const names[] = {"set aside", "?", "did not open",
		"served a wrong value", "served some values and not others", "could not be written",
		"could not be committed", "lost what was written"};
	static char words[64];

	if (outcome == 100)
		return "used";
	if (outcome < 8)
		return names[outcome];
	snprintf(words, sizeof words, "crashed: signal or status %d", outcome);
	return words;
}

/* --- damaged files, many of them in a row --------------------------------------------------- */

enum { TRIES_MAX = 256, RUNNING = -1, SET_ASIDE = 0x1000 };

/* Shared with the child process that tries them; still readable after its crash. */
static int *outcomes;

static struct {
	char *bytes; /* the sample */
	size_t size, pages;
	char *seal; /* seal of a closed file: any seal will do, since the file is changed then */
	size_t seal_size;
	char *changed;
	const char *directory;
	uint64_t state;
} damage;

static void install(size_t size, bool sealed)
{
	scratch_remove(damage.directory);
	mkdir(damage.directory, 0700);
	scratch_write(file_of(damage.directory), damage.changed, size);
	if (sealed)
		scratch_write(beside(damage.directory, ".seal"), damage.seal, damage.seal_size);
}

/*
 * Install and use damaged files 0 to count - 1 in a child process; if it crashes or finds an error,
 * another child continues with the next file.
 */
static void run_tries(unsigned count, void (*prepare)(unsigned))
{
	unsigned next = 0;

	fflush(stdout);
	while (next < count) {
		int status = 0;
		pid_t child = fork();
		if (child == 0) {
			for (unsigned i = next; i < count; i++) {
				outcomes[i] = RUNNING;
				prepare(i);
				int outcome = use_store(damage.directory);
				if (exists(beside(damage.directory, ".set-aside")))
					outcome |= SET_ASIDE;
				outcomes[i] = outcome;
				outcomes[i + 1] = RUNNING;
				if ((outcome & ~SET_ASIDE) != 0 && (outcome & ~SET_ASIDE) != 100)
					_exit(i + 1 < count ? 77 : 0);
			}
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			bail_out("no child process");
		while (next < count && outcomes[next] != RUNNING)
			next++;
		if (next < count && !(WIFEXITED(status) && WEXITSTATUS(status) == 77))
			outcomes[next++] = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							       : 128 + WEXITSTATUS(status);
	}
}

/* Each was set aside or used, and what is set aside is kept. */
static void check_tries(const char *group, unsigned count, void (*prepare)(unsigned),
	unsigned aside_least, unsigned used_least)
{
	unsigned aside = 0, used = 0;

	capture_begin();
	run_tries(count, prepare);
	capture_end(captured, sizeof captured);
	many_begin(group);
	for (unsigned i = 0; i < count; i++) {
		int outcome = outcomes[i] & ~SET_ASIDE;
		bool kept = (outcomes[i] & SET_ASIDE) != 0;
		many(outcome == 0 || outcome == 100, "try %u: %s", i, outcome_name(outcome));
		many(outcome > 100 || kept == (outcome == 0), "try %u: %s, and kept aside: %d", i,
			outcome_name(outcome), kept);
		aside += outcome == 0;
		used += outcome == 100;
	}
	many(aside >= aside_least && used >= used_least, "%u set aside, %u used", aside, used);
	many_end();
}

static void prepare_whole(unsigned i)
{
	memcpy(damage.changed, damage.bytes, damage.size);
	install(damage.size, i % 2 == 1);
}

static const size_t cuts[] = {1, 100, 4095, 4096, 8191, 8192, 8193, 12288, 40960};

static void prepare_cut(unsigned i)
{
	memcpy(damage.changed, damage.bytes, damage.size);
	install(cuts[i], i % 3 == 1);
}

static void prepare_empty(unsigned i)
{
	(void)i;
	install(0, false);
}

/* A page of garbage, of zeroes, of another page. */
static void prepare_page(unsigned i)
{
	size_t page = i % damage.pages;
	char *at = damage.changed + page * 4096;

	memcpy(damage.changed, damage.bytes, damage.size);
	if ((i / damage.pages + i) % 3 == 2)
		memcpy(at, damage.bytes + (page + 7) % damage.pages * 4096, 4096);
	else
		for (size_t n = 0; n < 4096; n++)
			at[n] = (i / damage.pages + i) % 3 == 0 ? (char)tap_random(&damage.state)
								: 0;
	install(damage.size, i % 4 == 0);
}

static void prepare_flips(unsigned i)
{
	unsigned flips = i % 3 == 0 ? 1 : 1 + (unsigned)(tap_random(&damage.state) % 20);

	memcpy(damage.changed, damage.bytes, damage.size);
	for (unsigned n = 0; n < flips; n++) {
		/* LMDB's own data: the beginning of pages, most often of the first ones. */
		size_t page = tap_random(&damage.state) % (i % 4 == 0 ? 3 : damage.pages);
		size_t at = page * 4096 + tap_random(&damage.state) % (i % 2 ? 4096 : 160);
		damage.changed[at] ^= (char)(1 << tap_random(&damage.state) % 8);
	}
	install(damage.size, i % 5 == 0);
}

static void prepare_stranger(unsigned i)
{
	static const size_t sizes[] = {10, 4096, 50000, 100000};

	for (size_t n = 0; n < damage.size; n++)
		damage.changed[n] = i == 1 ? 'x' : (char)tap_random(&damage.state);
	install(sizes[i] < damage.size ? sizes[i] : damage.size, false);
}

static void test_damage(void)
{
	damage.directory = scratch_path("damage");
	damage.state = 0xdeadbeef;
	outcomes = mmap(NULL, (TRIES_MAX + 1) * sizeof *outcomes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcomes == MAP_FAILED || in_child(make_sample, damage.directory) != 0)
		bail_out("no sample of a store");
	damage.bytes = scratch_read(file_of(damage.directory), &damage.size);
	damage.pages = damage.size / 4096;
	damage.changed = malloc(damage.size);
	struct store *store = open_at(damage.directory);
	store_close(store);
	damage.seal = scratch_read(beside(damage.directory, ".seal"), &damage.seal_size);
	diag("a sample of %zu pages", damage.pages);

	check_tries("a file of a process that was killed is used", 2, prepare_whole, 0, 2);
	is_string(captured, "", "without a log line");
	check_tries("a file that was cut is set aside", sizeof cuts / sizeof cuts[0], prepare_cut,
		sizeof cuts / sizeof cuts[0], 0);
	ok(strstr(captured, "is damaged: set aside as") != NULL, "and the log says so");
	check_tries("an empty file is a new store", 1, prepare_empty, 0, 0);
	check_tries("a page of garbage, of zeroes, of another page",
		damage.pages < 60 ? 2 * (unsigned)damage.pages : 120, prepare_page, 10, 1);
	check_tries("bits the other way", 60, prepare_flips, 10, 1);
	check_tries("files that were never LMDB's", 4, prepare_stranger, 4, 0);
	free(damage.changed);
	free(damage.seal);
	free(damage.bytes);
	munmap(outcomes, (TRIES_MAX + 1) * sizeof *outcomes);
	scratch_remove(damage.directory);
}

/* Values that only their own check can detect as wrong. */
static void test_wrong_values(void)
{
	const char *directory = scratch_path("values");
	struct store *store = open_at(directory);

	put(store, "good", 100, 1, 1);
	/* intact() refuses it: as if one bit had changed. */
	store_put(store, "bad", 3, value_for("other", 100, 2), 100, 2);
	store_close(store);
	unlink(beside(directory, ".seal"));
	capture_begin();
	store = open_at(directory);
	capture_end(captured, sizeof captured);
	ok(store != NULL && !writer_has(store, "good", 100, 1),
		"a file with a wrong value is not used");
	ok(strstr(captured, "is damaged: set aside as") != NULL, "and the log says so");
	store_close(store);
	scratch_remove(directory);
}

static void test_format(void)
{
	const char *directory = scratch_path("format");
	struct store_settings settings = settings_for(directory);

	for (int sealed = 0; sealed < 2; sealed++) {
		struct store *store = open_at(directory);
		put(store, "old", 100, 1, 1);
		store_close(store);
		if (sealed == 0)
			unlink(beside(directory, ".seal"));
		settings.format = FORMAT + 1;
		capture_begin();
		store = store_open(&settings, error);
		capture_end(captured, sizeof captured);
		ok(store != NULL && !writer_has(store, "old", 100, 1),
			"a file of another format is not used%s",
			sealed ? ", though it was closed well" : "");
		ok(strstr(captured, "was written by another version: set aside as") != NULL &&
				exists(beside(directory, ".set-aside")),
			"it is set aside, and the log says so");
		if (captured[0] == '\0')
			diag("the log says nothing");
		put(store, "new", 100, 2, 2);
		store_close(store);
		store = store_open(&settings, error);
		ok(writer_has(store, "new", 100, 2), "the new format is used from then on");
		store_close(store);
		scratch_remove(directory);
		settings.format = FORMAT;
	}
}

/* A smaller size than before: the file is never larger, and usable. */
static void test_smaller_size(void)
{
	const char *directory = scratch_path("smaller");
	struct store_settings settings = settings_for(directory);
	settings.max_size = 8 * SMALL;
	struct store *store = store_open(&settings, error);
	struct store_figures figures;

	for (unsigned i = 0; i < 3000; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u", i);
		put(store, key, 1000, i, i);
	}
	store_close(store);
	capture_begin();
	store = open_at(directory);
	capture_end(captured, sizeof captured);
	ok(store != NULL && strstr(captured, "[cache] max_size") != NULL,
		"a file larger than the new size does not stay: %s", captured);
	ok(put(store, "new", 100, 1, 1) && store_commit(store) &&
			writer_has(store, "new", 100, 1) && file_size(directory) <= SMALL,
		"and the store works within it");
	store_figures(store, &figures);
	ok(figures.bytes <= SMALL, "%ju bytes in use", (uintmax_t)figures.bytes);
	store_close(store);
	scratch_remove(directory);
}

/* A writer that is killed loses only changes that were not committed. */
static int write_and_die(const char *directory)
{
	struct store_settings settings = settings_for(directory);
	struct store *store = store_open(&settings, error);

	if (store == NULL || !put(store, "committed", 100, 1, 1) || !store_commit(store) ||
		!put(store, "pending", 100, 2, 2))
		return 1;
	raise(SIGKILL);
	return 1;
}

static void test_kill(void)
{
	const char *directory = scratch_path("kill");

	is_number(in_child(write_and_die, directory), 128 + SIGKILL, "a writer is killed");
	capture_begin();
	struct store *store = open_at(directory);
	capture_end(captured, sizeof captured);
	ok(store != NULL && writer_has(store, "committed", 100, 1), "committed values are there");
	ok(!writer_has(store, "pending", 100, 2), "others are not");
	is_string(captured, "", "and nothing is logged");
	store_close(store);
	scratch_remove(directory);
}

/* --- what cannot be opened ----------------------------------------------------------------- */

static int open_fails(const char *directory)
{
	struct store_settings settings = settings_for(directory);
	struct store *store = store_open(&settings, error);

	store_close(store);
	return store != NULL;
}

static void expect_refusal(const char *what, const char *directory, const char *words)
{
	error[0] = '\0';
	ok(open_fails(directory) == 0 && strstr(error, words) != NULL &&
			strchr(error, '\n') == NULL && strstr(error, directory) != NULL,
		"%s: one line says so", what);
	diag("%s", error);
}

/* As an account that may not write there; the error goes to the parent's pipe. */
static int open_as_nobody(const char *directory)
{
	if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
		return 99;
	if (open_fails(directory) != 0)
		return 1;
	return strstr(error, "Permission denied") != NULL && strstr(error, directory) != NULL &&
			       strchr(error, '\n') == NULL
		       ? 0
		       : 2;
}

static void test_refusals(void)
{
	char path[SCRATCH_PATH_SIZE];
	struct store *store;

	snprintf(path, sizeof path, "%s", scratch_path("twice"));
	store = open_at(path);
	expect_refusal("a store that another process has", path, "is in use by another tlsad");
	ok(put(store, "a", 100, 1, 1) && store_commit(store) && writer_has(store, "a", 100, 1),
		"which continues");
	is_number(in_child(open_fails, path), 0, "from another process it is refused too");
	store_close(store);
	store = open_at(path);
	ok(store != NULL && writer_has(store, "a", 100, 1), "when the first has ended it opens");
	store_close(store);

	snprintf(path, sizeof path, "%s", scratch_path("missing/below"));
	expect_refusal("a directory that cannot be made", path, "No such file or directory");
	snprintf(path, sizeof path, "%s", scratch_path("file"));
	scratch_write_text(path, "x");
	expect_refusal("a file for a directory", path, "Not a directory");
	snprintf(path, sizeof path, "%s", scratch_path("odd"));
	mkdir(path, 0700);
	mkdir(file_of(path), 0700);
	expect_refusal("a directory for the file", path, "is not a regular file; remove it");
	scratch_remove(file_of(path));
	if (symlink("/nonexistent/x", file_of(path)) == 0)
		expect_refusal(
			"a symbolic link for the file", path, "is not a regular file; remove it");

	if (geteuid() != 0) {
		snprintf(path, sizeof path, "%s", scratch_path("locked"));
		mkdir(path, 0500);
		expect_refusal("a directory that may not be written", path, "Permission denied");
		chmod(path, 0700);
		return;
	}
	/* Permissions do not apply to root, so another account tries. */
	chmod(scratch_directory, 0755);
	snprintf(path, sizeof path, "%s", scratch_path("locked"));
	mkdir(path, 0755);
	int outcome = in_child(open_as_nobody, path);
	if (outcome == 99)
		skip("this process cannot become somebody else",
			"a directory that may not be written");
	else
		is_number(outcome, 0, "a directory that may not be written: one line says so");
	snprintf(path, sizeof path, "%s", scratch_path("locked/below"));
	outcome = in_child(open_as_nobody, path);
	if (outcome == 99)
		skip("this process cannot become somebody else",
			"a directory that may not be made");
	else
		is_number(outcome, 0, "a directory that may not be made: one line says so");
}

/* A full disk: files may only grow to this number of bytes. */
static int write_on_full_disk(const char *directory)
{
	struct store_settings settings = settings_for(directory);
	struct rlimit limit = {.rlim_cur = 100 * 1024, .rlim_max = 100 * 1024};
	unsigned failed = 0;

	signal(SIGXFSZ, SIG_IGN);
	struct store *store = store_open(&settings, error);
	if (store == NULL || !put(store, "before", 100, 1, 4000000000U) || !store_commit(store))
		return 1;
	setrlimit(RLIMIT_FSIZE, &limit);
	for (unsigned i = 0; i < 100; i++) {
		char key[32];
		snprintf(key, sizeof key, "%u", i);
		bool good = true;
		for (unsigned n = 0; n < 10; n++) {
			snprintf(key, sizeof key, "%u-%u", i, n);
			good = put(store, key, 1000, i, i) && good;
		}
		good = store_commit(store) && good;
		if (!good && store_trouble(store)[0] == '\0')
			return 2;
		failed += !good;
	}
	if (failed == 0)
		return 3;
	if (!writer_has(store, "before", 100, 1))
		return 4;
	struct store_reader *reader = store_reader_new(store);
	if (!store_reader_begin(reader) || !reader_has(reader, "before", 100, 1))
		return 5;
	store_reader_end(reader);
	store_reader_free(reader);
	store_close(store);
	return 0;
}

static int open_on_full_disk(const char *directory)
{
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	if (open_fails(directory) != 0)
		return 1;
	return strstr(error, directory) != NULL && strchr(error, '\n') == NULL ? 0 : 2;
}

static void test_full_disk(void)
{
	const char *directory = scratch_path("disk");

	capture_begin();
	int outcome = in_child(write_on_full_disk, directory);
	capture_end(captured, sizeof captured);
	is_number(
		outcome, 0, "a disk that fills up: writes fail with a text, old values are served");
	if (outcome != 0)
		diag("%s", captured);
	scratch_remove(directory);
	is_number(in_child(open_on_full_disk, directory), 0,
		"a disk that is full at the start: one line says so");
	scratch_remove(directory);
}

int main(void)
{
	scratch_begin();
	test_put_and_get();
	test_reopen();
	test_expire();
	test_eviction();
	test_few_values();
	test_large_values();
	test_too_much_at_once();
	test_snapshot();
	test_threads();
	test_damage();
	test_wrong_values();
	test_format();
	test_smaller_size();
	test_kill();
	test_refusals();
	test_full_disk();
	return done_testing();
}
