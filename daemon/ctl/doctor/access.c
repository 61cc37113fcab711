#include "daemon/ctl/doctor/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as in path_resolution(7) */

bool access_account_find(struct access_account *account, const char *name)
{
	const struct passwd *entry = getpwnam(name);
	int count = ACCESS_GROUPS_MAX;

	if (entry == NULL)
		return false;
	memset(account, 0, sizeof *account);
	snprintf(account->name, sizeof account->name, "%s", name);
	account->uid = entry->pw_uid;
	/* Postfix gives its processes the supplementary groups of mail_owner, too. */
	if (getgrouplist(name, entry->pw_gid, account->groups, &count) < 0)
		count = ACCESS_GROUPS_MAX;
	account->group_count = (size_t)count;
	return true;
}

bool access_allows(const struct stat *status, const struct access_account *account, unsigned wanted)
{
	unsigned bits = status->st_mode & 07;

	if (account->uid == 0)
		return true;
	for (size_t i = 0; i < account->group_count; i++) {
		if (account->groups[i] == status->st_gid)
			bits = status->st_mode >> 3 & 07;
	}
	if (account->uid == status->st_uid)
		bits = status->st_mode >> 6 & 07;
	return (bits & wanted) == wanted;
}

/* A walk along a path: the position, and the rest of the path. */
struct walk {
	struct access_path *reached;
	size_t root_length;
	const struct access_account *account;
	unsigned wanted;
	char rest[ACCESS_PATH_SIZE];
	unsigned links;
};

static void go_up(struct walk *walk)
{
	char *path = walk->reached->path;
	char *slash = strrchr(path, '/');

	if (slash != NULL && slash >= path + walk->root_length)
		*slash = '\0';
}

/* Replaces the name of a link by its target in the rest of the path. */
static bool follow(struct walk *walk)
{
	char target[ACCESS_PATH_SIZE], rest[ACCESS_PATH_SIZE];
	ssize_t size = readlink(walk->reached->path, target, sizeof target - 1);

	if (size <= 0 || ++walk->links > LINKS_MAX)
		return false;
	target[size] = '\0';
	int length = snprintf(rest, sizeof rest, "%s/%s", target, walk->rest);
	if (length < 0 || (size_t)length >= sizeof rest)
		return false;
	strcpy(walk->rest, rest);
	if (target[0] == '/')
		walk->reached->path[walk->root_length] = '\0';
	else
		go_up(walk);
	return true;
}

/* May the account enter the directory at the position of the walk? */
static enum access_result pass(struct walk *walk)
{
	const char *path = walk->reached->path[0] != '\0' ? walk->reached->path : "/";

	if (stat(path, &walk->reached->status) != 0)
		return errno == EACCES ? ACCESS_UNKNOWN : ACCESS_ABSENT;
	if (!S_ISDIR(walk->reached->status.st_mode))
		return ACCESS_ABSENT;
	return access_allows(&walk->reached->status, walk->account, ACCESS_SEARCH)
		       ? ACCESS_YES
		       : ACCESS_NO_SEARCH;
}

/* Removes the next name from the rest of the path; false at the end. */
static bool next_name(struct walk *walk, char name[ACCESS_PATH_SIZE])
{
	char *rest = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(rest, "/");

	if (length == 0)
		return false;
	memcpy(name, rest, length);
	name[length] = '\0';
	memmove(walk->rest, rest + length, strlen(rest + length) + 1);
	return true;
}

static enum access_result step(struct walk *walk, const char *name)
{
	char *path = walk->reached->path;
	size_t length = strlen(path);
	enum access_result result = pass(walk);

	if (result != ACCESS_YES || strcmp(name, ".") == 0)
		return result;
	if (strcmp(name, "..") == 0) {
		go_up(walk);
		return ACCESS_YES;
	}
	if (length + strlen(name) + 2 > ACCESS_PATH_SIZE)
		return ACCESS_ABSENT;
	path[length] = '/';
	strcpy(path + length + 1, name);
	if (lstat(path, &walk->reached->status) != 0)
		return errno == EACCES ? ACCESS_UNKNOWN : ACCESS_ABSENT;
	if (S_ISLNK(walk->reached->status.st_mode))
		return follow(walk) ? ACCESS_YES : ACCESS_ABSENT;
	return ACCESS_YES;
}

enum access_result access_walk(struct access_path *reached, const char *root, const char *path,
	const struct access_account *account, unsigned wanted)
{
	struct walk walk = {.reached = reached, .account = account, .wanted = wanted};
	char name[ACCESS_PATH_SIZE];
	enum access_result result = ACCESS_YES;

	memset(reached, 0, sizeof *reached);
	snprintf(reached->path, sizeof reached->path, "%s", root);
	walk.root_length = strlen(reached->path);
	while (walk.root_length > 0 && reached->path[walk.root_length - 1] == '/')
		reached->path[--walk.root_length] = '\0';
	if ((size_t)snprintf(walk.rest, sizeof walk.rest, "%s", path) >= sizeof walk.rest)
		return ACCESS_ABSENT;
	while (result == ACCESS_YES && next_name(&walk, name))
		result = step(&walk, name);
	if (reached->path[0] == '\0')
		strcpy(reached->path, "/");
	if (result != ACCESS_YES)
		return result;
	if (lstat(reached->path, &reached->status) != 0)
		return errno == EACCES ? ACCESS_UNKNOWN : ACCESS_ABSENT;
	return access_allows(&reached->status, account, wanted) ? ACCESS_YES : ACCESS_DENIED;
}
