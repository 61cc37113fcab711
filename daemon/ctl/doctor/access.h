/*
 * access: may an account open a path, seen from a root directory of its own?
 *
 * The path is walked component by component, symbolic links included, as the kernel would inside a
 * chroot: an absolute link begins again at that root, and `..` does not lead out of it. Owner,
 * group and mode count; ACLs and security modules are not seen.
 */
#ifndef TLSAD_CTL_DOCTOR_ACCESS_H
#define TLSAD_CTL_DOCTOR_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { ACCESS_GROUPS_MAX = 256, ACCESS_PATH_SIZE = 4096 };

struct access_account {
	char name[64];
	uid_t uid;
	size_t group_count;
	gid_t groups[ACCESS_GROUPS_MAX];
};

/* False when there is no such account. */
bool access_account_find(struct access_account *account, const char *name);

enum { ACCESS_READ = 4, ACCESS_WRITE = 2, ACCESS_SEARCH = 1 };

/* By the permission bits: one of owner, group and others counts, the first that fits. Pure. */
bool access_allows(
	const struct stat *status, const struct access_account *account, unsigned wanted);

enum access_result {
	ACCESS_YES,
	ACCESS_ABSENT,    /* `path` is the first component that is not there */
	ACCESS_NO_SEARCH, /* `path` is a directory before the end that the account may not pass */
	ACCESS_DENIED,    /* `path` is the end, and its bits are not those wanted */
	ACCESS_UNKNOWN,   /* this process may not read `path` */
};

struct access_path {
	char path[ACCESS_PATH_SIZE]; /* as seen outside of the root directory */
	struct stat status;          /* of the end, when it was reached */
};

/* `root` is "" or an absolute directory; `path` is taken from there, with or without a slash. */
enum access_result access_walk(struct access_path *reached, const char *root, const char *path,
	const struct access_account *account, unsigned wanted);

#endif
