#include "common/base/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *text, char *bytes, size_t size)
{
	text->bytes = bytes;
	text->size = size;
	text->used = 0;
	text->cut = false;
	bytes[0] = '\0';
}

void text_add_bytes(struct text *text, const void *bytes, size_t size)
{
	size_t room = text->size - 1 - text->used;
	if (size > room) {
		size = room;
		text->cut = true;
	}
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	text->bytes[text->used] = '\0';
}

void text_cut(struct text *text, size_t used)
{
	text->used = used;
	text->bytes[used] = '\0';
	text->cut = false;
}

void text_mark_cut(struct text *text)
{
	static const char mark[] = "...";
	size_t length = sizeof mark - 1;

	if (!text->cut || text->size <= length)
		return;
	size_t used = text->used < text->size - 1 - length ? text->used : text->size - 1 - length;
	/* Not in the middle of a UTF-8 character, whose bytes except the first begin with 10. */
	while (used > 0 && ((unsigned char)text->bytes[used] & 0xc0) == 0x80)
		used--;
	text_cut(text, used);
	text_add(text, mark);
	text->cut = true;
}

void text_add_number(struct text *text, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	text_add_bytes(text, digits + at, sizeof digits - at);
}

void text_add_format(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->used;
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text->bytes + text->used, room, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text->bytes[text->used] = '\0';
		text->cut = true;
	} else if ((size_t)length >= room) {
		text->used = text->size - 1;
		text->cut = true;
	} else {
		text->used += (size_t)length;
	}
}

static void add_hex_byte(struct text *text, const char *digits, unsigned char byte)
{
	char pair[2] = {digits[byte >> 4], digits[byte & 15]};
	text_add_bytes(text, pair, sizeof pair);
}

void text_add_escaped(struct text *text, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	size_t plain = 0; /* printable bytes before `i` that are not added yet */

	for (size_t i = 0; i < size; i++) {
		if (at[i] >= 0x20 && at[i] < 0x7f && at[i] != '\\') {
			plain++;
			continue;
		}
		text_add_bytes(text, at + i - plain, plain);
		plain = 0;
		text_add(text, "\\x");
		add_hex_byte(text, "0123456789abcdef", at[i]);
	}
	if (plain > 0)
		text_add_bytes(text, at + size - plain, plain);
}

void text_add_hex(struct text *text, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	for (size_t i = 0; i < size; i++)
		add_hex_byte(text, "0123456789ABCDEF", at[i]);
}

void text_add_hex_lower(struct text *text, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	for (size_t i = 0; i < size; i++)
		add_hex_byte(text, "0123456789abcdef", at[i]);
}

void text_add_fingerprint(struct text *text, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *at = bytes;

	if (size == 0)
		return;
	if (3 * size > text->size - text->used) {
		text->cut = true;
		return;
	}
	char *out = text->bytes + text->used;
	for (size_t i = 0; i < size; i++) {
		*out++ = digits[at[i] >> 4];
		*out++ = digits[at[i] & 15];
		*out++ = ':';
	}
	/* The NUL byte replaces the last colon. */
	*--out = '\0';
	text->used += 3 * size - 1;
}

/* The length of the UTF-8 character at `at`, 0 if the bytes are not one (RFC 3629 4). */
static size_t utf8_size(const unsigned char *at)
{
	size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (at[0] > 0xf4)
		return 0;
	/* A NUL byte fails this test too, so nothing is read after the end of the string. */
	for (size_t i = 1; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	/* An overlong form, half of a surrogate pair, or a character above U+10FFFF. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
		(at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return size;
}

bool text_is_showable(const char *string)
{
	const unsigned char *at = (const unsigned char *)string;

	while (*at != '\0') {
		size_t size = utf8_size(at);
		/* U+0080 to U+009F are control characters as well (ISO 6429). */
		if (size == 0 || *at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
			return false;
		at += size;
	}
	return true;
}

bool text_equal_nocase(const char *one, size_t one_size, const char *other)
{
	for (size_t i = 0; i < one_size; i++) {
		if (other[i] == '\0' || text_lower(one[i]) != text_lower(other[i]))
			return false;
	}
	return other[one_size] == '\0';
}

/* Levenshtein's edit distance; words longer than the row are too long to be a typing error. */
static size_t edit_distance(const char *one, const char *other)
{
	enum { WORD_MAX = 63 };
	size_t row[WORD_MAX + 1];
	size_t width = strlen(other);
	if (width > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; one[i] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < width; j++) {
			size_t above = row[j + 1];
			size_t best = diagonal + (text_lower(one[i]) != text_lower(other[j]));
			if (above + 1 < best)
				best = above + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
			diagonal = above;
		}
	}
	return row[width];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	/* If more than a third of the letters are wrong, it is another word. */
	size_t limit = strlen(word) / 3 + 1;
	for (size_t i = 0; i < count; i++) {
		size_t distance = edit_distance(word, candidates[i]);
		if (distance <= limit) {
			best = candidates[i];
			limit = distance - (distance > 0);
			if (distance == 0)
				break;
		}
	}
	return best;
}
