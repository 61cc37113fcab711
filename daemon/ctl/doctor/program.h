/*
 * program: runs another program and reads its output, with a limit on time and on size. No shell.
 */
#ifndef TLSAD_CTL_DOCTOR_PROGRAM_H
#define TLSAD_CTL_DOCTOR_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

enum {
	PROGRAM_PATH_SIZE = 4096,
	PROGRAM_OUTPUT_MAX = 256 * 1024, /* of each of both outputs; what is beyond is dropped */
	PROGRAM_TIMEOUT = 10,            /* [s] */
};

struct program_result {
	int status; /* exit status, 128 + signal, or -1: see `error` */
	char *out, *err;
	char error[256]; /* why it did not run or was ended */
};

/* `arguments` begins with the program's path and ends in NULL. For program_clear(). */
void program_run(struct program_result *result, const char *const *arguments);
void program_clear(struct program_result *result);

/* Beside this program where `beside` says so, then in PATH and in the sbin directories. */
bool program_find(const char *name, bool beside, char path[PROGRAM_PATH_SIZE]);

/* The first line of a text, without its end; `out` is cut where it is too small. */
void program_first_line(const char *text, char *out, size_t size);

#endif
