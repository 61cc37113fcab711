/*
 * temp_file: output that is complete before any of it is shown.
 *
 * Half of a table or of a JSON array looks like a whole one, or breaks the program that reads it.
 * So both wait in an unlinked file in TMPDIR, or /tmp. Memory use does not grow with their size.
 */
#ifndef TLSAD_CTL_FRAME_TEMP_FILE_H
#define TLSAD_CTL_FRAME_TEMP_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct temp_file {
	FILE *file;
	bool json; /* one array: begun, and its elements separated */
	size_t count;
};

/* False if the file cannot be created; that is logged. Call temp_file_close() in both cases. */
bool temp_file_open(struct temp_file *temp, bool json);

/* Add an element to the array. False after an error, which temp_file_print() logs. */
bool temp_file_add(struct temp_file *temp, const json_t *element);

/*
 * Copy everything to standard output, after the text `before`. False after an error, which is
 * logged. If writing to the file had failed, nothing is printed, not even `before`.
 */
bool temp_file_print(struct temp_file *temp, const char *before);

/*
 * The end of a command that has `status` so far: prints the file if all of it is there, and returns
 * the exit status.
 */
int temp_file_finish(struct temp_file *temp, int status);

void temp_file_close(struct temp_file *temp);

#endif
