/*
 * program: runs another program and reads its output, with limits on time and size. No shell.
 */
#ifndef TLSAD_CTL_DOCTOR_PROGRAM_H
#define TLSAD_CTL_DOCTOR_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum {
	PROGRAM_PATH_SIZE = 4096,
	PROGRAM_OUTPUT_MAX = 256 * 1024, /* of each of both outputs; further output is discarded */
	PROGRAM_TIMEOUT = 10,            /* [s] */
};

struct program_result {
	int status; /* exit status, 128 + signal, or -1: see `error` */
	char *out, *err;
	char error[256]; /* why it did not run or was killed */
};

/* `arguments` begins with the program's path and ends in NULL. For program_clear(). */
void program_run(struct program_result *result, const char *const *arguments);
void program_clear(struct program_result *result);

/* Looks beside this program if `beside` is true, then in PATH, then in the sbin directories. */
bool program_find(const char *name, bool beside, char path[PROGRAM_PATH_SIZE]);

/* Copies the first line of a text without its line feed, cut to the size of `out`. */
void program_first_line(const char *text, char *out, size_t size);

#endif
