/*
 * privileges: the account that tlsad runs as when root starts it ([server] user, chroot).
 *
 * As root, tlsad does only what needs root: it opens sockets on low ports, creates directories in
 * /run and /var/lib, and writes the pid file. Then privileges_drop() calls chroot(2) if configured,
 * drops root permanently (groups, group and user), and checks that root's rights cannot be
 * regained. This happens before tlsad reads anything that others may have written (the cache, DNS),
 * and before there are threads.
 *
 * With [server] chroot, paths keep their meaning: inside the new root, the path of the new root is
 * a symbolic link to "/", so a path that begins with it names the same file as before. A path in
 * the configuration, in a log line and in an error therefore has one meaning.
 *
 * Main thread.
 */
#ifndef TLSAD_PROCESS_PRIVILEGES_H
#define TLSAD_PROCESS_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf;

enum { PRIVILEGES_NAME_SIZE = 64 };

/* All zeroes: the account stays, and no owner is changed. */
struct privileges {
	bool change;
	uid_t user;
	gid_t group;
	char name[PRIVILEGES_NAME_SIZE];
};

/*
 * Are [server] user and [server] chroot valid, no matter which account runs this check? False with
 * one line if there is no such account, or if a file that is needed later is not below the new
 * root.
 */
bool privileges_check(const struct conf *conf, char *error, size_t error_size);

/*
 * The same, and fill in `account`: what this process has to change. Nothing, if it runs as that
 * account already. False with one line also if it may not change to that account.
 */
bool privileges_find(
	struct privileges *account, const struct conf *conf, char *error, size_t error_size);

/*
 * Create a directory, or the parent directory of a path, with the new account as owner, if only its
 * last component is missing. True also if nothing had to be done.
 */
bool privileges_make_directory(const struct privileges *account, const char *path, mode_t mode,
	char *error, size_t error_size);
bool privileges_make_parent(
	const struct privileges *account, const char *path, char *error, size_t error_size);

/* Make the new account the owner of a unix socket that this process has just bound. */
bool privileges_give_socket(
	const struct privileges *account, const char *path, char *error, size_t error_size);

/*
 * Change to the account, permanently. `file` is the configuration file, which a reload reads again.
 * False with one line on failure; then the process must exit, since it may have dropped only part
 * of root's rights.
 */
bool privileges_drop(const struct privileges *account, const struct conf *conf, const char *file,
	char *error, size_t error_size);

#endif
