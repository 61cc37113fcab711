#include "daemon/ctl/exception/exception_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The daemon must be able to read the file, and it runs under another account. */
enum { MODE = 0644 };

/* A change that is being made. */
struct edit {
	char path[PATH_MAX];      /* of the file, not of a symbolic link to it */
	char temporary[PATH_MAX]; /* empty: not created yet */
	int directory;            /* locked while the change is made */
	FILE *old;                /* NULL: the file does not exist yet */
	FILE *new;
	const char *key, *value;
	bool found;
};

/* What to do about an error of the file or its directory. */
static const char *remedy(int code)
{
	switch (code) {
	case EACCES:
	case EPERM:
		return "run tlsactl as root";
	case ENOSPC:
	case EDQUOT:
		return "free some space there";
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return "create the directory, or correct [dane] exceptions_file in tlsad.conf";
	default:
		return "correct this, or set [dane] exceptions_file to a file that can be written";
	}
}

static bool complain(char *error, const char *what, const char *path)
{
	snprintf(error, RULES_ERROR_SIZE, "%.200s: %s: %s; %s", path, what, strerror(errno),
		remedy(errno));
	return false;
}

/* --- the files ----------------------------------------------------------------------------- */

static bool lock_directory(struct edit *edit, char *error)
{
	char directory[PATH_MAX];
	char *slash;

	snprintf(directory, sizeof directory, "%s", edit->path);
	slash = strrchr(directory, '/');
	if (slash == NULL)
		strcpy(directory, ".");
	else
		slash[slash == directory] = '\0';
	edit->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (edit->directory >= 0 && flock(edit->directory, LOCK_EX) != 0) {
		if (errno != EINTR)
			return complain(error, "cannot lock it", directory);
	}
	return edit->directory >= 0 || complain(error, "cannot open it", directory);
}

static bool open_old(struct edit *edit, struct stat *status, char *error)
{
	int fd = open(edit->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return true;
	edit->old = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (edit->old == NULL || fstat(fd, status) != 0)
		return complain(error, "cannot read it", edit->path);
	if (S_ISREG(status->st_mode))
		return true;
	snprintf(error, RULES_ERROR_SIZE,
		"%.300s: this is not a regular file; [dane] exceptions_file must name one",
		edit->path);
	return false;
}

static bool open_new(struct edit *edit, const struct stat *status, char *error)
{
	mode_t mode = edit->old != NULL ? status->st_mode & 07777 : MODE;

	if ((size_t)snprintf(edit->temporary, sizeof edit->temporary, "%s.XXXXXX", edit->path) >=
		sizeof edit->temporary) {
		edit->temporary[0] = '\0';
		errno = ENAMETOOLONG;
		return complain(error, "cannot create a temporary file beside it", edit->path);
	}
	int fd = mkostemp(edit->temporary, O_CLOEXEC);
	if (fd < 0) {
		edit->temporary[0] = '\0';
		return complain(error, "cannot create a temporary file beside it", edit->path);
	}
	edit->new = fdopen(fd, "w");
	if (edit->new == NULL)
		return complain(error, "cannot write it", edit->temporary);
	if (edit->old != NULL && (status->st_uid != geteuid() || status->st_gid != getegid()) &&
		fchown(fd, status->st_uid, status->st_gid) != 0)
		return complain(error, "cannot keep its owner", edit->path);
	return fchmod(fd, mode) == 0 || complain(error, "cannot keep its mode", edit->path);
}

/* After the rename the change is permanent, so errors after it do not matter. */
static bool put_in_place(struct edit *edit, char *error)
{
	if (fflush(edit->new) != 0 || ferror(edit->new) != 0 || fsync(fileno(edit->new)) != 0 ||
		rename(edit->temporary, edit->path) != 0)
		return complain(error, "cannot write it", edit->path);
	edit->temporary[0] = '\0';
	fsync(edit->directory);
	return true;
}

static void edit_close(struct edit *edit)
{
	if (edit->old != NULL)
		fclose(edit->old);
	if (edit->new != NULL)
		fclose(edit->new);
	if (edit->temporary[0] != '\0')
		unlink(edit->temporary);
	if (edit->directory >= 0)
		close(edit->directory);
}

/* --- the lines ----------------------------------------------------------------------------- */

static bool is_for_key(const char *line, const char *key)
{
	char *copy = strdup(line), *word, *value;
	char normal[RULES_KEY_SIZE], error[RULES_ERROR_SIZE];
	bool same = copy != NULL && rules_split_line(copy, &word, &value) &&
		    rules_key(word, normal, error) && strcmp(normal, key) == 0;

	free(copy);
	return same;
}

static void write_rule(struct edit *edit)
{
	if (edit->value != NULL)
		fprintf(edit->new, "%s = %s\n", edit->key, edit->value);
}

static void copy_lines(struct edit *edit)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	while (edit->old != NULL && (size = getline(&line, &room, edit->old)) >= 0) {
		if (!is_for_key(line, edit->key)) {
			fwrite(line, 1, (size_t)size, edit->new);
			if (line[size - 1] != '\n')
				fputc('\n', edit->new);
			continue;
		}
		/* Write the rule only once: a second rule for the key would be an error. */
		if (!edit->found)
			write_rule(edit);
		edit->found = true;
	}
	free(line);
	if (!edit->found)
		write_rule(edit);
}

static enum exception_change change(struct edit *edit, char *error)
{
	struct stat status = {.st_mode = 0};

	if (!lock_directory(edit, error) || !open_old(edit, &status, error))
		return EXCEPTION_FAILED;
	if (edit->old == NULL && edit->value == NULL)
		return EXCEPTION_ABSENT;
	if (!open_new(edit, &status, error))
		return EXCEPTION_FAILED;
	copy_lines(edit);
	/* getline(3) stopped before the end: a read error, or out of memory. */
	if (edit->old != NULL && !feof(edit->old)) {
		complain(error, "cannot read it", edit->path);
		return EXCEPTION_FAILED;
	}
	if (!edit->found && edit->value == NULL)
		return EXCEPTION_ABSENT;
	if (!put_in_place(edit, error))
		return EXCEPTION_FAILED;
	return edit->value == NULL ? EXCEPTION_REMOVED
	       : edit->found       ? EXCEPTION_REPLACED
				   : EXCEPTION_ADDED;
}

enum exception_change exception_file_change(
	const char *path, const char *key, const char *value, char error[RULES_ERROR_SIZE])
{
	struct edit edit = {.directory = -1, .key = key, .value = value};

	if (realpath(path, edit.path) == NULL)
		snprintf(edit.path, sizeof edit.path, "%s", path);
	enum exception_change result = change(&edit, error);
	edit_close(&edit);
	return result;
}
