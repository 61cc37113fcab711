/*
 * exception: how an exception is written: `LEVEL [until DATE] [; REASON]`.
 *
 * DATE is `2026-12-31`, which ends when that day is over, or a moment, `2026-12-31T18:00Z` or
 * `2026-12-31T18:00:30Z`; all in UTC. Pure.
 */
#ifndef TLSAD_SITE_EXCEPTION_H
#define TLSAD_SITE_EXCEPTION_H

#include "common/base/text.h"
#include "common/verdict/level.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXCEPTION_REASON_MAX = 500, /* [bytes] */
	EXCEPTION_ERROR_SIZE = 256,
	EXCEPTION_DATE_SIZE = 24,
};

#define EXCEPTION_FOREVER UINT32_MAX

/* What the text says; `reason` points into it and may be empty. */
struct exception_terms {
	enum tls_level level;
	uint32_t until; /* [s] wall clock, the first second without it, or EXCEPTION_FOREVER */
	const char *reason;
};

/* False and one line when it cannot be read. */
bool exception_parse(
	const char *text, struct exception_terms *terms, char error[EXCEPTION_ERROR_SIZE]);

bool exception_parse_level(const char *word, size_t size, enum tls_level *level);
bool exception_parse_date(const char *word, size_t size, uint32_t *until);

/* A reason is one line of UTF-8. */
bool exception_check_reason(const char *reason, char error[EXCEPTION_ERROR_SIZE]);

/* The levels that an exception can have, NULL behind the last. */
const char *exception_level(size_t n);

/* The date in the form above that reads back as the same; "" for EXCEPTION_FOREVER. */
const char *exception_print_date(uint32_t until, char date[EXCEPTION_DATE_SIZE]);

/* The whole in the form above, appended. */
void exception_print(const struct exception_terms *terms, struct text *out);

#endif
