/*
 * Printing: the printed configuration reads back as the same one, and every setting has its help.
 */
#include "t/unit/conf_file.h"

/* Print, read back, compare. */
static void check_printed(const char *name, struct conf *conf)
{
	if (!ok(conf != NULL, "%s: loads", name)) {
		diag("%s", error);
		return;
	}
	char *text = printed(conf);
	struct conf *again = load(text);
	if (!ok(again != NULL, "%s: what is printed can be read", name))
		diag("%s", error);
	if (again != NULL) {
		const char *difference = conf_difference(conf, again, 0);
		if (!ok(difference == NULL, "%s: and is the same", name))
			diag("%s", difference);
		char *once_more = printed(again);
		ok(strcmp(text, once_more) == 0, "%s: and prints the same", name);
		free(once_more);
	}
	free(text);
	conf_release(again);
	conf_release(conf);
}

static void test_printing(void)
{
	char lines[8192];

	check_printed("the defaults", load(""));
	check_printed("everything set",
		load("[server]\nsocketmap = unix:/x, inet:[::1]:1\nallow = ::/0\nworkers = 3\n"
		     "policy = inet:127.0.0.1:2\nsocket_mode = 0600\nmax_connections = 7\nidle_timeout = 1h\n"
		     "[resolver]\ntrust_anchor = /k\nforward = 192.0.2.1@53, 192.0.2.2\n"
		     "stub = . 192.0.2.1\nstub = a.example 192.0.2.2@5353\nquery_localhost = yes\n"
		     "options = /o\ntimeout = 1m\n[dane]\nsite_level = dane-only\n"
		     "[policy]\nwarm = no\nannounce = yes\nannounce_header = X-Y\nwait = 1m\n"
		     "lacking = HOLD {destination}\nsenders = a@b.example, .c.example\n"
		     "sasl_usernames = d file:/e\nclients = 192.0.2.0/24\n"
		     "[cache]\npath = /p\nmax_size = 3M\nmin_ttl = 1m\nmax_ttl = 2d\n"
		     "failure_ttl = 7\n"
		     "prefetch = 0\nserve_stale = 0\n[log]\ntarget = syslog\n"));
	check_printed("rules", load("[minimum]\nexample.org = dane\n* = encrypted\n[exception]\n"
				    ".example.org = may until 2026-12-31 ; a ; b = c\n"
				    "example.net = none\n"));
	check_printed("empty lists",
		load("[server]\nallow =\npolicy =\n[resolver]\nstub =\nforward =\n"));
	strcpy(lines, "[server]\nallow =");
	for (int i = 0; i < 40; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
			"\n  2001:db8:%d::/48", i + 1000);
	strcat(lines, "\nsocketmap =");
	for (int i = 0; i < 5; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
			"\n  unix:/var/spool/postfix/a/rather/long/path/in/a/chroot/number/%d", i);
	strcat(lines, "\n");
	check_printed("lists that are longer than a line", load(lines));
	memset(lines, 'x', 190);
	memcpy(lines, "[cache]\npath = /", 16);
	lines[190] = '\0';
	check_printed("a long path", load(lines));
	/* As a user sees it: every setting has its help on the line above. */
	struct conf *conf = load("");
	char *text = printed(conf), *rest = text, *line, before[512] = "";
	many_begin("every setting is explained, in lines that can be read");
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strchr("#[ \t", line[0]) == NULL)
			many(before[0] == '#' && strlen(before) > 12, "'%s' after '%s'", line,
				before);
		many(strlen(line) <= CONF_LINE_MAX, "a line of %zu bytes", strlen(line));
		snprintf(before, sizeof before, "%s", line);
	}
	many_end();
	free(text);
	conf_release(conf);
}

int main(void)
{
	conf_file_begin();
	test_printing();
	return done_testing();
}
