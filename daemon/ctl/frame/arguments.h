/*
 * arguments: reads the options of a command from a table, with getopt_long(3).
 *
 * A row describes an option: its name, the allowed values, where the value is stored, and its help.
 * The options of struct ctl are accepted by every command.
 */
#ifndef TLSAD_CTL_FRAME_ARGUMENTS_H
#define TLSAD_CTL_FRAME_ARGUMENTS_H

#include "daemon/ctl/frame/command.h"

#include <stdint.h>

enum argument_kind {
	ARGUMENT_FLAG,    /* bool */
	ARGUMENT_TEXT,    /* const char * */
	ARGUMENT_LIST,    /* struct argument_list: may be repeated */
	ARGUMENT_NUMBER,  /* uint32_t, from `min` to `max` */
	ARGUMENT_CHOICE,  /* int, the index in `choices` */
	ARGUMENT_ADDRESS, /* struct argument_address: the value is optional */
};

enum { ARGUMENT_LIST_MAX = 32 };

struct argument_list {
	size_t count;
	const char *values[ARGUMENT_LIST_MAX];
};

struct argument_address {
	bool given;
	const char *text; /* NULL: the option has no value */
};

struct argument {
	const char *name; /* of `--name`, or NULL */
	char letter;      /* of `-l`, or 0 */
	enum argument_kind kind;
	const char *value; /* its name in --help */
	const char *help;
	void *target;
	uint32_t min, max;
	const char *const *choices; /* NULL-terminated */
};

enum { ARGUMENTS_GO_ON = -1 };

/*
 * Reads options at any position, and one operand unless `operand` is NULL. Returns ARGUMENTS_GO_ON,
 * or an exit status after --help or an error. Errors are logged with the usage of the command.
 */
int arguments_parse(struct ctl *ctl, const struct command *command, const struct argument *table,
	size_t table_count, int count, char **arguments, const char **operand);

/* The same with `operand_count` operands, all required. */
int arguments_parse_operands(struct ctl *ctl, const struct command *command,
	const struct argument *table, size_t table_count, int count, char **arguments,
	int operand_count, const char **operands);

/* The same with an optional operand, NULL if it is missing. */
int arguments_parse_optional(struct ctl *ctl, const struct command *command,
	const struct argument *table, size_t table_count, int count, char **arguments,
	const char **operand);

/*
 * Reads only the options of struct ctl, up to the first word that is not an option. Returns its
 * index, or -1 after an error.
 */
int arguments_parse_global(struct ctl *ctl, int count, char **arguments);

/* Prints the usage of the command to standard error, for errors that the command itself finds. */
void arguments_print_usage(const struct command *command);

/* Prints the options of struct ctl, for the summary. */
void arguments_list_global(FILE *out);

#endif
