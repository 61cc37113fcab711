/*
 * Files of rules. A tool may write 100,000 lines, too many for inih, which also limits a line to
 * 198 bytes; so these files have their own reader.
 */
#include "common/base/list_file.h"
#include "common/site/rules.h"

#include <string.h>

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

_Static_assert(RULES_LINE_MAX == 2000, "the message says so");

bool rules_read(struct rules *rules, const char *file, bool must_exist, rules_adder *add,
	char error[RULES_ERROR_SIZE])
{
	struct list_file list = {
		.name = file,
		.may_be_absent = !must_exist,
		.line_max = RULES_LINE_MAX,
		.too_long = "the line is longer than 2000 bytes; shorten it",
		.error = error,
		.error_size = RULES_ERROR_SIZE,
	};
	char words[RULES_ERROR_SIZE], *line, *key, *value;
	struct rule_place place = {.file = NULL};

	if (!list_file_open(&list))
		return false;
	while ((line = list_file_next(&list)) != NULL) {
		if (place.file == NULL)
			place.file = rules_source(rules, file);
		place.line = list.line;
		if (place.file == NULL)
			list_file_refuse(&list, "out of memory");
		else if (rules_split_line(line, &key, &value) &&
			 !add(rules, place, key, value, words))
			list_file_refuse(&list, words);
	}
	return list_file_close(&list);
}
