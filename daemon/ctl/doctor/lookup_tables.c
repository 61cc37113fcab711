#include "daemon/ctl/doctor/lookup_tables.h"

#include <stdio.h>
#include <string.h>

static bool is_separator(char byte)
{
	return byte != '\0' && strchr(", \t\r\n", byte) != NULL;
}

/* The length of a word. Text in braces is one word, whatever it contains. */
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

/* The last colon separates the map's name, as in socketmap_table(5). */
static void read_socketmap(const char *words, struct lookup_table *table)
{
	bool is_unix = strncmp(words, "unix:", 5) == 0;
	const char *address = words + 5;
	const char *colon = strrchr(address, ':');

	table->kind = LOOKUP_TABLE_BROKEN;
	if ((!is_unix && strncmp(words, "inet:", 5) != 0) || colon == NULL || colon == address ||
		colon[1] == '\0')
		return;
	snprintf(table->address, sizeof table->address, "%.*s", (int)(colon - address), address);
	snprintf(table->map, sizeof table->map, "%s", colon + 1);
	if (is_unix)
		table->kind = LOOKUP_TABLE_UNIX;
	else if (strrchr(table->address, ':') != NULL)
		table->kind = LOOKUP_TABLE_INET;
}

static void read_table(struct lookup_table *table)
{
	const char *words = table->word;

	while (strncmp(words, "proxy:", 6) == 0) {
		table->proxied = true;
		words += 6;
	}
	if (strncmp(words, "socketmap:", 10) == 0)
		read_socketmap(words + 10, table);
}

size_t lookup_tables_parse(const char *value, struct lookup_table tables[LOOKUP_TABLES_MAX])
{
	size_t count = 0;

	for (const char *at = value; count < LOOKUP_TABLES_MAX;) {
		while (is_separator(*at))
			at++;
		size_t length = word_length(at);
		if (length == 0)
			break;
		struct lookup_table *table = &tables[count++];
		memset(table, 0, sizeof *table);
		snprintf(table->word, sizeof table->word, "%.*s", (int)length, at);
		/* A word of that length is not an endpoint of tlsad. */
		if (length < sizeof table->word)
			read_table(table);
		at += length;
	}
	return count;
}

bool lookup_tables_have(const char *value, const char *word)
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
