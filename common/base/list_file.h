/*
 * list_file: read a file of lines that an administrator or a tool writes, one entry a line.
 *
 * Only a regular file is read: of a pipe or a device the end might never come, so nothing here
 * waits. A line has a greatest length, so memory is bounded; the number of lines is not. A NUL byte
 * is an error, because what follows it would be lost without a word. Lines without an entry are
 * skipped: empty ones and those whose first byte after blanks is `#` or `;`.
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
 * The first error ends the reading; it is one line, `FILE:LINE: words`, or `FILE: words` where it
 * is of the file as a whole. For one thread.
 */
#ifndef TLSAD_BASE_LIST_FILE_H
#define TLSAD_BASE_LIST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct list_file {
	/* The caller's; strings and memory stay where they are until list_file_close(). */
	const char *name;
	bool may_be_absent;   /* then it is like an empty one */
	size_t line_max;      /* of a line without its end [bytes] */
	const char *too_long; /* what a longer one is refused with */
	char *error;          /* written only after a failure */
	size_t error_size;    /* at least 128 [bytes] */

	unsigned line; /* the number of the line that list_file_next() returned last, from 1 */

	/* list_file.c's own. */
	FILE *stream; /* NULL: there is no file */
	char *bytes;  /* the line */
	bool failed;
};

/* False and an error: then there is nothing to close. */
bool list_file_open(struct list_file *list);

/*
 * The next line with an entry, without blanks before it, and without blanks and carriage returns
 * after it; it may be changed and lives until the next call. NULL after the last one, or after an
 * error.
 */
char *list_file_next(struct list_file *list);

/* The last line is wrong, as `words` say. Of several errors the first is kept. */
void list_file_refuse(struct list_file *list, const char *words);

/* True: all of it has been read, without an error. */
bool list_file_close(struct list_file *list);

#endif
