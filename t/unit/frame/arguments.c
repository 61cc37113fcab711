/*
 * arguments: what every kind of option takes and refuses, wherever it is.
 */
#include "daemon/ctl/frame/arguments.h"

#include "t/unit/tap.h"

#include <fcntl.h>
#include <unistd.h>

enum { WORDS_MAX = 8 };

static const char *const choices[] = {"red", "green", NULL};

struct target {
	bool flag;
	const char *text;
	uint32_t number;
	int choice;
	struct argument_address address;
};

static const struct {
	const char *words[WORDS_MAX];
	int status;
	const char *operand;
	struct target target;
	bool json;
} rows[] = {
	{{"name"}, ARGUMENTS_GO_ON, "name", {0}, false},
	{{"--flag", "name"}, ARGUMENTS_GO_ON, "name", {.flag = true}, false},
	{{"name", "--flag"}, ARGUMENTS_GO_ON, "name", {.flag = true}, false},
	{{"-f", "name"}, ARGUMENTS_GO_ON, "name", {.flag = true}, false},
	{{"--fl", "name"}, ARGUMENTS_GO_ON, "name", {.flag = true}, false},
	{{"--text", "word", "name"}, ARGUMENTS_GO_ON, "name", {.text = "word"}, false},
	{{"--text=word", "name"}, ARGUMENTS_GO_ON, "name", {.text = "word"}, false},
	{{"-tword", "name"}, ARGUMENTS_GO_ON, "name", {.text = "word"}, false},
	{{"--text", "--flag", "name"}, ARGUMENTS_GO_ON, "name", {.text = "--flag"}, false},
	{{"--number", "7", "name"}, ARGUMENTS_GO_ON, "name", {.number = 7}, false},
	{{"--number", "4294967295", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--number", "4", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--number", "5", "name"}, ARGUMENTS_GO_ON, "name", {.number = 5}, false},
	{{"--number", "10", "name"}, ARGUMENTS_GO_ON, "name", {.number = 10}, false},
	{{"--number", "11", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--number", "-7", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--number", "7s", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--number", "", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--number", "18446744073709551623", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--choice", "green", "name"}, ARGUMENTS_GO_ON, "name", {.choice = 1}, false},
	{{"--choice", "blue", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--address", "name"}, ARGUMENTS_GO_ON, "name", {.address = {true, NULL}}, false},
	{{"name", "--address"}, ARGUMENTS_GO_ON, "name", {.address = {true, NULL}}, false},
	{{"--address", "192.0.2.1", "name"}, ARGUMENTS_GO_ON, "name",
		{.address = {true, "192.0.2.1"}}, false},
	{{"--address", "2001:db8::1", "name"}, ARGUMENTS_GO_ON, "name",
		{.address = {true, "2001:db8::1"}}, false},
	{{"name", "--address", "192.0.2.1"}, ARGUMENTS_GO_ON, "name",
		{.address = {true, "192.0.2.1"}}, false},
	{{"--address=any", "name"}, ARGUMENTS_GO_ON, "name", {.address = {true, "any"}}, false},
	{{"--json", "name"}, ARGUMENTS_GO_ON, "name", {0}, true},
	{{"--", "--json"}, ARGUMENTS_GO_ON, "--json", {0}, false},
	{{"--help"}, CTL_YES, NULL, {0}, false},
	{{"--flag=1", "name"}, EX_USAGE, NULL, {0}, false},
	{{"--unknown", "name"}, EX_USAGE, NULL, {0}, false},
	{{"-u", "name"}, EX_USAGE, NULL, {0}, false},
	{{"name", "--text"}, EX_USAGE, NULL, {0}, false},
	{{"name", "-t"}, EX_USAGE, NULL, {0}, false},
	{{NULL}, EX_USAGE, NULL, {0}, false},
	{{"name", "other"}, EX_USAGE, NULL, {0}, false},
	/* Versions are printed by the program, not by a command. */
	{{"-V", "name"}, EX_USAGE, NULL, {0}, false},
};

/* The same words for a command with an optional operand, and for one without operands. */
static const struct {
	const char *words[3];
	int optional;
	const char *operand;
	int none;
} operands[] = {
	{{NULL}, ARGUMENTS_GO_ON, NULL, ARGUMENTS_GO_ON},
	{{"name", NULL}, ARGUMENTS_GO_ON, "name", EX_USAGE},
	{{"--json", NULL}, ARGUMENTS_GO_ON, NULL, ARGUMENTS_GO_ON},
	{{"name", "other", NULL}, EX_USAGE, NULL, EX_USAGE},
};

static bool same(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool equal(const struct target *one, const struct target *other)
{
	return one->flag == other->flag && same(one->text, other->text) &&
	       one->number == other->number && one->choice == other->choice &&
	       one->address.given == other->address.given &&
	       same(one->address.text, other->address.text);
}

static int parse(size_t row, struct ctl *ctl, struct target *target, const char **operand)
{
	static const struct command command = {"command", "summary", "NAME [OPTION]...", NULL};
	const struct argument table[] = {
		{"flag", 'f', ARGUMENT_FLAG, NULL, "", &target->flag, 0, 0, NULL},
		{"text", 't', ARGUMENT_TEXT, "WORD", "", &target->text, 0, 0, NULL},
		{"number", 0, ARGUMENT_NUMBER, "N", "", &target->number, 5, 10, NULL},
		{"choice", 0, ARGUMENT_CHOICE, "red|green", "", &target->choice, 0, 0, choices},
		{"address", 0, ARGUMENT_ADDRESS, "ADDR", "", &target->address, 0, 0, NULL},
	};
	char *words[WORDS_MAX + 2] = {(char *)(uintptr_t) "command"};
	int count = 1;

	while (count <= WORDS_MAX && rows[row].words[count - 1] != NULL) {
		words[count] = (char *)(uintptr_t)rows[row].words[count - 1];
		count++;
	}
	return arguments_parse(
		ctl, &command, table, sizeof table / sizeof table[0], count, words, operand);
}

static void test_operands(size_t row)
{
	static const struct command command = {"command", "summary", "[NAME]", NULL};
	char *words[4] = {(char *)(uintptr_t) "command"};
	struct ctl ctl = {.json = false};
	const char *operand = NULL;
	int count = 1;

	for (; operands[row].words[count - 1] != NULL; count++)
		words[count] = (char *)(uintptr_t)operands[row].words[count - 1];
	int status = arguments_parse_optional(&ctl, &command, NULL, 0, count, words, &operand);
	ok(status == operands[row].optional && same(operand, operands[row].operand),
		"operand that may be left away, row %zu", row);
	status = arguments_parse(&ctl, &command, NULL, 0, count, words, NULL);
	ok(status == operands[row].none, "no operand, row %zu", row);
}

int main(void)
{
	/* The usage and help texts are not TAP, so they must not be in this test's output. */
	int standard = dup(STDOUT_FILENO), nowhere = open("/dev/null", O_WRONLY);

	dup2(nowhere, STDERR_FILENO);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ctl ctl = {.json = false};
		struct target target = {.flag = false};
		const char *operand = NULL;

		fflush(stdout);
		dup2(nowhere, STDOUT_FILENO);
		int status = parse(i, &ctl, &target, &operand);
		fflush(stdout);
		dup2(standard, STDOUT_FILENO);
		bool good = status == rows[i].status && same(operand, rows[i].operand);
		if (status == ARGUMENTS_GO_ON)
			good = good && equal(&target, &rows[i].target) && ctl.json == rows[i].json;
		ok(good, "%s %s", rows[i].words[0] != NULL ? rows[i].words[0] : "(nothing)",
			rows[i].words[0] != NULL && rows[i].words[1] != NULL ? rows[i].words[1]
									     : "");
	}
	for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++)
		test_operands(i);
	close(nowhere);
	close(standard);
	return done_testing();
}
