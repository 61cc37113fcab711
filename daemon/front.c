#include "daemon/front.h"

#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	/*
	 * Slots: 32 MB of address space, of which the machine spends what is used. Enough for the
	 * destinations that a large site sends to in a day; what does not fit is in the store.
	 */
	SETS = 1 << 17,
	WAYS = 2, /* slots that a key may have */
	WORDS = FRONT_ROOM / 8,
	CACHE_LINE = 64,
	FRONT_SIZE = SETS * WAYS * FRONT_SLOT_SIZE, /* [bytes] */
};

struct slot {
	_Atomic uint64_t sequence;
	_Atomic uint64_t head; /* u32 epoch, u8 key size, u8 value size */
	_Atomic uint64_t words[WORDS];
};

_Static_assert(sizeof(struct slot) == FRONT_SLOT_SIZE, "a slot fills its cache lines");

struct front {
	struct slot *slots;
	uint64_t seed; /* so that nobody outside can choose keys that crowd together */
	_Atomic uint32_t epoch;
};

struct front *front_new(void)
{
	struct front *front = calloc(1, sizeof *front);

	if (front == NULL)
		return NULL;
	/* Slots that nobody has written yet have epoch 0. */
	atomic_init(&front->epoch, 1);
	/* Fresh pages are zero and cost nothing until they are written. */
	front->slots =
		mmap(NULL, FRONT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (front->slots == MAP_FAILED)
		front->slots = NULL;
	if (front->slots == NULL ||
		RAND_bytes((unsigned char *)&front->seed, sizeof front->seed) != 1) {
		front_free(front);
		return NULL;
	}
	return front;
}

void front_free(struct front *front)
{
	if (front == NULL)
		return;
	if (front->slots != NULL)
		munmap(front->slots, FRONT_SIZE);
	free(front);
}

void front_clear(struct front *front)
{
	atomic_fetch_add(&front->epoch, 1);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	__uint128_t product = (__uint128_t)(hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static struct slot *find_set(const struct front *front, const char *key, size_t size)
{
	uint64_t hash = front->seed ^ size, word;

	for (; size >= sizeof word; key += sizeof word, size -= sizeof word) {
		memcpy(&word, key, sizeof word);
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, key, size);
	hash = mix(mix(hash, word), front->seed);
	struct slot *set = &front->slots[(hash & (SETS - 1)) * WAYS];
	/* All of it at once: waiting for memory one cache line after the other is what costs. */
	for (size_t at = 0; at < WAYS * sizeof *set; at += CACHE_LINE)
		__builtin_prefetch((const char *)set + at);
	return set;
}

static uint64_t make_head(uint32_t epoch, size_t key_size, size_t size)
{
	return (uint64_t)epoch << 32 | (uint64_t)key_size << 8 | size;
}

/* Acquiring loads: the second look at the sequence is not done before them. */
static bool read_slot(struct slot *slot, uint64_t head, size_t used, struct front_copy *copy)
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

bool front_get(struct front *front, const char *key, size_t key_size, struct front_copy *copy)
{
	struct slot *set = find_set(front, key, key_size);
	uint32_t epoch = atomic_load_explicit(&front->epoch, memory_order_acquire);

	for (int way = 0; way < WAYS; way++) {
		uint64_t head = atomic_load_explicit(&set[way].head, memory_order_acquire);
		size_t size = head & 0xff;

		if (head != make_head(epoch, key_size, size) || key_size + size > FRONT_ROOM ||
			!read_slot(&set[way], head, key_size + size, copy) ||
			memcmp(copy->bytes, key, key_size) != 0)
			continue;
		copy->value = copy->bytes + key_size;
		copy->size = size;
		return true;
	}
	return false;
}

/* The slot that holds the key already, or an empty one, or one of the others in turn. */
static struct slot *choose_slot(struct slot *set, uint32_t epoch, const char *key, size_t key_size)
{
	struct front_copy copy;
	struct slot *empty = NULL;

	for (int way = 0; way < WAYS; way++) {
		uint64_t head = atomic_load_explicit(&set[way].head, memory_order_acquire);
		size_t size = head & 0xff;

		if (head >> 32 != epoch)
			empty = &set[way];
		else if (head == make_head(epoch, key_size, size) &&
			 read_slot(&set[way], head, key_size + size, &copy) &&
			 memcmp(copy.bytes, key, key_size) == 0)
			return &set[way];
	}
	if (empty != NULL)
		return empty;
	uint64_t turn = atomic_load_explicit(&set[0].sequence, memory_order_relaxed) +
			atomic_load_explicit(&set[1].sequence, memory_order_relaxed);
	return &set[turn / 2 % WAYS];
}

void front_put(
	struct front *front, const char *key, size_t key_size, const uint8_t *value, size_t size)
{
	uint32_t epoch = atomic_load_explicit(&front->epoch, memory_order_acquire);
	uint8_t bytes[FRONT_ROOM] = {0};

	if (key_size + size > FRONT_ROOM)
		return;
	struct slot *slot = choose_slot(find_set(front, key, key_size), epoch, key, key_size);
	uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
	/* Somebody else is writing: then it need not be this value. */
	if ((sequence & 1) != 0 ||
		!atomic_compare_exchange_strong_explicit(&slot->sequence, &sequence, sequence + 1,
			memory_order_acq_rel, memory_order_relaxed))
		return;
	memcpy(bytes, key, key_size);
	memcpy(bytes + key_size, value, size);
	/* Releasing stores: the odd sequence is seen before them. */
	atomic_store_explicit(&slot->head, make_head(epoch, key_size, size), memory_order_release);
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t word;
		memcpy(&word, bytes + i * 8, sizeof word);
		atomic_store_explicit(&slot->words[i], word, memory_order_release);
	}
	atomic_store_explicit(&slot->sequence, sequence + 2, memory_order_release);
}
