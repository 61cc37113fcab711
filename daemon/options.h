/*
 * options: the command line of tlsad.
 */
#ifndef TLSAD_OPTIONS_H
#define TLSAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTIONS_OVERRIDES_MAX = 128 };

/* Strings are those of main()'s arguments. */
struct options {
	const char *file; /* the configuration */
	bool file_given;
	char *overrides[OPTIONS_OVERRIDES_MAX]; /* of -o */
	size_t override_count;
	bool check;
	bool verbose;
};

/*
 * True to go on. False when all is done or there is nothing to go on with: it was printed, and
 * `*status` is the exit status.
 */
bool options_read(int count, char **arguments, struct options *options, int *status);

#endif
