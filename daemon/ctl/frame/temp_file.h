/*
 * temp_file: collects output and prints it only when it is complete.
 *
 * Half of a table looks like a whole one, and half of a JSON array breaks the program that reads
 * it. So both are collected in an unlinked file in TMPDIR, or /tmp. Memory use does not grow with
 * their size.
 */
#ifndef TLSAD_CTL_FRAME_TEMP_FILE_H
#define TLSAD_CTL_FRAME_TEMP_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct temp_file {
	FILE *file;
	const char *directory; /* TMPDIR or /tmp */
	bool json;             /* write a JSON array: add its brackets and commas */
	size_t count;
};

/* False if the file cannot be created; that is logged. Call temp_file_close() in both cases. */
bool temp_file_open(struct temp_file *temp, bool json);

/* Add an element to the array. False after an error, which temp_file_print() logs. */
bool temp_file_add(struct temp_file *temp, const json_t *element);

/*
 * Prints the text `before` and then the file to standard output. False after an error, which is
 * logged. If writing to the file has failed, nothing is printed, not even `before`.
 */
bool temp_file_print(struct temp_file *temp, const char *before);

/*
 * Ends a command with `status` so far: prints the file if `status` is CTL_YES, and returns the exit
 * status.
 */
int temp_file_finish(struct temp_file *temp, int status);

void temp_file_close(struct temp_file *temp);

#endif
