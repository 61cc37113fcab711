/*
 * Files of rules and of submitters: a byte that chooses what the file is, then its lines.
 */
#include "common/site/rules.h"

#include "common/site/minimum.h"
#include "common/site/submitters.h"
#include "t/fuzz/fuzz.h"

enum { NOW = 1800000000 };

/* The words name the file; a line of it, unless the file as a whole is refused. */
static void check_error(const char *error, size_t room, const char *path)
{
	CHECK(fuzz_is_line(error, room) && strncmp(error, path, strlen(path)) == 0);
}

static bool read_rules(struct rules **rules, const char *path, rules_adder *add)
{
	char error[RULES_ERROR_SIZE] = "";

	*rules = rules_new();
	CHECK(*rules != NULL);
	if (rules_read(*rules, path, true, add, error))
		return true;
	check_error(error, sizeof error, path);
	return false;
}

static void check_key(const struct rules *rules, const char *key)
{
	char normal[RULES_KEY_SIZE], error[RULES_ERROR_SIZE], below[RULES_KEY_SIZE + 2];
	struct ruling ruling;

	CHECK(rules_key(key, normal, error) && strcmp(key, normal) == 0);
	rules_find_key(rules, key, NOW, &ruling);
	CHECK(ruling.minimum_key != NULL || ruling.exception != NULL || ruling.ended != NULL);
	CHECK(ruling.minimum < MINIMUM_COUNT);
	if (strcmp(key, "*") == 0)
		return;
	/* The name itself has just this rule; so does a name below a key that begins with a dot. */
	snprintf(below, sizeof below, "%s%s", key[0] == '.' ? "x" : "", key);
	rules_find(rules, below, strlen(below), NOW, &ruling);
	if (ruling.minimum_key != NULL && strcmp(ruling.minimum_key, key) != 0)
		/* Another one is only stronger where this key has no minimum of its own. */
		CHECK(ruling.exception != NULL || ruling.ended != NULL || key[0] == '.');
}

static void check_exception(const struct exception *exception)
{
	struct exception_terms terms = {exception->level, exception->until, exception->reason},
			       again;
	char words[EXCEPTION_REASON_MAX + 64], error[EXCEPTION_ERROR_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	exception_print(&terms, &text);
	CHECK(!text.cut && exception_parse(words, &again, error));
	CHECK(again.level == terms.level && again.until == terms.until &&
		strcmp(again.reason, terms.reason) == 0);
	CHECK(text_is_showable(exception->reason));
}

static void check_rules_file(const char *path, rules_adder *add)
{
	struct rules *rules, *again;
	enum minimum_level minimum;
	struct rule_place place;
	const struct exception *exception;
	const char *key;

	if (read_rules(&rules, path, add)) {
		CHECK(rules_minimum_count(rules) + rules_exception_count(rules) ==
			rules_key_count(rules));
		for (size_t i = 0; i < rules_key_count(rules); i++) {
			if (rules_minimum(rules, i, &key, &minimum, &place)) {
				CHECK(minimum < MINIMUM_COUNT && place.line > 0);
				check_key(rules, key);
			}
		}
		for (size_t i = 0; (exception = rules_exception(rules, i)) != NULL; i++) {
			check_exception(exception);
			check_key(rules, exception->key);
		}
		CHECK(read_rules(&again, path, add));
		CHECK(rules_same_minimums(rules, again) && rules_same_exceptions(rules, again));
		rules_inherit(again, rules);
		rules_free(again);
	}
	rules_free(rules);
}

/* An entry of the file: whoever it names is in the list. */
static void check_submitters(const char *path, enum submitters_list list, const char *lines)
{
	char entry[64], error[SUBMITTERS_ERROR_SIZE] = "";
	struct submitters *submitters = submitters_new();
	size_t size = strcspn(lines, "\n");
	struct submitter person = {.sender = "a@b.example", .sender_size = 11};

	CHECK(submitters != NULL);
	snprintf(entry, sizeof entry, "file:%s", path);
	CHECK(submitters_check(list, entry, error));
	bool read = submitters_add(submitters, list, entry, error);
	if (!read)
		check_error(error, sizeof error, path);
	submitters_has(submitters, &person);
	/* The first line, as if it stood in the configuration. */
	char *line = fuzz_string(lines, size);
	if (list == SUBMITTERS_SASL_USERNAMES && read && size > 0 &&
		strpbrk(line, " \t\r#;") == NULL && strncmp(line, "file:", 5) != 0) {
		person = (struct submitter){.sasl_username = line, .sasl_username_size = size};
		CHECK(submitters_has(submitters, &person));
	}
	if (strncmp(line, "file:", 5) != 0 && !submitters_add(submitters, list, line, error))
		CHECK(fuzz_is_line(error, sizeof error));
	free(line);
	submitters_free(submitters);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = {bytes, bytes + size};
	unsigned choice = fuzz_u8(&input) % 5;
	struct fuzz_file file;
	struct exception_terms terms;
	char error[EXCEPTION_ERROR_SIZE] = "";

	fuzz_file_open(&file, input.at, fuzz_left(&input));
	char *lines = fuzz_string(input.at, fuzz_left(&input));
	if (choice == 0)
		check_rules_file(file.path, rules_add_minimum);
	else if (choice == 1)
		check_rules_file(file.path, rules_add_exception);
	else
		check_submitters(file.path, (enum submitters_list)(choice - 2), lines);
	if (!exception_parse(lines, &terms, error))
		CHECK(fuzz_is_line(error, sizeof error) || strchr(lines, '\n') != NULL);
	free(lines);
	fuzz_file_close(&file);
	return 0;
}
