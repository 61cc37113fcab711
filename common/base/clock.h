/*
 * clock: the time in whole seconds, read from the vDSO at the resolution of a timer tick: neither
 * a system call nor a look at the cycle counter. All threads see the same clock, so a difference
 * of two readings is never off by a second because two clocks were read.
 */
#ifndef TLSAD_BASE_CLOCK_H
#define TLSAD_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since 1970; may jump. For the times of parts. */
uint32_t clock_wall(void);

/* Seconds since some moment, without jumps. For timeouts. */
uint32_t clock_steady(void);

/* The same in microseconds; and exact to them, which costs a look at the cycle counter. */
uint64_t clock_steady_us(void);
uint64_t clock_exact_us(void);

#endif
