#include "common/base/standard_streams.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void standard_streams_begin(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* open(2) returns the lowest free number, which is this one. */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
	signal(SIGPIPE, SIG_IGN);
}

bool standard_streams_end(void)
{
	bool lost = ferror(stdout) != 0;

	if (fflush(stdout) == 0) {
		/* An earlier write failed, for a reason that is not known any more. */
		if (lost)
			log_error("cannot write to standard output: some output is lost");
		return !lost;
	}
	if (errno != EPIPE)
		log_error("cannot write to standard output: %s", strerror(errno));
	return false;
}
