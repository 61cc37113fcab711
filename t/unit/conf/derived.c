/*
 * The settings that other modules get from a configuration: those of the resolver and of pinned
 * replies.
 */
#include "common/conf/conf.h"
#include "common/dns/resolver.h"

#include "t/unit/scratch.h"

static struct conf *load(const char *lines)
{
	char error[CONF_ERROR_SIZE] = "";
	const char *file = scratch_path("conf");

	scratch_write_text(file, lines);
	struct conf *conf = conf_load(file, true, NULL, 0, error);
	if (conf == NULL) {
		diag("%s", error);
		bail_out("cannot load the test's configuration");
	}
	return conf;
}

static void check_resolver(void)
{
	struct conf *conf = load("");
	struct resolver_settings settings = conf_resolver_settings(conf);

	ok(settings.forward_count == 0 && settings.stub_count == 0 &&
			settings.options_file == NULL && !settings.query_localhost,
		"the default: no forwarders, stubs, options file or loopback addresses");
	is_string(settings.trust_anchor, TLSAD_CONFDIR "/root.key", "trust_anchor");
	is_string(
		settings.state_directory, TLSAD_CACHEDIR, "the state is in the cache's directory");
	is_number(settings.max_ttl, 24 * 60 * 60, "max_ttl");
	conf_release(conf);

	conf = load("[resolver]\nforward = 192.0.2.1, 192.0.2.2@5353\nstub = a.example 192.0.2.3\n"
		    "query_localhost = yes\noptions = /options\ntrust_anchor = /key\n"
		    "[cache]\npath = /state\nmax_ttl = 7m\n");
	settings = conf_resolver_settings(conf);
	ok(settings.forward_count == 2 && strcmp(settings.forwards[0], "192.0.2.1") == 0 &&
			strcmp(settings.forwards[1], "192.0.2.2@5353") == 0,
		"forwarders");
	ok(settings.stub_count == 1 && strcmp(settings.stubs[0], "a.example 192.0.2.3") == 0,
		"a stub");
	is_string(settings.options_file, "/options", "options");
	is_string(settings.trust_anchor, "/key", "trust_anchor");
	is_string(settings.state_directory, "/state", "the state");
	is_number(settings.max_ttl, 7 * 60, "max_ttl");
	ok(settings.query_localhost, "query_localhost");
	conf_release(conf);
}

static const struct {
	const char *lines;
	enum tlsa_matching_type digest;
	bool anchors, learn, strict_site;
} pins[] = {
	{"", TLSA_SHA256, false, false, false},
	{"fingerprint_digest = sha512\n", TLSA_SHA512, false, false, false},
	{"tafile_dir = /tas\n", TLSA_SHA256, true, false, false},
	{"tafile_dir = /tas\nlearn_trust_anchors = yes\n", TLSA_SHA256, true, true, false},
	{"site_level = encrypt\n", TLSA_SHA256, false, false, false},
	{"site_level = dane\n", TLSA_SHA256, false, false, false},
	{"site_level = dane-only\n", TLSA_SHA256, false, false, true},
	{"site_level = secure\n", TLSA_SHA256, false, false, true},
};

static void check_pins(void)
{
	many_begin("settings of pinned replies");
	for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
		char lines[256];
		snprintf(lines, sizeof lines, "[dane]\n%s", pins[i].lines);
		struct conf *conf = load(lines);
		struct pin_settings settings = conf_pin_settings(conf);

		many(settings.digest == pins[i].digest && settings.tas == pins[i].anchors &&
				settings.learn == pins[i].learn &&
				settings.strict_site == pins[i].strict_site,
			"%s", pins[i].lines);
		conf_release(conf);
	}
	many_end();
}

int main(void)
{
	scratch_begin();
	check_resolver();
	check_pins();
	scratch_end();
	return done_testing();
}
