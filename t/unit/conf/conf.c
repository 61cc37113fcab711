/*
 * conf: every setting's default, what it takes and what it refuses; mistakes are told in one line
 * with the file, the line and what to do; lists over several lines; overrides; settings of
 * capabilities still to come; what is printed reads back as the same; what differs between two
 * configurations and what a running daemon can take over.
 */
#include "common/conf/conf.h"

#include "common/base/log.h"
#include "common/site/submitters.h"

#include "t/unit/scratch.h"

static char error[CONF_ERROR_SIZE];
static char file[SCRATCH_PATH_SIZE];

/* A configuration of these lines; NULL and `error`. */
static struct conf *load(const char *lines)
{
	scratch_write_text(file, lines);
	error[0] = '\0';
	return conf_load(file, true, NULL, 0, error);
}

static struct conf *load_with(const char *lines, const char *const *overrides, size_t count)
{
	char *copies[16];

	scratch_write_text(file, lines);
	error[0] = '\0';
	for (size_t i = 0; i < count; i++)
		copies[i] = strdup(overrides[i]);
	struct conf *conf = conf_load(file, true, copies, count, error);
	while (count > 0)
		free(copies[--count]);
	return conf;
}

/* All settings as they are printed, malloc()ed. */
static char *printed(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	conf_print(conf, out);
	fclose(out);
	return text;
}

/* The value of `section.key` as it is printed; several lines of it joined by '|'. */
static const char *value_of(const struct conf *conf, const char *setting)
{
	static char value[8192];
	char section[64] = "", *text = printed(conf), *rest = text, *line;
	const char *dot = strchr(setting, '.');
	size_t key = strlen(dot + 1);
	bool found = false, open = false;

	value[0] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		/* A line that begins with a blank goes on with the one before. */
		if (open && (line[0] == ' ' || line[0] == '\t')) {
			size_t used = strlen(value);
			snprintf(value + used, sizeof value - used, " %s",
				line + strspn(line, " \t"));
			continue;
		}
		open = false;
		if (line[0] == '[')
			snprintf(section, sizeof section, "%.*s", (int)strcspn(line + 1, "]"),
				line + 1);
		if (strlen(section) != (size_t)(dot - setting) ||
			strncmp(section, setting, strlen(section)) != 0 ||
			strncmp(line, dot + 1, key) != 0 || strncmp(line + key, " =", 2) != 0)
			continue;
		size_t used = strlen(value);
		snprintf(value + used, sizeof value - used, "%s%s", found ? "|" : "",
			line + key + 2 + (line[key + 2] == ' '));
		found = open = true;
	}
	free(text);
	return found ? value : NULL;
}

/* --- the settings -------------------------------------------------------------------------- */

static const struct {
	const char *setting;
	const char *standard;
	bool reload;
} settings[] = {
	{"server.socketmap", "unix:" TLSAD_RUNDIR "/socketmap", false},
	{"server.policy", "unix:" TLSAD_RUNDIR "/policy", false},
	{"server.control", "unix:" TLSAD_RUNDIR "/control", false},
	{"server.metrics", "", false},
	{"server.allow", "127.0.0.0/8, ::1/128", true},
	{"server.workers", "auto", false},
	{"server.socket_mode", "0666", false},
	{"server.max_connections", "16384", true},
	{"server.idle_timeout", "120", true},
	{"server.user", "", false},
	{"server.chroot", "", false},
	{"server.pid_file", "", false},
	{"resolver.trust_anchor", TLSAD_CONFDIR "/root.key", false},
	{"resolver.forward", "", false},
	{"resolver.stub", "", false},
	{"resolver.query_localhost", "no", false},
	{"resolver.options", "", false},
	{"resolver.timeout", "20", true},
	{"dane.enforce", "native", true},
	{"dane.site_level", "dane", true},
	{"dane.fingerprint_digest", "sha256", true},
	{"dane.tafile_dir", "", false},
	{"dane.tafile_prefix", "", false},
	{"dane.learn_trust_anchors", "no", true},
	{"dane.mode", "enforce", true},
	{"dane.minimums_file", "", true},
	{"dane.exceptions_file", "", true},
	{"policy.warm", "yes", true},
	{"policy.announce", "no", true},
	{"policy.announce_header", "X-TLS-Destination", true},
	{"policy.lacking",
		"REJECT 5.7.10 {destination} must be reached with TLS level {required}, but offers "
		"{offered} ({reason})",
		true},
	{"policy.wait", "8", true},
	{"policy.senders", "", true},
	{"policy.sasl_usernames", "", true},
	{"policy.clients", "", true},
	{"sts.enable", "no", true},
	{"cache.path", TLSAD_CACHEDIR, false},
	{"cache.max_size", "1073741824", false},
	{"cache.min_ttl", "30", true},
	{"cache.max_ttl", "86400", true},
	{"cache.failure_ttl", "30", true},
	{"cache.prefetch", "10", true},
	{"cache.serve_stale", "3600", true},
	{"log.target", "auto", false},
	{"log.answers", "no", true},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static void test_defaults(void)
{
	struct conf *conf = conf_load("/nonexistent/tlsad.conf", false, NULL, 0, error);

	if (!ok(conf != NULL, "without the default file there are the defaults")) {
		diag("%s", error);
		return;
	}
	for (size_t i = 0; i < SETTINGS; i++)
		is_string(value_of(conf, settings[i].setting), settings[i].standard,
			"default of %s", settings[i].setting);
	/* No other setting than those above: a new one needs its row here. */
	char *text = printed(conf);
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, " =")) != NULL; at++) {
		const char *line = at;
		while (line > text && line[-1] != '\n')
			line--;
		count += line[0] != '#' && memchr(line, ' ', (size_t)(at - line)) == NULL;
	}
	free(text);
	is_number((int64_t)count, SETTINGS, "all settings are known to this test");
	ok(conf->server.workers == 0 && conf->server.socket_mode == 0666 &&
			conf->server.max_connections == 16384 && conf->server.idle_timeout == 120 &&
			conf->server.socketmap.count == 1 && conf->server.allow.count == 2 &&
			strcmp(conf->server.allow.entries[1], "::1/128") == 0,
		"[server] in its struct");
	ok(conf->resolver.forward.count == 0 && conf->resolver.stub.count == 0 &&
			!conf->resolver.query_localhost && conf->resolver.timeout == 20 &&
			conf->resolver.options[0] == '\0',
		"[resolver] in its struct");
	ok(conf->dane.site_level == TLS_LEVEL_DANE && !conf->sts.enable &&
			conf->cache.max_size == UINT64_C(1) << 30 && conf->cache.min_ttl == 30 &&
			conf->cache.max_ttl == 86400 && conf->cache.failure_ttl == 30 &&
			conf->cache.prefetch == 10 && conf->cache.serve_stale == 3600 &&
			conf->log.target == LOG_TARGET_AUTO && !conf->log.answers &&
			conf->server.metrics[0] == '\0',
		"the others in theirs");
	conf_release(conf);
	ok(conf_load("/nonexistent/tlsad.conf", true, NULL, 0, error) == NULL &&
			strstr(error, "/nonexistent/tlsad.conf: ") == error &&
			strstr(error, "No such file") != NULL,
		"a file that was asked for must exist: %s", error);
	mkdir(scratch_path("directory"), 0700);
	ok(conf_load(scratch_path("directory"), true, NULL, 0, error) == NULL &&
			strstr(error, "cannot read it") != NULL,
		"a directory is no file: %s", error);
	conf = load("");
	ok(conf != NULL, "an empty file has the defaults");
	conf_release(conf);
}

/* What each takes: as printed. What it refuses: NULL. */
static const struct {
	const char *setting;
	const char *value;
	const char *expected;
} values[] = {
	{"server.socketmap", "unix:/x", "unix:/x"},
	{"server.socketmap", "unix:/x,inet:127.0.0.1:8642", "unix:/x, inet:127.0.0.1:8642"},
	{"server.socketmap", "unix:/x inet:[::1]:8642\tinet:*:1",
		"unix:/x, inet:[::1]:8642, inet:*:1"},
	{"server.socketmap", ",, unix:/x , ,", "unix:/x"},
	{"server.socketmap", "", NULL},
	{"server.socketmap", "/x", NULL},
	{"server.socketmap", "unix:x", NULL},
	{"server.socketmap", "inet:127.0.0.1", NULL},
	{"server.socketmap", "inet:mail.example.com:25", NULL},
	{"server.socketmap", "unix:/x, tcp:1", NULL},
	{"server.control", "unix:/x", "unix:/x"},
	{"server.control", "", ""},
	{"server.control", "inet:127.0.0.1:1", NULL},
	{"server.control", "unix:x", NULL},
	{"server.control", "/x", NULL},
	{"server.metrics", "unix:/x", "unix:/x"},
	{"server.metrics", "inet:[::1]:9465", "inet:[::1]:9465"},
	{"server.metrics", "", ""},
	{"server.metrics", "inet:127.0.0.1", NULL},
	{"server.metrics", "127.0.0.1:9465", NULL},
	{"server.metrics", "inet:127.0.0.1:1, inet:127.0.0.1:2", NULL},
	{"server.allow", "", ""},
	{"server.allow", "192.0.2.0/24", "192.0.2.0/24"},
	{"server.allow", "192.0.2.0/24 2001:db8::/32", "192.0.2.0/24, 2001:db8::/32"},
	{"server.allow", "192.0.2.0/33", NULL},
	{"server.allow", "example.com", NULL},
	{"server.workers", "auto", "auto"},
	{"server.workers", "1", "1"},
	{"server.workers", "64", "64"},
	{"server.workers", "65", NULL},
	{"server.workers", "0", NULL},
	{"server.workers", "-1", NULL},
	{"server.workers", "+1", NULL},
	{"server.workers", "two", NULL},
	{"server.workers", "2x", NULL},
	{"server.workers", "", NULL},
	{"server.workers", "18446744073709551617", NULL},
	{"server.workers", "4294967297", NULL},
	{"server.socket_mode", "0600", "0600"},
	{"server.socket_mode", "660", "0660"},
	{"server.socket_mode", "0", "0000"},
	{"server.socket_mode", "0777", "0777"},
	{"server.socket_mode", "01777", NULL},
	{"server.socket_mode", "0888", NULL},
	{"server.socket_mode", "rw", NULL},
	{"server.max_connections", "1", "1"},
	{"server.max_connections", "1000000", "1000000"},
	{"server.max_connections", "1000001", NULL},
	{"server.max_connections", "0", NULL},
	{"server.max_connections", "1k", NULL},
	{"server.idle_timeout", "1", "1"},
	{"server.idle_timeout", "90s", "90"},
	{"server.idle_timeout", "2m", "120"},
	{"server.idle_timeout", "1d", "86400"},
	{"server.idle_timeout", "24h", "86400"},
	{"server.idle_timeout", "25h", NULL},
	{"server.idle_timeout", "0", NULL},
	{"server.idle_timeout", "1w", NULL},
	{"server.idle_timeout", "1M", NULL},
	{"server.idle_timeout", "1h30m", NULL},
	{"server.idle_timeout", "1 m", NULL},
	{"server.idle_timeout", "m", NULL},
	{"server.idle_timeout", "1.5m", NULL},
	{"server.idle_timeout", "18446744073709551615d", NULL},
	{"server.idle_timeout", "213503982334602d", NULL},
	{"resolver.trust_anchor", "/x/root.key", "/x/root.key"},
	{"resolver.forward", "192.0.2.53", "192.0.2.53"},
	{"resolver.forward", "192.0.2.53@5353 2001:db8::53", "192.0.2.53@5353, 2001:db8::53"},
	{"resolver.forward", "192.0.2.53#dns.example, 192.0.2.54#dns.example",
		"192.0.2.53#dns.example, 192.0.2.54#dns.example"},
	{"resolver.forward", "192.0.2.53#dns.example, 192.0.2.54", NULL},
	{"resolver.stub", "corp.example 192.0.2.53", "corp.example 192.0.2.53"},
	{"resolver.stub", ". 192.0.2.53@5353", ". 192.0.2.53@5353"},
	{"resolver.stub", "corp.example\t192.0.2.53", "corp.example\t192.0.2.53"},
	{"resolver.stub", "corp.example", NULL},
	/* libunbound would leave these out without a word */
	{"resolver.stub", ". 127.0.0.1", NULL},
	{"resolver.stub", "corp.example \t127.0.0.53@5353", NULL},
	{"resolver.stub", ". ::1@5353", NULL},
	{"resolver.stub", ". ::1", NULL},
	{"resolver.forward", "127.0.0.53", NULL},
	{"resolver.forward", "192.0.2.1, ::1", NULL},
	{"resolver.forward", "::1@853#dns.example", NULL},
	{"resolver.forward", "::1#dns.example", NULL},
	{"resolver.query_localhost", "yes", "yes"},
	{"resolver.query_localhost", "no", "no"},
	{"resolver.query_localhost", "ON", "yes"},
	{"resolver.query_localhost", "Off", "no"},
	{"resolver.query_localhost", "true", "yes"},
	{"resolver.query_localhost", "false", "no"},
	{"resolver.query_localhost", "1", "yes"},
	{"resolver.query_localhost", "0", "no"},
	{"resolver.query_localhost", "maybe", NULL},
	{"resolver.query_localhost", "", NULL},
	{"resolver.query_localhost", "yess", NULL},
	{"resolver.query_localhost", "2", NULL},
	{"resolver.options", "/x/unbound.conf", "/x/unbound.conf"},
	{"resolver.options", "", ""},
	{"resolver.timeout", "1", "1"},
	{"resolver.timeout", "90", "90"},
	{"resolver.timeout", "1m", "60"},
	{"resolver.timeout", "91", NULL},
	{"resolver.timeout", "0", NULL},
	{"dane.enforce", "native", "native"},
	{"dane.enforce", "NATIVE", "native"},
	{"dane.enforce", "pinned", "pinned"},
	{"dane.enforce", "both", NULL},
	{"dane.fingerprint_digest", "sha512", "sha512"},
	{"dane.fingerprint_digest", "SHA256", "sha256"},
	{"dane.fingerprint_digest", "md5", NULL},
	{"dane.tafile_dir", "/var/spool/postfix/tlsad", "/var/spool/postfix/tlsad"},
	{"dane.tafile_dir", "", ""},
	{"dane.tafile_dir", "relative/path", NULL},
	{"dane.tafile_dir", "/a b", NULL},
	{"dane.tafile_dir", "/a,b", NULL},
	{"dane.tafile_dir", "/a:b", NULL},
	{"dane.tafile_dir", "/{a}", NULL},
	{"dane.tafile_prefix", "/tlsad", NULL}, /* without tafile_dir */
	{"dane.learn_trust_anchors", "no", "no"},
	{"dane.learn_trust_anchors", "yes", NULL}, /* without tafile_dir */
	{"dane.enforce", "", NULL},
	{"dane.site_level", "none", "none"},
	{"dane.site_level", "may", "may"},
	{"dane.site_level", "encrypt", "encrypt"},
	{"dane.site_level", "dane", "dane"},
	{"dane.site_level", "dane-only", "dane-only"},
	{"dane.site_level", "fingerprint", "fingerprint"},
	{"dane.site_level", "verify", "verify"},
	{"dane.site_level", "secure", "secure"},
	{"dane.site_level", "Secure", "secure"},
	{"dane.site_level", "dane_only", NULL},
	{"dane.site_level", "strong", NULL},
	{"sts.enable", "no", "no"},
	{"sts.enable", "yes", NULL},
	{"cache.path", "/x", "/x"},
	{"cache.path", "", NULL},
	{"cache.max_size", "1M", "1048576"},
	{"cache.max_size", "1048576", "1048576"},
	{"cache.max_size", "1024k", "1048576"},
	{"cache.max_size", "16384G", "17592186044416"},
	{"cache.max_size", "1048575", NULL},
	{"cache.max_size", "16385G", NULL},
	{"cache.max_size", "1m", NULL},
	{"cache.max_size", "1MB", NULL},
	{"cache.max_size", "18446744073709551615G", NULL},
	{"cache.max_size", "17179869184G", NULL}, /* 2^64 bytes */
	{"cache.min_ttl", "0", "0"},
	{"cache.min_ttl", "1d", "86400"},
	{"cache.min_ttl", "86401", NULL},
	{"cache.max_ttl", "30d", "2592000"},
	{"cache.max_ttl", "31d", NULL},
	{"cache.max_ttl", "0", NULL},
	{"cache.max_ttl", "29", NULL}, /* below min_ttl */
	{"cache.max_ttl", "30", "30"},
	{"cache.failure_ttl", "1", "1"},
	{"cache.failure_ttl", "0", NULL},
	{"cache.prefetch", "0", "0"},
	{"cache.prefetch", "50", "50"},
	{"cache.prefetch", "51", NULL},
	{"cache.prefetch", "10%", NULL},
	{"cache.serve_stale", "0", "0"},
	{"cache.serve_stale", "30d", "2592000"},
	{"cache.serve_stale", "31d", NULL},
	{"log.target", "auto", "auto"},
	{"log.target", "stderr", "stderr"},
	{"log.target", "syslog", "syslog"},
	{"log.target", "file", NULL},
	{"log.answers", "yes", "yes"},
	{"log.answers", "all", NULL},
};

/* The value in a file, and as an override: the same. */
static void test_values(void)
{
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char lines[512], override[512];
		const char *overrides[] = {override};
		const char *dot = strchr(values[i].setting, '.');
		int section = (int)(dot - values[i].setting);

		snprintf(lines, sizeof lines, "# a comment\n[%.*s]\n%s = %s\n", section,
			values[i].setting, dot + 1, values[i].value);
		struct conf *conf = load(lines);
		bool good = (conf != NULL) == (values[i].expected != NULL);
		if (conf != NULL && values[i].expected != NULL)
			good = strcmp(value_of(conf, values[i].setting), values[i].expected) == 0;
		if (conf == NULL)
			good = good && strstr(error, file) == error &&
			       strstr(error, dot + 1) != NULL && strchr(error, '\n') == NULL;
		if (!ok(good, "%s = '%s': %s", values[i].setting, values[i].value,
			    values[i].expected != NULL ? values[i].expected : "refused"))
			diag("%s", conf != NULL ? value_of(conf, values[i].setting) : error);
		conf_release(conf);
		/* inih takes the blanks away; an override has none to begin with. */
		snprintf(override, sizeof override, "%s=%s", values[i].setting, values[i].value);
		conf = load_with("", overrides, 1);
		good = (conf != NULL) == (values[i].expected != NULL);
		if (conf != NULL && values[i].expected != NULL)
			good = strcmp(value_of(conf, values[i].setting), values[i].expected) == 0;
		if (!ok(good && (conf != NULL || (error[0] != '\0' && strchr(error, '\n') == NULL)),
			    "-o %s: the same", override))
			diag("%s", conf != NULL ? value_of(conf, values[i].setting) : error);
		conf_release(conf);
	}
}

/* --- mistakes ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	const char *lines;
	unsigned line; /* 0: not of one line */
	const char *words[3];
} mistakes[] = {
	{"a mistyped key", "[server]\n\nwokers = 2\n", 3, {"wokers", "did you mean 'workers'?"}},
	{"a key in upper case", "[server]\nWorkers = 2\n", 2, {"did you mean 'workers'?"}},
	{"a key of another section", "[server]\nprefetch = 2\n", 2, {"it belongs to [cache]"}},
	{"a key like no other", "[server]\nxyzzyplugh = 2\n", 2, {"xyzzyplugh", "tlsad.conf(5)"}},
	{"a mistyped section", "[severs]\nworkers = 2\n", 2, {"did you mean [server]?"}},
	{"a section like no other", "[frobnication]\nx = 2\n", 2,
		{"frobnication", "tlsad.conf(5)"}},
	{"a key before any section", "workers = 2\n", 1, {"workers"}},
	{"a value that is no number", "[server]\nworkers = 2\nmax_connections = many\n", 3,
		{"max_connections", "many", "from 1 to 1000000"}},
	{"a time that is none", "[cache]\nmin_ttl = soon\n", 2, {"min_ttl", "s, m, h, d"}},
	{"a size that is none", "[cache]\nmax_size = large\n", 2, {"max_size", "k, M, G"}},
	{"a mode that is none", "[server]\nsocket_mode = 999\n", 2,
		{"socket_mode", "octal", "777"}},
	{"a word that is no choice", "[dane]\nsite_level = strong\n", 2,
		{"site_level", "expected one of none, may, encrypt, dane, dane-only"}},
	{"a boolean that is none", "[resolver]\nquery_localhost = perhaps\n", 2,
		{"expected yes or no"}},
	{"an endpoint that is none", "[server]\nsocketmap = unix:/x, tcp:1\n", 2,
		{"tcp:1", "unix:PATH or inet:"}},
	{"a network that is none", "[server]\nallow = 192.0.2.0/99\n", 2,
		{"192.0.2.0/99", "192.0.2.0/24"}},
	{"a stub without an address", "[resolver]\nstub = corp.example\n", 2,
		{"write ZONE ADDRESS[@PORT]"}},
	{"a setting twice", "[server]\nworkers = 2\n# and\nworkers = 3\n", 4, {"is set twice"}},
	{"a list twice", "[server]\nallow = 192.0.2.1\nallow = 192.0.2.2\n", 3, {"is set twice"}},
	{"twice in a section that comes twice",
		"[server]\nworkers = 2\n[cache]\n[server]\nworkers = 2\n", 5, {"is set twice"}},
	{"no equals sign", "[server]\nworkers\nidle_timeout = 2m\nmax_connections = 5\n", 2,
		{"expected '[section]', 'key = value' or a comment"}},
	{"no equals sign in the last line", "[server]\nworkers", 2, {"expected '[section]'"}},
	{"a section without its end", "[server\nworkers = 2\n\n\n", 1, {"expected '[section]'"}},
	{"a second line of one value", "[server]\nworkers = 2\n  3\n", 3,
		{"begins with a blank", "one line"}},
	{"two mistakes: the first", "[server]\nwokers = 2\nbogus = 3\n", 2, {"wokers"}},
	{"a mistake before a line that is none", "[server]\nwokers = 2\nnothing\n", 2, {"wokers"}},
	{"a line that is none before a mistake", "[server]\nnothing\nwokers = 2\n", 2,
		{"expected '[section]'"}},
	{"a floor above the ceiling", "[cache]\nmin_ttl = 2h\nmax_ttl = 1h\n", 0,
		{"min_ttl is larger than max_ttl"}},
	{"MTA-STS", "[sts]\nenable = yes\n", 0, {"does not have MTA-STS yet"}},
	{"a server of this host", "[resolver]\nstub = . 127.0.0.1@53\n", 0,
		{"stub", "127.0.0.1@53", "query_localhost = yes"}},
	{"a bad entry in a line of its own",
		"[server]\nallow = 192.0.2.1\n  192.0.2.2\n  nonsense\n", 4, {"nonsense"}},
};

static void test_mistakes(void)
{
	for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
		char place[SCRATCH_PATH_SIZE + 16];
		struct conf *conf = load(mistakes[i].lines);
		bool good = conf == NULL && strchr(error, '\n') == NULL;

		if (mistakes[i].line > 0)
			snprintf(place, sizeof place, "%s:%u: ", file, mistakes[i].line);
		else
			snprintf(place, sizeof place, "%s: ", file);
		good = good && strncmp(error, place, strlen(place)) == 0;
		for (size_t w = 0; w < 3 && mistakes[i].words[w] != NULL; w++)
			good = good && strstr(error, mistakes[i].words[w]) != NULL;
		if (!ok(good, "%s: told at line %u", mistakes[i].name, mistakes[i].line))
			diag("%s", conf != NULL ? "it was taken" : error);
		conf_release(conf);
	}
}

/* --- lines --------------------------------------------------------------------------------- */

static void test_lines(void)
{
	static const struct {
		const char *name, *lines, *setting, *value;
	} rows[] = {
		{"comments of both kinds", "; one\n# two\n[server]\n;x\n#y\nworkers = 3\n",
			"server.workers", "3"},
		{"a comment behind a value", "[server]\nworkers = 3 ; three\n", "server.workers",
			"3"},
		{"a number sign within a value", "[resolver]\nforward = 192.0.2.1#dns.example\n",
			"resolver.forward", "192.0.2.1#dns.example"},
		{"no blanks", "[server]\nworkers=3\n", "server.workers", "3"},
		{"many blanks", "[server]\nworkers   =\t  3  \t\n", "server.workers", "3"},
		{"a colon for the equals sign", "[cache]\npath: /x\n", "cache.path", "/x"},
		{"carriage returns", "[server]\r\nworkers = 3\r\n", "server.workers", "3"},
		{"no newline at the end", "[server]\nworkers = 3", "server.workers", "3"},
		{"a mark of UTF-8 at the beginning", "\xef\xbb\xbf[server]\nworkers = 3\n",
			"server.workers", "3"},
		{"an empty list", "[server]\nallow =\n", "server.allow", ""},
		{"a list over several lines",
			"[server]\nallow = 192.0.2.1,\n  192.0.2.2\n\t192.0.2.3, 192.0.2.4\n",
			"server.allow", "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4"},
		{"a list that begins in its second line", "[server]\nallow =\n  192.0.2.1\n",
			"server.allow", "192.0.2.1"},
		{"a comment within a list",
			"[server]\nallow = 192.0.2.1\n  # not 192.0.2.9\n  192.0.2.2\n",
			"server.allow", "192.0.2.1, 192.0.2.2"},
		{"stubs on their lines",
			"[resolver]\nstub = a.example 192.0.2.1\nstub = b.example 192.0.2.2\n",
			"resolver.stub", "a.example 192.0.2.1|b.example 192.0.2.2"},
		{"a stub in a second line",
			"[resolver]\nstub = a.example 192.0.2.1\n  b.example 192.0.2.2\n",
			"resolver.stub", "a.example 192.0.2.1|b.example 192.0.2.2"},
		{"a server of this host, where that is allowed",
			"[resolver]\nforward = 127.0.0.1@53 ::1\nquery_localhost = yes\n",
			"resolver.forward", "127.0.0.1@53, ::1"},
		{"a section that comes twice",
			"[server]\nworkers = 3\n[cache]\n[server]\nallow =\n", "server.workers",
			"3"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct conf *conf = load(rows[i].lines);
		const char *value = conf != NULL ? value_of(conf, rows[i].setting) : error;
		is_string(value, rows[i].value, "%s", rows[i].name);
		conf_release(conf);
	}
}

static void test_long_lines(void)
{
	many_begin("lines of every length up to and beyond the longest");
	for (size_t length = 20; length < 420; length++) {
		for (int newline = 0; newline < 2; newline++) {
			char lines[512];
			size_t head = (size_t)snprintf(lines, sizeof lines, "[cache]\n");
			size_t used = head + (size_t)snprintf(
						     lines + head, sizeof lines - head, "path = /");
			while (used < head + length)
				lines[used++] = 'x';
			lines[used] = '\0';
			if (newline)
				strcat(lines, "\nprefetch = 7\n");
			struct conf *conf = load(lines);
			if (length <= CONF_LINE_MAX) {
				many(conf != NULL && strlen(conf->cache.path) == length - 7 &&
						conf->cache.prefetch == (newline ? 7U : 10U),
					"%zu bytes, newline %d: %s", length, newline, error);
			} else {
				many(conf == NULL && strstr(error, ":2: ") != NULL &&
						strstr(error, "longer than 198 bytes") != NULL,
					"%zu bytes, newline %d: %s", length, newline,
					conf != NULL ? "taken" : error);
			}
			conf_release(conf);
		}
	}
	many_end();
	/* Long comments are lines too; a long list is to be broken. */
	char lines[8192] = "[server]\nallow =";
	for (int i = 0; i < CONF_LIST_MAX; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "\n  10.0.%d.%d",
			i / 200, i % 200);
	strcat(lines, "\n");
	struct conf *conf = load(lines);
	ok(conf != NULL && conf->server.allow.count == CONF_LIST_MAX, "a list of the most entries");
	conf_release(conf);
	strcat(lines, "  10.9.9.9\n");
	conf = load(lines);
	ok(conf == NULL && strstr(error, "more than") != NULL, "and one more: %s", error);
	conf_release(conf);
}

/* --- overrides ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *lines;
	const char *overrides[5];
	const char *setting;
	const char *value; /* NULL: refused; `setting` is in the words then */
} overrides_rows[] = {
	{"it replaces what the file says", "[server]\nworkers = 2\n", {"server.workers=3"},
		"server.workers", "3"},
	{"the last one counts", "", {"server.workers=3", "server.workers=4"}, "server.workers",
		"4"},
	{"a list is replaced", "[server]\nallow = 192.0.2.1\n",
		{"server.allow=192.0.2.2 192.0.2.3"}, "server.allow", "192.0.2.2, 192.0.2.3"},
	{"a list is replaced again", "", {"server.allow=192.0.2.2", "server.allow=192.0.2.3"},
		"server.allow", "192.0.2.3"},
	{"a list is emptied", "", {"server.allow="}, "server.allow", ""},
	{"the first stub replaces those of the file", "[resolver]\nstub = a.example 192.0.2.1\n",
		{"resolver.stub=b.example 192.0.2.2"}, "resolver.stub", "b.example 192.0.2.2"},
	{"more stubs add up", "[resolver]\nstub = a.example 192.0.2.1\n",
		{"resolver.stub=b.example 192.0.2.2", "server.workers=1",
			"resolver.stub=c.example 192.0.2.3"},
		"resolver.stub", "b.example 192.0.2.2|c.example 192.0.2.3"},
	{"stubs are taken away", "[resolver]\nstub = a.example 192.0.2.1\n", {"resolver.stub="},
		"resolver.stub", ""},
	{"a value with an equals sign", "", {"cache.path=/x=y"}, "cache.path", "/x=y"},
	{"a value with a dot", "", {"cache.path=/x.y"}, "cache.path", "/x.y"},
	{"an empty value", "", {"resolver.options="}, "resolver.options", ""},
	{"it mends what the file alone would not be", "[cache]\nmin_ttl = 1h\nmax_ttl = 1m\n",
		{"cache.max_ttl=2h"}, "cache.max_ttl", "7200"},
	{"no equals sign", "", {"server.workers"}, "expected SECTION.KEY=VALUE", NULL},
	{"no section", "", {"workers=3"}, "expected SECTION.KEY=VALUE", NULL},
	{"nothing", "", {""}, "expected SECTION.KEY=VALUE", NULL},
	{"only signs", "", {".="}, "-o .=", NULL},
	{"a dot behind the equals sign", "", {"workers=3.5"}, "expected SECTION.KEY=VALUE", NULL},
	{"a mistyped key", "", {"server.wokers=3"}, "did you mean 'workers'?", NULL},
	{"a mistyped section", "", {"sever.workers=3"}, "did you mean [server]?", NULL},
	{"a bad value", "", {"server.workers=many"}, "from 1 to 64", NULL},
	{"blanks", "", {"server.workers = 3"}, "-o server.workers = 3", NULL},
	{"a good one before a bad one", "", {"server.workers=3", "server.nonsense=1"},
		"-o server.nonsense=1", NULL},
	{"a bad one before a good one", "", {"server.nonsense=1", "server.workers=3"},
		"-o server.nonsense=1", NULL},
	{"a bad pair", "", {"cache.min_ttl=2h", "cache.max_ttl=1h"}, "min_ttl is larger", NULL},
	{"a bad file with it", "[server]\nworkers = x\n", {"server.workers=3"}, ":2: ", NULL},
	{"a section name that is far too long", "",
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x=1"},
		"expected SECTION.KEY=VALUE", NULL},
	{"a key that is far too long", "",
		{"server.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1"},
		"[server] has no setting 'aaaaaaaa", NULL},
};

static void test_overrides(void)
{
	for (size_t i = 0; i < sizeof overrides_rows / sizeof overrides_rows[0]; i++) {
		size_t count = 0;
		while (count < 5 && overrides_rows[i].overrides[count] != NULL)
			count++;
		struct conf *conf =
			load_with(overrides_rows[i].lines, overrides_rows[i].overrides, count);
		bool good;
		if (overrides_rows[i].value != NULL)
			good = conf != NULL && strcmp(value_of(conf, overrides_rows[i].setting),
						       overrides_rows[i].value) == 0;
		else
			good = conf == NULL && strstr(error, overrides_rows[i].setting) != NULL &&
			       strchr(error, '\n') == NULL;
		if (!ok(good, "-o: %s", overrides_rows[i].name))
			diag("%s", conf == NULL ? error
				   : overrides_rows[i].value != NULL
					   ? value_of(conf, overrides_rows[i].setting)
					   : "taken");
		conf_release(conf);
	}
}

/* --- printing and comparing ---------------------------------------------------------------- */

/* Print, read that, compare. */
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
	/* As a user sees it: every setting has its meaning above it. */
	struct conf *conf = load("");
	char *text = printed(conf), *rest = text, *line, before[512] = "";
	many_begin("every setting is explained, in lines that can be read");
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strchr("#[ \t", line[0]) == NULL)
			many(before[0] == '#' && strlen(before) > 12, "'%s' behind '%s'", line,
				before);
		many(strlen(line) <= CONF_LINE_MAX, "a line of %zu bytes", strlen(line));
		snprintf(before, sizeof before, "%s", line);
	}
	many_end();
	free(text);
	conf_release(conf);
}

static void test_difference(void)
{
	/* Another value of each. */
	static const char *const others[SETTINGS] = {"unix:/other", "unix:/y", "unix:/x", "unix:/z",
		"192.0.2.1", "5", "0600", "5", "5s", "nobody", NULL, "/other", "/other",
		"192.0.2.1", "a.example 192.0.2.1", "yes", "/other", "5s", "pinned", "may",
		"sha512", "/other", NULL, NULL, "monitor", "/other", "/other", "no", "yes",
		"X-Other", "HOLD", "5s", "example.org", "alice", "192.0.2.1", NULL, "/other", "5M",
		"5s", "5h", "5s", "5", "5s", "syslog", "yes"};
	struct conf *standard = load("");

	ok(conf_difference(standard, standard, 0) == NULL, "a configuration is like itself");
	for (size_t i = 0; i < SETTINGS; i++) {
		char override[256];
		const char *overrides[] = {override};
		if (others[i] == NULL)
			continue;
		snprintf(override, sizeof override, "%s=%s", settings[i].setting, others[i]);
		struct conf *conf = load_with("", overrides, 1);
		if (!ok(conf != NULL, "-o %s", override)) {
			diag("%s", error);
			continue;
		}
		const char *difference = conf_difference(standard, conf, 0);
		is_string(difference, settings[i].setting, "what differs with it");
		ok(conf_difference(standard, conf, 1) == NULL, "and nothing else does");
		ok(conf_copy_restart_settings(conf, standard), "what needs a restart is kept");
		ok((conf_difference(standard, conf, 0) != NULL) == settings[i].reload,
			"and nothing else is");
		conf_release(conf);
	}
	struct conf *conf =
		load("[server]\nworkers = 2\n[cache]\nprefetch = 3\n[log]\ntarget = syslog\n");
	is_string(conf_difference(standard, conf, 0), "server.workers", "of three the first");
	is_string(conf_difference(standard, conf, 1), "cache.prefetch", "the second");
	is_string(conf_difference(standard, conf, 2), "log.target", "the third");
	ok(conf_difference(standard, conf, 3) == NULL, "and no more");
	conf_release(conf);
	conf_release(standard);
	for (size_t i = 0; i < SETTINGS; i++)
		ok(conf_reloadable(settings[i].setting) == settings[i].reload, "%s is%s taken over",
			settings[i].setting, settings[i].reload ? "" : " not");
	ok(!conf_reloadable("server.nonsense") && !conf_reloadable("") &&
			!conf_reloadable("server") && !conf_reloadable("server.") &&
			!conf_reloadable("servers.allow"),
		"what is no setting is not taken over");
}

/* --- rules --------------------------------------------------------------------------------- */

static const struct {
	const char *lines, *words;
} bad_rules[] = {
	{"[minimum]\n\nexample.org = daen\n", ":3: [minimum] 'daen' is no minimum level"},
	{"[minimum]\norg = dane\n", ":2: [minimum] 'org' is no domain name"},
	{"[minimum]\nexample.org = dane\nEXAMPLE.org = none\n",
		":3: [minimum] example.org has a minimum already, at "},
	{"[exception]\n* = may\n", ":2: [exception] an exception for *"},
	{"[exception]\nexample.org = may until never ; x\n", ":2: [exception] 'never' is no date"},
	{"[exception]\nexample.org = may ; x\n  y = z\n", ":3: [exception]: a rule has one line"},
	{"[exceptions]\nexample.org = may\n", "did you mean [exception]?"},
	{"[minimums]\nexample.org = may\n", "did you mean [minimum]?"},
};

static void test_bad_rules(void)
{
	many_begin("rules that cannot be read");
	for (size_t i = 0; i < sizeof bad_rules / sizeof bad_rules[0]; i++) {
		struct conf *conf = load(bad_rules[i].lines);
		many(conf == NULL && strstr(error, bad_rules[i].words) != NULL, "%s: %s",
			bad_rules[i].lines, conf == NULL ? error : "taken");
		conf_release(conf);
	}
	many_end();
}

static const struct exception *find_exception(const struct conf *conf, const char *name)
{
	struct ruling ruling;
	rules_find(conf->rules, name, strlen(name), 0, &ruling);
	return ruling.exception;
}

static void test_rules(void)
{
	static const char *const overrides[] = {
		"minimum.example.org=none", "exception.example.com=encrypt ; of the command line"};
	struct ruling ruling;
	struct conf *conf = load("[minimum]\nB\xc3\x9c"
				 "CHER.example = dane ; a comment\n[exception]\n"
				 "example.org = may until 2026-12-31 ; ticket 5 ; more = x\n");

	if (!ok(conf != NULL && conf_load_rules(conf, error), "both sections: %s", error))
		return;
	rules_find(conf->rules, "xn--bcher-kva.example", 21, 0, &ruling);
	is_number(ruling.minimum, MINIMUM_DANE, "a minimum");
	const struct exception *exception = find_exception(conf, "example.org");
	is_string(exception->reason, "ticket 5 ; more = x", "an exception with all of its reason");
	ok(exception->place.line == 4 && strcmp(exception->place.file, file) == 0,
		"and where it stands");
	conf_release(conf);

	conf = load_with("[minimum]\nexample.org = dane\n", overrides, 2);
	ok(conf != NULL && conf_load_rules(conf, error), "overrides: %s", error);
	rules_find(conf->rules, "example.org", 11, 0, &ruling);
	is_number(ruling.minimum, MINIMUM_NONE, "an override replaces a rule");
	exception = find_exception(conf, "example.com");
	ok(exception->level == TLS_LEVEL_ENCRYPT && exception->place.line == 0, "or is a new one");
	is_string(exception->reason, "of the command line", "with its reason");
	conf_release(conf);

	conf = load("");
	ok(conf_load_rules(conf, error) && conf->rules == NULL, "without rules there are none");
	ok(conf_reloadable("minimum") && conf_reloadable("exception"), "they are taken over");
	struct conf *other = load("[exception]\nexample.org = may\n[minimum]\n* = dane\n");
	is_string(conf_difference(conf, other, 0), "minimum", "minimums differ");
	is_string(conf_difference(other, conf, 1), "exception", "and exceptions");
	ok(conf_difference(conf, other, 2) == NULL, "nothing else");
	conf_release(other);
	conf_release(conf);
	conf = load("[dane]\nmode = monitor\n");
	ok(conf_load_rules(conf, error) && conf->rules != NULL, "but to monitor there are");
	conf_release(conf);
}

static void test_rule_files(void)
{
	char lines[2048];

	snprintf(lines, sizeof lines,
		"[dane]\nminimums_file = %s\nexceptions_file = %s\n[minimum]\nexample.org = dane\n",
		scratch_path("minimums"), scratch_path("exceptions"));
	struct conf *conf = load(lines);
	ok(!conf_load_rules(conf, error) &&
			strstr(error, "minimums: cannot read it: No such") != NULL,
		"a file of minimums must be there: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("minimums"), "example.net dane\nexample.org none\n");
	conf = load(lines);
	ok(!conf_load_rules(conf, error) &&
			strstr(error, "minimums:2: example.org has a minimum already") != NULL &&
			strstr(error, "tlsad.conf:5") != NULL,
		"twice in two files: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("minimums"), "example.net dane\n");
	conf = load(lines);
	ok(conf_load_rules(conf, error), "one of exceptions need not be: %s", error);
	is_number((int64_t)rules_minimum_count(conf->rules), 2, "both minimums");
	scratch_write_text(scratch_path("exceptions"), "example.com may ; x\n");
	struct conf *other = load(lines);
	ok(conf_load_rules(other, error), "now it is there: %s", error);
	is_string(conf_difference(conf, other, 0), "exception", "and makes a difference");
	char *text = printed(other);
	ok(strstr(text, "example.com") == NULL && strstr(text, "example.org = dane") != NULL,
		"what files say is not printed");
	free(text);
	conf_release(other);
	conf_release(conf);
	scratch_write_text(scratch_path("exceptions"), "\n\nexample.com maybe\n");
	conf = load(lines);
	ok(!conf_load_rules(conf, error) &&
			strstr(error, "exceptions:3: 'maybe' is no level") != NULL,
		"a broken one: %s", error);
	conf_release(conf);
}

/* Files are looked at when the rest is good. */
static void test_narrowing_files(void)
{
	struct submitter person = {.sender = "A@example.org", .sender_size = 13};
	char lines[1024];

	snprintf(lines, sizeof lines, "[policy]\nsenders = x@y.example, file:%s\n",
		scratch_path("senders"));
	struct conf *conf = load(lines);
	ok(conf != NULL && !conf_load_rules(conf, error) &&
			strstr(error, "[policy] senders: ") != NULL &&
			strstr(error, "senders: cannot read it: No such") != NULL,
		"a file of senders must be there: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("senders"), "# ours\n\na@example.org\nno one\n");
	conf = load(lines);
	ok(!conf_load_rules(conf, error) && strstr(error, "senders:4: one entry a line") != NULL,
		"a broken one: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("senders"), "# ours\n\na@example.org\n");
	conf = load(lines);
	ok(conf_load_rules(conf, error), "a good one: %s", error);
	ok(submitters_has(conf->policy.submitters, &person), "has who stands there");
	person.sender = "B@example.org";
	ok(!submitters_has(conf->policy.submitters, &person), "and nobody else");
	conf_release(conf);
}

static void test_references(void)
{
	struct conf *conf = load("");

	ok(conf_hold(conf) == conf, "a second reference");
	conf_release(conf);
	is_number(conf->cache.prefetch, 10, "one release leaves it alone");
	conf_release(conf);
	conf_release(NULL);
}

/* Files of anything: no crash, and a line of words where it is refused. */
static void test_garbage(void)
{
	static const char *const pieces[] = {"[server]", "[", "]", "\n", "\n", "\n", "workers", "=",
		" ", "\t", "stub", "allow", "192.0.2.1", ",", ";", "#", "x", "\x00", "\xff", "\x1b",
		"2", "socketmap", "unix:/", "[resolver]", "[cache]", "max_size", "1G", "%s", "%n",
		"\\", "\""};
	uint64_t state = 0xc0ffee;
	unsigned taken = 0;

	many_begin("files put together at random");
	for (int round = 0; round < 3000; round++) {
		char bytes[2048];
		size_t size = 0;
		unsigned count = (unsigned)(tap_random(&state) % 60);
		for (unsigned i = 0; i < count; i++) {
			size_t n = tap_random(&state) % (sizeof pieces / sizeof pieces[0]);
			size_t length = pieces[n][0] == '\0' ? 1 : strlen(pieces[n]);
			memcpy(bytes + size, pieces[n], length);
			size += length;
		}
		scratch_write(file, bytes, size);
		memset(error, 0, sizeof error);
		struct conf *conf = conf_load(file, true, NULL, 0, error);
		many(conf != NULL || (strncmp(error, file, strlen(file)) == 0 &&
					     strchr(error, '\n') == NULL),
			"round %d: %s", round, error);
		taken += conf != NULL;
		conf_release(conf);
	}
	many(taken > 0, "none was taken: too wild to show anything");
	many_end();
}

int main(void)
{
	scratch_begin();
	snprintf(file, sizeof file, "%s", scratch_path("tlsad.conf"));
	test_defaults();
	test_values();
	test_mistakes();
	test_lines();
	test_long_lines();
	test_overrides();
	test_printing();
	test_difference();
	test_bad_rules();
	test_rules();
	test_rule_files();
	test_narrowing_files();
	test_references();
	test_garbage();
	return done_testing();
}
