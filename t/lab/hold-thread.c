/*
 * hold-thread - stops one thread of another process, and lets it continue
 *
 *   hold-thread TID
 *
 * Prints "held" when the thread is stopped, and lets it continue when standard input ends. The
 * other threads continue to run. Exit status: 0; 77 if ptrace(2) is not allowed here; 1 for any
 * other failure, with the reason.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_ALLOWED = 77 };

static int fail(const char *what)
{
	int status = errno == EPERM || errno == ENOSYS || errno == EACCES ? NOT_ALLOWED : 1;

	fprintf(stderr, "hold-thread: %s: %s\n", what, strerror(errno));
	return status;
}

int main(int count, char **arguments)
{
	char byte;

	if (count != 2) {
		fprintf(stderr, "usage: hold-thread TID\n");
		return 1;
	}
	pid_t thread = (pid_t)strtol(arguments[1], NULL, 10);
	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0)
		return fail("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0)
		return fail("PTRACE_INTERRUPT");
	if (waitpid(thread, NULL, __WALL) != thread)
		return fail("waitpid");
	printf("held\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	/* The process may have ended meanwhile, which is not an error. */
	ptrace(PTRACE_DETACH, thread, NULL, NULL);
	return 0;
}
