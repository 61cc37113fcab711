/*
 * access: may an account open a path, possibly inside a chroot?
 *
 * The path is followed component by component, symbolic links included, as the kernel does inside a
 * chroot: an absolute link starts again at that root, and `..` does not leave it. Only owner, group
 * and mode are examined, not ACLs and security modules.
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

/* Decides by the permission bits of the first of owner, group and others that fits. Pure. */
bool access_allows(
	const struct stat *status, const struct access_account *account, unsigned wanted);

enum access_result {
	ACCESS_YES,
	ACCESS_ABSENT,    /* `path` is the first component that does not exist */
	ACCESS_NO_SEARCH, /* `path` is a directory on the way that the account may not enter */
	ACCESS_DENIED,    /* `path` is the end, and its mode does not allow the access */
	ACCESS_UNKNOWN,   /* this process may not examine `path` */
};

struct access_path {
	char path[ACCESS_PATH_SIZE]; /* as seen outside of the chroot */
	struct stat status;          /* of the end, if it was reached */
};

/*
 * `root` is "" or an absolute directory; `path` is relative to it, with or without a leading slash.
 */
enum access_result access_walk(struct access_path *reached, const char *root, const char *path,
	const struct access_account *account, unsigned wanted);

#endif
