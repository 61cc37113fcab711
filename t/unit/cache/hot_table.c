/*
 * hot_table: a value is found, complete, under its own key only; values that do not fit are not
 * kept; clearing forgets all; threads that write and read the same slots never see a mixture.
 */
#include "daemon/cache/hot_table.h"

#include "t/unit/tap.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 20000, SHARED_KEYS = 8 };
enum { SETS = 1 << 17, SLOT_SIZE = 128, ROOM = SLOT_SIZE - HOT_TABLE_SLOT_HEAD };

static struct hot_table *table;
static atomic_uint mixtures, found;

static bool get(const char *key, size_t size, struct hot_table_copy *copy)
{
	return hot_table_get(table, hot_table_find(table, key, size), key, size, SIZE_MAX, copy);
}

static void put_and_get(void)
{
	struct hot_table_copy copy;
	const uint8_t value[] = "a value";

	ok(!get("key", 3, &copy), "nothing is found in an empty hot table");
	hot_table_put(table, "key", 3, value, sizeof value);
	ok(get("key", 3, &copy), "a value is found");
	is_number(copy.size, sizeof value, "with its size");
	ok(memcmp(copy.value, value, sizeof value) == 0, "and its bytes");
	ok(!get("kez", 3, &copy), "another key of that length finds nothing");
	ok(!get("ke", 2, &copy), "nor does a beginning of the key");
	hot_table_put(table, "key", 3, (const uint8_t *)"new", 3);
	ok(get("key", 3, &copy) && copy.size == 3 && memcmp(copy.value, "new", 3) == 0,
		"a later value replaces the earlier one");
	hot_table_clear(table);
	ok(!get("key", 3, &copy), "clearing forgets it");
}

static void room(void)
{
	uint8_t value[ROOM];
	struct hot_table_copy copy;

	memset(value, 'v', sizeof value);
	hot_table_put(table, "fits", 4, value, ROOM - 4);
	ok(get("fits", 4, &copy) && copy.size == ROOM - 4 &&
			memcmp(copy.value, value, ROOM - 4) == 0,
		"a value that just fits is kept");
	hot_table_put(table, "large", 5, value, ROOM - 4);
	ok(!get("large", 5, &copy), "one that does not is not");
	hot_table_put(table, "empty", 5, value, 0);
	ok(get("empty", 5, &copy) && copy.size == 0, "an empty value is one");
}

static void beginning(void)
{
	struct hot_table *large = hot_table_new(4, HOT_TABLE_SLOT_MAX);
	uint8_t value[HOT_TABLE_SLOT_MAX - HOT_TABLE_SLOT_HEAD - 3];
	struct hot_table_copy copy;

	for (size_t i = 0; i < sizeof value; i++)
		value[i] = (uint8_t)(i * 7);
	hot_table_put(large, "key", 3, value, sizeof value);
	hot_table_hash hash = hot_table_find(large, "key", 3);
	ok(hot_table_get(large, hash, "key", 3, SIZE_MAX, &copy) && copy.size == sizeof value &&
			memcmp(copy.value, value, sizeof value) == 0,
		"the largest slot holds a value, whole");
	ok(hot_table_get(large, hash, "key", 3, 10, &copy) && copy.size == 10 &&
			memcmp(copy.value, value, 10) == 0,
		"no more than the requested bytes are copied");
	hot_table_put(large, "kez", 3, value, 4);
	ok(hot_table_get(large, hot_table_find(large, "kez", 3), "kez", 3, 10, &copy) &&
			copy.size == 4,
		"nor more than it has");
	hot_table_free(large);
}

/* Far more keys than slots: each value is found as it was put, or not at all. */
static void many_keys(void)
{
	enum { KEYS = 600000 };
	unsigned wrong = 0, kept = 0;
	struct hot_table_copy copy;
	char key[16];

	for (unsigned i = 0; i < KEYS; i++) {
		int size = snprintf(key, sizeof key, "k%u", i);
		hot_table_put(table, key, (size_t)size, (const uint8_t *)&i, sizeof i);
	}
	for (unsigned i = 0; i < KEYS; i++) {
		int size = snprintf(key, sizeof key, "k%u", i);
		if (!get(key, (size_t)size, &copy))
			continue;
		kept++;
		wrong += copy.size != sizeof i || memcmp(copy.value, &i, sizeof i) != 0;
	}
	is_number(wrong, 0, "no key finds another one's value");
	ok(kept > 200000, "most slots are in use (%u)", kept);
	snprintf(key, sizeof key, "k%u", KEYS - 1);
	ok(get(key, strlen(key), &copy), "the last one put is found");
}

/* Every value is one byte repeated, so a mixture shows. */
static void *write_and_read(void *context)
{
	unsigned seed = (unsigned)(uintptr_t)context;
	uint8_t value[96];
	struct hot_table_copy copy;

	for (unsigned i = 0; i < ROUNDS; i++) {
		char key[2] = {'s', (char)('0' + (i + seed) % SHARED_KEYS)};
		memset(value, (int)(i * 7 + seed), sizeof value);
		hot_table_put(table, key, sizeof key, value, 64 + i % 32);
		if (!get(key, sizeof key, &copy))
			continue;
		atomic_fetch_add(&found, 1);
		for (size_t at = 1; at < copy.size; at++) {
			if (copy.value[at] != copy.value[0]) {
				atomic_fetch_add(&mixtures, 1);
				break;
			}
		}
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, write_and_read, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	is_number(mixtures, 0, "no mixture of two values was ever read");
	ok(found > ROUNDS, "and values were read (%u)", found);
}

int main(void)
{
	table = hot_table_new(SETS, SLOT_SIZE);
	ok(table != NULL, "a hot table is made");
	put_and_get();
	room();
	beginning();
	many_keys();
	threads();
	hot_table_free(table);
	return done_testing();
}
