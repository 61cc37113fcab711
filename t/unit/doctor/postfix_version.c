/*
 * postfix_version: versions as mail_version has them, and which of them have the newer default of
 * smtp_tls_dane_insecure_mx_policy, the attributes for TLSRPT and the patterns of MTA-STS.
 */
#include "daemon/ctl/doctor/postfix_version.h"

#include "t/unit/tap.h"

static const struct {
	const char *text;
	bool good;
	unsigned major, minor, patch;
	bool snapshot, insecure_mx_fixed, tlsrpt, sts_patterns;
} versions[] = {
	{"2.11.3", true, 2, 11, 3, false, false, false, false},
	{"3.5.25", true, 3, 5, 25, false, false, false, false},
	{"3.6.16", true, 3, 6, 16, false, false, false, false},
	{"3.6.17", true, 3, 6, 17, false, true, false, false},
	{"3.7.12", true, 3, 7, 12, false, false, false, false},
	{"3.7.13", true, 3, 7, 13, false, true, false, false},
	{"3.8.8", true, 3, 8, 8, false, true, false, false},
	{"3.9.1", true, 3, 9, 1, false, false, false, false},
	{"3.9.2", true, 3, 9, 2, false, true, false, false},
	{"3.9.2-RC1", true, 3, 9, 2, true, false, false, false},
	{"3.10", true, 3, 10, 0, false, true, true, false},
	{"3.10.0", true, 3, 10, 0, false, true, true, false},
	{"3.10-20240101", true, 3, 10, 0, true, false, false, false},
	{"3.10.4", true, 3, 10, 4, false, true, true, false},
	{"3.10.5", true, 3, 10, 5, false, true, true, true},
	{"3.11-20250101", true, 3, 11, 0, true, true, true, false},
	{"3.11.0", true, 3, 11, 0, false, true, true, true},
	{"3.12-20260821", true, 3, 12, 0, true, true, true, true},
	{"4.0.0", true, 4, 0, 0, false, true, true, true},
	{"", false, 0, 0, 0, false, false, false, false},
	{"3", false, 0, 0, 0, false, false, false, false},
	{"3.", false, 0, 0, 0, false, false, false, false},
	{"3.x", false, 0, 0, 0, false, false, false, false},
	{"3.5.", false, 0, 0, 0, false, false, false, false},
	{"3.5.1 ", false, 0, 0, 0, false, false, false, false},
	{"1234567.0", false, 0, 0, 0, false, false, false, false},
};

static void test_versions(void)
{
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
		const char *text = versions[i].text;
		struct postfix_version version;
		bool good = postfix_version_parse(text, &version);

		if (!ok(good == versions[i].good, "'%s'", text) || !good)
			continue;
		is_number(version.major, versions[i].major, "%s: major", text);
		is_number(version.minor, versions[i].minor, "%s: minor", text);
		is_number(version.patch, versions[i].patch, "%s: patch", text);
		ok(version.snapshot == versions[i].snapshot, "%s: snapshot", text);
		ok(postfix_version_insecure_mx_fixed(version) == versions[i].insecure_mx_fixed,
			"%s: default", text);
		ok(postfix_version_has_tlsrpt(version) == versions[i].tlsrpt, "%s: TLSRPT", text);
		ok(postfix_version_has_sts_patterns(version) == versions[i].sts_patterns,
			"%s: patterns", text);
	}
}

static void test_least(void)
{
	struct postfix_version version = {.major = 3, .minor = 4};

	ok(postfix_version_least(version, 3, 4), "the same");
	ok(postfix_version_least(version, 2, 11), "an older major version");
	ok(postfix_version_least(version, 3, 3), "an older minor version");
	ok(!postfix_version_least(version, 3, 10), "a newer minor version");
	ok(!postfix_version_least(version, 4, 0), "a newer major version");
}

int main(void)
{
	test_versions();
	test_least();
	return done_testing();
}
