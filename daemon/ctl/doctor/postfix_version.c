#include "daemon/ctl/doctor/postfix_version.h"

#include <stdlib.h>
#include <string.h>

static bool read_number(const char **at, unsigned *number)
{
	size_t digits = strspn(*at, "0123456789");

	if (digits == 0 || digits > 6)
		return false;
	*number = (unsigned)strtoul(*at, NULL, 10);
	*at += digits;
	return true;
}

bool postfix_version_parse(const char *words, struct postfix_version *version)
{
	*version = (struct postfix_version){.snapshot = false};
	if (!read_number(&words, &version->major) || *words != '.')
		return false;
	words++;
	if (!read_number(&words, &version->minor))
		return false;
	if (*words == '.') {
		words++;
		if (!read_number(&words, &version->patch))
			return false;
	}
	version->snapshot = *words == '-';
	return *words == '\0' || version->snapshot;
}

bool postfix_version_least(struct postfix_version version, unsigned major, unsigned minor)
{
	return version.major > major || (version.major == major && version.minor >= minor);
}

bool postfix_version_insecure_mx_fixed(struct postfix_version version)
{
	static const struct {
		unsigned minor, patch;
	} fixed[] = {{6, 17}, {7, 13}, {8, 8}, {9, 2}};

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (version.major == 3 && version.minor == fixed[i].minor)
			return !version.snapshot && version.patch >= fixed[i].patch;
	}
	/* A snapshot of 3.10 may be older than this change. */
	if (version.major == 3 && version.minor == 10)
		return !version.snapshot;
	return postfix_version_least(version, 3, 10);
}

bool postfix_version_has_tlsrpt(struct postfix_version version)
{
	/* A snapshot of 3.10 may be older than this feature. */
	if (version.major == 3 && version.minor == 10)
		return !version.snapshot;
	return postfix_version_least(version, 3, 10);
}

bool postfix_version_has_sts_patterns(struct postfix_version version)
{
	if (version.major == 3 && version.minor == 10)
		return !version.snapshot && version.patch >= 5;
	/* It came with a snapshot of 3.11, and before the release of 3.10.5. */
	if (version.major == 3 && version.minor == 11)
		return !version.snapshot;
	return postfix_version_least(version, 3, 11);
}
