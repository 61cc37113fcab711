#include "daemon/options.h"

#include "daemon/process/versions.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static void usage(FILE *out)
{
	fputs("usage: tlsad [-c FILE] [-o SECTION.KEY=VALUE]... [-n] [-v] [-V] [-h]\n"
	      "  -c FILE               read the configuration from FILE; default " TLSAD_CONFDIR
	      "/tlsad.conf\n"
	      "  -o SECTION.KEY=VALUE  override one setting; may be given several times\n"
	      "  -n                    check the configuration and exit; with -v, also print it\n"
	      "  -v                    log every step of a lookup and every DNS answer\n"
	      "  -V                    print the versions of tlsad and its libraries and exit\n"
	      "  -h                    print this help and exit\n"
	      "See tlsad(8) and tlsad.conf(5).\n",
		out);
}

static void print_versions(void)
{
	printf("tlsad %s\n", TLSAD_VERSION);
	for (size_t i = 0; i < version_count; i++)
		printf("%s %s\n", version_table[i].name, version_table[i].read());
}

bool options_read(int count, char **arguments, struct options *options, int *status)
{
	int option;

	*status = EX_USAGE;
	while ((option = getopt(count, arguments, "c:o:nvVh")) != -1) {
		switch (option) {
		case 'c':
			options->file = optarg;
			options->file_given = true;
			break;
		case 'o':
			if (options->override_count == OPTIONS_OVERRIDES_MAX) {
				fprintf(stderr,
					"tlsad: -o %s: -o may be given at most %d times; put the "
					"settings into the configuration file\n",
					optarg, OPTIONS_OVERRIDES_MAX);
				return false;
			}
			options->overrides[options->override_count++] = optarg;
			break;
		case 'n':
			options->check = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			print_versions();
			*status = 0;
			return false;
		case 'h':
			usage(stdout);
			*status = 0;
			return false;
		default:
			usage(stderr);
			return false;
		}
	}
	if (optind < count) {
		fprintf(stderr, "tlsad: unexpected argument '%s'\n", arguments[optind]);
		usage(stderr);
		return false;
	}
	return true;
}
