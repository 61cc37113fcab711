#include "daemon/ctl/doctor/program.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct reader {
	int fd;
	char *bytes;
	size_t used;
};

static void close_pipe(int ends[2])
{
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
}

/* The program gets its own process group, so that a timeout ends its children, too. */
static int start(pid_t *pid, const char *const *arguments, int out, int err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int code = posix_spawn_file_actions_init(&actions);

	if (code != 0)
		return code;
	code = posix_spawnattr_init(&attributes);
	if (code == 0) {
		sigset_t all;
		sigfillset(&all);
		posix_spawnattr_setsigdefault(&attributes, &all);
		posix_spawnattr_setflags(
			&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&actions, out, 1);
		posix_spawn_file_actions_adddup2(&actions, err, 2);
		code = posix_spawn(pid, arguments[0], &actions, &attributes,
			(char *const *)(uintptr_t)arguments, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

/* False at its end. */
static bool read_some(struct reader *reader)
{
	char dropped[4096];
	size_t room = PROGRAM_OUTPUT_MAX - reader->used;
	ssize_t got = room > 0 ? read(reader->fd, reader->bytes + reader->used, room)
			       : read(reader->fd, dropped, sizeof dropped);

	if (got > 0 && room > 0)
		reader->used += (size_t)got;
	return got > 0 || (got < 0 && errno == EINTR);
}

/* False if the time is over before both outputs have ended. */
static bool read_all(struct reader readers[2])
{
	uint32_t begin = clock_steady();
	unsigned open = 2;

	while (open > 0) {
		struct pollfd polled[2] = {{readers[0].fd, POLLIN, 0}, {readers[1].fd, POLLIN, 0}};
		uint32_t passed = clock_steady() - begin;
		if (passed >= PROGRAM_TIMEOUT ||
			(poll(polled, 2, (int)(PROGRAM_TIMEOUT - passed) * 1000) < 0 &&
				errno != EINTR))
			return false;
		for (int i = 0; i < 2; i++) {
			if (readers[i].fd >= 0 && polled[i].revents != 0 &&
				!read_some(&readers[i])) {
				close(readers[i].fd);
				readers[i].fd = -1;
				open--;
			}
		}
	}
	return true;
}

static void wait_for(pid_t pid, bool in_time, struct program_result *result)
{
	int status = 0;

	/* A program that closes its outputs and continues gets one more second. */
	for (int i = 0; in_time && i < 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			result->status =
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			return;
		}
		usleep(10 * 1000);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	snprintf(result->error, sizeof result->error, "it did not end within %d seconds",
		PROGRAM_TIMEOUT);
}

static void run_with_pipes(
	struct program_result *result, const char *const *arguments, int out[2], int err[2])
{
	struct reader readers[2] = {{out[0], result->out, 0}, {err[0], result->err, 0}};
	pid_t pid = 0;
	int code = start(&pid, arguments, out[1], err[1]);

	close(out[1]);
	close(err[1]);
	out[1] = err[1] = -1;
	if (code != 0) {
		snprintf(result->error, sizeof result->error, "%s", strerror(code));
		return;
	}
	bool in_time = read_all(readers);
	out[0] = readers[0].fd;
	err[0] = readers[1].fd;
	wait_for(pid, in_time, result);
	result->out[readers[0].used] = '\0';
	result->err[readers[1].used] = '\0';
}

void program_run(struct program_result *result, const char *const *arguments)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1};

	*result = (struct program_result){.status = -1};
	result->out = calloc(1, PROGRAM_OUTPUT_MAX + 1);
	result->err = calloc(1, PROGRAM_OUTPUT_MAX + 1);
	if (result->out == NULL || result->err == NULL || pipe2(out, O_CLOEXEC) != 0 ||
		pipe2(err, O_CLOEXEC) != 0)
		snprintf(result->error, sizeof result->error, "%s", strerror(errno));
	else
		run_with_pipes(result, arguments, out, err);
	close_pipe(out);
	close_pipe(err);
}

void program_clear(struct program_result *result)
{
	free(result->out);
	free(result->err);
	result->out = result->err = NULL;
}

static bool is_program(const char *directory, size_t length, const char *name, char *path)
{
	int size = snprintf(path, PROGRAM_PATH_SIZE, "%.*s/%s", (int)length, directory, name);

	return length > 0 && size < PROGRAM_PATH_SIZE && access(path, X_OK) == 0;
}

static bool find_in(const char *directories, const char *name, char *path)
{
	while (directories != NULL && *directories != '\0') {
		size_t length = strcspn(directories, ":");
		if (is_program(directories, length, name, path))
			return true;
		directories += length + (directories[length] == ':');
	}
	return false;
}

bool program_find(const char *name, bool beside, char path[PROGRAM_PATH_SIZE])
{
	char self[PROGRAM_PATH_SIZE];
	ssize_t size = beside ? readlink("/proc/self/exe", self, sizeof self - 1) : -1;

	if (size > 0) {
		self[size] = '\0';
		char *slash = strrchr(self, '/');
		if (slash != NULL && is_program(self, (size_t)(slash - self), name, path))
			return true;
	}
	/* The PATH of an ordinary account does not contain the sbin directories. */
	return find_in(getenv("PATH"), name, path) ||
	       find_in("/usr/local/sbin:/usr/sbin:/sbin", name, path);
}

void program_first_line(const char *text, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
}
