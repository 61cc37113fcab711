#include "daemon/cache/ta_file.h"

#include "common/base/log.h"
#include "daemon/cache/hot_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* Table of known files: 2,048 entries, 256 KB. */
	KNOWN_SETS = 1 << 10,
	KNOWN_SLOT = 128,
	/* [s] A temporary file that is older is the remains of a process that was killed. */
	LEFTOVER_AGE_MAX = 60 * 60,
	FILE_MODE = 0644, /* Postfix is another account; certificates are not secret */
};

#define PREFIX "tlsad-"
#define SUFFIX ".pem"
#define TEMPORARY ".tlsad-"

struct ta_files {
	char *directory;
	char *prefix; /* path of the directory for Postfix, [dane] tafile_prefix */
	struct hot_table *known;
	bool complained; /* an error was logged; false again after the next success */
};

/* Value in the table `known`; the key is a struct ta_file_key. */
struct known {
	uint32_t until;
	uint32_t obstacle; /* enum pin_obstacle; PIN_CLEAR: there is a file */
	uint8_t digest[TA_FILE_DIGEST_SIZE];
};

struct ta_files *ta_files_new(const struct conf *conf)
{
	struct ta_files *ta_files = calloc(1, sizeof *ta_files);
	const char *prefix = conf->dane.tafile_prefix;

	if (ta_files == NULL)
		return NULL;
	ta_files->directory = strdup(conf->dane.tafile_dir);
	ta_files->prefix = strdup(prefix[0] != '\0' ? prefix : conf->dane.tafile_dir);
	ta_files->known = hot_table_new(KNOWN_SETS, KNOWN_SLOT);
	if (ta_files->directory == NULL || ta_files->prefix == NULL || ta_files->known == NULL) {
		ta_files_free(ta_files);
		return NULL;
	}
	return ta_files;
}

void ta_files_free(struct ta_files *ta_files)
{
	if (ta_files == NULL)
		return;
	hot_table_free(ta_files->known);
	free(ta_files->directory);
	free(ta_files->prefix);
	free(ta_files);
}

static bool add_hosts(EVP_MD_CTX *context, const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->host_count; i++) {
		const struct evidence_host *host = &evidence->hosts[i];
		if (host->part.header.status == HOST_USABLE &&
			(EVP_DigestUpdate(context, host->name, host->name_size) != 1 ||
				EVP_DigestUpdate(context, "", 1) != 1))
			return false;
	}
	return true;
}

bool ta_file_key(struct ta_file_key *key, const struct pins *pins, const struct evidence *evidence)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint16_t port = evidence->destination->port;
	bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(context, &port, sizeof port) == 1 &&
		    EVP_DigestUpdate(context, pins->entries, pins->count * pins->size) == 1 &&
		    add_hosts(context, evidence) &&
		    EVP_DigestFinal_ex(context, key->digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

/* --- known files --------------------------------------------------------------------------- */

static void file_name(char name[TA_FILE_NAME_SIZE], const uint8_t digest[TA_FILE_DIGEST_SIZE])
{
	size_t at = (size_t)snprintf(name, TA_FILE_NAME_SIZE, PREFIX);

	for (size_t i = 0; i < TA_FILE_DIGEST_SIZE; i++, at += 2)
		snprintf(name + at, TA_FILE_NAME_SIZE - at, "%02x", digest[i]);
	snprintf(name + at, TA_FILE_NAME_SIZE - at, SUFFIX);
}

void ta_files_find(struct ta_files *ta_files, const struct ta_file_key *key, uint32_t now,
	struct ta_file_finding *finding)
{
	struct hot_table_copy copy;
	struct known known;
	const char *bytes = (const char *)key->digest;
	hot_table_hash hash = hot_table_find(ta_files->known, bytes, sizeof key->digest);

	finding->state = TA_FILE_UNKNOWN;
	finding->key = *key;
	if (!hot_table_get(ta_files->known, hash, bytes, sizeof key->digest, SIZE_MAX, &copy) ||
		copy.size != sizeof known)
		return;
	memcpy(&known, copy.value, sizeof known);
	if (now >= known.until)
		return;
	finding->obstacle = (enum pin_obstacle)known.obstacle;
	finding->state = finding->obstacle == PIN_CLEAR ? TA_FILE_READY : TA_FILE_IMPOSSIBLE;
	memcpy(finding->digest, known.digest, sizeof known.digest);
}

void ta_files_path(const struct ta_files *ta_files, const struct ta_file_finding *finding,
	char path[TA_FILE_PATH_SIZE])
{
	char name[TA_FILE_NAME_SIZE];

	file_name(name, finding->digest);
	snprintf(path, TA_FILE_PATH_SIZE, "%s/%s", ta_files->prefix, name);
}

static void know(struct ta_files *ta_files, struct ta_file_finding *finding, uint32_t until)
{
	struct known known = {.until = until, .obstacle = finding->obstacle};

	finding->state = finding->obstacle == PIN_CLEAR ? TA_FILE_READY : TA_FILE_IMPOSSIBLE;
	memcpy(known.digest, finding->digest, sizeof known.digest);
	hot_table_put(ta_files->known, (const char *)finding->key.digest,
		sizeof finding->key.digest, (const uint8_t *)&known, sizeof known);
}

void ta_files_refuse(struct ta_files *ta_files, struct ta_file_finding *finding,
	enum pin_obstacle obstacle, uint32_t until)
{
	finding->obstacle = obstacle;
	memset(finding->digest, 0, sizeof finding->digest);
	know(ta_files, finding, until);
}

/* --- files --------------------------------------------------------------------------------- */

/* Sort, so that the same trust anchors in another order make the same file. */
static int compare_tas(const void *one, const void *other)
{
	const struct ta_file_ta *a = one, *b = other;

	if (a->selector != b->selector)
		return a->selector < b->selector ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->der, b->der, a->size);
}

/* Postfix reads the PEM blocks CERTIFICATE and PUBLIC KEY (its src/tls/tls_dane.c). */
static BIO *make_content(const struct ta_file_ta *tas, size_t count)
{
	struct ta_file_ta *sorted = calloc(count, sizeof *sorted);
	BIO *content = BIO_new(BIO_s_mem());
	bool good = sorted != NULL && content != NULL;

	if (good) {
		memcpy(sorted, tas, count * sizeof *sorted);
		qsort(sorted, count, sizeof *sorted, compare_tas);
	}
	for (size_t i = 0; good && i < count; i++) {
		if (i > 0 && compare_tas(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		const char *block = sorted[i].selector == TLSA_CERTIFICATE ? PEM_STRING_X509
									   : PEM_STRING_PUBLIC;
		good = PEM_write_bio(content, block, "", sorted[i].der, (long)sorted[i].size) > 0;
	}
	free(sorted);
	if (good)
		return content;
	BIO_free(content);
	return NULL;
}

/* Is the file there, with this content? A power failure may have left a shorter one. */
static bool is_there(int directory, const char *name, const char *content, size_t size)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *found = malloc(size + 1);
	size_t have = 0;
	ssize_t got = 1;

	while (fd >= 0 && found != NULL && have <= size && got > 0) {
		got = read(fd, found + have, size + 1 - have);
		if (got > 0)
			have += (size_t)got;
	}
	bool same = fd >= 0 && found != NULL && got == 0 && have == size &&
		    memcmp(found, content, size) == 0;
	free(found);
	if (fd >= 0)
		close(fd);
	return same;
}

static bool write_all(int fd, const char *content, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, content, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		content += written;
		size -= (size_t)written;
	}
	return true;
}

/* False with errno. The file is complete when it gets its name. */
static bool write_file(int directory, const char *name, const char *content, size_t size)
{
	char temporary[64];
	uint64_t random = 0;

	/* Random, since another tlsad may write to this directory, too. */
	RAND_bytes((unsigned char *)&random, sizeof random);
	snprintf(temporary, sizeof temporary, TEMPORARY "%016jx", (uintmax_t)random);
	int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		FILE_MODE);
	if (fd < 0)
		return false;
	/* fchmod(): the mode must not depend on the umask. */
	bool good = write_all(fd, content, size) && fchmod(fd, FILE_MODE) == 0 && fsync(fd) == 0;
	int reason = errno;
	if (close(fd) != 0 && good) {
		good = false;
		reason = errno;
	}
	if (good && renameat(directory, temporary, directory, name) == 0)
		return true;
	if (good)
		reason = errno;
	unlinkat(directory, temporary, 0);
	errno = reason;
	return false;
}

/*
 * Make sure that the file exists with this content, and set its modification time to now: the sweep
 * removes files by that time. False with errno.
 */
static bool provide(
	const struct ta_files *ta_files, const char *name, const char *content, size_t size)
{
	int directory = open(ta_files->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return false;
	bool good = (is_there(directory, name, content, size) ||
			    write_file(directory, name, content, size)) &&
		    utimensat(directory, name, NULL, AT_SYMLINK_NOFOLLOW) == 0;
	int reason = errno;
	close(directory);
	errno = reason;
	return good;
}

static void note_result(struct ta_files *ta_files, bool good)
{
	if (!good && !ta_files->complained)
		log_error("cannot write trust anchors to [dane] tafile_dir = %s: %s; until this "
			  "works, replies that need them are those of the map native",
			ta_files->directory, strerror(errno));
	else if (good && ta_files->complained)
		log_notice("trust anchors can be written to %s again", ta_files->directory);
	ta_files->complained = !good;
}

void ta_files_make(struct ta_files *ta_files, struct ta_file_finding *finding,
	const struct ta_file_ta *tas, size_t count, uint32_t now, uint32_t until)
{
	char name[TA_FILE_NAME_SIZE], *bytes;
	BIO *content = make_content(tas, count);
	bool good = false;

	if (content != NULL) {
		long size = BIO_get_mem_data(content, &bytes);
		errno = ENOMEM;
		if (EVP_Digest(bytes, (size_t)size, finding->digest, NULL, EVP_sha256(), NULL) ==
			1) {
			file_name(name, finding->digest);
			good = provide(ta_files, name, bytes, (size_t)size);
		}
		note_result(ta_files, good);
		BIO_free(content);
	}
	finding->obstacle = PIN_CLEAR;
	if (good)
		know(ta_files, finding, until < now + TA_FILE_TRUST ? until : now + TA_FILE_TRUST);
	else
		ta_files_refuse(ta_files, finding, PIN_NOT_WRITTEN, now + TA_FILE_RETRY_INTERVAL);
}

static bool is_ours(const char *name)
{
	return strlen(name) == TA_FILE_NAME_SIZE - 1 &&
	       strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 &&
	       strcmp(name + TA_FILE_NAME_SIZE - sizeof SUFFIX, SUFFIX) == 0;
}

void ta_files_sweep(struct ta_files *ta_files, uint32_t now, uint32_t unused)
{
	DIR *directory = opendir(ta_files->directory);
	struct dirent *entry;

	/* ta_files_make() logs errors of the directory. */
	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		bool ours = is_ours(entry->d_name);
		bool temporary = strncmp(entry->d_name, TEMPORARY, sizeof TEMPORARY - 1) == 0;
		struct stat found;

		if ((!ours && !temporary) ||
			fstatat(dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		int64_t age = (int64_t)now - (int64_t)found.st_mtime;
		if (age > (ours ? (int64_t)unused : LEFTOVER_AGE_MAX))
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
}
