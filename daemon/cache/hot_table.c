#include "daemon/cache/hot_table.h"

#include "common/base/hash.h"

#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	/*
	 * A key may be in any slot of two sets of two slots; the second set is searched if the key
	 * is not in the first. So values are rarely replaced before most of the slots are in use.
	 */
	SETS = 2,
	WAYS = 2,
	PLACES = SETS * WAYS,
	CACHE_LINE = 64,
};

struct slot {
	_Atomic uint64_t sequence;
	_Atomic uint64_t head; /* u32 epoch, u16 key size, u16 value size */
	_Atomic uint64_t words[];
};

_Static_assert(sizeof(struct slot) == HOT_TABLE_SLOT_HEAD, "what is before the words");

struct hot_table {
	uint8_t *slots;
	size_t set_mask; /* number of sets less one */
	size_t slot_size;
	uint64_t seed; /* random, so that nobody can choose keys that collide */
	_Atomic uint32_t epoch;
};

static size_t memory_size(const struct hot_table *table)
{
	return (table->set_mask + 1) * WAYS * table->slot_size;
}

struct hot_table *hot_table_new(size_t sets, size_t slot_size)
{
	struct hot_table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	table->set_mask = sets - 1;
	table->slot_size = slot_size;
	/* Unused slots have epoch 0. */
	atomic_init(&table->epoch, 1);
	/* New pages are zero and use no memory until they are written. */
	void *slots = mmap(NULL, memory_size(table), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots != MAP_FAILED)
		table->slots = slots;
	if (table->slots == NULL ||
		RAND_bytes((unsigned char *)&table->seed, sizeof table->seed) != 1) {
		hot_table_free(table);
		return NULL;
	}
	return table;
}

void hot_table_free(struct hot_table *table)
{
	if (table == NULL)
		return;
	if (table->slots != NULL)
		munmap(table->slots, memory_size(table));
	free(table);
}

void hot_table_clear(struct hot_table *table)
{
	atomic_fetch_add(&table->epoch, 1);
}

hot_table_hash hot_table_find(const struct hot_table *table, const char *key, size_t size)
{
	return hash_bytes(table->seed, key, size);
}

static struct slot *slot_at(const struct hot_table *table, hot_table_hash hash, unsigned place)
{
	size_t set = (place < WAYS ? hash : hash >> 32) & table->set_mask;
	return (struct slot *)(void *)(table->slots +
				       (set * WAYS + place % WAYS) * table->slot_size);
}

/* Most of the time of a read is spent waiting for memory, one cache line after the other. */
void hot_table_prefetch(const struct hot_table *table, hot_table_hash hash)
{
	for (unsigned way = 0; way < WAYS; way++) {
		const char *slot = (const char *)slot_at(table, hash, way);
		__builtin_prefetch(slot);
		__builtin_prefetch(slot + CACHE_LINE);
	}
}

static uint64_t make_head(uint32_t epoch, size_t key_size, size_t size)
{
	return (uint64_t)epoch << 32 | (uint64_t)key_size << 16 | size;
}

static size_t room(const struct hot_table *table)
{
	return table->slot_size - HOT_TABLE_SLOT_HEAD;
}

/*
 * Acquire loads of the words: the second load of the sequence must not be moved before them. It
 * shows whether the words were written meanwhile.
 */
static bool read_slot(struct slot *slot, uint64_t head, size_t used, struct hot_table_copy *copy)
{
	uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);

	if ((sequence & 1) != 0)
		return false;
	for (size_t i = 0; i * 8 < used; i++) {
		uint64_t word = atomic_load_explicit(&slot->words[i], memory_order_acquire);
		memcpy(copy->bytes + i * 8, &word, sizeof word);
	}
	return atomic_load_explicit(&slot->head, memory_order_acquire) == head &&
	       atomic_load_explicit(&slot->sequence, memory_order_relaxed) == sequence;
}

bool hot_table_get(struct hot_table *table, hot_table_hash hash, const char *key, size_t key_size,
	size_t max, struct hot_table_copy *copy)
{
	uint32_t epoch = atomic_load_explicit(&table->epoch, memory_order_acquire);

	for (unsigned place = 0; place < PLACES; place++) {
		struct slot *slot = slot_at(table, hash, place);
		uint64_t head = atomic_load_explicit(&slot->head, memory_order_acquire);
		size_t size = head & 0xffff;

		if (head != make_head(epoch, key_size, size) || key_size + size > room(table))
			continue;
		if (size > max)
			size = max;
		if (!read_slot(slot, head, key_size + size, copy) ||
			memcmp(copy->bytes, key, key_size) != 0)
			continue;
		copy->value = copy->bytes + key_size;
		copy->size = size;
		return true;
	}
	return false;
}

/* The slot that has the key already, or else an empty one, or else one of the others in turn. */
static struct slot *choose_slot(
	const struct hot_table *table, uint32_t epoch, const char *key, size_t key_size)
{
	hot_table_hash hash = hot_table_find(table, key, key_size);
	struct hot_table_copy copy;
	struct slot *empty = NULL;
	uint64_t turn = 0;

	for (unsigned place = 0; place < PLACES; place++) {
		struct slot *slot = slot_at(table, hash, place);
		uint64_t head = atomic_load_explicit(&slot->head, memory_order_acquire);

		if (head >> 32 != epoch)
			empty = empty != NULL ? empty : slot;
		else if ((head >> 16 & 0xffff) == key_size &&
			 read_slot(slot, head, key_size, &copy) &&
			 memcmp(copy.bytes, key, key_size) == 0)
			return slot;
		turn += atomic_load_explicit(&slot->sequence, memory_order_relaxed);
	}
	/* Each write adds two to a sequence. */
	return empty != NULL ? empty : slot_at(table, hash, turn / 2 % PLACES);
}

void hot_table_put(struct hot_table *table, const char *key, size_t key_size, const uint8_t *value,
	size_t size)
{
	uint32_t epoch = atomic_load_explicit(&table->epoch, memory_order_acquire);
	uint8_t bytes[HOT_TABLE_SLOT_MAX - HOT_TABLE_SLOT_HEAD];

	if (key_size > room(table) || size > room(table) - key_size)
		return;
	struct slot *slot = choose_slot(table, epoch, key, key_size);
	uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
	/* If another thread is writing this slot, give up: a copy is never required. */
	if ((sequence & 1) != 0 ||
		!atomic_compare_exchange_strong_explicit(&slot->sequence, &sequence, sequence + 1,
			memory_order_acq_rel, memory_order_relaxed))
		return;
	memcpy(bytes, key, key_size);
	memcpy(bytes + key_size, value, size);
	/* Padding after the value in the last word. */
	memset(bytes + key_size + size, 0, -(key_size + size) & 7);
	/* Release stores: a reader that sees one of them also sees the odd sequence. */
	atomic_store_explicit(&slot->head, make_head(epoch, key_size, size), memory_order_release);
	for (size_t i = 0; i * 8 < key_size + size; i++) {
		uint64_t word;
		memcpy(&word, bytes + i * 8, sizeof word);
		atomic_store_explicit(&slot->words[i], word, memory_order_release);
	}
	atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}
