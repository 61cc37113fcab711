#include "daemon/process/activation.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_DESCRIPTOR = 3 }; /* SD_LISTEN_FDS_START */

static bool parse(const char *text, unsigned long max, unsigned long *number)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *number <= max;
}

/* Are the variables for this process? A parent may have left its own in the environment. */
static bool is_for_us(void)
{
	const char *text = getenv("LISTEN_PID");
	unsigned long pid;

	return text != NULL && parse(text, ULONG_MAX, &pid) && pid == (unsigned long)getpid();
}

/* Names are separated by colons. There may be fewer names than sockets, or none. */
static void take_name(const char **names, char name[ACTIVATION_NAME_SIZE])
{
	size_t length = strcspn(*names, ":");

	snprintf(name, ACTIVATION_NAME_SIZE, "%.*s", (int)length, *names);
	*names += length;
	*names += **names == ':';
}

static bool read_sockets(
	struct activation *activation, unsigned long count, char *error, size_t error_size)
{
	const char *names = getenv("LISTEN_FDNAMES");

	if (names == NULL)
		names = "";
	for (; activation->count < count; activation->count++) {
		int fd = FIRST_DESCRIPTOR + (int)activation->count;
		int flags = fcntl(fd, F_GETFD);
		if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
			snprintf(error, error_size,
				"LISTEN_FDS = %lu in the environment, but descriptor %d is not "
				"open: the program that started tlsad did not pass its sockets; "
				"unset LISTEN_FDS there, or let systemd start tlsad",
				count, fd);
			return false;
		}
		activation->sockets[activation->count].fd = fd;
		take_name(&names, activation->sockets[activation->count].name);
	}
	return true;
}

bool activation_read(struct activation *activation, char *error, size_t error_size)
{
	const char *text = getenv("LISTEN_FDS");
	unsigned long count = 0;
	bool good = true;

	activation->count = 0;
	if (text != NULL && is_for_us()) {
		good = parse(text, ACTIVATION_MAX, &count);
		if (good)
			good = read_sockets(activation, count, error, error_size);
		else
			snprintf(error, error_size,
				"LISTEN_FDS = %.40s in the environment: expected a number of "
				"sockets, at most %d",
				text, ACTIVATION_MAX);
	}
	/* Children must not take them for theirs. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return good;
}

int activation_take(struct activation *activation, const char *name)
{
	for (size_t i = 0; i < activation->count; i++) {
		int fd = activation->sockets[i].fd;
		if (fd < 0 || strcmp(activation->sockets[i].name, name) != 0)
			continue;
		activation->sockets[i].fd = -1;
		return fd;
	}
	return -1;
}

void activation_close(struct activation *activation)
{
	for (size_t i = 0; i < activation->count; i++) {
		if (activation->sockets[i].fd < 0)
			continue;
		log_warning("the service manager passed a socket with the name '%s', but no "
			    "setting of [server] has that name: it is closed; correct "
			    "FileDescriptorName= (systemd.socket(5))",
			activation->sockets[i].name);
		close(activation->sockets[i].fd);
		activation->sockets[i].fd = -1;
	}
}
