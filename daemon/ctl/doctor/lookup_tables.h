/*
 * lookup_tables: parses a parameter of Postfix that names lookup tables, as smtp_tls_policy_maps,
 * and finds the socketmaps among them. No state, no I/O.
 */
#ifndef TLSAD_CTL_DOCTOR_LOOKUP_TABLES_H
#define TLSAD_CTL_DOCTOR_LOOKUP_TABLES_H

#include "common/base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum { LOOKUP_TABLES_MAX = 64, LOOKUP_TABLE_WORD_SIZE = 512 };

enum lookup_table_kind {
	LOOKUP_TABLE_OTHER, /* not a socketmap: a file, a database, a table in braces */
	LOOKUP_TABLE_UNIX,
	LOOKUP_TABLE_INET,
	LOOKUP_TABLE_BROKEN, /* a socketmap with neither unix:PATH:MAP nor inet:HOST:PORT:MAP */
};

struct lookup_table {
	char word[LOOKUP_TABLE_WORD_SIZE]; /* as written in the parameter */
	enum lookup_table_kind kind;
	bool proxied;                         /* through proxymap(8) */
	char address[LOOKUP_TABLE_WORD_SIZE]; /* PATH, or HOST:PORT */
	char map[LOOKUP_TABLE_WORD_SIZE];     /* the map that Postfix asks tlsad for */
};

/*
 * Splits at blanks and commas, but not inside braces, like Postfix's maps_create(). Returns the
 * number of tables, at most LOOKUP_TABLES_MAX.
 */
size_t lookup_tables_parse(const char *value, struct lookup_table tables[LOOKUP_TABLES_MAX]);

/* Does such a list contain this word? */
bool lookup_tables_have(const char *value, const char *word);

/*
 * Writes the list as its administrator wrote it, with some of its words replaced. `raw` is the list
 * as written, `value` the same with every $name expanded. `words` has the new word for each word of
 * `value`, at most LOOKUP_TABLES_MAX, or NULL to keep it. `appended` is one word more, or NULL. If
 * it is not clear which word of `raw` a change is for, `value` is changed instead.
 */
void lookup_tables_change(struct text *text, const char *raw, const char *value,
	const char *const words[LOOKUP_TABLES_MAX], const char *appended);

#endif
