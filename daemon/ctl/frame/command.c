#include "daemon/ctl/frame/command.h"

#include "common/base/log.h"
#include "common/base/text.h"

#include <string.h>

const struct command commands[] = {
	{"lookup", "ask the daemon as Postfix does", "DEST [--map NAME]", lookup_run},
	{"explain", "how the daemon's answer comes about", "DEST", explain_run},
	{"status", "what the daemon has done so far, and what its cache holds", "[--json]",
		status_run},
	{"cache list", "print every part in the daemon's cache", "[--json]", cache_list_run},
	{"cache show", "explain a destination from the cache alone", "DEST", cache_show_run},
	{"cache flush", "forget a destination, or everything", "(DEST | --all)", cache_flush_run},
	{"cache export", "print the cached answers as a table for postmap", "[--map NAME]",
		cache_export_run},
	{"warm", "have every destination of a list looked up", "FILE [--parallel N]", warm_run},
	{"exception list", "print the exceptions of this site", "[--json]", exception_list_run},
	{"exception add", "let a destination pass at a level, until a date",
		"DOMAIN LEVEL [--until DATE] [--reason TEXT]", exception_add_run},
	{"exception remove", "end an exception", "DOMAIN", exception_remove_run},
	{"reload", "have the daemon read its configuration again", "[--json]", reload_run},
	{"check", "connect to every MX host and hold its certificates against DNS",
		"DEST [--port N] [--connect ADDR] [--timeout N] [--starttls smtp|none] [-4|-6] "
		"[--mx-only]",
		check_run},
	{"doctor", "examine this host: DNSSEC, clock, sockets, Postfix's configuration",
		"[--postfix DIR]... [--all]", doctor_run},
	{"tlsa create", "print the TLSA record of a certificate, a key or a live server",
		"NAME (--cert FILE | --key FILE | --connect [ADDR]) [OPTION]...", tlsa_create_run},
	{"tlsa verify", "would this certificate match what DNS publishes now?",
		"NAME (--cert FILE | --key FILE) [--port N]", tlsa_verify_run},
};

const size_t command_count = sizeof commands / sizeof commands[0];

enum { NAMES_MAX = 64 };

/* Is it the first of a name's two words? */
static bool begins_name(const struct command *command, const char *word)
{
	size_t length = strlen(word);
	return strncmp(command->name, word, length) == 0 && command->name[length] == ' ';
}

static const struct command *complain(int count, char **arguments)
{
	const char *names[NAMES_MAX];
	char typed[64];
	bool group = false;

	for (size_t i = 0; i < command_count; i++) {
		names[i] = commands[i].name;
		group = group || begins_name(&commands[i], arguments[0]);
	}
	if (group && count < 2) {
		log_error("'%s' has more than one command; see tlsactl --help", arguments[0]);
		return NULL;
	}
	/* Of a name with two words the first alone is as near as a slip of the finger. */
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
		log_error("there is no command '%s'; see tlsactl --help", typed);
	return NULL;
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
	return complain(count, arguments);
}

void command_list(FILE *out)
{
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].summary);
}
