/*
 * Configurations: a file and, each after a NUL byte, what the option -o says. A configuration that
 * was read prints as one that reads the same.
 */
#include "common/conf/conf.h"

#include "t/fuzz/fuzz.h"

enum { OVERRIDES_MAX = 4 };

static bool names_files(const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->entries[i], "file:", 5) == 0)
			return true;
	}
	return false;
}

/* Any file of this host may be named; what rules' files hold is the target `rules`. */
static bool is_alone(const struct conf *conf)
{
	return conf->dane.minimums_file[0] == '\0' && conf->dane.exceptions_file[0] == '\0' &&
	       !names_files(&conf->policy.senders) && !names_files(&conf->policy.sasl_usernames) &&
	       !names_files(&conf->policy.clients);
}

static char *print(const struct conf *conf, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	CHECK(out != NULL);
	conf_print(conf, out);
	CHECK(fclose(out) == 0);
	return text;
}

static void check_printed(const struct conf *conf)
{
	char error[CONF_ERROR_SIZE] = "";
	size_t size = 0, size_again = 0;
	char *text = print(conf, &size);
	struct fuzz_file file;

	fuzz_file_open(&file, text, size);
	struct conf *again = conf_load(file.path, true, NULL, 0, error);
	fuzz_file_close(&file);
	/* A line that was as long as it may be has more blanks now. */
	if (again == NULL && strstr(error, "the line is longer than") != NULL) {
		free(text);
		return;
	}
	if (again == NULL)
		fuzz_fail(__FILE__, __LINE__, error);
	const char *different = conf_difference(conf, again, 0);
	if (different != NULL)
		fuzz_fail(__FILE__, __LINE__, different);
	char *text_again = print(again, &size_again);
	CHECK(size == size_again && memcmp(text, text_again, size) == 0);
	free(text);
	free(text_again);
	conf_release(again);
}

/* Settings that need a restart can be taken from a configuration in force. */
static void check_copied(struct conf *conf)
{
	char error[CONF_ERROR_SIZE];
	struct conf *standard = conf_load("/nonexistent/tlsad.conf", false, NULL, 0, error);

	CHECK(standard != NULL && conf_copy_restart_settings(conf, standard));
	for (size_t n = 0;; n++) {
		const char *setting = conf_difference(conf, standard, n);
		if (setting == NULL)
			break;
		CHECK(conf_reloadable(setting));
	}
	conf_release(standard);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = {bytes, bytes + size};
	char error[CONF_ERROR_SIZE] = "";
	char *overrides[OVERRIDES_MAX];
	size_t count = 0;
	struct fuzz_file file;

	char *text = fuzz_next_string(&input);
	bool one_line = true; /* each override */
	while (count < OVERRIDES_MAX && fuzz_left(&input) > 0) {
		overrides[count] = fuzz_next_string(&input);
		one_line = strchr(overrides[count++], '\n') == NULL && one_line;
	}
	fuzz_file_open(&file, text, strlen(text));
	struct conf *conf = conf_load(file.path, true, overrides, count, error);
	fuzz_file_close(&file);
	if (conf != NULL) {
		/* An option -o may hold bytes that no line of a file can. */
		if (count == 0)
			check_printed(conf);
		if (is_alone(conf) && !conf_load_rules(conf, error))
			CHECK(fuzz_is_line(error, sizeof error) || !one_line);
		check_copied(conf);
		conf_release(conf);
	} else {
		CHECK(fuzz_is_line(error, sizeof error) || !one_line);
	}
	free(text);
	while (count > 0)
		free(overrides[--count]);
	/* A NUL byte in a file is one more thing that inih must survive. */
	fuzz_file_open(&file, bytes, size);
	conf = conf_load(file.path, true, NULL, 0, error);
	fuzz_file_close(&file);
	conf_release(conf);
	return 0;
}
