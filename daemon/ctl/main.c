/*
 * tlsactl: the options before the command, and the choice of the command.
 */
#include "common/base/log.h"
#include "common/dns/dns.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/command.h"

#include <errno.h>
#include <event2/event.h>
#include <idn2.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void print_versions(void)
{
	printf("tlsactl %s\n", TLSAD_VERSION);
	printf("libunbound %s\n", dns_library_version());
	printf("OpenSSL %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
	printf("libevent %s\n", event_get_version());
	printf("libidn2 %s\n", idn2_check_version(NULL));
	printf("jansson %s\n", jansson_version_str());
	/* It cannot be asked; this is what tlsactl was built with. */
	printf("inih %s\n", INIH_VERSION);
}

static void print_help(FILE *out)
{
	fputs("usage: tlsactl [-c FILE] [-s SOCKET] [--json] COMMAND ...\n\ncommands:\n", out);
	command_list(out);
	fputs("\noptions:\n", out);
	arguments_list_global(out);
	fputs("\n\"tlsactl COMMAND --help\" tells of one. See tlsactl(8).\n", out);
}

static int run(int count, char **arguments)
{
	struct ctl ctl = {.json = false};
	int first = arguments_parse_global(&ctl, count, arguments);
	int words = 0;

	if (first < 0)
		return EX_USAGE;
	if (ctl.version) {
		print_versions();
		return EXIT_SUCCESS;
	}
	if (first == count) {
		print_help(ctl.help ? stdout : stderr);
		return ctl.help ? EXIT_SUCCESS : EX_USAGE;
	}
	const struct command *command = command_find(count - first, arguments + first, &words);
	if (command == NULL) {
		fputs("usage: tlsactl [-c FILE] [-s SOCKET] [--json] COMMAND ...\n", stderr);
		return EX_USAGE;
	}
	first += words - 1;
	return command->run(&ctl, command, count - first, arguments + first);
}

int main(int count, char **arguments)
{
	/* Errors of standard output are reported below; a peer that hangs up must not end tlsactl.
	 */
	signal(SIGPIPE, SIG_IGN);
	log_open("tlsactl", LOG_TARGET_STDERR, LOG_LEVEL_WARNING);
	int status = run(count, arguments);
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		/* A reader that has gone, as head(1) does, needs no message. */
		if (errno != EPIPE)
			log_error("cannot write to standard output: %s", strerror(errno));
		status = EX_IOERR;
	}
	return status;
}
