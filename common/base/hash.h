/*
 * hash: the hash of a short byte string, for a place in a table.
 *
 * Reads eight bytes at a time. Not a cryptographic hash: it neither hides nor authenticates its
 * input. With a secret seed, nobody outside can choose strings that collide. The values depend on
 * the byte order and must not leave the machine. Pure.
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
	/* The last eight bytes, some of which may already have been used. */
	memcpy(&word, last, sizeof word);
	return hash_mix(hash_mix(hash, word), seed);
}

#endif
