/*
 * Files of rules. They may come from a tool and have 100,000 lines, which is no size for a reader
 * of configurations; so the few rules of their form are read here.
 */
#include "common/site/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool rules_split_line(char *line, char **key, char **value)
{
	static const char blanks[] = " \t";

	line[strcspn(line, "\r\n")] = '\0';
	line += strspn(line, blanks);
	if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
		return false;
	*key = line;
	line += strcspn(line, " \t=");
	char *key_end = line;
	line += strspn(line, blanks);
	if (*line == '=')
		line += 1 + strspn(line + 1, blanks);
	*key_end = '\0';
	*value = line;
	for (size_t size = strlen(line); size > 0 && strchr(blanks, line[size - 1]) != NULL;)
		line[--size] = '\0';
	return true;
}

/* What is wrong with a line as such, or NULL. */
static const char *complaint_of(const char *line, size_t size)
{
	if (strlen(line) != size)
		return "there is a NUL byte in the line";
	return size > RULES_LINE_MAX + (size_t)1 ? "the line is longer than 2000 bytes" : NULL;
}

_Static_assert(RULES_LINE_MAX == 2000, "the complaint says so");

static bool read_lines(struct rules *rules, const char *file, FILE *stream, rules_adder *add,
	char error[RULES_ERROR_SIZE])
{
	struct rule_place place = {.file = rules_source(rules, file)};
	char words[RULES_ERROR_SIZE] = "out of memory";
	bool good = place.file != NULL;
	char *line = NULL, *key, *value;
	size_t room = 0;
	ssize_t size;

	while (good && (size = getline(&line, &room, stream)) >= 0) {
		const char *complaint = complaint_of(line, (size_t)size);

		place.line++;
		if (complaint != NULL) {
			snprintf(words, sizeof words, "%s", complaint);
			good = false;
		} else if (rules_split_line(line, &key, &value)) {
			good = add(rules, place, key, value, words);
		}
	}
	free(line);
	if (!good)
		snprintf(error, RULES_ERROR_SIZE, "%.150s:%u: %.340s", file, place.line, words);
	else if (ferror(stream))
		snprintf(error, RULES_ERROR_SIZE, "%.150s: cannot read it: %s", file,
			strerror(errno));
	return good && !ferror(stream);
}

bool rules_read(struct rules *rules, const char *file, bool must_exist, rules_adder *add,
	char error[RULES_ERROR_SIZE])
{
	/* Of a pipe the end might never come. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0 && errno == ENOENT && !must_exist)
		return true;
	FILE *stream = fd >= 0 && fstat(fd, &status) == 0 ? fdopen(fd, "r") : NULL;
	if (stream == NULL || !S_ISREG(status.st_mode)) {
		snprintf(error, RULES_ERROR_SIZE, "%.200s: cannot read it: %s", file,
			stream == NULL ? strerror(errno) : "it is no file");
		if (stream != NULL)
			fclose(stream);
		else if (fd >= 0)
			close(fd);
		return false;
	}
	bool good = read_lines(rules, file, stream, add, error);
	fclose(stream);
	return good;
}
