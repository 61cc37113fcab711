/*
 * scratch: a directory for one test program that goes when it ends, files in it, and what is
 * written to standard error meanwhile.
 */
#ifndef TLSAD_T_UNIT_SCRATCH_H
#define TLSAD_T_UNIT_SCRATCH_H

#include "t/unit/tap.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRATCH_PATH_SIZE = 512 };

static char scratch_directory[SCRATCH_PATH_SIZE];
static pid_t scratch_owner;

static inline int scratch_remove_one(
	const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	remove(path);
	return 0;
}

/* Remove a file or a whole tree. */
static inline void scratch_remove(const char *path)
{
	nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_end(void)
{
	if (getpid() == scratch_owner)
		scratch_remove(scratch_directory);
}

/* In memory where that can be: nothing here outlives the test, and much of it is synced. */
static inline void scratch_begin(void)
{
	const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (places[i] == NULL || places[i][0] != '/' || strlen(places[i]) > 60)
			continue;
		snprintf(scratch_directory, sizeof scratch_directory, "%s/tlsad-unit-XXXXXX",
			places[i]);
		if (mkdtemp(scratch_directory) == NULL)
			continue;
		scratch_owner = getpid();
		atexit(scratch_end);
		return;
	}
	bail_out("no directory for the test's files");
}

/* The path of a name in the directory; the last eight stay good. */
static inline const char *scratch_path(const char *name)
{
	static char paths[8][SCRATCH_PATH_SIZE];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, SCRATCH_PATH_SIZE, "%.200s/%.300s", scratch_directory, name);
	return path;
}

static inline void scratch_write(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0)
		bail_out("cannot write the test's files");
}

static inline void scratch_write_text(const char *path, const char *words)
{
	scratch_write(path, words, strlen(words));
}

/* A whole file, malloc()ed, followed by a NUL byte; NULL if it does not exist. */
static inline char *scratch_read(const char *path, size_t *size)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) != 0)
		bail_out("cannot look at the test's files");
	char *bytes = malloc((size_t)status.st_size + 1);
	if (bytes == NULL || read(fd, bytes, (size_t)status.st_size) != (ssize_t)status.st_size)
		bail_out("cannot read the test's files");
	bytes[status.st_size] = '\0';
	close(fd);
	if (size != NULL)
		*size = (size_t)status.st_size;
	return bytes;
}

/* --- standard error ------------------------------------------------------------------------ */

static int capture_kept = -1, capture_file = -1;

/* From here on standard error is kept instead of shown. */
static inline void capture_begin(void)
{
	fflush(stderr);
	capture_kept = dup(STDERR_FILENO);
	capture_file = memfd_create("captured", MFD_CLOEXEC);
	/* Threads and children append: two of them at one offset would overwrite each other. */
	if (capture_kept < 0 || capture_file < 0 || fcntl(capture_file, F_SETFL, O_APPEND) != 0 ||
		dup2(capture_file, STDERR_FILENO) < 0)
		bail_out("cannot capture standard error");
}

/* What came since, as a string; at most size - 1 bytes of it. Returns how much it was. */
static inline size_t capture_end(char *words, size_t size)
{
	fflush(stderr);
	dup2(capture_kept, STDERR_FILENO);
	close(capture_kept);
	off_t length = lseek(capture_file, 0, SEEK_END);
	ssize_t got = pread(capture_file, words, size - 1, 0);
	close(capture_file);
	words[got > 0 ? got : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

#endif
