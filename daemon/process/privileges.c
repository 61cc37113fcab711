#include "daemon/process/privileges.h"

#include "common/base/log.h"
#include "common/conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0755 };

static bool fail(char *error, size_t error_size, const char *what, const char *path)
{
	snprintf(error, error_size, "%s %.200s: %s", what, path, strerror(errno));
	return false;
}

/* --- checks -------------------------------------------------------------------------------- */

/* Is the path the directory itself, or below it? */
static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	while (length > 0 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/* Files that are opened after chroot(2) must be below the new root. */
static bool check_root(const struct conf *conf, char *error, size_t error_size)
{
	const struct {
		const char *name, *path;
		bool needed; /* false: only if it exists */
	} paths[] = {
		{"[cache] path", conf->cache.path, true},
		{"[dane] tafile_dir", conf->dane.tafile_dir, true},
		{"[resolver] options", conf->resolver.options, true},
		/* A reload that does not find these files would continue without rules. */
		{"[dane] minimums_file", conf->dane.minimums_file, true},
		{"[dane] exceptions_file", conf->dane.exceptions_file, true},
		/*
		 * If the file does not exist, the built-in root keys are used. If it exists only
		 * outside of the new root, it would silently be ignored.
		 */
		{"[resolver] trust_anchor", conf->resolver.trust_anchor, false},
	};

	if (conf->server.chroot[0] == '\0')
		return true;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (paths[i].path[0] == '\0' || is_below(paths[i].path, conf->server.chroot) ||
			(!paths[i].needed && access(paths[i].path, F_OK) != 0))
			continue;
		snprintf(error, error_size,
			"%s = %.150s is not below [server] chroot = %.150s: move or copy it there",
			paths[i].name, paths[i].path, conf->server.chroot);
		return false;
	}
	return true;
}

static bool look_up(
	struct privileges *account, const struct conf *conf, char *error, size_t error_size)
{
	const char *name = conf->server.user;

	memset(account, 0, sizeof *account);
	if (name[0] == '\0')
		return true;
	errno = 0;
	const struct passwd *entry = getpwnam(name);
	if (entry == NULL) {
		snprintf(error, error_size, "[server] user = %.60s: %s", name,
			errno == 0 ? "there is no such account; create it, for example with "
				     "useradd --system"
				   : strerror(errno));
		return false;
	}
	if (entry->pw_uid == 0) {
		snprintf(error, error_size,
			"[server] user = %.60s is root; set an account without root's rights",
			name);
		return false;
	}
	account->user = entry->pw_uid;
	account->group = entry->pw_gid;
	snprintf(account->name, sizeof account->name, "%s", name);
	return true;
}

bool privileges_check(const struct conf *conf, char *error, size_t error_size)
{
	struct privileges account;

	return look_up(&account, conf, error, error_size) && check_root(conf, error, error_size);
}

bool privileges_find(
	struct privileges *account, const struct conf *conf, char *error, size_t error_size)
{
	if (!look_up(account, conf, error, error_size) || !check_root(conf, error, error_size))
		return false;
	if (account->name[0] == '\0')
		return true;
	account->change = geteuid() == 0;
	if (!account->change && geteuid() != account->user) {
		snprintf(error, error_size,
			"[server] user = %.60s: only root can become another account; start tlsad "
			"as root, or as that account",
			account->name);
		return false;
	}
	if (!account->change && conf->server.chroot[0] != '\0') {
		snprintf(error, error_size,
			"[server] chroot = %.150s: only root can change the root directory; start "
			"tlsad as root",
			conf->server.chroot);
		return false;
	}
	return true;
}

/*
 * Mode and owner are set through a descriptor: if another account may write to the parent
 * directory, it could replace the name by a link between two calls.
 */
bool privileges_make_directory(const struct privileges *account, const char *path, mode_t mode,
	char *error, size_t error_size)
{
	if (account == NULL || !account->change)
		return true;
	if (mkdir(path, mode) != 0)
		/* It exists, or the parent is missing: the module that uses it reports errors. */
		return true;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The mode first: after fchown() the directory belongs to the other account. */
	bool good =
		fd >= 0 && fchmod(fd, mode) == 0 && fchown(fd, account->user, account->group) == 0;
	if (!good)
		fail(error, error_size, "cannot create the directory", path);
	if (fd >= 0)
		close(fd);
	return good;
}

bool privileges_make_parent(
	const struct privileges *account, const char *path, char *error, size_t error_size)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return true;
	snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
	return privileges_make_directory(account, parent, DIRECTORY_MODE, error, error_size);
}

/*
 * Through a descriptor, as above. The owner changes only if it is a socket with one name: a hard
 * link or another file there could give the account a file of root.
 */
bool privileges_give_socket(
	const struct privileges *account, const char *path, char *error, size_t error_size)
{
	struct stat status;

	if (account == NULL || !account->change)
		return true;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool good = fd >= 0 && fstat(fd, &status) == 0;
	if (good && (!S_ISSOCK(status.st_mode) || status.st_nlink != 1)) {
		errno = ENOTSOCK;
		good = false;
	}
	good = good && fchownat(fd, "", account->user, account->group, AT_EMPTY_PATH) == 0;
	if (!good)
		fail(error, error_size, "cannot change the owner of the socket", path);
	if (fd >= 0)
		close(fd);
	return good;
}

/* --- chroot -------------------------------------------------------------------------------- */

/*
 * After chroot(2) to `path`, make `path` a symbolic link to "/", so that paths in the configuration
 * stay valid. As the root has changed already, links that the account has put there cannot lead
 * root out of it.
 */
static bool link_to_itself(const char *path, char *error, size_t error_size)
{
	char inside[PATH_MAX];
	struct stat there, root;

	snprintf(inside, sizeof inside, "%.4000s", path);
	for (size_t end = strlen(inside); end > 1 && inside[end - 1] == '/'; end--)
		inside[end - 1] = '\0';
	for (char *slash = strchr(inside + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(inside, DIRECTORY_MODE) != 0 && errno != EEXIST)
			return fail(error, error_size,
				"[server] chroot: cannot create inside it the directory", inside);
		*slash = '/';
	}
	if (symlink("/", inside) != 0 && errno != EEXIST)
		return fail(error, error_size,
			"[server] chroot: cannot create inside it the symbolic link", inside);
	if (stat(path, &there) != 0 || stat("/", &root) != 0 || there.st_ino != root.st_ino ||
		there.st_dev != root.st_dev) {
		snprintf(error, error_size,
			"[server] chroot = %.200s: inside it, the same path exists and is not a "
			"link to /; remove it there, then tlsad creates the link",
			path);
		return false;
	}
	return true;
}

static bool change_root(const struct privileges *account, const struct conf *conf, const char *file,
	char *error, size_t error_size)
{
	const char *path = conf->server.chroot;

	if (!is_below(file, path))
		log_notice("a reload will not find %s: it is not below [server] chroot = %s; "
			   "restart tlsad to apply changes",
			file, path);
	/* Load /etc/localtime and connect to syslog now: inside the new root they do not exist. */
	tzset();
	log_connect();
	if (chdir(path) != 0 || chroot(".") != 0 || chdir("/") != 0)
		return fail(error, error_size, "[server] chroot: cannot change to", path);
	/* /run is for the working copy of the root key; see common/dns/root_anchor.h. */
	return privileges_make_directory(account, "/run", DIRECTORY_MODE, error, error_size) &&
	       link_to_itself(path, error, error_size);
}

/* --- drop root permanently ----------------------------------------------------------------- */

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, sets) != 0)
		return true;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		if ((sets[i].effective | sets[i].permitted | sets[i].inheritable) != 0)
			return true;
	}
	return false;
}

static bool has_other_ids(const struct privileges *account)
{
	uid_t users[3];
	gid_t groups[3];

	if (getresuid(&users[0], &users[1], &users[2]) != 0 ||
		getresgid(&groups[0], &groups[1], &groups[2]) != 0)
		return true;
	for (size_t i = 0; i < 3; i++) {
		if (users[i] != account->user || groups[i] != account->group)
			return true;
	}
	return false;
}

/* Each of these calls must fail now. */
static bool can_come_back(void)
{
	return setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0 ||
	       setgroups(0, NULL) == 0;
}

bool privileges_drop(const struct privileges *account, const struct conf *conf, const char *file,
	char *error, size_t error_size)
{
	if (!account->change)
		return true;
	/* Before chroot(2), since this reads /etc/group. */
	if (initgroups(account->name, account->group) != 0)
		return fail(error, error_size, "[server] user: cannot set the groups of",
			account->name);
	if (conf->server.chroot[0] != '\0' && !change_root(account, conf, file, error, error_size))
		return false;
	if (setresgid(account->group, account->group, account->group) != 0 ||
		setresuid(account->user, account->user, account->user) != 0)
		return fail(error, error_size, "[server] user: cannot become", account->name);
	/* Programs that this process runs cannot get more rights either, e.g. by set-user-ID. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return fail(error, error_size,
			"[server] user: cannot set no_new_privs (prctl(2)) for", account->name);
	if (has_other_ids(account) || has_capabilities() || can_come_back()) {
		snprintf(error, error_size,
			"[server] user = %.60s: cannot drop root's rights permanently; start tlsad "
			"as that account",
			account->name);
		return false;
	}
	/* Allow core files, for debugging: this process has no secrets. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return true;
}
