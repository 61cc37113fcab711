/*
 * Loading: errors are reported in one line with the file, the line and what to do; lists over
 * several lines; overrides; settings of features that do not exist yet; files of random bytes.
 */
#include "t/unit/conf_file.h"

/* --- mistakes ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	const char *lines;
	unsigned line; /* 0: not about one line */
	const char *words[3];
} mistakes[] = {
	{"a mistyped key", "[server]\n\nwokers = 2\n", 3, {"wokers", "did you mean 'workers'?"}},
	{"a key in upper case", "[server]\nWorkers = 2\n", 2, {"did you mean 'workers'?"}},
	{"a key of another section", "[server]\nprefetch = 2\n", 2, {"it belongs to [cache]"}},
	{"a key like no other", "[server]\nxyzzyplugh = 2\n", 2, {"xyzzyplugh", "tlsad.conf(5)"}},
	{"a mistyped section", "[severs]\nworkers = 2\n", 1, {"did you mean [server]?"}},
	{"a section like no other", "[frobnication]\nx = 2\n", 1,
		{"frobnication", "tlsad.conf(5)"}},
	{"a mistyped section without settings", "[server]\n[minimums]\n", 2,
		{"did you mean [minimum]?"}},
	{"an indented section that does not exist", "[server]\n  [nonsense]\n", 2,
		{"no section [nonsense]"}},
	{"a host in brackets", "[minimum]\n[mx.example.com] = dane\n", 2,
		{"[mx.example.com]", "name of a host without brackets"}},
	{"a section and a rule in one line", "[minimum] * = dane\n", 1,
		{"[minimum]", "follow the bracket", "new line"}},
	{"a word at the bracket", "[cache]x\n", 1, {"follow the bracket"}},
	{"a comment at the bracket, without a blank", "[cache];x\n", 1, {"follow the bracket"}},
	{"a mark of UTF-8 before it", "\xef\xbb\xbf[cache]x\n", 1, {"follow the bracket"}},
	{"only carriage returns", "[cache]\rmin_ttl = 5\r", 1, {"follow the bracket"}},
	{"a key before any section", "workers = 2\n", 1,
		{"'workers' is in no section", "[server]"}},
	{"a value that is not a number", "[server]\nworkers = 2\nmax_connections = many\n", 3,
		{"max_connections", "many", "from 1 to 1000000"}},
	{"an invalid time", "[cache]\nmin_ttl = soon\n", 2, {"min_ttl", "s, m, h, d"}},
	{"an invalid size", "[cache]\nmax_size = large\n", 2, {"max_size", "k, M, G"}},
	{"an invalid mode", "[server]\nsocket_mode = 999\n", 2, {"socket_mode", "octal", "777"}},
	{"a word that is not a choice", "[dane]\nsite_level = strong\n", 2,
		{"site_level", "expected one of none, may, encrypt, dane, dane-only"}},
	{"an invalid boolean", "[resolver]\nquery_localhost = perhaps\n", 2,
		{"expected yes or no"}},
	{"an invalid endpoint", "[server]\nsocketmap = unix:/x, tcp:1\n", 2,
		{"tcp:1", "unix:PATH or inet:"}},
	{"an invalid network", "[server]\nallow = 192.0.2.0/99\n", 2,
		{"192.0.2.0/99", "192.0.2.0/24"}},
	{"a stub without an address", "[resolver]\nstub = corp.example\n", 2,
		{"write ZONE ADDRESS or ZONE ADDRESS@PORT"}},
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
	{"an error before an invalid line", "[server]\nwokers = 2\nnothing\n", 2, {"wokers"}},
	{"an invalid line before an error", "[server]\nnothing\nwokers = 2\n", 2,
		{"expected '[section]'"}},
	{"min_ttl above max_ttl", "[cache]\nmin_ttl = 2h\nmax_ttl = 1h\n", 0,
		{"min_ttl is larger than max_ttl"}},
	{"an endpoint twice in a list", "[server]\nsocketmap = unix:/a, inet:*:1, inet:[::]:1\n", 0,
		{"socketmap has the endpoint inet:[::]:1", "already in socketmap"}},
	{"an endpoint of two services", "[server]\nsocketmap = unix:/a\ncontrol = unix:/a\n", 0,
		{"control has the endpoint unix:/a", "already in socketmap"}},
	{"an endpoint of the metrics and of policy",
		"[server]\npolicy = inet:127.0.0.1:1\nmetrics = inet:localhost:1\n", 0,
		{"metrics has the endpoint inet:localhost:1", "already in policy"}},
	{"a server of this host", "[resolver]\nstub = . 127.0.0.1@53\n", 0,
		{"stub", "127.0.0.1@53", "query_localhost = yes"}},
	{"a list entry that would be printed as a comment",
		"[policy]\nsasl_usernames = alice,;bob\n", 2, {";bob", "like a comment"}},
	{"another", "[policy]\nsasl_usernames = alice,#bob\n", 2, {"#bob", "like a comment"}},
	{"a list entry with a control character", "[policy]\nsasl_usernames = alice,\fbob\n", 2,
		{"control character"}},
	{"a text with a control character", "[server]\npid_file = /run/\x01pid\n", 2,
		{"control character"}},
	{"a text that would be printed as a comment", "[resolver]\ntrust_anchor =;x\n", 2,
		{";x", "like a comment"}},
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
		if (!ok(good, "%s: reported at line %u", mistakes[i].name, mistakes[i].line))
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
		{"a comment after a value", "[server]\nworkers = 3 ; three\n", "server.workers",
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
		{"a comment after a section", "[server] ; one\nworkers = 3\n", "server.workers",
			"3"},
		{"a number sign after a section", "[server] # one\nworkers = 3\n", "server.workers",
			"3"},
		{"a section after blanks", "  [server]\nworkers = 3\n", "server.workers", "3"},
		{"comments after the lines of a list",
			"[server]\nallow = 192.0.2.1 ; one\n  192.0.2.2 ; two\n\t192.0.2.3\t; 3\n",
			"server.allow", "192.0.2.1, 192.0.2.2, 192.0.2.3"},
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
	/* The limit also applies to comments; a long list must be continued on another line. */
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
	const char *value; /* NULL: refused, and the error contains `setting` */
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
	{"a dot after the equals sign", "", {"workers=3.5"}, "expected SECTION.KEY=VALUE", NULL},
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

/* --- whatever the file is ------------------------------------------------------------------ */

static void test_references(void)
{
	struct conf *conf = load("");

	ok(conf_hold(conf) == conf, "a second reference");
	conf_release(conf);
	is_number(conf->cache.prefetch, 10, "one release leaves it alone");
	conf_release(conf);
	conf_release(NULL);
}

/* A NUL byte would end a line unseen, and with it a minimum. */
static void test_nul(void)
{
	static const struct {
		const char *name, *bytes;
		size_t size;
		const char *line;
	} rows[] = {
		{"only NUL bytes", "\0\0\0\0\0", 5, ":1: "},
		{"at the beginning of a line", "[minimum]\n\0* = dane\n", 20, ":2: "},
		{"in a section", "[mini\0mum]\n* = dane\n", 20, ":1: "},
		{"in a comment", "# a\0b\n[minimum]\n* = dane\n", 26, ":1: "},
		{"after the last line", "[minimum]\n* = dane\n\0\0", 21, ":3: "},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		scratch_write(file, rows[i].bytes, rows[i].size);
		memset(error, 0, sizeof error);
		struct conf *conf = conf_load(file, true, NULL, 0, error);
		if (!ok(conf == NULL && strstr(error, rows[i].line) != NULL &&
				    strstr(error, "NUL byte; remove it") != NULL,
			    "NUL bytes: %s", rows[i].name))
			diag("%s", conf != NULL ? "it was taken" : error);
		conf_release(conf);
	}
}

/* Files of random bytes: no crash, and one line of error for a file that is refused. */
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
	many(taken > 0, "none was accepted, so the test shows nothing");
	many_end();
}

int main(void)
{
	conf_file_begin();
	test_mistakes();
	test_lines();
	test_long_lines();
	test_overrides();
	test_references();
	test_nul();
	test_garbage();
	return done_testing();
}
