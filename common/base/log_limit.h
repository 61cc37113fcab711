/*
 * log_limit: at most so many log lines of one kind in so many seconds, and how many were left out.
 *
 * What goes wrong for every request must not fill the disk. A span of time begins with the first
 * line that is asked for when no span runs; in it `lines` are allowed and all others are left out.
 * The first line of a later span is always allowed, and is given the number of those left out
 * before it: its caller logs that number, in the line or in one of its own, or drops it. If no line
 * follows, the number is never reported.
 *
 *	static struct log_limit limit = LOG_LIMIT(10, 1);
 *	uint32_t left_out;
 *
 *	if (log_limit_allows(&limit, clock_steady(), &left_out))
 *		log_warning(...);
 *
 * Any thread may ask, without a lock; a limit in a worker's own memory is that worker's alone.
 * Pure: the caller says what time it is.
 */
#ifndef TLSAD_BASE_LOG_LIMIT_H
#define TLSAD_BASE_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct log_limit {
	uint32_t lines;   /* allowed in one span, 1 or more */
	uint32_t seconds; /* length of a span [s], 1 or more */
	_Atomic uint64_t
		state; /* when the span began [s] << 32 | lines that were asked for in it */
};

/* Of a limit in memory: `limit = (struct log_limit)LOG_LIMIT(10, 1)`, before anybody asks. */
#define LOG_LIMIT(count, length)                                                                   \
	{                                                                                          \
		.lines = (count), .seconds = (length)                                              \
	}

/*
 * May one more line be logged at `now` [s], a time without jumps such as clock_steady()? If it is
 * the first of a span, `left_out` is the number of lines left out in the span before; otherwise
 * `left_out` is 0.
 */
bool log_limit_allows(struct log_limit *limit, uint32_t now, uint32_t *left_out);

#endif
