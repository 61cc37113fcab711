/*
 * privileges: the account that a tlsad started by root becomes, for good.
 *
 * First, as root, what only root may do: sockets on low ports, directories in /run and /var/lib,
 * the pid file. Then privileges_drop(): change the root directory if told to, give up groups, group
 * and user, and make sure that there is no way back. It comes before anything is read that a
 * stranger may have written (the cache, DNS), and before there are threads.
 *
 * In a changed root directory, paths are what they were before: a path that begins with the new
 * root is made to lead to the same file from inside, by a symbolic link to "/" in its place. So a
 * path in the configuration, in a log line and in an error has one meaning.
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

/* Zeroes: no change of account, and nothing is made over. */
struct privileges {
	bool change;
	uid_t user;
	gid_t group;
	char name[PRIVILEGES_NAME_SIZE];
};

/*
 * Are [server] user and [server] chroot possible, whoever asks? False and one line when there is no
 * such account, or when something that is needed later is not below the new root.
 */
bool privileges_check(const struct conf *conf, char *error, size_t error_size);

/*
 * The same, and what this process will have to do. There is nothing to change when it has that
 * account already. False and one line also when it may not become it.
 */
bool privileges_find(
	struct privileges *account, const struct conf *conf, char *error, size_t error_size);

/*
 * For the account that is to come: make a directory, or the one that a path is in, with
 * that owner, if only its last component is missing. True if nothing had to be done.
 */
bool privileges_make_directory(const struct privileges *account, const char *path, mode_t mode,
	char *error, size_t error_size);
bool privileges_make_parent(
	const struct privileges *account, const char *path, char *error, size_t error_size);

/* Make over a unix socket that this process has just bound. */
bool privileges_give_socket(
	const struct privileges *account, const char *path, char *error, size_t error_size);

/*
 * `file` is the configuration's, which a reload will look for. False and one line when it cannot be
 * done; then this process must end, whatever it is by now.
 */
bool privileges_drop(const struct privileges *account, const struct conf *conf, const char *file,
	char *error, size_t error_size);

#endif
