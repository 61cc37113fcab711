/*
 * Rules: from the sections `minimum` and `exception` and from files; the lists of submitters.
 */
#include "common/site/submitters.h"

#include "t/unit/conf_file.h"

static const struct {
	const char *lines, *words;
} bad_rules[] = {
	{"[minimum]\n\nexample.org = daen\n", ":3: [minimum] 'daen' is not a minimum level"},
	{"[minimum]\norg = dane\n", ":2: [minimum] 'org' is not a domain name"},
	{"[minimum]\nexample.org = dane\nEXAMPLE.org = none\n",
		":3: [minimum] example.org already has a minimum, at "},
	{"[exception]\n* = may\n", ":2: [exception] an exception for *"},
	{"[exception]\nexample.org = may until never ; x\n",
		":2: [exception] 'never' is not a date"},
	{"[exception]\nexample.org = may ; x\n  y = z\n", ":3: [exception]: a rule is one line"},
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

	ok(conf != NULL && conf_load_rules(conf, error), "both sections: %s", error);
	if (conf == NULL)
		return;
	rules_find(conf->rules, "xn--bcher-kva.example", 21, 0, &ruling);
	is_number(ruling.minimum, MINIMUM_DANE, "a minimum");
	const struct exception *exception = find_exception(conf, "example.org");
	is_string(exception->reason, "ticket 5 ; more = x", "an exception with all of its reason");
	ok(exception->place.line == 4 && strcmp(exception->place.file, file) == 0, "and its place");
	conf_release(conf);

	conf = load_with("[minimum]\nexample.org = dane\n", overrides, 2);
	ok(conf != NULL && conf_load_rules(conf, error), "overrides: %s", error);
	if (conf == NULL)
		return;
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
			strstr(error, "minimums: cannot read the file: No such") != NULL,
		"a file of minimums must be there: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("minimums"), "example.net dane\nexample.org none\n");
	conf = load(lines);
	ok(!conf_load_rules(conf, error) &&
			strstr(error, "minimums:2: example.org already has a minimum") != NULL &&
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
			strstr(error, "exceptions:3: 'maybe' is not a level") != NULL,
		"a broken one: %s", error);
	conf_release(conf);
}

/* Files are read only after the rest of the configuration is valid. */
static void test_submitters_files(void)
{
	struct submitter person = {.sender = "A@example.org", .sender_size = 13};
	char lines[1024];

	snprintf(lines, sizeof lines, "[policy]\nsenders = x@y.example, file:%s\n",
		scratch_path("senders"));
	struct conf *conf = load(lines);
	ok(conf != NULL && !conf_load_rules(conf, error) &&
			strstr(error, "[policy] senders: ") != NULL &&
			strstr(error, "senders: cannot read the file: No such") != NULL,
		"a file of senders must be there: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("senders"), "# ours\n\na@example.org\nno one\n");
	conf = load(lines);
	ok(!conf_load_rules(conf, error) &&
			strstr(error, "senders:4: write one entry per line") != NULL,
		"a broken one: %s", error);
	conf_release(conf);
	scratch_write_text(scratch_path("senders"), "# ours\n\na@example.org\n");
	conf = load(lines);
	ok(conf_load_rules(conf, error), "a good one: %s", error);
	ok(submitters_has(conf->policy.submitters, &person), "matches a submitter in the list");
	person.sender = "B@example.org";
	ok(!submitters_has(conf->policy.submitters, &person), "and nobody else");
	conf_release(conf);
}

int main(void)
{
	conf_file_begin();
	test_bad_rules();
	test_rules();
	test_rule_files();
	test_submitters_files();
	return done_testing();
}
