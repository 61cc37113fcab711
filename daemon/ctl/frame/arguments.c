#include "daemon/ctl/frame/arguments.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/ctl/frame/ip_address.h"

#include <getopt.h>
#include <string.h>

enum {
	OPTIONS_MAX = 32,
	FIRST_VALUE = 256, /* values of long options in getopt_long(3), above every letter */
};

/* The table of the command, followed by that of struct ctl. */
struct arguments {
	size_t count;
	struct argument rows[OPTIONS_MAX];
	struct option options[OPTIONS_MAX + 1];
	char letters[3 * OPTIONS_MAX + 3];
};

static void add_row(struct arguments *arguments, const struct argument *row, struct text *letters)
{
	bool valued = row->kind != ARGUMENT_FLAG;

	if (arguments->count == OPTIONS_MAX)
		return;
	/* An option without a name has only its letter. */
	arguments->options[arguments->count] = (struct option){
		.name = row->name != NULL ? row->name : "",
		.has_arg = row->kind == ARGUMENT_ADDRESS ? optional_argument
			   : valued                      ? required_argument
							 : no_argument,
		.val = FIRST_VALUE + (int)arguments->count,
	};
	if (row->letter != 0)
		text_add_format(letters, "%c%s", row->letter, valued ? ":" : "");
	arguments->rows[arguments->count++] = *row;
}

static void prepare(struct arguments *arguments, struct ctl *ctl, const struct argument *table,
	size_t count, bool stop_at_operand)
{
	const struct argument global[] = {
		{"config", 'c', ARGUMENT_TEXT, "FILE",
			"configuration file, default " TLSAD_CONFDIR "/tlsad.conf", &ctl->conf_file,
			0, 0, NULL},
		{"socket", 's', ARGUMENT_TEXT, "SOCKET", "control socket of the daemon",
			&ctl->control, 0, 0, NULL},
		{"json", 0, ARGUMENT_FLAG, NULL, "print JSON, for programs", &ctl->json, 0, 0,
			NULL},
		{"help", 'h', ARGUMENT_FLAG, NULL, "print this help", &ctl->help, 0, 0, NULL},
		{"version", 'V', ARGUMENT_FLAG, NULL,
			"print the versions of tlsactl and its libraries", &ctl->version, 0, 0,
			NULL},
	};
	struct text letters;

	memset(arguments, 0, sizeof *arguments);
	text_init(&letters, arguments->letters, sizeof arguments->letters);
	/* The colon makes getopt distinguish a missing value from an unknown option. */
	text_add(&letters, stop_at_operand ? "+:" : ":");
	for (size_t i = 0; i < count; i++)
		add_row(arguments, &table[i], &letters);
	/* The last row, --version, is not an option of a command. */
	size_t globals = sizeof global / sizeof global[0] - !stop_at_operand;
	for (size_t i = 0; i < globals; i++)
		add_row(arguments, &global[i], &letters);
}

/* --- help ---------------------------------------------------------------------------------- */

static void list_row(FILE *out, const struct argument *row)
{
	char words[64];
	struct text text;

	text_init(&text, words, sizeof words);
	if (row->letter != 0)
		text_add_format(&text, "-%c", row->letter);
	if (row->name != NULL)
		text_add_format(&text, "%s--%s", row->letter != 0 ? ", " : "", row->name);
	if (row->value != NULL)
		text_add_format(&text, row->kind == ARGUMENT_ADDRESS ? " [%s]" : " %s", row->value);
	fprintf(out, "  %-26s %s\n", words, row->help);
}

static void list_rows(FILE *out, const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		list_row(out, &arguments->rows[i]);
}

void arguments_list_global(FILE *out)
{
	struct arguments arguments;
	struct ctl ctl = {.json = false};

	prepare(&arguments, &ctl, NULL, 0, true);
	list_rows(out, &arguments);
}

static void usage(FILE *out, const struct command *command)
{
	if (command == NULL)
		fputs("usage: tlsactl [-c FILE] [-s SOCKET] [--json] COMMAND ...\n"
		      "       tlsactl --help\n",
			out);
	else
		fprintf(out, "usage: tlsactl %s %s\n", command->name, command->synopsis);
}

void arguments_print_usage(const struct command *command)
{
	usage(stderr, command);
}

static void help(const struct command *command, const struct arguments *arguments)
{
	usage(stdout, command);
	printf("%s\n\n", command->summary);
	list_rows(stdout, arguments);
	puts("See tlsactl(8).");
}

/* --- reading ------------------------------------------------------------------------------- */

static void name_row(const struct argument *row, char name[32])
{
	if (row->name != NULL)
		snprintf(name, 32, "--%.28s", row->name);
	else
		snprintf(name, 32, "-%c", row->letter);
}

static bool read_number(const struct argument *row, const char *value)
{
	uint64_t number = 0;

	for (const char *at = value; *at != '\0'; at++) {
		if (*at < '0' || *at > '9' || number > UINT32_MAX)
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	if (*value == '\0' || number < row->min || number > row->max)
		return false;
	*(uint32_t *)row->target = (uint32_t)number;
	return true;
}

static bool read_choice(const struct argument *row, const char *value)
{
	for (int i = 0; row->choices[i] != NULL; i++) {
		if (strcmp(row->choices[i], value) == 0) {
			*(int *)row->target = i;
			return true;
		}
	}
	return false;
}

static bool add_value(struct argument_list *list, const char *value)
{
	if (list->count == ARGUMENT_LIST_MAX)
		return false;
	list->values[list->count++] = value;
	return true;
}

static bool is_address(const char *word)
{
	struct sockaddr_storage address;
	socklen_t size;

	return word != NULL && ip_address_parse(word, 0, &address, &size);
}

/* `next` is the next word. An option with an optional value takes it if it is an address. */
static bool read_value(const struct argument *row, const char *value, const char *next)
{
	char name[32];

	name_row(row, name);
	switch (row->kind) {
	case ARGUMENT_FLAG:
		*(bool *)row->target = true;
		return true;
	case ARGUMENT_TEXT:
		*(const char **)row->target = value;
		return true;
	case ARGUMENT_LIST:
		if (add_value(row->target, value))
			return true;
		log_error("%s: this option is given more than %d times, which is the maximum", name,
			ARGUMENT_LIST_MAX);
		return false;
	case ARGUMENT_NUMBER:
		if (read_number(row, value))
			return true;
		log_error(
			"%s %s: expected a number from %u to %u", name, value, row->min, row->max);
		return false;
	case ARGUMENT_CHOICE:
		if (read_choice(row, value))
			return true;
		log_error("%s %s: expected %s", name, value, row->value);
		return false;
	default: {
		struct argument_address *address = row->target;
		address->given = true;
		address->text = value;
		if (value == NULL && is_address(next)) {
			address->text = next;
			optind++;
		}
		return true;
	}
	}
}

static void complain_unknown(const struct arguments *arguments, const char *word)
{
	const char *names[OPTIONS_MAX];
	char typed[64];
	size_t count = 0;

	for (size_t i = 0; i < arguments->count; i++) {
		if (arguments->rows[i].name != NULL)
			names[count++] = arguments->rows[i].name;
	}
	snprintf(typed, sizeof typed, "%.*s", (int)strcspn(word, "="), word);
	const char *near =
		strncmp(typed, "--", 2) == 0 ? text_nearest(typed + 2, names, count) : NULL;
	if (near != NULL)
		log_error("there is no option '%s'; did you mean '--%s'?", typed, near);
	else
		log_error("there is no option '%s'", typed);
}

/* Handles one result of getopt_long(3). False after an error, which is logged. */
static bool take(const struct arguments *arguments, int found, char **words)
{
	size_t row = (size_t)(found - FIRST_VALUE);
	char letter[3] = {'-', (char)optopt, '\0'};

	if (found == '?') {
		bool by_name = optopt == 0 || optopt >= FIRST_VALUE;
		if (optopt >= FIRST_VALUE)
			log_error("'%s' takes no value", words[optind - 1]);
		else
			complain_unknown(arguments, by_name ? words[optind - 1] : letter);
		return false;
	}
	if (found == ':') {
		log_error("'%s' needs a value", optopt < FIRST_VALUE ? letter : words[optind - 1]);
		return false;
	}
	for (size_t i = 0; found < FIRST_VALUE && i < arguments->count; i++) {
		if (arguments->rows[i].letter == found)
			row = i;
	}
	return read_value(&arguments->rows[row], optarg, words[optind]);
}

static bool read_options(const struct arguments *arguments, int count, char **words)
{
	int found;

	opterr = 0;
	optind = 0; /* GNU: restart the scan */
	while ((found = getopt_long(count, words, arguments->letters, arguments->options, NULL)) !=
		-1) {
		if (!take(arguments, found, words))
			return false;
	}
	return true;
}

/* False if the configuration or the socket has an empty name, which is logged. */
static bool take_global(struct ctl *ctl)
{
	const char *control = ctl->control;

	ctl->conf_given = ctl->conf_file != NULL;
	if (ctl->conf_given && ctl->conf_file[0] == '\0') {
		log_error("--config needs the name of a file, which '' is not");
		return false;
	}
	if (control != NULL && (control[0] == '\0' || strcmp(control, "unix:") == 0)) {
		log_error("--socket needs the path of tlsad's control socket; '%s' has no path",
			control);
		return false;
	}
	return true;
}

/* The number of operands allowed, and where to store them; a missing one is NULL. */
struct operands {
	int min, max;
	const char **place;
};

/* The n-th word of the synopsis. */
static const char *synopsis_word(const struct command *command, int n, int *length)
{
	const char *word = command->synopsis;

	for (; n > 0; n--)
		word += strcspn(word, " ") + strspn(word + strcspn(word, " "), " ");
	*length = (int)strcspn(word, " ");
	return word;
}

static bool take_operands(
	const struct command *command, int count, char **words, const struct operands *operands)
{
	int found = count - optind, length;

	if (found < operands->min) {
		const char *word = synopsis_word(command, found, &length);
		log_error("%s: %.*s is missing", command->name, length, word);
		return false;
	}
	if (found > operands->max) {
		log_error("%s: the argument '%s' is one too many", command->name,
			words[optind + operands->max]);
		return false;
	}
	for (int i = 0; i < operands->max; i++)
		operands->place[i] = i < found ? words[optind + i] : NULL;
	return true;
}

static int parse(struct ctl *ctl, const struct command *command, const struct argument *table,
	size_t table_count, int count, char **words, const struct operands *operands)
{
	struct arguments arguments;

	prepare(&arguments, ctl, table, table_count, false);
	if (!read_options(&arguments, count, words) || !take_global(ctl)) {
		usage(stderr, command);
		return EX_USAGE;
	}
	if (ctl->help) {
		help(command, &arguments);
		return CTL_YES;
	}
	if (!take_operands(command, count, words, operands)) {
		usage(stderr, command);
		return EX_USAGE;
	}
	return ARGUMENTS_GO_ON;
}

int arguments_parse(struct ctl *ctl, const struct command *command, const struct argument *table,
	size_t table_count, int count, char **words, const char **operand)
{
	return arguments_parse_operands(
		ctl, command, table, table_count, count, words, operand != NULL, operand);
}

int arguments_parse_operands(struct ctl *ctl, const struct command *command,
	const struct argument *table, size_t table_count, int count, char **words,
	int operand_count, const char **place)
{
	struct operands operands = {operand_count, operand_count, place};
	return parse(ctl, command, table, table_count, count, words, &operands);
}

int arguments_parse_optional(struct ctl *ctl, const struct command *command,
	const struct argument *table, size_t table_count, int count, char **words,
	const char **operand)
{
	struct operands operands = {0, 1, operand};
	return parse(ctl, command, table, table_count, count, words, &operands);
}

int arguments_parse_global(struct ctl *ctl, int count, char **words)
{
	struct arguments arguments;

	prepare(&arguments, ctl, NULL, 0, true);
	if (!read_options(&arguments, count, words) || !take_global(ctl)) {
		usage(stderr, NULL);
		return -1;
	}
	return optind;
}
