/*
 * counter: a number that one thread increments or sets and any thread reads, without a lock.
 *
 * Each counter has exactly one writing thread, so neither writer nor reader needs a locked
 * instruction; a reader sees a value that is at most a moment old. Counters of several threads are
 * summed by the reader.
 */
#ifndef TLSAD_BASE_COUNTER_H
#define TLSAD_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

/* For the writer. Negative numbers wrap, so a gauge can go down: counter_add(gauge, -1). */
static inline void counter_add(counter *number, uint64_t by)
{
	atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + by,
		memory_order_relaxed);
}

/* For the writer: a gauge that is measured instead of counted, or a counter that is reset. */
static inline void counter_set(counter *number, uint64_t value)
{
	atomic_store_explicit(number, value, memory_order_relaxed);
}

/* For any thread. */
static inline uint64_t counter_read(const counter *number)
{
	return atomic_load_explicit(number, memory_order_relaxed);
}

#endif
