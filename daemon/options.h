/*
 * options: the command line of tlsad.
 */
#ifndef TLSAD_OPTIONS_H
#define TLSAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTIONS_OVERRIDES_MAX = 128 };

/* The strings point into main()'s arguments. */
struct options {
	const char *file;                       /* the configuration file */
	bool file_given;                        /* with -c: the file must exist */
	char *overrides[OPTIONS_OVERRIDES_MAX]; /* arguments of -o */
	size_t override_count;
	bool check;
	bool verbose;
};

/*
 * True to continue. False if the program ends here (-h, -V, or an error, which was printed);
 * `*status` is then the exit status.
 */
bool options_read(int count, char **arguments, struct options *options, int *status);

#endif
