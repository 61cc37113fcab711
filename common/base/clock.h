/*
 * clock: the time, in whole seconds for nearly all uses.
 *
 * The seconds come from the kernel's coarse clocks: the vDSO returns the time of the last timer
 * tick, without a system call and without reading the cycle counter. All modules read the same
 * clocks, so the difference of two readings is never off by a second because two different clocks
 * were read. Any thread may call these functions; they do not fail.
 */
#ifndef TLSAD_BASE_CLOCK_H
#define TLSAD_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since 1970, 0 if the clock is before that; may jump. For the times of parts. */
uint32_t clock_wall(void);

/* Seconds since an unspecified moment; never jumps. For timeouts. */
uint32_t clock_steady(void);

/*
 * The same in microseconds: clock_steady_us() to the last timer tick (1 to 10 ms old),
 * clock_exact_us() exactly, which costs a read of the cycle counter.
 */
uint64_t clock_steady_us(void);
uint64_t clock_exact_us(void);

#endif
