/*
 * The table of settings: every setting's default, the values that it accepts and refuses, in a file
 * and as an override; the differences between two configurations, and which of them a reload
 * applies.
 */
#include "common/base/log.h"

#include "t/unit/conf_file.h"

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
	{"sts.enable", "yes", true},
	{"sts.insecure_mx", "sts", true},
	{"sts.timeout", "10", true},
	{"sts.keep", "2592000", true},
	{"sts.ca_file", TLSAD_CA_FILE, false},
	{"sts.port", "443", true},
	{"sts.private_addresses", "no", true},
	{"requiretls.otherwise", "opportunistic+starttls", true},
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
	/* There is no other setting than those above: a new one needs a row here. */
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
	ok(conf->dane.site_level == TLS_LEVEL_DANE && conf->sts.enable &&
			conf->sts.insecure_mx == INSECURE_MX_STS && conf->sts.timeout == 10 &&
			conf->sts.keep == 30 * 86400 && conf->sts.port == 443 &&
			!conf->sts.private_addresses &&
			conf->requiretls.otherwise == REQUIRETLS_STARTTLS &&
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
			strstr(error, "cannot read the file") != NULL,
		"a directory is not a file: %s", error);
	conf = load("");
	ok(conf != NULL, "an empty file has the defaults");
	conf_release(conf);
}

/* For each value its printed form, or NULL if it is refused. */
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
	{"server.workers", "AUTO", "auto"},
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
	{"resolver.forward", "192.0.2.53@65535, fe80::1%lo@53, ::ffff:192.0.2.1",
		"192.0.2.53@65535, fe80::1%lo@53, ::ffff:192.0.2.1"},
	{"resolver.forward", "2001:db8::53@853#dns.example", "2001:db8::53@853#dns.example"},
	{"resolver.forward", "192.0.2.53#192.0.2.53", "192.0.2.53#192.0.2.53"},
	{"resolver.forward", "2001:db8::53#2001:db8::53", "2001:db8::53#2001:db8::53"},
	{"resolver.forward", "garbage", NULL},
	{"resolver.forward", "dns.example", NULL},
	{"resolver.forward", "192.0.2.53:53", NULL},
	{"resolver.forward", "[2001:db8::53]", NULL},
	{"resolver.forward", "192.0.2.300", NULL},
	{"resolver.forward", "192.0.2.53@", NULL},
	{"resolver.forward", "192.0.2.53@0", NULL},
	{"resolver.forward", "192.0.2.53@65536", NULL},
	{"resolver.forward", "192.0.2.53@184467440737095516170053", NULL},
	{"resolver.forward", "192.0.2.53@53x", NULL},
	{"resolver.forward", "192.0.2.53@+53", NULL},
	{"resolver.forward", "192.0.2.53#", NULL},
	{"resolver.forward", "192.0.2.53#dns..example", NULL},
	{"resolver.forward", "192.0.2.53#dns.example@853", NULL},
	{"resolver.forward", "192.0.2.1%lo", NULL},
	{"resolver.forward", "fe80::1%", NULL},
	{"resolver.stub", "corp.example. 2001:db8::53@53", "corp.example. 2001:db8::53@53"},
	{"resolver.stub", "2.0.192.in-addr.arpa 192.0.2.53", "2.0.192.in-addr.arpa 192.0.2.53"},
	{"resolver.stub", "corp.example", NULL},
	{"resolver.stub", "corp..example 192.0.2.53", NULL},
	{"resolver.stub", ".. 192.0.2.53", NULL},
	{"resolver.stub", ".corp.example 192.0.2.53", NULL},
	{"resolver.stub", "corp.example 192.0.2.53 192.0.2.54", NULL},
	{"resolver.stub", "corp.example 192.0.2.53:53", NULL},
	{"resolver.stub", "corp.example 192.0.2.53@99999", NULL},
	{"resolver.stub", "corp.example 192.0.2.53#dns.example", NULL},
	{"resolver.stub", "corp.example ns.corp.example", NULL},
	/* libunbound would ignore these silently */
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
	{"resolver.options", "unbound.conf", NULL},
	{"resolver.trust_anchor", "root.key", NULL},
	{"resolver.trust_anchor", "", NULL},
	{"cache.path", "cache", NULL},
	{"dane.exceptions_file", "exceptions", NULL},
	{"dane.minimums_file", "minimums", NULL},
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
	{"sts.enable", "yes", "yes"},
	{"sts.insecure_mx", "dane", "dane"},
	{"sts.insecure_mx", "STS", "sts"},
	{"sts.insecure_mx", "tlsa", NULL},
	{"sts.timeout", "0", "0"},
	{"sts.timeout", "60", "60"},
	{"sts.timeout", "61", NULL},
	{"sts.keep", "1d", "86400"},
	{"sts.keep", "366d", "31622400"},
	{"sts.keep", "23h", NULL},
	{"sts.keep", "367d", NULL},
	{"sts.ca_file", "/x", "/x"},
	{"sts.ca_file", "x", NULL},
	{"sts.ca_file", "", NULL},
	{"sts.port", "1", "1"},
	{"sts.port", "65535", "65535"},
	{"sts.port", "0", NULL},
	{"sts.port", "65536", NULL},
	{"sts.private_addresses", "yes", "yes"},
	{"requiretls.otherwise", "enforce", "enforce"},
	{"requiretls.otherwise", "opportunistic", "opportunistic"},
	{"requiretls.otherwise", "starttls", NULL},
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

/* The result must be the same in a file and as an override. */
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
		/* inih removes the blanks; an override has none. */
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

static void test_difference(void)
{
	/* Another value for each setting. */
	static const char *const others[SETTINGS] = {"unix:/other", "unix:/y", "unix:/x", "unix:/z",
		"192.0.2.1", "5", "0600", "5", "5s", "nobody", NULL, "/other", "/other",
		"192.0.2.1", "a.example 192.0.2.1", "yes", "/other", "5s", "pinned", "may",
		"sha512", "/other", NULL, NULL, "monitor", "/other", "/other", "no", "yes",
		"X-Other", "HOLD", "5s", "example.org", "alice", "192.0.2.1", "no", "dane", "5s",
		"5d", "/other", "5", "yes", "enforce", "/other", "5M", "5s", "5h", "5s", "5", "5s",
		"syslog", "yes"};
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
		"other members are not copied");
}

int main(void)
{
	conf_file_begin();
	test_defaults();
	test_values();
	test_difference();
	return done_testing();
}
