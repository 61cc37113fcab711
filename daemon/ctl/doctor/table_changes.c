#include "daemon/ctl/doctor/table_changes.h"

#include <stdio.h>

struct table_change *table_changes_change(
	struct table_changes *changes, size_t i, const struct lookup_table *table)
{
	struct table_change *change = &changes->tables[i];

	if (change->changed)
		return change;
	change->changed = true;
	change->proxied = table->proxied;
	snprintf(change->endpoint, sizeof change->endpoint, "%s:%s",
		table->kind == LOOKUP_TABLE_INET ? "inet" : "unix", table->address);
	snprintf(change->map, sizeof change->map, "%s", table->map);
	return change;
}

void table_changes_note(struct table_changes *changes, const struct doctor *doctor)
{
	if (doctor->count > 0 && !doctor->dropped && changes->count < DOCTOR_FINDINGS_MAX)
		changes->findings[changes->count++] = doctor->count - 1;
}

void table_change_print(const struct table_change *change, char word[TABLE_WORD_SIZE])
{
	snprintf(word, TABLE_WORD_SIZE, "%ssocketmap:%s:%s", change->proxied ? "proxy:" : "",
		change->endpoint, change->map);
}

void table_changes_print(
	const struct table_changes *changes, const char *raw, const char *value, struct text *text)
{
	static char memory[LOOKUP_TABLES_MAX + 1][TABLE_WORD_SIZE];
	const char *words[LOOKUP_TABLES_MAX] = {NULL};
	char *last = memory[LOOKUP_TABLES_MAX];

	for (size_t i = 0; i < LOOKUP_TABLES_MAX; i++) {
		if (!changes->tables[i].changed)
			continue;
		table_change_print(&changes->tables[i], memory[i]);
		words[i] = memory[i];
	}
	table_change_print(&changes->appended, last);
	lookup_tables_change(text, raw, value, words, changes->appended.changed ? last : NULL);
}
