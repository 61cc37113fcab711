#include "common/dns/root_anchor.h"

#include "common/base/log.h"
#include "common/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FILE_MAX = 64 * 1024, /* of a file of trust anchors, usually a few hundred bytes */
	OTHERS_MAX = 64,      /* trust anchors of other zones than the root */
	PATH_SIZE = 4096,
	DIGEST_SIZE = 2 * 32 + 1, /* SHA-256 in hexadecimal */
	MARK_SIZE = 256,
	LEFTOVER_AGE = 10, /* of a directory before it may be removed [s] */
};

/* https://data.iana.org/root-anchors/root-anchors.xml: KSK-2017 and KSK-2024. */
static const char built_in[] =
	". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
	". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

/*
 * The first two lines of a stored state: the digest of the seed that it was made from, and the
 * digest of all bytes after these lines. libunbound reads them as comments.
 */
#define MARK "; tlsad: grown from seed "
#define MARK_STATE "\n; tlsad: what follows has the digest "

struct root_anchors {
	char directory[PATH_SIZE]; /* of the working copy, private */
	int lock;                  /* flock(2) on the directory, held while we run */
	char working[PATH_SIZE];
	char state[PATH_SIZE];
	char seed_digest[DIGEST_SIZE];
	char *root_seed; /* the records of the root in the seed */
	char *kept;      /* the state file without its first two lines; NULL: none */
	enum root_anchor_state found;
	bool complained;
	size_t other_count;
	char *others[OTHERS_MAX];
};

/* A whole small file as a string, or NULL with errno; EFBIG: it has more than FILE_MAX bytes. */
static char *read_file(const char *path)
{
	char *bytes = NULL;
	/* Without O_NONBLOCK, open(2) of a pipe waits for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	bytes = malloc(FILE_MAX + 1);
	size_t used = 0;
	ssize_t got = 1;
	while (bytes != NULL && got > 0 && used <= FILE_MAX) {
		got = read(fd, bytes + used, FILE_MAX + 1 - used);
		if (got > 0)
			used += (size_t)got;
	}
	if (bytes != NULL && used > FILE_MAX)
		errno = EFBIG;
	if (bytes != NULL && (got < 0 || used > FILE_MAX)) {
		free(bytes);
		bytes = NULL;
	}
	if (bytes != NULL)
		bytes[used] = '\0';
	int saved = errno;
	close(fd);
	errno = saved;
	return bytes;
}

/* Atomically: a reader sees either the old or the new file. */
static bool write_file(const char *path, const char *head, const char *body)
{
	char fresh[PATH_SIZE + 8];

	snprintf(fresh, sizeof fresh, "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	bool good = write(fd, head, strlen(head)) == (ssize_t)strlen(head) &&
		    write(fd, body, strlen(body)) == (ssize_t)strlen(body) && fsync(fd) == 0;
	good = close(fd) == 0 && good && rename(fresh, path) == 0;
	if (!good) {
		int saved = errno;
		unlink(fresh);
		errno = saved;
	}
	return good;
}

/*
 * OWNER [TTL] [CLASS] DS|DNSKEY NUMBER NUMBER NUMBER DATA: enough to reject garbage and records
 * that continue on the next line. libunbound checks the rest.
 */
static bool is_record(const char *line, size_t size)
{
	char copy[4096], *rest = NULL;
	unsigned numbers = 0;
	bool typed = false;

	if (size >= sizeof copy || memchr(line, '\0', size) != NULL ||
		memchr(line, '(', size) != NULL)
		return false;
	memcpy(copy, line, size);
	copy[size] = '\0';
	strtok_r(copy, " \t", &rest);
	for (char *word = strtok_r(NULL, " \t", &rest); word != NULL;
		word = strtok_r(NULL, " \t", &rest)) {
		if (typed && numbers == 3)
			return true;
		if (typed && word[strspn(word, "0123456789")] != '\0')
			return false;
		numbers += typed;
		typed = typed || strcasecmp(word, "DS") == 0 || strcasecmp(word, "DNSKEY") == 0;
	}
	return false;
}

/* A line that begins with a blank would have the owner of the line before; it is refused. */
static bool sort_line(
	struct root_anchors *anchors, const char *line, size_t length, struct text *root)
{
	const char *comment = memchr(line, ';', length);
	size_t size = comment != NULL ? (size_t)(comment - line) : length;

	while (size > 0 && strchr(" \t\r", line[size - 1]) != NULL)
		size--;
	if (size == 0)
		return true;
	if (line[0] == ' ' || line[0] == '\t' || !is_record(line, size))
		return false;
	if (line[0] == '.' && size > 1 && (line[1] == ' ' || line[1] == '\t')) {
		text_add_bytes(root, line, size);
		text_add(root, "\n");
		return true;
	}
	if (anchors->other_count == OTHERS_MAX)
		return false;
	char *other = strndup(line, size);
	if (other == NULL)
		return false;
	anchors->others[anchors->other_count++] = other;
	return true;
}

static bool sort_seed(struct root_anchors *anchors, const char *seed, const char *file, char *error,
	size_t error_size)
{
	struct text root;
	unsigned number = 1;

	anchors->root_seed = malloc(FILE_MAX + 2);
	if (anchors->root_seed == NULL) {
		snprintf(error, error_size, "out of memory");
		return false;
	}
	text_init(&root, anchors->root_seed, FILE_MAX + 2);
	for (const char *line = seed; *line != '\0'; number++) {
		size_t length = strcspn(line, "\n");
		if (!sort_line(anchors, line, length, &root)) {
			snprintf(error, error_size,
				"%.200s:%u: expected one DS or DNSKEY record per line that begins "
				"with its owner name, at most %d for zones below the root",
				file, number, OTHERS_MAX);
			return false;
		}
		line += length + (line[length] == '\n');
	}
	if (root.used == 0 && anchors->other_count == 0) {
		snprintf(error, error_size,
			"%.200s contains no trust anchor; add DS or DNSKEY records, or remove the file to "
			"use the built-in root keys",
			file);
		return false;
	}
	return true;
}

static bool make_digest(const char *string, char out[DIGEST_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	struct text text;

	if (EVP_Digest(string, strlen(string), digest, &size, EVP_sha256(), NULL) != 1)
		return false;
	text_init(&text, out, DIGEST_SIZE);
	text_add_hex(&text, digest, size);
	return true;
}

static bool make_mark(const struct root_anchors *anchors, const char *learned, char mark[MARK_SIZE])
{
	char digest[DIGEST_SIZE];

	if (!make_digest(learned, digest))
		return false;
	snprintf(mark, MARK_SIZE, MARK "%s" MARK_STATE "%s\n", anchors->seed_digest, digest);
	return true;
}

/*
 * If the keys were revoked (RFC 5011 2.1), libunbound writes a line with ";;REVOKED" instead of
 * usable keys.
 */
static bool holds_key(const char *learned)
{
	return strstr(learned, ";;REVOKED") == NULL &&
	       (strstr(learned, "DNSKEY") != NULL || strstr(learned, "DS") != NULL);
}

void root_anchor_warn(const struct root_anchors *anchors)
{
	log_warning("%s cannot be used: starting from the configured trust anchor", anchors->state);
}

/* Load the keys of an earlier run, unless the seed has changed since or the file is damaged. */
static void load_state(struct root_anchors *anchors)
{
	char *state = read_file(anchors->state);
	char mark[MARK_SIZE];
	size_t length = strlen(MARK) + strlen(anchors->seed_digest);

	if (state == NULL) {
		anchors->found = errno == ENOENT || errno == ENOTDIR ? ROOT_ANCHOR_STATE_NONE
				 : errno == EFBIG                    ? ROOT_ANCHOR_STATE_DAMAGED
								     : ROOT_ANCHOR_STATE_UNREADABLE;
		if (anchors->found == ROOT_ANCHOR_STATE_DAMAGED)
			root_anchor_warn(anchors);
		return;
	}
	const char *learned = state;
	for (int line = 0; line < 2; line++) {
		learned += strcspn(learned, "\n");
		learned += *learned == '\n';
	}
	if (strncmp(state, MARK, strlen(MARK)) == 0 && strlen(state) > length &&
		strncmp(state + strlen(MARK), anchors->seed_digest, strlen(anchors->seed_digest)) !=
			0) {
		log_notice("the trust anchor has changed: discarding the old state in %s",
			anchors->state);
		anchors->found = ROOT_ANCHOR_STATE_OLD;
	} else if (!make_mark(anchors, learned, mark) || strncmp(state, mark, strlen(mark)) != 0 ||
		   !holds_key(learned)) {
		anchors->found = ROOT_ANCHOR_STATE_DAMAGED;
		root_anchor_warn(anchors);
	} else {
		anchors->kept = strdup(learned);
		anchors->found = anchors->kept != NULL ? ROOT_ANCHOR_STATE_USED
						       : ROOT_ANCHOR_STATE_UNREADABLE;
	}
	free(state);
}

#define WORKING_PREFIX "tlsad-anchor-"
#define WORKING_FILE "root.key"

/* libunbound writes a new file `root.key.NUMBERS` in the same directory and renames it. */
static void remove_working_files(int directory)
{
	int fd = dup(directory);
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (listing == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(listing)) != NULL) {
		if (strncmp(entry->d_name, WORKING_FILE, strlen(WORKING_FILE)) == 0)
			unlinkat(directory, entry->d_name, 0);
	}
	closedir(listing);
}

/*
 * Remove the directory of a killed process. A running process holds a lock on its directory; a
 * directory that was made a moment ago may not be locked yet, so its age counts too.
 */
static void sweep_leftover(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && status.st_uid == geteuid() &&
		time(NULL) - status.st_mtime > LEFTOVER_AGE && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		remove_working_files(fd);
		rmdir(path);
	}
	close(fd);
}

static void sweep_place(const char *place)
{
	DIR *listing = opendir(place);
	struct dirent *entry;

	while (listing != NULL && (entry = readdir(listing)) != NULL) {
		char path[PATH_SIZE];
		if (strncmp(entry->d_name, WORKING_PREFIX, strlen(WORKING_PREFIX)) != 0)
			continue;
		snprintf(path, sizeof path, "%.2000s/%.255s", place, entry->d_name);
		sweep_leftover(path);
	}
	if (listing != NULL)
		closedir(listing);
}

static bool own_directory(struct root_anchors *anchors)
{
	if (mkdtemp(anchors->directory) == NULL)
		return false;
	anchors->lock = open(anchors->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return anchors->lock >= 0 && flock(anchors->lock, LOCK_EX | LOCK_NB) == 0;
}

/* Make a private directory, in memory if possible. */
static bool make_directory(struct root_anchors *anchors)
{
	const char *const places[] = {getenv("RUNTIME_DIRECTORY"), "/dev/shm", "/run", "/tmp"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		char place[PATH_SIZE];
		if (places[i] == NULL || places[i][0] != '/')
			continue;
		/* systemd separates several directories by colons (systemd.exec(5)). */
		snprintf(place, sizeof place, "%.*s", (int)strcspn(places[i], ":"), places[i]);
		sweep_place(place);
		snprintf(anchors->directory, sizeof anchors->directory,
			"%.2000s/" WORKING_PREFIX "XXXXXX", place);
		if (own_directory(anchors))
			return true;
	}
	anchors->directory[0] = '\0';
	return false;
}

static bool write_working(struct root_anchors *anchors)
{
	return write_file(
		anchors->working, "", anchors->kept != NULL ? anchors->kept : anchors->root_seed);
}

static bool prepare(
	struct root_anchors *anchors, const char *seed_file, char *error, size_t error_size)
{
	char *seed = read_file(seed_file);

	if (seed == NULL && errno == EFBIG) {
		snprintf(error, error_size,
			"[resolver] trust_anchor = %.200s: the file has more than %d bytes; remove the "
			"records that are not needed",
			seed_file, FILE_MAX);
		return false;
	}
	if (seed == NULL && errno != ENOENT) {
		snprintf(error, error_size,
			"[resolver] trust_anchor = %.200s: cannot read the file: %s; correct its path, or "
			"make it readable for tlsad's account",
			seed_file, strerror(errno));
		return false;
	}
	bool sorted =
		sort_seed(anchors, seed != NULL ? seed : built_in, seed_file, error, error_size);
	if (seed == NULL)
		log_info("%s does not exist: using the built-in root keys as trust anchor",
			seed_file);
	free(seed);
	if (!sorted)
		return false;
	if (anchors->root_seed[0] == '\0')
		return true;
	if (!make_digest(anchors->root_seed, anchors->seed_digest)) {
		snprintf(error, error_size, "OpenSSL cannot compute SHA-256");
		return false;
	}
	load_state(anchors);
	if (!make_directory(anchors)) {
		snprintf(error, error_size,
			"cannot create a directory for the trust anchor's working copy in the runtime "
			"directory, /dev/shm, /run or /tmp: %s",
			strerror(errno));
		return false;
	}
	snprintf(anchors->working, sizeof anchors->working, "%.4000s/" WORKING_FILE,
		anchors->directory);
	if (!write_working(anchors)) {
		snprintf(error, error_size,
			"cannot write the trust anchor's working copy %.200s: %s; "
			"check the permissions and the free space of this directory",
			anchors->working, strerror(errno));
		return false;
	}
	return true;
}

struct root_anchors *root_anchor_open(
	const char *seed_file, const char *state_directory, char *error, size_t error_size)
{
	struct root_anchors *anchors = calloc(1, sizeof *anchors);

	if (anchors == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	anchors->lock = -1;
	snprintf(anchors->state, sizeof anchors->state, "%.4000s/root.key", state_directory);
	if (!prepare(anchors, seed_file, error, error_size)) {
		root_anchor_close(anchors);
		return NULL;
	}
	return anchors;
}

void root_anchor_close(struct root_anchors *anchors)
{
	if (anchors == NULL)
		return;
	if (anchors->directory[0] != '\0') {
		unlink(anchors->working);
		rmdir(anchors->directory);
	}
	if (anchors->lock >= 0)
		close(anchors->lock);
	while (anchors->other_count > 0)
		free(anchors->others[--anchors->other_count]);
	free(anchors->root_seed);
	free(anchors->kept);
	free(anchors);
}

const char *root_anchor_tracked_file(const struct root_anchors *anchors)
{
	return anchors->working[0] != '\0' ? anchors->working : NULL;
}

const char *const *root_anchor_others(const struct root_anchors *anchors, size_t *count)
{
	*count = anchors->other_count;
	return (const char *const *)anchors->others;
}

enum root_anchor_state root_anchor_state(const struct root_anchors *anchors)
{
	return anchors->found;
}

const char *root_anchor_state_file(const struct root_anchors *anchors)
{
	return anchors->state;
}

const char *root_anchor_built_in(void)
{
	return built_in;
}

void root_anchor_keep(struct root_anchors *anchors)
{
	char mark[MARK_SIZE];

	if (anchors->working[0] == '\0')
		return;
	char *learned = read_file(anchors->working);
	if (learned == NULL || (anchors->kept != NULL && strcmp(learned, anchors->kept) == 0)) {
		free(learned);
		return;
	}
	/* As long as the file equals the seed, libunbound has learned nothing. */
	if (strcmp(learned, anchors->root_seed) == 0) {
		free(learned);
		return;
	}
	if (!holds_key(learned) || !make_mark(anchors, learned, mark)) {
		free(learned);
		return;
	}
	if (!write_file(anchors->state, mark, learned)) {
		if (!anchors->complained)
			log_warning(
				"cannot store the root key's state in %s: %s; check the permissions and "
				"the free space of this directory",
				anchors->state, strerror(errno));
		anchors->complained = true;
		free(learned);
		return;
	}
	anchors->complained = false;
	free(anchors->kept);
	anchors->kept = learned;
}

bool root_anchor_reset(struct root_anchors *anchors)
{
	if (anchors->found != ROOT_ANCHOR_STATE_USED)
		return false;
	free(anchors->kept);
	anchors->kept = NULL;
	anchors->found = ROOT_ANCHOR_STATE_DAMAGED;
	return write_working(anchors);
}
