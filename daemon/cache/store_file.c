#include "daemon/cache/store_file.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	/* [s] to rebuild a file: if it takes longer, starting with an empty cache is better. */
	CHECK_SECONDS = 120,
	COMMIT_COPIES_MAX = 10000,
	READ_SIZE = 1 << 20,
	DIGEST_SIZE = 32,
};

/* --- the seal ------------------------------------------------------------------------------ */

static void beside(char name[STORE_PATH_SIZE], const char *path, const char *suffix)
{
	snprintf(name, STORE_PATH_SIZE, "%.4000s%s", path, suffix);
}

static bool digest_file(const char *path, uint32_t format, unsigned char digest[DIGEST_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *bytes = malloc(READ_SIZE);
	bool good = fd >= 0 && context != NULL && bytes != NULL &&
		    EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(context, &format, sizeof format) == 1;
	ssize_t got = 1;

	while (good && got > 0) {
		got = read(fd, bytes, READ_SIZE);
		good = got >= 0 && EVP_DigestUpdate(context, bytes, (size_t)got) == 1;
	}
	good = good && EVP_DigestFinal_ex(context, digest, NULL) == 1;
	free(bytes);
	EVP_MD_CTX_free(context);
	if (fd >= 0)
		close(fd);
	return good;
}

void store_seal_file(const char *path, uint32_t format)
{
	unsigned char digest[DIGEST_SIZE];
	char seal[STORE_PATH_SIZE];

	beside(seal, path, ".seal");
	if (!digest_file(path, format, digest))
		return;
	int fd = open(seal, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return;
	/* Without a complete seal the file is rebuilt at the next start, which loses nothing. */
	bool good = write(fd, digest, sizeof digest) == sizeof digest && fsync(fd) == 0;
	close(fd);
	if (!good)
		unlink(seal);
}

/* Is it the file that was sealed? The seal is removed, since the file changes from now on. */
static bool break_seal(const char *path, uint32_t format)
{
	unsigned char sealed[DIGEST_SIZE], digest[DIGEST_SIZE];
	char seal[STORE_PATH_SIZE];

	beside(seal, path, ".seal");
	int fd = open(seal, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool good = read(fd, sealed, sizeof sealed) == sizeof sealed;
	close(fd);
	return unlink(seal) == 0 && good && digest_file(path, format, digest) &&
	       memcmp(sealed, digest, sizeof digest) == 0;
}

/* --- rebuilding a file --------------------------------------------------------------------- */

enum copy_result { FILE_GOOD, FILE_DAMAGED, FILE_OTHER_FORMAT, FILE_NO_ROOM };

struct copying {
	const struct store_settings *settings;
	MDB_env *from, *to;
	MDB_txn *reading, *writing;
	struct store_trees trees; /* of the new file */
	unsigned pending;
};

static enum copy_result write_trouble(int code)
{
	return code == ENOSPC || code == EDQUOT || code == EIO || code == MDB_MAP_FULL
		       ? FILE_NO_ROOM
		       : FILE_DAMAGED;
}

/* Reading a page that is missing at the end of the file would raise SIGBUS later. */
static bool whole(MDB_env *env)
{
	struct stat status;
	MDB_envinfo info;
	MDB_stat stat;
	int fd;

	return mdb_env_get_fd(env, &fd) == 0 && fstat(fd, &status) == 0 &&
	       mdb_env_info(env, &info) == 0 && mdb_env_stat(env, &stat) == 0 &&
	       (uint64_t)status.st_size >= (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

static enum copy_result open_old(struct copying *copying, const char *path)
{
	MDB_val key = {.mv_size = sizeof STORE_FORMAT_KEY - 1, .mv_data = STORE_FORMAT_KEY}, data;
	MDB_dbi meta;
	uint32_t format;

	if (store_open_env(&copying->from, path, copying->settings->max_size,
		    MDB_RDONLY | MDB_NOLOCK) != 0 ||
		!whole(copying->from) ||
		mdb_txn_begin(copying->from, NULL, MDB_RDONLY, &copying->reading) != 0 ||
		mdb_dbi_open(copying->reading, STORE_META_TREE, 0, &meta) != 0 ||
		mdb_get(copying->reading, meta, &key, &data) != 0 || data.mv_size != sizeof format)
		return FILE_DAMAGED;
	memcpy(&format, data.mv_data, sizeof format);
	return format == copying->settings->format ? FILE_GOOD : FILE_OTHER_FORMAT;
}

static enum copy_result open_new(struct copying *copying, const char *path)
{
	int code = store_open_env(&copying->to, path, copying->settings->max_size, MDB_NOLOCK);

	if (code == 0)
		code = mdb_txn_begin(copying->to, NULL, 0, &copying->writing);
	if (code == 0)
		code = store_open_trees(
			copying->writing, &copying->trees, copying->settings->format);
	return code == 0 ? FILE_GOOD : write_trouble(code);
}

static enum copy_result copy_value(struct copying *copying, MDB_val *key, const MDB_val *data)
{
	uint32_t order;

	if (data->mv_size < sizeof order || key->mv_size > STORE_KEY_MAX)
		return FILE_DAMAGED;
	memcpy(&order, data->mv_data, sizeof order);
	const uint8_t *value = (const uint8_t *)data->mv_data + sizeof order;
	size_t size = data->mv_size - sizeof order;
	if (!copying->settings->intact(value, size, key->mv_data, key->mv_size))
		return FILE_DAMAGED;
	int code = store_insert(copying->writing, &copying->trees, key, value, size, order);
	if (code == 0 && ++copying->pending == COMMIT_COPIES_MAX) {
		copying->pending = 0;
		code = mdb_txn_commit(copying->writing);
		if (code == 0)
			code = mdb_txn_begin(copying->to, NULL, 0, &copying->writing);
	}
	return code == 0 ? FILE_GOOD : write_trouble(code);
}

static enum copy_result copy_values(struct copying *copying)
{
	enum copy_result result = FILE_GOOD;
	MDB_cursor *cursor;
	MDB_dbi values, order;
	MDB_stat stat;
	MDB_val key, data;
	size_t count = 0;
	int code = 0;

	if (mdb_dbi_open(copying->reading, NULL, 0, &values) != 0 ||
		mdb_dbi_open(copying->reading, STORE_ORDER_TREE, 0, &order) != 0 ||
		mdb_stat(copying->reading, order, &stat) != 0 ||
		mdb_cursor_open(copying->reading, values, &cursor) != 0)
		return FILE_DAMAGED;
	while (result == FILE_GOOD && (code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
		/* LMDB's own records of the other trees. */
		if (key.mv_size > 0 && *(const char *)key.mv_data == '\001')
			continue;
		result = copy_value(copying, &key, &data);
		count++;
	}
	if (result != FILE_GOOD)
		return result;
	if (code != MDB_NOTFOUND || count != stat.ms_entries)
		return FILE_DAMAGED;
	code = mdb_txn_commit(copying->writing);
	return code == 0 ? FILE_GOOD : write_trouble(code);
}

static enum copy_result copy_file(
	const char *path, const char *fresh, const struct store_settings *settings)
{
	struct copying copying = {.settings = settings};
	enum copy_result result = open_old(&copying, path);

	if (result == FILE_GOOD)
		result = open_new(&copying, fresh);
	if (result == FILE_GOOD)
		result = copy_values(&copying);
	return result;
}

/* A crash of the child only shows that the file is damaged: no core file, no report on stderr. */
static void expect_crashes(void)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
		signal(crashes[i], SIG_DFL);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	alarm(CHECK_SECONDS);
}

static enum copy_result copy_in_child(
	const char *path, const char *fresh, const struct store_settings *settings)
{
	int status = 0;
	pid_t child = fork();

	if (child < 0)
		return FILE_DAMAGED;
	if (child == 0) {
		expect_crashes();
		_exit(copy_file(path, fresh, settings));
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return FILE_DAMAGED;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) <= FILE_NO_ROOM
		       ? (enum copy_result)WEXITSTATUS(status)
		       : FILE_DAMAGED;
}

/* --- the file that is there ---------------------------------------------------------------- */

static bool set_aside(const char *path, const char *why, char *error)
{
	char aside[STORE_PATH_SIZE];

	/* Only the last one is kept, for an administrator to examine; more would fill the disk. */
	beside(aside, path, ".set-aside");
	if (rename(path, aside) != 0) {
		snprintf(error, STORE_ERROR_SIZE, "%.150s %s and cannot be renamed: %s; remove it",
			path, why, strerror(errno));
		return false;
	}
	log_warning(
		"the cache %s %s: set aside as %s, starting with an empty one", path, why, aside);
	return true;
}

static bool discard(const char *path, const char *why, char *error)
{
	if (unlink(path) != 0) {
		snprintf(error, STORE_ERROR_SIZE, "%.150s %s and cannot be removed: %s; remove it",
			path, why, strerror(errno));
		return false;
	}
	log_warning("the cache %s %s: removed, starting with an empty one", path, why);
	return true;
}

static bool rebuild(const char *path, const struct store_settings *settings, char *error)
{
	char fresh[STORE_PATH_SIZE];

	beside(fresh, path, ".new");
	unlink(fresh);
	enum copy_result result = copy_in_child(path, fresh, settings);
	if (result == FILE_GOOD && rename(fresh, path) == 0)
		return true;
	unlink(fresh);
	switch (result) {
	case FILE_OTHER_FORMAT:
		return set_aside(path, "was written by another version", error);
	case FILE_NO_ROOM:
		return discard(path, "does not fit on the disk or into [cache] max_size", error);
	default:
		return set_aside(path, "is damaged", error);
	}
}

bool store_prepare_file(
	const char *path, const struct store_settings *settings, char error[STORE_ERROR_SIZE])
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return true;
	if (!S_ISREG(status.st_mode)) {
		snprintf(error, STORE_ERROR_SIZE,
			"[cache] path: %.200s is not a regular file; remove it", path);
		return false;
	}
	if (break_seal(path, settings->format) && (uint64_t)status.st_size <= settings->max_size)
		return true;
	return rebuild(path, settings, error);
}
