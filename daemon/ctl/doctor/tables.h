/*
 * doctor_tables: what Postfix's smtp_tls_policy_maps names, and which Postfix can do what. Pure.
 */
#ifndef TLSAD_CTL_DOCTOR_TABLES_H
#define TLSAD_CTL_DOCTOR_TABLES_H

#include <stdbool.h>
#include <stddef.h>

enum { TABLES_MAX = 64, TABLE_WORD_SIZE = 512 };

enum table_kind {
	TABLE_OTHER, /* no socketmap: a file, a database, another table in braces */
	TABLE_UNIX,
	TABLE_INET,
	TABLE_BROKEN, /* a socketmap that says neither unix:PATH:MAP nor inet:HOST:PORT:MAP */
};

struct table {
	char word[TABLE_WORD_SIZE]; /* as it stands there */
	enum table_kind kind;
	bool proxied;                /* by proxymap(8) */
	char place[TABLE_WORD_SIZE]; /* PATH, or HOST:PORT */
	char map[TABLE_WORD_SIZE];   /* what the daemon is asked for */
};

/*
 * Words separated by blanks and commas, braces kept together, as Postfix's maps_create() has it.
 * Returns how many there are, at most TABLES_MAX.
 */
size_t tables_parse(const char *value, struct table tables[TABLES_MAX]);

/* Does this word stand in such a list? */
bool tables_have(const char *value, const char *word);

/* How a map of the daemon answers. */
enum table_answers {
	TABLE_UNNAMED,   /* there is no such map */
	TABLE_POLICY,    /* as [dane] enforce says */
	TABLE_NATIVE,    /* a level */
	TABLE_PINNED,    /* with TLSA data */
	TABLE_NO_POLICY, /* a map of another kind: Postfix cannot use its answers */
};

enum table_answers table_map_answers(const char *map);

/* Maps that answer with a policy, separated by commas. */
const char *table_map_names(void);

struct postfix_version {
	unsigned major, minor, patch;
	bool snapshot; /* 3.10-20240101: before the release, which it leads to */
};

bool postfix_version_parse(const char *words, struct postfix_version *version);
bool postfix_version_least(struct postfix_version version, unsigned major, unsigned minor);

/*
 * Is an unset smtp_tls_dane_insecure_mx_policy `dane` when a policy table says `dane`? Since
 * 3.6.17, 3.7.13, 3.8.8, 3.9.2 and 3.10.
 */
bool postfix_version_insecure_mx_fixed(struct postfix_version version);

#endif
