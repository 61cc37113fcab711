#include "daemon/ctl/doctor/tables.h"

#include "common/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum table_answers answers;
} maps[] = {
	{"policy", TABLE_POLICY},
	{"native", TABLE_NATIVE},
	{"pinned", TABLE_PINNED},
	{"QUERY", TABLE_POLICY},
	{"postfix", TABLE_POLICY},
	{"tlsa", TABLE_NO_POLICY},
	{"explain", TABLE_NO_POLICY},
};

enum table_answers table_map_answers(const char *map)
{
	for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
		if (text_equal_nocase(map, strlen(map), maps[i].name))
			return maps[i].answers;
	}
	return TABLE_UNNAMED;
}

const char *table_map_names(void)
{
	return "policy, native, pinned, QUERY, postfix";
}

static bool is_separator(char byte)
{
	return byte != '\0' && strchr(", \t\r\n", byte) != NULL;
}

/* The length of a word; what stands in braces is one, whatever is in it. */
static size_t word_length(const char *at)
{
	size_t length = 0;
	unsigned depth = 0;

	for (; at[length] != '\0' && (depth > 0 || !is_separator(at[length])); length++) {
		if (at[length] == '{')
			depth++;
		else if (at[length] == '}' && depth > 0)
			depth--;
	}
	return length;
}

/* The colon before the map's name is the last one, as in socketmap_table(5). */
static void read_socketmap(const char *words, struct table *table)
{
	bool is_unix = strncmp(words, "unix:", 5) == 0;
	const char *place = words + 5;
	const char *colon = strrchr(place, ':');

	table->kind = TABLE_BROKEN;
	if ((!is_unix && strncmp(words, "inet:", 5) != 0) || colon == NULL || colon == place ||
		colon[1] == '\0')
		return;
	snprintf(table->place, sizeof table->place, "%.*s", (int)(colon - place), place);
	snprintf(table->map, sizeof table->map, "%s", colon + 1);
	if (is_unix)
		table->kind = TABLE_UNIX;
	else if (strrchr(table->place, ':') != NULL)
		table->kind = TABLE_INET;
}

static void read_table(struct table *table)
{
	const char *words = table->word;

	while (strncmp(words, "proxy:", 6) == 0) {
		table->proxied = true;
		words += 6;
	}
	if (strncmp(words, "socketmap:", 10) == 0)
		read_socketmap(words + 10, table);
}

size_t tables_parse(const char *value, struct table tables[TABLES_MAX])
{
	size_t count = 0;

	for (const char *at = value; count < TABLES_MAX;) {
		while (is_separator(*at))
			at++;
		size_t length = word_length(at);
		if (length == 0)
			break;
		struct table *table = &tables[count++];
		memset(table, 0, sizeof *table);
		snprintf(table->word, sizeof table->word, "%.*s", (int)length, at);
		/* One that is cut is none that could be ours. */
		if (length < sizeof table->word)
			read_table(table);
		at += length;
	}
	return count;
}

bool tables_have(const char *value, const char *word)
{
	for (;;) {
		while (is_separator(*value))
			value++;
		size_t length = word_length(value);
		if (length == 0)
			return false;
		if (length == strlen(word) && memcmp(value, word, length) == 0)
			return true;
		value += length;
	}
}

/* --- versions ------------------------------------------------------------------------------ */

static bool read_number(const char **at, unsigned *number)
{
	size_t digits = strspn(*at, "0123456789");

	if (digits == 0 || digits > 6)
		return false;
	*number = (unsigned)strtoul(*at, NULL, 10);
	*at += digits;
	return true;
}

bool postfix_version_parse(const char *words, struct postfix_version *version)
{
	*version = (struct postfix_version){.snapshot = false};
	if (!read_number(&words, &version->major) || *words != '.')
		return false;
	words++;
	if (!read_number(&words, &version->minor))
		return false;
	if (*words == '.') {
		words++;
		if (!read_number(&words, &version->patch))
			return false;
	}
	version->snapshot = *words == '-';
	return *words == '\0' || version->snapshot;
}

bool postfix_version_least(struct postfix_version version, unsigned major, unsigned minor)
{
	return version.major > major || (version.major == major && version.minor >= minor);
}

bool postfix_version_insecure_mx_fixed(struct postfix_version version)
{
	static const struct {
		unsigned minor, patch;
	} fixed[] = {{6, 17}, {7, 13}, {8, 8}, {9, 2}};

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (version.major == 3 && version.minor == fixed[i].minor)
			return !version.snapshot && version.patch >= fixed[i].patch;
	}
	/* A snapshot of 3.10 may be older than the change. */
	if (version.major == 3 && version.minor == 10)
		return !version.snapshot;
	return postfix_version_least(version, 3, 10);
}
