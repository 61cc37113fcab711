/*
 * terminal: rows by table, narrow, wide and without a width: nothing is lost, no line is longer
 * than the terminal but for a word that is, and what goes on is under the text's beginning.
 */
#include "daemon/ctl/frame/terminal.h"

#include "t/unit/tap.h"

static const struct {
	const char *name;
	unsigned width, indent, label_width;
	bool colour;
	const char *label, *text, *expected;
} rows[] = {
	{"a line", 0, 0, 8, false, "label", "some words", "label    some words\n"},
	{"indented", 0, 4, 8, false, "label", "some words", "    label    some words\n"},
	{"a label that is longer", 0, 0, 3, false, "label", "some words", "label some words\n"},
	{"without words", 0, 2, 8, false, "label", "", "  label\n"},
	{"without a label", 0, 2, 0, false, "", "some words", "  some words\n"},
	{"without a width nothing is broken", 0, 0, 0, false, "",
		"one two three four five six seven eight nine ten eleven twelve",
		"one two three four five six seven eight nine ten eleven twelve\n"},
	{"broken at a blank, under the text", 40, 2, 5, false, "label",
		"one two three four five six seven eight nine ten",
		"  label one two three four five six\n        seven eight nine ten\n"},
	{"as much as fits", 40, 2, 5, false, "label", "12345678901234567890123456789012 x",
		"  label 12345678901234567890123456789012\n        x\n"},
	{"a word that is too long stays whole", 40, 2, 5, false, "label",
		"123456789012345678901234567890123 x",
		"  label 123456789012345678901234567890123\n        x\n"},
	{"no room for words", 40, 2, 30, false, "label", "one two three four five six",
		"  label                          one two three four five six\n"},
	{"colour", 0, 0, 5, true, "bad", "words", "\033[1;31mbad\033[0m   words\n"},
};

static void print_row(const struct terminal *terminal, size_t row)
{
	terminal_print_row(terminal, rows[row].indent, TERMINAL_BAD, rows[row].label,
		rows[row].label_width, "%s", rows[row].text);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *bytes = NULL;
		size_t size = 0;
		struct terminal terminal = {.width = rows[i].width, .colour = rows[i].colour};

		terminal.out = open_memstream(&bytes, &size);
		print_row(&terminal, i);
		fclose(terminal.out);
		is_string(bytes, rows[i].expected, "%s", rows[i].name);
		free(bytes);
	}
}

static void test_long(void)
{
	static char words[TERMINAL_LINE_MAX + 100];
	char *bytes = NULL;
	size_t size = 0;
	struct terminal terminal = {.width = 0};

	memset(words, 'x', sizeof words - 1);
	terminal.out = open_memstream(&bytes, &size);
	terminal_print_row(&terminal, 0, TERMINAL_PLAIN, "", 0, "%s", words);
	fclose(terminal.out);
	is_number((int64_t)size, TERMINAL_LINE_MAX, "a text that is too long is cut");
	is_string(bytes + size - 5, "x...\n", "and that is visible");
	free(bytes);
}

static void test_files(void)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&bytes, &size);
	struct terminal terminal;

	setenv("TERM", "xterm", 1);
	terminal_open(&terminal, out);
	ok(!terminal.colour && terminal.width == 0,
		"what is not a terminal has no colour and no width");
	fclose(out);
	free(bytes);
}

int main(void)
{
	test_rows();
	test_long();
	test_files();
	return done_testing();
}
