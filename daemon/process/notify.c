#include "daemon/process/notify.h"

#include "common/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

static void tell(const char *words)
{
	sd_notify(0, words);
}
#else
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static void tell(const char *words)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	/* A path, or "@" and a name in the abstract namespace (unix(7)). */
	if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0' ||
		strlen(path) >= sizeof address.sun_path)
		return;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	ssize_t ignored = sendto(
		fd, words, strlen(words), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
	(void)ignored;
	close(fd);
}
#endif

void notify_ready(const char *status)
{
	char words[512];

	snprintf(words, sizeof words, "READY=1\nSTATUS=%s", status);
	tell(words);
}

void notify_reloading(void)
{
	char words[128];
	struct timespec now;

	/* Type=notify-reload needs the time at which the reload began (systemd.service(5)). */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(words, sizeof words,
		"RELOADING=1\nMONOTONIC_USEC=%jd\nSTATUS=reading the configuration",
		(intmax_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(words);
}

void notify_stopping(void)
{
	tell("STOPPING=1\nSTATUS=stopping; replying to requests that wait for a lookup");
}

void notify_status(const char *status)
{
	char words[512];

	snprintf(words, sizeof words, "STATUS=%s", status);
	tell(words);
}

void notify_alive(void)
{
	tell("WATCHDOG=1");
}

uint64_t notify_watchdog(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;

	if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	errno = 0;
	uintmax_t interval = strtoumax(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && interval > 0)
		return interval;
	log_warning("WATCHDOG_USEC = %.40s in the environment is not a number of microseconds: "
		    "systemd's watchdog gets no keep-alives",
		text);
	return 0;
}
