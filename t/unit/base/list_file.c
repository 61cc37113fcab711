/*
 * list_file: which lines it returns, with which numbers; which lines are errors, with which place;
 * files that cannot be read, and files that must not be read.
 */
#include "common/base/list_file.h"

#include "t/unit/scratch.h"

enum { LENGTH_MAX = 12, ERROR_SIZE = 256 };

static char error[ERROR_SIZE];

static struct list_file list_of(const char *path)
{
	return (struct list_file){
		.name = path,
		.line_max = LENGTH_MAX,
		.too_long = "it is too long",
		.error = error,
		.error_size = sizeof error,
	};
}

/* All lines as `NUMBER:LINE|`; false on an error. */
static bool read_all(struct list_file *list, char *lines, size_t size)
{
	const char *line;

	lines[0] = '\0';
	if (!list_file_open(list))
		return false;
	while ((line = list_file_next(list)) != NULL) {
		size_t used = strlen(lines);

		snprintf(lines + used, size - used, "%u:%s|", list->line, line);
		if (strcmp(line, "wrong") == 0)
			list_file_refuse(list, "it is wrong");
	}
	return list_file_close(list);
}

#define BYTES(text) text, sizeof text - 1

static const struct {
	const char *bytes;
	size_t size;
	const char *lines; /* those returned before an error, if there is one */
	const char *words; /* of the error; NULL: no error */
} rows[] = {
	{BYTES(""), "", NULL},
	{BYTES("one"), "1:one|", NULL},
	{BYTES("one\n"), "1:one|", NULL},
	{BYTES("one\r\n\r\n\n two  x\t \r\n"), "1:one|4:two  x|", NULL},
	{BYTES("# no\n;no\n \t# no\none # two\n\t\n"), "4:one # two|", NULL},
	{BYTES("a\rb\n\rc\n"), "1:a\rb|2:\rc|", NULL},
	{BYTES("123456789012\n"), "1:123456789012|", NULL},
	{BYTES("123456789012"), "1:123456789012|", NULL},
	{BYTES("1234567890123\n"), "", "list:1: it is too long"},
	{BYTES("1234567890123"), "", "list:1: it is too long"},
	{BYTES("a\n#234567890123\nb\n"), "1:a|", "list:2: it is too long"},
	{BYTES("            x\n"), "", "list:1: it is too long"},
	{BYTES("a\nb\0c\nd\n"), "1:a|", "list:2: the line contains a NUL byte; remove it"},
	{BYTES("a\n\0"), "1:a|", "list:2: the line contains a NUL byte; remove it"},
	{BYTES("#\0\n"), "", "list:1: the line contains a NUL byte; remove it"},
	{BYTES("a\n\nwrong\nb\n"), "1:a|3:wrong|", "list:3: it is wrong"},
	{BYTES("wrong\nb\0\n"), "1:wrong|", "list:1: it is wrong"},
};

static void check_lines(void)
{
	const char *path = scratch_path("list");

	many_begin("lines");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct list_file list = list_of(path);
		char lines[256];

		scratch_write(path, rows[i].bytes, rows[i].size);
		strcpy(error, "untouched");
		bool good = read_all(&list, lines, sizeof lines);
		many(strcmp(lines, rows[i].lines) == 0, "%s: %s", rows[i].bytes, lines);
		many(good == (rows[i].words == NULL), "%s: %s", rows[i].bytes, error);
		if (good)
			many(strcmp(error, "untouched") == 0, "%s: %s", rows[i].bytes, error);
		else
			many(rows[i].words != NULL && strstr(error, rows[i].words) != NULL &&
					strncmp(error, path, strlen(path)) == 0,
				"%s: %s", rows[i].bytes, error);
	}
	many_end();
}

static bool refused(const char *path, const char *words)
{
	struct list_file list = list_of(path);

	error[0] = '\0';
	return !list_file_open(&list) && strstr(error, words) != NULL;
}

static void check_files(void)
{
	struct list_file list = list_of(scratch_path("none"));
	char lines[256], name[400];

	ok(refused(scratch_path("none"), "none: cannot read the file: No such file"), "none: %s",
		error);
	list.may_be_absent = true;
	ok(read_all(&list, lines, sizeof lines) && lines[0] == '\0', "one that may be absent");
	list.name = scratch_directory;
	ok(!list_file_open(&list) &&
			strstr(error,
				"cannot read the file: it is not a regular file; correct its path") !=
				NULL,
		"a directory is not absent: %s", error);
	ok(refused("/dev/zero", "/dev/zero: cannot read the file: it is not a regular file"),
		"a device: %s", error);
	if (mkfifo(scratch_path("pipe"), 0600) != 0)
		bail_out("cannot make a pipe");
	/* If the test waits here for a writer, it has failed. */
	alarm(20);
	ok(refused(scratch_path("pipe"), "pipe: cannot read the file: it is not a regular file"),
		"a pipe: %s", error);
	alarm(0);
	ok(symlink("list", scratch_path("link")) == 0, "a link");
	scratch_write_text(scratch_path("list"), "one\n");
	list = list_of(scratch_path("link"));
	ok(read_all(&list, lines, sizeof lines) && strcmp(lines, "1:one|") == 0, "is followed");
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ok(refused(name, "x: cannot read the file: "), "a long name leaves room: %s", error);
}

int main(void)
{
	scratch_begin();
	check_lines();
	check_files();
	scratch_end();
	return done_testing();
}
