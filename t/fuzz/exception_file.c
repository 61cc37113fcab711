/*
 * Changes of an exception in a file of any content. The input is a byte (0: remove), the key and
 * the value, each with a NUL byte at its end, then the file.
 */
#include "daemon/ctl/exception/exception_file.h"

#include "common/site/rules.h"
#include "t/fuzz/fuzz.h"

static char directory[FUZZ_DIRECTORY_SIZE], path[FUZZ_DIRECTORY_SIZE + 16];

static void remove_directory(void)
{
	fuzz_remove_directory(directory);
}

/* A private directory, because the new file is written beside the old one. */
static void make_directory(void)
{
	if (path[0] != '\0')
		return;
	fuzz_make_directory(directory);
	snprintf(path, sizeof path, "%s/exceptions", directory);
	atexit(remove_directory);
}

static void write_file(const void *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static char *read_file(size_t *size)
{
	FILE *file = fopen(path, "r");
	struct stat status;

	CHECK(file != NULL && fstat(fileno(file), &status) == 0);
	char *bytes = malloc((size_t)status.st_size + 1);
	CHECK(bytes != NULL);
	*size = fread(bytes, 1, (size_t)status.st_size, file);
	fclose(file);
	return bytes;
}

/* Look up the key's exception in the file. False when the file cannot be read. */
static bool find(const char *key, struct exception_terms *terms, size_t *count)
{
	char error[RULES_ERROR_SIZE];
	struct rules *rules = rules_new();
	struct exception *exception;
	bool good = rules_read(rules, path, true, rules_add_exception, error);

	terms->level = TLS_LEVEL_COUNT;
	*count = rules_exception_count(rules);
	for (size_t i = 0; (exception = rules_exception(rules, i)) != NULL; i++) {
		if (strcmp(exception->key, key) == 0)
			*terms = (struct exception_terms){exception->level, exception->until, ""};
	}
	rules_free(rules);
	return good;
}

static void check_change(const char *key, const char *value, const struct exception_terms *wanted)
{
	struct exception_terms before, after;
	char error[RULES_ERROR_SIZE] = "";
	size_t size, size_again, count_before, count_after;
	bool good = find(key, &before, &count_before);
	char *old = read_file(&size);

	enum exception_change change = exception_file_change(path, key, value, error);
	CHECK(change != EXCEPTION_FAILED && error[0] == '\0');
	CHECK(value == NULL || change == EXCEPTION_ADDED || change == EXCEPTION_REPLACED);
	char *fresh = read_file(&size_again);
	if (change == EXCEPTION_ABSENT)
		CHECK(size == size_again && memcmp(old, fresh, size) == 0);
	free(fresh);
	if (good) {
		CHECK(find(key, &after, &count_after));
		CHECK((change == EXCEPTION_REMOVED || change == EXCEPTION_REPLACED) ==
			(before.level != TLS_LEVEL_COUNT));
		CHECK(count_after ==
			count_before + (change == EXCEPTION_ADDED) - (change == EXCEPTION_REMOVED));
		if (value != NULL)
			CHECK(after.level == wanted->level && after.until == wanted->until);
		else
			CHECK(after.level == TLS_LEVEL_COUNT);
	}
	free(old);
	/* The same change again changes nothing. */
	old = read_file(&size);
	change = exception_file_change(path, key, value, error);
	CHECK(change == (value == NULL ? EXCEPTION_ABSENT : EXCEPTION_REPLACED));
	fresh = read_file(&size_again);
	CHECK(size == size_again && memcmp(old, fresh, size) == 0);
	free(old);
	free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = {bytes, bytes + size};
	bool removes = fuzz_u8(&input) == 0;
	char normal[RULES_KEY_SIZE], error[RULES_ERROR_SIZE], words[EXCEPTION_ERROR_SIZE];
	char printed[EXCEPTION_REASON_MAX + 64];
	struct exception_terms terms;
	struct text text;

	make_directory();
	char *key = fuzz_next_string(&input), *value = fuzz_next_string(&input);
	/* As tlsactl does: the key in its normal form, the value as exception_print() writes it. */
	if (rules_key(key, normal, error) && strcmp(normal, "*") != 0 &&
		exception_parse(value, &terms, words)) {
		text_init(&text, printed, sizeof printed);
		exception_print(&terms, &text);
		write_file(input.at, fuzz_left(&input));
		check_change(normal, removes ? NULL : printed, &terms);
	}
	free(key);
	free(value);
	return 0;
}
