/*
 * pid_file: [server] pid_file.
 *
 * Written by whoever starts tlsad, before it becomes another account, so that this account cannot
 * make root signal some other process. For the same reason the account may not be able to remove
 * it at the end; then it is emptied.
 *
 * Main thread.
 */
#ifndef TLSAD_PROCESS_PID_FILE_H
#define TLSAD_PROCESS_PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct pid_file {
	const char *path; /* not owned; NULL: there is none */
	int fd;
};

/* No file for an empty path. False and one line when it cannot be written. */
bool pid_file_write(struct pid_file *file, const char *path, char *error, size_t error_size);

void pid_file_remove(struct pid_file *file);

#endif
