/*
 * tlsactl: reads the options before the command, and runs the command.
 */
#include "common/base/log.h"
#include "common/base/standard_streams.h"
#include "common/dns/dns.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/command.h"

#include <event2/event.h>
#include <idn2.h>
#include <jansson.h>
#include <openssl/crypto.h>
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
	/* inih has no function for its version: this is the one that tlsactl was built with. */
	printf("inih %s\n", INIH_VERSION);
}

static void print_help(FILE *out)
{
	fputs("usage: tlsactl [-c FILE] [-s SOCKET] [--json] COMMAND ...\n\ncommands:\n", out);
	command_list(out, NULL);
	fputs("\noptions:\n", out);
	arguments_list_global(out);
	fputs("\n\"tlsactl COMMAND --help\" shows the options of one command. See tlsactl(8).\n",
		out);
}

static void print_group_help(const char *group)
{
	printf("usage: tlsactl %s COMMAND ...\n\ncommands:\n", group);
	command_list(stdout, group);
	puts("\noptions:");
	arguments_list_global(stdout);
	printf("\n\"tlsactl %s COMMAND --help\" shows the options of one command. See tlsactl(8).\n",
		group);
}

/*
 * "cache --help", "--help cache" and "help cache" name a group, not a command. Returns the exit
 * status, or -1 if the words are something else.
 */
static int run_group_help(const struct ctl *ctl, int count, char **arguments)
{
	struct ctl after = *ctl;

	if (!command_is_group(arguments[0]) || (count > 1 && arguments[1][0] != '-'))
		return -1;
	int first = arguments_parse_global(&after, count, arguments);
	if (first < 0)
		return EX_USAGE;
	if (first < count || !after.help)
		return -1;
	print_group_help(arguments[0]);
	return EXIT_SUCCESS;
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
	if (first < count && strcmp(arguments[first], "help") == 0) {
		ctl.help = true;
		first++;
	}
	if (first == count) {
		print_help(ctl.help ? stdout : stderr);
		return ctl.help ? EXIT_SUCCESS : EX_USAGE;
	}
	int status = run_group_help(&ctl, count - first, arguments + first);
	if (status >= 0)
		return status;
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
	standard_streams_begin();
	log_open("tlsactl", LOG_TARGET_STDERR, LOG_LEVEL_WARNING);
	int status = run(count, arguments);
	return standard_streams_end() ? status : EX_IOERR;
}
