/*
 * arguments: the options of a command, by table, with getopt_long(3).
 *
 * One row says all of an option: how it is written, what its value may be, where it goes and what
 * --help says of it. The options of struct ctl are understood everywhere.
 */
#ifndef TLSAD_CTL_FRAME_ARGUMENTS_H
#define TLSAD_CTL_FRAME_ARGUMENTS_H

#include "daemon/ctl/frame/command.h"

#include <stdint.h>

enum argument_kind {
	ARGUMENT_FLAG,    /* bool */
	ARGUMENT_TEXT,    /* const char * */
	ARGUMENT_LIST,    /* struct argument_list: may be repeated */
	ARGUMENT_NUMBER,  /* uint32_t, from `least` to `most` */
	ARGUMENT_CHOICE,  /* int, the index in `choices` */
	ARGUMENT_ADDRESS, /* struct argument_address: the value may be left away */
};

enum { ARGUMENT_LIST_MAX = 32 };

struct argument_list {
	size_t count;
	const char *values[ARGUMENT_LIST_MAX];
};

struct argument_address {
	bool given;
	const char *text; /* NULL: the option stands alone */
};

struct argument {
	const char *name; /* of `--name`, or NULL */
	char letter;      /* of `-l`, or 0 */
	enum argument_kind kind;
	const char *value; /* what --help calls it */
	const char *help;
	void *target;
	uint32_t least, most;
	const char *const *choices; /* NULL-terminated */
};

enum { ARGUMENTS_GO_ON = -1 };

/*
 * Reads options wherever they stand and one operand, or none where `operand` is NULL.
 * ARGUMENTS_GO_ON, or an exit status: after --help, and after an error, which was said together
 * with the command's usage.
 */
int arguments_parse(struct ctl *ctl, const struct command *command, const struct argument *table,
	size_t table_count, int count, char **arguments, const char **operand);

/* The same with so many operands, of which none may be left away. */
int arguments_parse_operands(struct ctl *ctl, const struct command *command,
	const struct argument *table, size_t table_count, int count, char **arguments,
	int operand_count, const char **operands);

/* The same where the operand may be left away: then it is NULL. */
int arguments_parse_optional(struct ctl *ctl, const struct command *command,
	const struct argument *table, size_t table_count, int count, char **arguments,
	const char **operand);

/*
 * The options of struct ctl alone, up to the first word that is none; returns its index, or -1
 * after an error.
 */
int arguments_parse_global(struct ctl *ctl, int count, char **arguments);

/* After an error in what the options say together: the command's usage, on standard error. */
void arguments_print_usage(const struct command *command);

/* The rows of struct ctl's options, for a summary. */
void arguments_list_global(FILE *out);

#endif
