/*
 * Trust anchors: the file that an administrator names and, after a NUL byte, the state that an
 * earlier run has stored (RFC 5011). In the state `@SEED@` stands for the digest of the root's
 * records, and `@STATE@` for that of what follows; no fuzzer would find these.
 */
#include "common/dns/root_anchor.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/ctl/doctor/root_anchor.h"
#include "t/fuzz/fuzz.h"

#include <openssl/evp.h>

static char directory[FUZZ_DIRECTORY_SIZE], state_path[FUZZ_DIRECTORY_SIZE + 16];

static void remove_directory(void)
{
	fuzz_remove_directory(directory);
}

static void make_directory(void)
{
	if (directory[0] != '\0')
		return;
	log_open("fuzz", LOG_TARGET_STDERR, LOG_LEVEL_ERROR);
	fuzz_make_directory(directory);
	snprintf(state_path, sizeof state_path, "%s/root.key", directory);
	/* The working copy is made there as well. */
	setenv("RUNTIME_DIRECTORY", directory, 1);
	atexit(remove_directory);
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat status;

	CHECK(file != NULL && fstat(fileno(file), &status) == 0);
	char *text = calloc(1, (size_t)status.st_size + 1);
	CHECK(text != NULL);
	CHECK(fread(text, 1, (size_t)status.st_size, file) == (size_t)status.st_size);
	fclose(file);
	return text;
}

static void add_digest(struct text *text, const char *of)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size = 0;

	CHECK(EVP_Digest(of, strlen(of), digest, &size, EVP_sha256(), NULL) == 1);
	text_add_hex(text, digest, size);
}

/* After two lines, as the state has them before what was learned. */
static const char *after_head(const char *state)
{
	for (int line = 0; line < 2; line++) {
		state += strcspn(state, "\n");
		state += *state == '\n';
	}
	return state;
}

static void write_state(const char *state, const char *root_records)
{
	size_t room = strlen(state) * 10 + 200;
	char *bytes = malloc(room);
	struct text text;

	CHECK(bytes != NULL);
	text_init(&text, bytes, room);
	for (const char *at = state; *at != '\0'; at++) {
		if (strncmp(at, "@SEED@", 6) == 0) {
			add_digest(&text, root_records);
			at += 5;
		} else if (strncmp(at, "@STATE@", 7) == 0) {
			add_digest(&text, after_head(state));
			at += 6;
		} else {
			text_add_bytes(&text, at, 1);
		}
	}
	FILE *file = fopen(state_path, "w");
	CHECK(file != NULL && fwrite(bytes, 1, text.used, file) == text.used);
	CHECK(fclose(file) == 0);
	free(bytes);
}

static void check_keys(const char *text)
{
	struct anchor_key keys[ANCHOR_KEYS_MAX];

	CHECK(anchor_keys_read(text, keys) <= ANCHOR_KEYS_MAX);
}

/* What libunbound will read: the state, if it may be used, or the root's records of the seed. */
static void check_anchors(struct root_anchors *anchors, const char *state)
{
	const char *tracked = root_anchor_tracked_file(anchors);
	size_t count = 0;
	const char *const *others = root_anchor_others(anchors, &count);

	CHECK(tracked != NULL || count > 0);
	for (size_t i = 0; i < count; i++)
		CHECK(others[i][0] != '\0' && strchr(others[i], '\n') == NULL);
	if (tracked == NULL)
		return;
	char *text = read_whole(tracked);
	CHECK(text[0] != '\0');
	check_keys(text);
	if (root_anchor_state(anchors) == ROOT_ANCHOR_STATE_USED && strchr(state, '@') == NULL)
		CHECK(strcmp(text, after_head(state)) == 0);
	free(text);
	root_anchor_keep(anchors);
	bool used = root_anchor_state(anchors) == ROOT_ANCHOR_STATE_USED;
	CHECK(root_anchor_reset(anchors) == used);
	CHECK(root_anchor_state(anchors) != ROOT_ANCHOR_STATE_USED);
}

/* The root's records as they are used, of a seed that can be read; NULL for another. */
static char *root_records(const char *seed_path)
{
	char error[512], *records = NULL;

	unlink(state_path);
	struct root_anchors *anchors = root_anchor_open(seed_path, directory, error, sizeof error);
	if (anchors == NULL) {
		CHECK(fuzz_is_line(error, sizeof error));
		return NULL;
	}
	const char *tracked = root_anchor_tracked_file(anchors);
	records = tracked != NULL ? read_whole(tracked) : fuzz_string("", 0);
	root_anchor_close(anchors);
	return records;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = {bytes, bytes + size};
	char error[512] = "";
	struct fuzz_file file;

	make_directory();
	char *seed = fuzz_next_string(&input), *state = fuzz_next_string(&input);
	check_keys(seed);
	check_keys(state);
	fuzz_file_open(&file, seed, strlen(seed));
	char *records = root_records(file.path);
	if (records != NULL) {
		write_state(state, records);
		struct root_anchors *anchors =
			root_anchor_open(file.path, directory, error, sizeof error);
		CHECK(anchors != NULL);
		check_anchors(anchors, state);
		root_anchor_close(anchors);
	}
	free(records);
	fuzz_file_close(&file);
	free(seed);
	free(state);
	return 0;
}
