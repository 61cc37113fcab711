/*
 * command: the table of all commands of tlsactl (command.c); each command has its own file.
 *
 * To add a command, add a row to the table, a file daemon/ctl/NAME.c with its function, and a
 * section to tlsactl(8). The function reads its arguments with arguments_parse(), prints its result
 * to standard output, as text or with --json as one JSON value, logs an error as one line with
 * log_error(), and returns the exit status. JSON is printed only when it is complete.
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

/* Options that are allowed before and after the command. */
struct ctl {
	const char *conf_file;
	bool conf_given; /* -c was given: the file must exist */
	const char *control;
	bool json;
	bool help;
	bool version;
};

struct command {
	const char *name; /* one word or two */
	const char *summary;
	const char *synopsis; /* the arguments, for --help */
	/* `arguments[0]` is the last word of the name. */
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
