#include "daemon/ctl/frame/command.h"

#include "common/base/log.h"
#include "common/base/text.h"

#include <string.h>

const struct command commands[] = {
	{"lookup", "print the reply that Postfix would get for a destination", "DEST [--map NAME]",
		lookup_run},
	{"explain", "show why tlsad gives its reply for a destination", "DEST", explain_run},
	{"status", "show whether tlsad is healthy, what it has done, and how full its cache is",
		"[--json]", status_run},
	{"cache list", "print every entry of tlsad's cache", "[--json]", cache_list_run},
	{"cache show", "explain a destination from the cache alone, without lookups", "DEST",
		cache_show_run},
	{"cache flush", "delete a destination, or everything, from the cache", "(DEST | --all)",
		cache_flush_run},
	{"cache export", "print the cached policies as a table for postmap(1)", "[--map NAME]",
		cache_export_run},
	{"warm", "look up every destination of a list, to fill the cache", "FILE [--parallel N]",
		warm_run},
	{"exception list", "print the exceptions of this site", "[--json]", exception_list_run},
	{"exception add", "set the policy of a destination by hand, until a date",
		"DOMAIN LEVEL [--until DATE] [--reason TEXT]", exception_add_run},
	{"exception remove", "remove the exception for a destination", "DOMAIN",
		exception_remove_run},
	{"reload", "make tlsad read its configuration again", "[--json]", reload_run},
	{"check", "connect to every MX host and compare its certificates with its TLSA records",
		"DEST [--port N] [--connect ADDR] [--timeout N] [--starttls smtp|none] [-4|-6] "
		"[--mx-only]",
		check_run},
	{"doctor", "examine this host: DNSSEC, clock, sockets, Postfix's configuration",
		"[--postfix DIR]... [--all]", doctor_run},
	{"tlsa create", "print the TLSA record of a certificate, a key or a running server",
		"NAME (--cert FILE | --key FILE | --connect [ADDR]) [OPTION]...", tlsa_create_run},
	{"tlsa verify", "would this certificate match the TLSA records that DNS has now?",
		"NAME (--cert FILE | --key FILE) [--port N]", tlsa_verify_run},
};

const size_t command_count = sizeof commands / sizeof commands[0];

enum { NAMES_MAX = 64 };

/* Is `word` the first of the command's two words? */
static bool begins_name(const struct command *command, const char *word)
{
	size_t length = strlen(word);
	return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

bool command_is_group(const char *word)
{
	for (size_t i = 0; i < command_count; i++) {
		if (begins_name(&commands[i], word))
			return true;
	}
	return false;
}

static void complain_incomplete(const char *group)
{
	char words[256];
	struct text text;

	text_init(&text, words, sizeof words);
	for (size_t i = 0; i < command_count; i++) {
		if (begins_name(&commands[i], group))
			text_add_format(&text, "%s%s", text.used > 0 ? ", " : "",
				strchr(commands[i].name, ' ') + 1);
	}
	log_error("'%s' is not a command alone; add one of: %s; see tlsactl %s --help", group,
		words, group);
}

static void complain_unknown(bool group, int count, char **arguments)
{
	const char *names[NAMES_MAX];
	char typed[64];

	for (size_t i = 0; i < command_count; i++)
		names[i] = commands[i].name;
	/*
	 * In a group the first word is right, so compare both words: the first alone is similar to
	 * every command.
	 */
	snprintf(typed, sizeof typed, group ? "%.30s %.30s" : "%.60s", arguments[0],
		group ? arguments[1] : "");
	const char *near = text_nearest(typed, names, command_count);
	if (near == NULL && !group && count > 1) {
		char both[64];
		snprintf(both, sizeof both, "%.30s %.30s", arguments[0], arguments[1]);
		near = text_nearest(both, names, command_count);
	}
	if (near != NULL)
		log_error("there is no command '%s'; did you mean '%s'?", typed, near);
	else
		log_error("there is no command '%s'; see tlsactl%s%s --help", typed,
			group ? " " : "", group ? arguments[0] : "");
}

const struct command *command_find(int count, char **arguments, int *words)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &commands[i];
		const char *blank = strchr(command->name, ' ');

		*words = blank != NULL ? 2 : 1;
		if (blank == NULL ? strcmp(command->name, arguments[0]) == 0
				  : count > 1 && begins_name(command, arguments[0]) &&
					    strcmp(blank + 1, arguments[1]) == 0)
			return command;
	}
	bool group = command_is_group(arguments[0]);
	if (group && count < 2)
		complain_incomplete(arguments[0]);
	else
		complain_unknown(group, count, arguments);
	return NULL;
}

void command_list(FILE *out, const char *group)
{
	for (size_t i = 0; i < command_count; i++) {
		if (group == NULL || begins_name(&commands[i], group))
			fprintf(out, "  %-18s%s\n", commands[i].name, commands[i].summary);
	}
}
