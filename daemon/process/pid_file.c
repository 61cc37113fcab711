#include "daemon/process/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_SIZE = 32 };

/*
 * A number, as an earlier process left it, or nothing. NUL bytes are what a power failure may
 * leave.
 */
static bool holds_number(int fd)
{
	char bytes[LINE_SIZE];
	ssize_t size = read(fd, bytes, sizeof bytes);

	for (ssize_t i = 0; i < size; i++) {
		if ((bytes[i] < '0' || bytes[i] > '9') && bytes[i] != ' ' && bytes[i] != '\n' &&
			bytes[i] != '\0')
			return false;
	}
	return size >= 0 && size < LINE_SIZE;
}

bool pid_file_write(struct pid_file *file, const char *path, char *error, size_t error_size)
{
	char line[LINE_SIZE];
	const char *words = NULL;
	struct stat status;

	*file = (struct pid_file){.path = NULL, .fd = -1};
	if (path[0] == '\0')
		return true;
	/*
	 * Root writes here, so no symbolic link is followed: its owner could make root overwrite
	 * any file. O_NONBLOCK: a fifo must not block the start.
	 */
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	int size = snprintf(line, sizeof line, "%ld\n", (long)getpid());
	if (fd < 0 || fstat(fd, &status) != 0)
		words = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		words = "it is not a regular file";
	else if (!holds_number(fd))
		words = "it is another file, with more than the number of a process in it";
	else if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)size, 0) != size)
		words = strerror(errno);
	if (words == NULL) {
		*file = (struct pid_file){.path = path, .fd = fd};
		return true;
	}
	snprintf(error, error_size,
		"[server] pid_file: cannot write %.200s: %s; set a path in a directory that exists "
		"and that root may write, or none",
		path, words);
	if (fd >= 0)
		close(fd);
	return false;
}

void pid_file_remove(struct pid_file *file)
{
	if (file->path == NULL)
		return;
	if (unlink(file->path) != 0) {
		int ignored = ftruncate(file->fd, 0);
		(void)ignored;
	}
	close(file->fd);
	file->path = NULL;
}
