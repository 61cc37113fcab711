/*
 * hash: where a short text leads to in a table.
 *
 * Eight bytes at a step. Not for what must not be found out or forged; with a seed that nobody
 * outside knows, nobody outside can choose texts that crowd together.
 */
#ifndef TLSAD_BASE_HASH_H
#define TLSAD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
	__uint128_t product = (__uint128_t)(hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_bytes(uint64_t seed, const char *bytes, size_t size)
{
	uint64_t hash = seed ^ size, word = 0;

	if (size < sizeof word) {
		while (size > 0)
			word = word << 8 | (uint8_t)bytes[--size];
		return hash_mix(hash_mix(hash, word), seed);
	}
	const char *last = bytes + size - sizeof word;
	for (; bytes < last; bytes += sizeof word) {
		memcpy(&word, bytes, sizeof word);
		hash = hash_mix(hash, word);
	}
	/* The last eight, some of them perhaps for a second time. */
	memcpy(&word, last, sizeof word);
	return hash_mix(hash_mix(hash, word), seed);
}

#endif
