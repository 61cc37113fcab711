/*
 * pid_file: the file of [server] pid_file.
 *
 * It is written before root is dropped, and belongs to the account that starts tlsad: otherwise the
 * account of [server] user could write another process's id into it, and an init script run by root
 * would signal that process. For the same reason that account may be unable to remove the file at
 * the end; then it is emptied.
 *
 * Main thread.
 */
#ifndef TLSAD_PROCESS_PID_FILE_H
#define TLSAD_PROCESS_PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct pid_file {
	const char *path; /* not owned; NULL: no pid file */
	int fd;
};

/*
 * Write this process's id to the file; with an empty path there is no file. False with one line in
 * `error`.
 */
bool pid_file_write(struct pid_file *file, const char *path, char *error, size_t error_size);

void pid_file_remove(struct pid_file *file);

#endif
