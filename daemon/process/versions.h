/*
 * versions: a table of the versions of the libraries that this process uses.
 */
#ifndef TLSAD_PROCESS_VERSIONS_H
#define TLSAD_PROCESS_VERSIONS_H

#include <stddef.h>

struct version {
	const char *name;          /* as the library's authors write it */
	const char *member;        /* name in `tlsactl status`; NULL: not shown there */
	const char *(*read)(void); /* by the main thread; the string stays until the next call */
};

extern const struct version version_table[];
extern const size_t version_count;

#endif
