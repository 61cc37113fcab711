/*
 * log_limit: limits the log lines of one kind to a number in a span of seconds, and counts the
 * lines that were left out.
 *
 * A fault that occurs at every request must not fill the disk. A span of time begins with the first
 * line that a caller wants to log while no span is running; in a span `lines` are allowed and
 * further lines are left out. The first line of a later span is always allowed, and its caller gets
 * the number of lines left out before it, to log it in that line or in a separate one. If no line
 * follows, the number is never reported.
 *
 *	static struct log_limit limit = LOG_LIMIT(10, 1);
 *	uint32_t left_out;
 *
 *	if (log_limit_allows(&limit, clock_steady(), &left_out))
 *		log_warning(...);
 *
 * Any thread may use a limit, without a lock; one in a worker's own memory limits only that worker.
 * Reads no clock: the caller passes the time.
 */
#ifndef TLSAD_BASE_LOG_LIMIT_H
#define TLSAD_BASE_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct log_limit {
	uint32_t lines;         /* allowed in one span, 1 or more */
	uint32_t seconds;       /* length of a span [s], 1 or more */
	_Atomic uint64_t state; /* when the span began [s] << 32 | lines wanted in it */
};

/* For a limit in allocated memory: `limit = (struct log_limit)LOG_LIMIT(10, 1)` before use. */
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
