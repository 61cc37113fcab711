/*
 * action: valid and invalid actions, and how their placeholders are replaced.
 */
#include "common/site/action.h"

#include "t/unit/tap.h"

static const struct {
	const char *action;
	const char *words; /* of the error; NULL: a valid action */
} rows[] = {
	{"REJECT", NULL},
	{"REJECT 5.7.10 {destination} {required} {offered} {reason}", NULL},
	{"reject later", NULL},
	{"DEFER_IF_PERMIT 4.7.5 {reason}", NULL},
	{"DEFER_IF_REJECT", NULL},
	{"DEFER", NULL},
	{"HOLD", NULL},
	{"FILTER secure:[192.0.2.1]:10025", NULL},
	{"WARN {destination}{destination}", NULL},
	{"INFO x", NULL},
	{"BCC postmaster@example.org", NULL},
	{"DISCARD", NULL},
	{"DUNNO", NULL},
	{"OK", NULL},
	{"PREPEND X-Lacking: {reason}", NULL},
	{"REDIRECT postmaster@example.org", NULL},
	{"450 4.7.5 wait", NULL},
	{"554 no", NULL},
	{"reject_unverified_recipient", NULL},
	{"our_class_2", NULL},
	{"", "expected an action"},
	{" REJECT", "expected an action"},
	{"REJCT no", "REJCT is not an action of access(5); did you mean REJECT?"},
	{"Nonsense", "Nonsense is not an action of access(5)"},
	{"250 yes", "250 is not an action"},
	{"45 x", "45 is not an action"},
	{"4500 x", "4500 is not an action"},
	{"2fa", "2fa is not an action"},
	{"REJECT {domain}", "unknown placeholder {domain}; use {destination}"},
	{"REJECT {Destination}", "unknown placeholder {Destination}"},
	{"REJECT {destination", "unknown placeholder {destination"},
	{"REJECT {}", "unknown placeholder {}"},
	{"REJECT { destination }", "unknown placeholder {"},
	{"REJECT }", "unknown placeholder }"},
	{"REJECT {{reason}}", "unknown placeholder {"},
	{"REJECT {reason}}", "unknown placeholder }"},
	{"REJECT a\nDUNNO", "must be printable ASCII"},
	{"REJECT a\x7f", "must be printable ASCII; replace other characters"},
	{"REJECT nicht gen\xc3\xbcgend", "must be printable ASCII"},
};

static void test_check(void)
{
	char error[256], longest[ACTION_MAX + 2];

	many_begin("what is an action");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		error[0] = '\0';
		bool good = action_check(rows[i].action, error, sizeof error);
		if (rows[i].words == NULL)
			many(good, "%s: %s", rows[i].action, error);
		else
			many(!good && strstr(error, rows[i].words) != NULL, "%s: %s",
				rows[i].action, good ? "taken" : error);
	}
	many_end();
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "HOLD ", 5);
	longest[ACTION_MAX] = '\0';
	ok(action_check(longest, error, sizeof error), "the longest one");
	longest[ACTION_MAX] = 'x';
	longest[ACTION_MAX + 1] = '\0';
	ok(!action_check(longest, error, sizeof error), "one byte more: %s", error);
}

static void test_render(void)
{
	static const struct action_words words = {
		"example.org", "dane", "no TLSA records", "no-tlsa"};
	static const struct {
		const char *action, *expected;
	} cases[] = {
		{"HOLD", "HOLD"},
		{"REJECT 5.7.10 {destination} must be {required}, is {offered} ({reason})",
			"REJECT 5.7.10 example.org must be dane, is no TLSA records (no-tlsa)"},
		{"WARN {reason}{reason}", "WARN no-tlsano-tlsa"},
	};
	char bytes[200], small[12];
	struct text out;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		text_init(&out, bytes, sizeof bytes);
		action_render(cases[i].action, &words, &out);
		is_string(bytes, cases[i].expected, "%s", cases[i].action);
	}
	text_init(&out, small, sizeof small);
	action_render("WARN {destination} and more", &words, &out);
	is_string(small, "WARN exampl", "what does not fit is left away");
}

static void test_header(void)
{
	static const char *const good[] = {"X-TLS-Destination", "x", "X!#$%&'*+-.^_`|~1"};
	static const char *const bad[] = {"", "X:", "X Y", "X\tY", "X\n", "\xc3\x9c", "X\x7f",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhh"};
	char error[256];

	many_begin("names of headers");
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		many(action_check_header(good[i], error, sizeof error), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		many(!action_check_header(bad[i], error, sizeof error), "%s", bad[i]);
	many_end();
}

int main(void)
{
	test_check();
	test_render();
	test_header();
	return done_testing();
}
