#include "daemon/ctl/doctor/lookup_tables.h"

#include <stdint.h>
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

/* Moves to the next word; returns its length, 0 at the end of the list. */
static size_t next_word(const char **at)
{
	while (is_separator(**at))
		(*at)++;
	return word_length(*at);
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
		size_t length = next_word(&at);
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
		size_t length = next_word(&value);
		if (length == 0)
			return false;
		if (length == strlen(word) && memcmp(value, word, length) == 0)
			return true;
		value += length;
	}
}

/* --- changing a list ------------------------------------------------------------------------- */

/*
 * Which words of the raw list belong to which words of the list with every $name expanded? A word
 * that begins with `$` may expand to any number of words. The words before the first of these and
 * after the last one correspond one to one.
 */
struct alignment {
	size_t count, value_count;
	size_t first, last; /* words that begin with `$`; first == count: no word does */
};

static size_t count_words(const char *list)
{
	size_t count = 0;

	for (size_t length; (length = next_word(&list)) > 0; list += length)
		count++;
	return count;
}

static struct alignment align(const char *raw, const char *value)
{
	struct alignment alignment = {count_words(raw), count_words(value), 0, 0};
	size_t i = 0;

	alignment.first = alignment.count;
	for (size_t length; (length = next_word(&raw)) > 0; raw += length, i++) {
		if (*raw != '$')
			continue;
		alignment.first = i < alignment.first ? i : alignment.first;
		alignment.last = i;
	}
	return alignment;
}

/* The word of the expanded list for the i-th raw word. SIZE_MAX: it is not one word. */
static size_t expanded_index(const struct alignment *alignment, size_t i)
{
	if (i < alignment->first)
		return i;
	if (i > alignment->last ||
		(alignment->first == alignment->last && alignment->count == alignment->value_count))
		return i + alignment->value_count - alignment->count;
	return SIZE_MAX;
}

/* Does a raw word correspond to each word that is changed? */
static bool is_clear(const struct alignment *alignment, const char *const words[LOOKUP_TABLES_MAX])
{
	size_t changes = 0, found = 0;

	if (alignment->first == alignment->count && alignment->count != alignment->value_count)
		return false;
	for (size_t i = 0; i < LOOKUP_TABLES_MAX; i++)
		changes += words[i] != NULL;
	for (size_t i = 0; i < alignment->count; i++) {
		size_t index = expanded_index(alignment, i);
		found += index < LOOKUP_TABLES_MAX && words[index] != NULL;
	}
	return found == changes;
}

/* A list is written in one line, so blanks and line breaks become one blank. */
static void add_separators(struct text *text, const char *from, const char *to)
{
	bool blank = false;

	for (; from < to; from++) {
		if (*from == ',')
			text_add(text, ",");
		blank = blank || *from != ',';
	}
	if (blank)
		text_add(text, " ");
}

void lookup_tables_change(struct text *text, const char *raw, const char *value,
	const char *const words[LOOKUP_TABLES_MAX], const char *appended)
{
	struct alignment alignment = align(raw, value);

	if (!is_clear(&alignment, words)) {
		raw = value;
		alignment = (struct alignment){count_words(value), count_words(value), SIZE_MAX, 0};
	}
	const char *end = NULL;
	size_t i = 0;
	for (size_t length; (length = next_word(&raw)) > 0; raw += length, i++) {
		size_t index = expanded_index(&alignment, i);
		if (end != NULL)
			add_separators(text, end, raw);
		if (index < LOOKUP_TABLES_MAX && words[index] != NULL)
			text_add(text, words[index]);
		else
			text_add_bytes(text, raw, length);
		end = raw + length;
	}
	if (appended != NULL)
		text_add_format(text, "%s%s", end != NULL ? ", " : "", appended);
}
