/*
 * table_changes: the changes that smtp_tls_policy_maps needs, collected from all findings about one
 * value of it, which several clients may share. The remedy of each finding is the same command,
 * with the whole list: the tables of the site stay as they are.
 */
#ifndef TLSAD_CTL_DOCTOR_TABLE_CHANGES_H
#define TLSAD_CTL_DOCTOR_TABLE_CHANGES_H

#include "daemon/ctl/doctor/finding.h"
#include "daemon/ctl/doctor/lookup_tables.h"

enum { TABLE_ENDPOINT_SIZE = LOOKUP_TABLE_WORD_SIZE + 8, TABLE_WORD_SIZE = 1100 };

/* A socketmap as it shall be. */
struct table_change {
	bool changed;
	bool proxied;
	char endpoint[TABLE_ENDPOINT_SIZE]; /* unix:PATH or inet:HOST:PORT */
	char map[LOOKUP_TABLE_WORD_SIZE];
};

struct table_changes {
	struct table_change tables[LOOKUP_TABLES_MAX]; /* of the list with every $name expanded */
	struct table_change appended;
	size_t count;
	size_t findings[DOCTOR_FINDINGS_MAX]; /* those whose remedy this command is, as indices */
};

/* The i-th table, which will be written as the caller changes it; at first it is as `table`. */
struct table_change *table_changes_change(
	struct table_changes *changes, size_t i, const struct lookup_table *table);

/* This command is the remedy of the finding that was added last. */
void table_changes_note(struct table_changes *changes, const struct doctor *doctor);

void table_change_print(const struct table_change *change, char word[TABLE_WORD_SIZE]);

/* The list with all changes: `raw` as written, `value` with every $name expanded. */
void table_changes_print(
	const struct table_changes *changes, const char *raw, const char *value, struct text *text);

#endif
