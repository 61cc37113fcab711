#include "daemon/process/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool pid_file_write(struct pid_file *file, const char *path, char *error, size_t error_size)
{
	char line[32];
	struct stat status;

	*file = (struct pid_file){.path = NULL, .fd = -1};
	if (path[0] == '\0')
		return true;
	/*
	 * Root writes here, so no symbolic link is followed: its owner could make root overwrite
	 * any file. O_NONBLOCK: a fifo must not block the start.
	 */
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	int size = snprintf(line, sizeof line, "%ld\n", (long)getpid());
	if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
		errno = EEXIST;
	else if (fd >= 0 && ftruncate(fd, 0) == 0 && write(fd, line, (size_t)size) == size)
		*file = (struct pid_file){.path = path, .fd = fd};
	if (file->path != NULL)
		return true;
	snprintf(error, error_size,
		"[server] pid_file: cannot write %.200s: %s; set a path in a directory that exists "
		"and that root may write, or none",
		path, strerror(errno));
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
