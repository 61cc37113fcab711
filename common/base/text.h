/*
 * text: builds a line or a reply in memory that the caller owns.
 *
 * A text never writes past its memory, never allocates and always ends with a NUL byte. If
 * something does not fit, the rest is dropped and `cut` is set, so that the caller checks once, at
 * the end. Pure.
 */
#ifndef TLSAD_BASE_TEXT_H
#define TLSAD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	char *bytes; /* the memory, owned by the caller */
	size_t size; /* of the memory [bytes], at least 1 */
	size_t used; /* without the NUL byte [bytes] */
	bool cut;    /* something did not fit */
};

void text_init(struct text *text, char *bytes, size_t size);

void text_add_bytes(struct text *text, const void *bytes, size_t size);

static inline void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

/* Remove all but the first `used` bytes, and clear `cut`. */
void text_cut(struct text *text, size_t used);

/* If something did not fit, the text ends in "...", in place of its last whole characters. */
void text_mark_cut(struct text *text);

void text_add_number(struct text *text, uint64_t number);
void text_add_format(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Bytes outside printable ASCII, and the backslash, as \xHH: for data from remote hosts. */
void text_add_escaped(struct text *text, const void *bytes, size_t size);

/* Hexadecimal digits, in upper and in lower case. */
void text_add_hex(struct text *text, const void *bytes, size_t size);
void text_add_hex_lower(struct text *text, const void *bytes, size_t size);

/* Upper-case digits with a colon between two bytes; if it does not fit, nothing is added. */
void text_add_fingerprint(struct text *text, const void *bytes, size_t size);

/* Lower case in ASCII only, whatever the locale: for names in DNS and in the configuration. */
static inline char text_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* Is it well-formed UTF-8 (RFC 3629) without control characters, so that a terminal can show it? */
bool text_is_showable(const char *string);

/* Without regard to ASCII case; `other` ends with a NUL byte. */
bool text_equal_nocase(const char *one, size_t one_size, const char *other);

/* The candidate that a mistyped word most likely means, or NULL if none is similar. */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

#endif
