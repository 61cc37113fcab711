/*
 * fuzz: what the fuzz targets share. A target is one file, t/fuzz/NAME.c, with the function that
 * libFuzzer calls (https://llvm.org/docs/LibFuzzer.html). It feeds one parser with the bytes and
 * checks what the parser promises; CHECK() ends the program when a promise is broken, and so do the
 * sanitizers.
 *
 *   t/fuzz/seeds/NAME/   inputs to begin with, made by t/fuzz/make-seeds or by hand
 *   t/fuzz/found/NAME/   inputs that made the target fail once
 *   t/fuzz/seeds.t       runs all of them in `make check`, through t/fuzz/replay.c
 *   t/fuzz/run           is `make fuzz`, which searches for more
 *
 * A target keeps no state that changes the result of a later input. Otherwise an input that fails
 * would not fail again.
 */
#ifndef TLSAD_T_FUZZ_FUZZ_H
#define TLSAD_T_FUZZ_FUZZ_H

#include <ftw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns 0; or -1 for an input that is not worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define CHECK(condition)                                                                           \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, "not true: " #condition))

__attribute__((noreturn)) static inline void fuzz_fail(
	const char *file, int line, const char *words)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, words);
	abort();
}

/* --- the input in pieces ------------------------------------------------------------------- */

struct fuzz_input {
	const uint8_t *at, *end;
};

static inline size_t fuzz_left(const struct fuzz_input *input)
{
	return (size_t)(input->end - input->at);
}

/* 0 where nothing is left. */
static inline unsigned fuzz_u8(struct fuzz_input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline unsigned fuzz_u16(struct fuzz_input *input)
{
	unsigned high = fuzz_u8(input);
	return high << 8 | fuzz_u8(input);
}

/* At most `size` bytes; `*got` is how many. */
static inline const uint8_t *fuzz_take(struct fuzz_input *input, size_t size, size_t *got)
{
	const uint8_t *at = input->at;

	*got = size < fuzz_left(input) ? size : fuzz_left(input);
	input->at += *got;
	return at;
}

/* A copy of just this size, so that a read beyond its end is seen; the caller frees it. */
static inline void *fuzz_copy(const void *bytes, size_t size)
{
	void *copy = malloc(size > 0 ? size : 1);

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

/* The same as a string, of the bytes up to the first NUL byte. */
static inline char *fuzz_string(const void *bytes, size_t size)
{
	size_t length = size > 0 ? strnlen(bytes, size) : 0;
	char *string = malloc(length + 1);

	CHECK(string != NULL);
	if (length > 0)
		memcpy(string, bytes, length);
	string[length] = '\0';
	return string;
}

/* The bytes up to the next NUL byte, which is passed over, as a string; the caller frees it. */
static inline char *fuzz_next_string(struct fuzz_input *input)
{
	char *string = fuzz_string(input->at, fuzz_left(input));
	size_t got;

	fuzz_take(input, strlen(string) + 1, &got);
	return string;
}

/* --- files --------------------------------------------------------------------------------- */

/* A file in memory with a path, for parsers that open a file. */
struct fuzz_file {
	int fd;
	char path[40];
};

static inline void fuzz_file_open(struct fuzz_file *file, const void *bytes, size_t size)
{
	file->fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(file->fd >= 0 && (size == 0 || write(file->fd, bytes, size) == (ssize_t)size));
	snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

static inline void fuzz_file_close(struct fuzz_file *file)
{
	close(file->fd);
}

enum { FUZZ_DIRECTORY_SIZE = 64 };

static inline int fuzz_remove_one(
	const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status, (void)kind, (void)where;
	remove(path);
	return 0;
}

static inline void fuzz_remove_directory(const char *path)
{
	nftw(path, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new directory, in $TMPDIR if its name is short: t/fuzz/run removes what a crash leaves there.
 */
static inline void fuzz_make_directory(char path[FUZZ_DIRECTORY_SIZE])
{
	static const char name[] = "/tlsad-fuzz-XXXXXX";
	const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (places[i] == NULL || places[i][0] != '/' ||
			strlen(places[i]) + sizeof name > FUZZ_DIRECTORY_SIZE)
			continue;
		strcpy(path, places[i]);
		strcat(path, name);
		if (mkdtemp(path) != NULL)
			return;
	}
	fuzz_fail(__FILE__, __LINE__, "no directory for files");
}

/* --- connections --------------------------------------------------------------------------- */

/*
 * Close a socket so that its peer can see it at once. close(2) alone may leave it open for a
 * moment: a process that looks at /proc/PID/fd, as fuser(1) and monitors do, holds it meanwhile.
 */
static inline void fuzz_end_connection(int fd)
{
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

/* --- text -------------------------------------------------------------- */

/* Printable ASCII, one line. */
static inline bool fuzz_is_printable(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] < ' ' || bytes[i] > '~')
			return false;
	}
	return true;
}

/*
 * An error text: it is not empty, it fits, and it is one line. Do not use it where the text quotes
 * an input of several lines: the log escapes these (common/base/log.h).
 */
static inline bool fuzz_is_line(const char *words, size_t room)
{
	size_t length = strnlen(words, room);

	return length > 0 && length < room && memchr(words, '\n', length) == NULL;
}

#endif
