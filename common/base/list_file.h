/*
 * list_file: reads a file that an administrator or a tool writes, one entry per line.
 *
 * Only regular files are read: a pipe or a device might never end, and reading must not wait. The
 * length of a line is limited, so memory is bounded; the number of lines is not limited. A NUL byte
 * is an error, because the rest of its line would be lost silently. Lines without an entry are
 * skipped: empty lines and lines whose first byte after blanks is `#` or `;`.
 *
 *     struct list_file list = {.name = file, .line_max = 2000, .error = error, ...};
 *     if (!list_file_open(&list))
 *             return false;
 *     while ((line = list_file_next(&list)) != NULL) {
 *             if (!add(line, words))
 *                     list_file_refuse(&list, words);
 *     }
 *     return list_file_close(&list);
 *
 * The first error ends the reading. It is one line, `FILE:LINE: words`, or `FILE: words` if it is
 * about the whole file. A struct list_file belongs to one thread.
 */
#ifndef TLSAD_BASE_LIST_FILE_H
#define TLSAD_BASE_LIST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct list_file {
	/* Set by the caller, who keeps the strings and the memory until list_file_close(). */
	const char *name;
	bool may_be_absent;   /* a file that does not exist is read as an empty one */
	size_t line_max;      /* of a line without its end [bytes] */
	const char *too_long; /* the error for a longer line */
	char *error;          /* written only on failure */
	size_t error_size;    /* at least 128 [bytes] */

	unsigned line; /* the number of the line that list_file_next() returned last, from 1 */

	/* Used by list_file.c only. */
	FILE *stream; /* NULL: the file does not exist */
	char *bytes;  /* the current line */
	bool failed;
};

/* False and an error: then list_file_close() need not be called. */
bool list_file_open(struct list_file *list);

/*
 * The next line with an entry, without leading blanks and without trailing blanks and carriage
 * returns. The caller may change it; it is valid until the next call. NULL after the last line or
 * after an error.
 */
char *list_file_next(struct list_file *list);

/* Report the last line as wrong; `words` say why. Only the first error is kept. */
void list_file_refuse(struct list_file *list, const char *words);

/* Free everything. True if the whole file was read without an error. */
bool list_file_close(struct list_file *list);

#endif
