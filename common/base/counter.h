/*
 * counter: a number that one thread counts up, or sets, and any thread reads, without a lock.
 *
 * Each counter has one writer, so neither needs a locked instruction; a reader sees every value
 * that the counter had, late by a moment at most.
 */
#ifndef TLSAD_BASE_COUNTER_H
#define TLSAD_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

/* By the writer. Negative numbers wrap, so a gauge can go down: counter_add(gauge, -1). */
static inline void counter_add(counter *number, uint64_t by)
{
	atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + by,
		memory_order_relaxed);
}

/* By the writer: a gauge that is not counted, or one that begins again. */
static inline void counter_set(counter *number, uint64_t value)
{
	atomic_store_explicit(number, value, memory_order_relaxed);
}

/* By any thread. */
static inline uint64_t counter_read(const counter *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

#endif
