/*
 * exception: the text form of an exception: `LEVEL [until DATE] [; REASON]`.
 *
 * DATE is `2026-12-31`: the exception ends at the end of that day; or a moment, `2026-12-31T18:00Z`
 * or `2026-12-31T18:00:30Z`; all in UTC. Pure.
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

/* The parsed text; `reason` points into the text and may be empty. */
struct exception_terms {
	enum tls_level level;
	uint32_t until; /* wall clock [s], the first second after its end, or EXCEPTION_FOREVER */
	const char *reason;
};

/* False and one line in `error` if the text is not an exception. */
bool exception_parse(
	const char *text, struct exception_terms *terms, char error[EXCEPTION_ERROR_SIZE]);

/* Parse one word of the text, not ended by a NUL byte. */
bool exception_parse_level(const char *word, size_t size, enum tls_level *level);

/* False and one line in `error` if the word is not a date, or after the last possible one. */
bool exception_parse_date(
	const char *word, size_t size, uint32_t *until, char error[EXCEPTION_ERROR_SIZE]);

/* Is this a valid reason: one line of UTF-8, without control characters, not too long? */
bool exception_check_reason(const char *reason, char error[EXCEPTION_ERROR_SIZE]);

/* The n-th level that an exception can have, from 0; NULL after the last. */
const char *exception_level(size_t n);

/* The shortest of the forms above that reads back as the same date; "" for EXCEPTION_FOREVER. */
const char *exception_print_date(uint32_t until, char date[EXCEPTION_DATE_SIZE]);

/* Append the whole exception in the form above. */
void exception_print(const struct exception_terms *terms, struct text *out);

#endif
