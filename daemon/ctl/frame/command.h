/*
 * command: all commands of tlsactl, in one table (command.c), with one file a command.
 *
 * A new command is a row of the table, a file daemon/ctl/NAME.c with its function, and a part of
 * tlsactl(8). The function reads its arguments with arguments_parse(), prints what it found to
 * standard output, as text or with --json as one JSON value, reports an error with
 * log_error(), one line, and returns the exit status. Nothing is printed before all of it is known:
 * no partial JSON.
 */
#ifndef TLSAD_CTL_FRAME_COMMAND_H
#define TLSAD_CTL_FRAME_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

/* Exit statuses beside those of sysexits.h (EX_USAGE, EX_UNAVAILABLE, EX_TEMPFAIL). */
enum {
	CTL_YES = 0,
	CTL_NO = 1,
	CTL_NO_DANE = 2, /* check: neither DANE nor MTA-STS */
};

/* The options allowed before the command and after it. */
struct ctl {
	const char *conf_file;
	bool conf_given; /* then the file must exist */
	const char *control;
	bool json;
	bool help;
	bool version;
};

struct command {
	const char *name; /* one word or two */
	const char *summary;
	const char *synopsis; /* what follows the name */
	/* `arguments[0]` is the name's last word. */
	int (*run)(struct ctl *ctl, const struct command *command, int count, char **arguments);
};

extern const struct command commands[];
extern const size_t command_count;

/*
 * The command that the first words name; `*words` is the number of these words. NULL, and an error
 * is logged, if there is no such command; the error suggests a similar name if there is one.
 */
const struct command *command_find(int count, char **arguments, int *words);

/* Is it the first word of commands that have two, as "cache"? */
bool command_is_group(const char *word);

/* A line for each command, or for each of one group. */
void command_list(FILE *out, const char *group);

int cache_export_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int cache_flush_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int cache_list_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int cache_show_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int check_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int exception_add_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int exception_list_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int exception_remove_run(
	struct ctl *ctl, const struct command *command, int count, char **arguments);
int explain_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int lookup_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int reload_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int status_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int doctor_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int tlsa_create_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int tlsa_verify_run(struct ctl *ctl, const struct command *command, int count, char **arguments);
int warm_run(struct ctl *ctl, const struct command *command, int count, char **arguments);

#endif
