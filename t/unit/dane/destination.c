/*
 * destination: every case of t/lab/dane-cases, "From a lookup key to a destination", and hostile
 * variations of them: each byte at each position, lengths at their limits, ports, literals,
 * internationalised names. An accepted key prints in a normal form that parses to itself, and a
 * name is valid if and only if Postfix's valid_hostname() accepts it.
 */
#include "common/dane/destination.h"

#include "t/unit/tap.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <regex.h>
#include <stdlib.h>

static const char *result_name(enum destination_result result)
{
	switch (result) {
	case DESTINATION_OK:
		return "ok";
	case DESTINATION_PARENT:
		return "parent";
	case DESTINATION_ADDRESS:
		return "address";
	case DESTINATION_INVALID:
		return "invalid";
	}
	return "?";
}

/* Parse a copy of exactly this size, so that a sanitizer sees a read past its end. */
static enum destination_result parse(const char *key, size_t size, struct destination *destination)
{
	char *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, key, size);
	memset(destination, 0x5a, sizeof *destination);
	enum destination_result result = destination_parse(copy, size, destination);
	free(copy);
	return result;
}

/* --- the table ----------------------------------------------------------------------------- */

#define D DESTINATION_DOMAIN
#define H DESTINATION_HOST

static const struct {
	const char *key;
	enum destination_kind kind;
	const char *name;
	uint16_t port;
} good[] = {
	/* the cases of t/lab/dane-cases */
	{"example.com", D, "example.com", 25},
	{"EXAMPLE.com", D, "example.com", 25},
	{"example.com.", D, "example.com", 25},
	{"example.com:587", D, "example.com", 587},
	{"[mx.example.com]", H, "mx.example.com", 25},
	{"[mx.example.com]:587", H, "mx.example.com", 587},
	{"example.com:", D, "example.com", 25},
	{"[mx.example.com]:", H, "mx.example.com", 25},
	{"[mx.example.com.]", H, "mx.example.com", 25},
	{"example.com.:587", D, "example.com", 587},
	{"[mx.example.com.]:587", H, "mx.example.com", 587},
	{"bücher.example", D, "xn--bcher-kva.example", 25},
	{"BÜCHER.example", D, "xn--bcher-kva.example", 25},
	{"bücher。example", D, "xn--bcher-kva.example", 25},
	{"bu\xcc\x88"
	 "cher.example",
		D, "xn--bcher-kva.example", 25}, /* u and a diaeresis: NFD */
	/* names */
	{"a.b", D, "a.b", 25},
	{"1.a", D, "1.a", 25},
	{"a.1", D, "a.1", 25},
	{"10.1.x", D, "10.1.x", 25},
	{"1-1.2-2", D, "1-1.2-2", 25},
	{"a-b.c-d", D, "a-b.c-d", 25},
	{"a--b.example", D, "a--b.example", 25},
	{"_dmarc.example.com", D, "_dmarc.example.com", 25},
	{"_.example", D, "_.example", 25},
	{"_._", D, "_._", 25},
	{"a_b_.example_", D, "a_b_.example_", 25},
	{"xn--bcher-kva.example", D, "xn--bcher-kva.example", 25},
	{"XN--BCHER-KVA.Example", D, "xn--bcher-kva.example", 25},
	{"xn--not-punycode-at-all.example", D, "xn--not-punycode-at-all.example", 25},
	{"xn--x.example", D, "xn--x.example", 25},
	{"1.2.3.4.in-addr.arpa", D, "1.2.3.4.in-addr.arpa", 25},
	{"1.2.3.4x", D, "1.2.3.4x", 25},
	{"0x7f.0.0.1", D, "0x7f.0.0.1", 25},
	/* ports */
	{"example.com:25", D, "example.com", 25},
	{"example.com:1", D, "example.com", 1},
	{"example.com:65535", D, "example.com", 65535},
	{"example.com:025", D, "example.com", 25},
	{"example.com:00025", D, "example.com", 25},
	{"[mx.example.com]:25", H, "mx.example.com", 25},
	{"[mx.example.com]:65535", H, "mx.example.com", 65535},
	{"EXAMPLE.COM.:10025", D, "example.com", 10025},
	/* internationalised names */
	{"[bücher.example]:587", H, "xn--bcher-kva.example", 587},
	{"bücher.example.", D, "xn--bcher-kva.example", 25},
	{"bücher.example。", D, "xn--bcher-kva.example", 25},
	{"bücher．example｡", D, "xn--bcher-kva.example", 25},
	{"ｅｘａｍｐｌｅ.com", D, "example.com", 25},
	{"exam\xc2\xadple.com", D, "example.com", 25},      /* a soft hyphen: maps to nothing */
	{"straße.example", D, "xn--strae-oqa.example", 25}, /* non-transitional: not strasse */
	{"βόλος.com", D, "xn--nxasmm1c.com", 25},           /* a final sigma is kept */
	{"faß.XN--BCHER-KVA.example", D, "xn--fa-hia.xn--bcher-kva.example", 25},
	{"例え.テスト", D, "xn--r8jz45g.xn--zckzah", 25},
	{"例え。テスト。", D, "xn--r8jz45g.xn--zckzah", 25},
	{"почта.рф", D, "xn--80a1acny.xn--p1ai", 25},
	{"موقع.وزارة-الاتصالات.مصر", D, "xn--4gbrim.xn----ymcbaaajlc6dj7bxne2c.xn--wgbh1c", 25},
	{"_dmarc.bücher.example", D, "_dmarc.xn--bcher-kva.example", 25},
};

static const struct {
	const char *key;
	enum destination_result expected;
} bad[] = {
	/* the cases of t/lab/dane-cases */
	{".example.com", DESTINATION_PARENT}, {"[192.0.2.1]", DESTINATION_ADDRESS},
	{"[IPv6:2001:db8::1]", DESTINATION_ADDRESS}, {"[2001:db8::1]:25", DESTINATION_ADDRESS},
	{"192.0.2.1", DESTINATION_ADDRESS}, {"/path/to/socket", DESTINATION_INVALID},
	{"localhost", DESTINATION_INVALID}, {"[localhost]", DESTINATION_INVALID},
	{"10.1", DESTINATION_INVALID}, {"", DESTINATION_INVALID},
	/* parents */
	{".", DESTINATION_PARENT}, {".com", DESTINATION_PARENT}, {"..", DESTINATION_PARENT},
	{".example.com:25", DESTINATION_PARENT},
	/* literals */
	{"192.0.2.1.", DESTINATION_ADDRESS}, {"192.0.2.1:25", DESTINATION_ADDRESS},
	{"[192.0.2.1]:25", DESTINATION_ADDRESS}, {"[192.0.2.1]:", DESTINATION_ADDRESS},
	{"0.0.0.0", DESTINATION_ADDRESS}, {"255.255.255.255", DESTINATION_ADDRESS},
	{"2001:db8::1", DESTINATION_ADDRESS}, {"IPv6:2001:db8::1", DESTINATION_ADDRESS},
	{"[ipv6:2001:DB8::1]:587", DESTINATION_ADDRESS}, {"[IPV6:::1]", DESTINATION_ADDRESS},
	{"[::1]", DESTINATION_ADDRESS}, {"::1", DESTINATION_ADDRESS}, {"::", DESTINATION_ADDRESS},
	{"[::ffff:192.0.2.1]", DESTINATION_ADDRESS}, {"::ffff:192.0.2.1", DESTINATION_ADDRESS},
	{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", DESTINATION_ADDRESS},
	{"[IPv6:ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:25", DESTINATION_ADDRESS},
	{"１９２.0.2.1", DESTINATION_ADDRESS}, {"１９２。０。２。１", DESTINATION_ADDRESS},
	{"[１９２.0.2.1]:25", DESTINATION_ADDRESS},
	/* almost literals: not names either, so no DNS lookup */
	{"256.0.2.1", DESTINATION_INVALID}, {"192.0.2", DESTINATION_INVALID},
	{"192.0.2.1.5", DESTINATION_INVALID}, {"192.0.2.01.", DESTINATION_INVALID},
	{"1", DESTINATION_INVALID}, {"1.", DESTINATION_INVALID}, {"[1]", DESTINATION_INVALID},
	{"[fe80::1%eth0]", DESTINATION_INVALID}, {"[2001:db8::1", DESTINATION_INVALID},
	{"2001:db8::1]", DESTINATION_INVALID}, {"[2001:db8::g]", DESTINATION_INVALID},
	{"[IPv6:192.0.2.1]", DESTINATION_INVALID}, {"[IPv6:]", DESTINATION_INVALID},
	{"[IPv6:example.com]", DESTINATION_INVALID}, {"[x400:192.0.2.1]", DESTINATION_INVALID},
	{"1:2:3", DESTINATION_INVALID},
	/* dots and hyphens */
	{"example..com", DESTINATION_INVALID}, {"example.com..", DESTINATION_INVALID},
	{"[example.com..]", DESTINATION_INVALID}, {"[.example.com]", DESTINATION_INVALID},
	{"[.]", DESTINATION_INVALID}, {"localhost.", DESTINATION_INVALID},
	{"-a.example", DESTINATION_INVALID}, {"a-.example", DESTINATION_INVALID},
	{"a.-b", DESTINATION_INVALID}, {"a.b-", DESTINATION_INVALID},
	{"a.b-.", DESTINATION_INVALID}, {"-.-", DESTINATION_INVALID}, {"-", DESTINATION_INVALID},
	/* brackets */
	{"[", DESTINATION_INVALID}, {"]", DESTINATION_INVALID}, {"[]", DESTINATION_INVALID},
	{"[]:25", DESTINATION_INVALID}, {"[mx.example.com", DESTINATION_INVALID},
	{"mx.example.com]", DESTINATION_INVALID}, {"[[mx.example.com]]", DESTINATION_INVALID},
	{"[[mx.example.com]", DESTINATION_INVALID}, {"[mx.example.com]]", DESTINATION_INVALID},
	{"[mx.example.com]x", DESTINATION_INVALID}, {"[mx.example.com]25", DESTINATION_INVALID},
	{"[mx.example.com].", DESTINATION_INVALID}, {"[mx.example.com] :25", DESTINATION_INVALID},
	{"[mx.example.com:25]", DESTINATION_INVALID}, {"[mx.example.com]:25:", DESTINATION_INVALID},
	{"a[mx.example.com]", DESTINATION_INVALID}, {" [mx.example.com]", DESTINATION_INVALID},
	/* ports */
	{":", DESTINATION_INVALID}, {":25", DESTINATION_INVALID},
	{"example.com:0", DESTINATION_INVALID}, {"example.com:00000", DESTINATION_INVALID},
	{"example.com:65536", DESTINATION_INVALID}, {"example.com:99999", DESTINATION_INVALID},
	{"example.com:65561", DESTINATION_INVALID},      /* 25 in 16 bits */
	{"example.com:4294967321", DESTINATION_INVALID}, /* 25 in 32 bits */
	{"example.com:18446744073709551641", DESTINATION_INVALID},
	{"example.com:+25", DESTINATION_INVALID}, {"example.com:-25", DESTINATION_INVALID},
	{"example.com: 25", DESTINATION_INVALID}, {"example.com:25 ", DESTINATION_INVALID},
	{"example.com:25x", DESTINATION_INVALID}, {"example.com:0x19", DESTINATION_INVALID},
	{"example.com:2.5", DESTINATION_INVALID}, {"example.com:25:25", DESTINATION_INVALID},
	{"example.com::25", DESTINATION_INVALID}, {"example.com::", DESTINATION_INVALID},
	{"example.com:no-such-service", DESTINATION_INVALID},
	{"example.com:２５", DESTINATION_INVALID}, {"[mx.example.com]:0", DESTINATION_INVALID},
	{"[mx.example.com]:65536", DESTINATION_INVALID},
	{"[mx.example.com]:+25", DESTINATION_INVALID}, {"[mx.example.com]::", DESTINATION_INVALID},
	{"example.com:a-service-whose-name-is-longer-than-any-in-services-5-and-then-some-more",
		DESTINATION_INVALID},
	/* bytes that are not allowed in names */
	{"user@example.com", DESTINATION_INVALID}, {"exa mple.com", DESTINATION_INVALID},
	{"example.com ", DESTINATION_INVALID}, {" example.com", DESTINATION_INVALID},
	{"example.com\n", DESTINATION_INVALID}, {"example.com\r\n", DESTINATION_INVALID},
	{"example.com,", DESTINATION_INVALID}, {"*.example.com", DESTINATION_INVALID},
	{"exa/mple.com", DESTINATION_INVALID}, {"exa\\.mple.com", DESTINATION_INVALID},
	{"/", DESTINATION_INVALID}, {"inet:example.com", DESTINATION_INVALID},
	{"unix:/run/x", DESTINATION_INVALID},
	/* invalid internationalised names */
	{"。example.com", DESTINATION_INVALID}, {"bücher。。example", DESTINATION_INVALID},
	{"bücher.example..", DESTINATION_INVALID}, {"bücher", DESTINATION_INVALID},
	{"[bücher]", DESTINATION_INVALID}, {"-bücher.example", DESTINATION_INVALID},
	{"bücher-.example", DESTINATION_INVALID},
	{"☕.example", DESTINATION_INVALID}, /* a symbol: not in IDNA2008 */
	{"i❤.ws", DESTINATION_INVALID}, {"😀.example", DESTINATION_INVALID},
	{"👩‍💻.example", DESTINATION_INVALID},
	{"b\xfc"
	 "cher.example",
		DESTINATION_INVALID},           /* Latin-1 */
	{"b\xc3.example", DESTINATION_INVALID}, /* cut */
	{"b\xc3\xc3\xbc.example", DESTINATION_INVALID}, {"\x80.example", DESTINATION_INVALID},
	{"b\xc0\xafx.example", DESTINATION_INVALID}, /* overlong slash */
	{"b\xe0\x80\xafx.example", DESTINATION_INVALID},
	{"b\xed\xa0\x80x.example", DESTINATION_INVALID},     /* a surrogate */
	{"b\xf4\x90\x80\x80x.example", DESTINATION_INVALID}, /* beyond Unicode */
	{"b\xf8\x88\x80\x80\x80x.example", DESTINATION_INVALID},
	{"b\xffx.example", DESTINATION_INVALID},
	{"a\xef\xbf\xbd.example", DESTINATION_INVALID}, /* the replacement character */
	{"a\xe2\x80\xae"
	 "b.example",
		DESTINATION_INVALID}, /* right-to-left override */
	{"a\xe2\x80\x8f"
	 "b.example",
		DESTINATION_INVALID},        /* right-to-left mark */
	{"אb.example", DESTINATION_INVALID}, /* RFC 5893: mixed directions */
	{"1א.example", DESTINATION_INVALID}, /* RFC 5893: begins with a digit */
	{"١.example", DESTINATION_INVALID},  /* an Arabic digit alone, RFC 5893 2 */
	{"\xcc\x88"
	 "a.example",
		DESTINATION_INVALID}, /* begins with a combining mark */
	{"bücher.exa mple", DESTINATION_INVALID}, {"bücher.exa\\mple", DESTINATION_INVALID},
	{"bücher.example／x", DESTINATION_INVALID}, {"bücher.ex：25", DESTINATION_INVALID},
	{"\xc2\xad.example", DESTINATION_INVALID}, /* a label that maps to nothing */
	{"ü.xn--x.example", DESTINATION_INVALID},  /* invalid Punycode next to a U-label */
};

static void test_good(void)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct destination destination;
		const char *key = good[i].key;
		enum destination_result result = parse(key, strlen(key), &destination);

		if (!ok(result == DESTINATION_OK && destination.kind == good[i].kind &&
				    destination.port == good[i].port &&
				    strcmp(destination.name, good[i].name) == 0 &&
				    destination.name_length == strlen(good[i].name),
			    "%s is %s, port %u", key, good[i].name, good[i].port))
			diag("%s: %s, kind %d, name '%.253s', port %u", key, result_name(result),
				destination.kind, result == DESTINATION_OK ? destination.name : "",
				destination.port);
	}
}

static void test_bad(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct destination destination;
		const char *key = bad[i].key;
		enum destination_result result = parse(key, strlen(key), &destination);

		if (!ok(result == bad[i].expected, "'%s' is not a destination: %s", key,
			    result_name(bad[i].expected)))
			diag("%s: %s%s%.253s", key, result_name(result),
				result == DESTINATION_OK ? " " : "",
				result == DESTINATION_OK ? destination.name : "");
	}
}

/* Names of services come from services(5), which may be missing on a small system. */
static void test_services(void)
{
	static const struct {
		const char *service;
		uint16_t port;
	} services[] = {{"smtp", 25}, {"submission", 587}, {"submissions", 465}};

	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
		char key[64];
		struct destination destination;
		struct servent *entry = getservbyname(services[i].service, "tcp");

		if (entry == NULL || ntohs((uint16_t)entry->s_port) != services[i].port) {
			skip("services(5) does not have it", "service %s", services[i].service);
			continue;
		}
		snprintf(key, sizeof key, "[mx.example.com]:%s", services[i].service);
		ok(parse(key, strlen(key), &destination) == DESTINATION_OK &&
				destination.kind == DESTINATION_HOST &&
				destination.port == services[i].port,
			"%s is port %u", key, services[i].port);
		snprintf(key, sizeof key, "example.com:%s", services[i].service);
		ok(parse(key, strlen(key), &destination) == DESTINATION_OK &&
				destination.kind == DESTINATION_DOMAIN &&
				destination.port == services[i].port,
			"%s is port %u", key, services[i].port);
		char cut[64];
		snprintf(cut, sizeof cut, "%s", key);
		cut[strlen(cut) - 1] = '\0';
		if (strcmp(services[i].service, "submissions") != 0)
			ok(parse(cut, strlen(cut), &destination) == DESTINATION_INVALID,
				"%s is not a service", cut);
		/* A NUL byte must not hide the rest. */
		memcpy(cut, key, strlen(key) + 1);
		memcpy(cut + strlen(key) + 1, "x", 1);
		ok(parse(cut, strlen(key) + 2, &destination) == DESTINATION_INVALID,
			"%s, a NUL byte and a letter is not a service", key);
	}
}

/* --- what a valid name is ------------------------------------------------------------------ */

/*
 * Postfix's valid_hostname() in another form: a regular expression for a label, and one for names
 * without a letter, hyphen or underscore.
 */
static regex_t labels, numbers;

static bool expected_valid(const char *name, size_t size)
{
	if (size == 0 || size > 253 || memchr(name, '\0', size) != NULL)
		return false;
	char copy[254];
	memcpy(copy, name, size);
	copy[size] = '\0';
	return regexec(&labels, copy, 0, NULL, 0) == 0 && regexec(&numbers, copy, 0, NULL, 0) != 0;
}

static void compile_oracle(void)
{
	const char *label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
	char expression[256];

	snprintf(expression, sizeof expression, "^%s([.]%s)*$", label, label);
	if (regcomp(&labels, expression, REG_EXTENDED | REG_NOSUB) != 0 ||
		regcomp(&numbers, "^[0-9.]*$", REG_EXTENDED | REG_NOSUB) != 0)
		bail_out("regcomp");
}

static bool name_valid(const char *name, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, name, size);
	bool valid = destination_name_valid(copy, size);
	free(copy);
	return valid;
}

static void test_valid_bytes(void)
{
	static const char *const patterns[] = {
		"a", "a.b", "ab.cd", "a-b.c", "mx1.example.com", "1.2"};

	many_begin("valid_hostname(): every byte in every place");
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		size_t size = strlen(patterns[i]);
		for (size_t place = 0; place < size; place++) {
			for (int byte = 0; byte < 256; byte++) {
				char name[32];
				memcpy(name, patterns[i], size);
				name[place] = (char)byte;
				many(name_valid(name, size) == expected_valid(name, size),
					"%s with byte %d at %zu", patterns[i], byte, place);
			}
		}
	}
	many_end();
}

/* All names of up to seven bytes from the bytes that matter. */
static void test_valid_exhaustive(void)
{
	static const char alphabet[] = {'a', '7', '-', '.', '_'};
	enum { KINDS = sizeof alphabet, LONGEST = 7 };

	many_begin("valid_hostname(): all short names over letter, digit, hyphen, dot, underscore");
	for (size_t size = 0; size <= LONGEST; size++) {
		unsigned count = 1;
		for (size_t i = 0; i < size; i++)
			count *= KINDS;
		for (unsigned n = 0; n < count; n++) {
			char name[LONGEST + 1] = "";
			unsigned rest = n;
			for (size_t i = 0; i < size; i++, rest /= KINDS)
				name[i] = alphabet[rest % KINDS];
			many(destination_name_valid(name, size) == expected_valid(name, size), "%s",
				name);
		}
	}
	many_end();
}

/* `size` bytes of labels of `label` bytes each; the last one may be shorter. */
static void fill_name(char *name, size_t size, size_t label)
{
	for (size_t i = 0; i < size; i++)
		name[i] = (i + 1) % (label + 1) == 0 ? '.' : 'a';
}

static void test_valid_lengths(void)
{
	many_begin("valid_hostname(): lengths of names and labels at their limits");
	for (size_t size = 0; size <= 300; size++) {
		for (size_t label = 1; label <= 66; label++) {
			char name[300];
			fill_name(name, size, label);
			many(name_valid(name, size) == expected_valid(name, size),
				"%zu bytes, labels of %zu", size, label);
		}
	}
	for (size_t label = 60; label <= 66; label++) {
		for (size_t hyphen = 0; hyphen < label; hyphen++) {
			char name[128];
			size_t size = label + 4;
			memset(name, 'a', size);
			name[label] = '.';
			name[hyphen] = '-';
			many(name_valid(name, size) == expected_valid(name, size),
				"a label of %zu with a hyphen at %zu", label, hyphen);
		}
	}
	many_end();
	char name[300];
	fill_name(name, 253, 63);
	ok(destination_name_valid(name, 253), "253 octets are a name");
	fill_name(name, 254, 62);
	ok(!destination_name_valid(name, 254), "254 octets are not a name");
	memset(name, 'a', 64);
	ok(destination_name_valid(name, 63), "a label of 63 octets");
	ok(!destination_name_valid(name, 64), "one of 64");
	ok(destination_name_valid("mx", 2), "a single label is valid here");
	ok(destination_name_valid("MX.Example", 10), "upper case is accepted");
	ok(!destination_name_valid("", 0), "an empty string is not a name");
	ok(!destination_name_valid("a.b.", 4), "nor is one with a dot at its end");
}

/* --- keys by generation -------------------------------------------------------------------- */

/* An accepted key has a valid name of two labels or more and prints in its normal form. */
static void check_accepted(const struct destination *destination, const char *what)
{
	char printed[DESTINATION_KEY_SIZE], again[DESTINATION_KEY_SIZE];
	struct destination read;

	many(destination->name_length == strlen(destination->name) &&
			expected_valid(destination->name, destination->name_length) &&
			strchr(destination->name, '.') != NULL && destination->port != 0,
		"%s: '%s' port %u is what a destination must be", what, destination->name,
		destination->port);
	for (const char *at = destination->name; *at != '\0'; at++)
		many(!isupper((unsigned char)*at), "%s: '%s' is lower case", what,
			destination->name);
	destination_print(destination, printed);
	memset(&read, 0, sizeof read);
	many(destination_parse(printed, strlen(printed), &read) == DESTINATION_OK &&
			read.kind == destination->kind && read.port == destination->port &&
			read.name_length == destination->name_length &&
			strcmp(read.name, destination->name) == 0,
		"%s: printed '%s' parses to itself", what, printed);
	destination_print(&read, again);
	many(strcmp(printed, again) == 0, "%s: and prints the same again", what);
}

static void test_key_bytes(void)
{
	static const char *const patterns[] = {
		"ab.example", "[mx.ab.example]:587", "ab.example:25", "b\xc3\xbc.example"};

	many_begin("every byte in every place of a key");
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		size_t size = strlen(patterns[i]);
		for (size_t place = 0; place < size; place++) {
			for (int byte = 0; byte < 256; byte++) {
				char key[64], what[96];
				struct destination destination;
				memcpy(key, patterns[i], size);
				key[place] = (char)byte;
				snprintf(what, sizeof what, "%s with byte %d at %zu", patterns[i],
					byte, place);
				enum destination_result result = parse(key, size, &destination);
				if (result == DESTINATION_OK)
					check_accepted(&destination, what);
				/* A byte that is not allowed in names and ports is never accepted.
				 */
				bool strange = byte < 0x80 && !isalnum(byte) &&
					       strchr("-._:[]", byte) == NULL;
				many(!(strange || byte == 0) || result == DESTINATION_INVALID,
					"%s: %s", what, result_name(result));
			}
		}
	}
	many_end();
}

/* A plain name is accepted as a key if and only if it is valid and has two labels. */
static void test_key_exhaustive(void)
{
	static const char alphabet[] = {'a', '7', '-', '.', ':'};
	enum { KINDS = sizeof alphabet, LONGEST = 6 };

	many_begin("all short keys over letter, digit, hyphen, dot, colon");
	for (size_t size = 1; size <= LONGEST; size++) {
		unsigned count = 1;
		for (size_t i = 0; i < size; i++)
			count *= KINDS;
		for (unsigned n = 0; n < count; n++) {
			char key[LONGEST + 1] = "", scratch[16];
			struct destination destination;
			unsigned rest = n;
			for (size_t i = 0; i < size; i++, rest /= KINDS)
				key[i] = alphabet[rest % KINDS];
			const char *colon = strchr(key, ':');
			size_t name = colon != NULL ? (size_t)(colon - key) : size;
			if (name > 0 && key[name - 1] == '.')
				name--;
			bool expected =
				key[0] != '.' && expected_valid(key, name) &&
				memchr(key, '.', name) != NULL &&
				(colon == NULL || strspn(colon + 1, "7") == strlen(colon + 1));
			enum destination_result result = destination_parse(key, size, &destination);
			bool parent = key[0] == '.';
			bool address = inet_pton(AF_INET6, key, scratch) == 1;
			many((result == DESTINATION_OK) == expected &&
					(result == DESTINATION_PARENT) == parent &&
					(result == DESTINATION_ADDRESS) == address,
				"%s: %s", key, result_name(result));
			if (result == DESTINATION_OK)
				check_accepted(&destination, key);
		}
	}
	many_end();
}

static void test_key_lengths(void)
{
	char key[10001];
	struct destination destination;

	many_begin("keys of every length");
	for (size_t size = 240; size <= 260; size++) {
		/* A name of this length: alone, with a dot, with a port, in brackets. */
		fill_name(key, size, 31);
		bool valid = expected_valid(key, size);
		many((parse(key, size, &destination) == DESTINATION_OK) ==
				(valid || (key[size - 1] == '.' && expected_valid(key, size - 1))),
			"a name of %zu octets", size);
		key[size] = '.';
		many((parse(key, size + 1, &destination) == DESTINATION_OK) == valid,
			"a name of %zu octets and a dot", size);
		if (valid)
			check_accepted(&destination, "a long name and a dot");
		memcpy(key + size, ":65535", 6);
		many((parse(key, size + 6, &destination) == DESTINATION_OK) ==
				(valid || (key[size - 1] == '.' && expected_valid(key, size - 1))),
			"a name of %zu octets and a port", size);
		memmove(key + 1, key, size);
		key[0] = '[';
		memcpy(key + size + 1, "]:65535", 7);
		bool host = parse(key, size + 8, &destination) == DESTINATION_OK;
		many(host == (valid || (key[size] == '.' && expected_valid(key + 1, size - 1))),
			"a host of %zu octets and a port", size);
		if (host)
			check_accepted(&destination, "a long host");
	}
	for (size_t size = 256; size <= 10000; size += 487) {
		memset(key, 'a', size);
		many(parse(key, size, &destination) == DESTINATION_INVALID, "%zu letters", size);
		memset(key, '[', size);
		many(parse(key, size, &destination) == DESTINATION_INVALID, "%zu brackets", size);
		memset(key, ':', size);
		many(parse(key, size, &destination) == DESTINATION_INVALID, "%zu colons", size);
		memset(key, 0xff, size);
		many(parse(key, size, &destination) == DESTINATION_INVALID, "%zu times 255", size);
		for (size_t i = 0; i + 1 < size; i += 2)
			memcpy(key + i, "\xc3\xbc", 2);
		key[size / 4 * 2] = '.';
		many(parse(key, size, &destination) == DESTINATION_INVALID, "%zu of umlauts", size);
	}
	many_end();
	/* xn--, the letters, a hyphen and three digits: 55 letters make a label of 63 octets. */
	for (size_t letters = 50; letters < 60; letters++) {
		memset(key, 'a', letters);
		memcpy(key + letters, "\xc3\xbc.example", 10);
		bool fits = parse(key, letters + 10, &destination) == DESTINATION_OK;
		ok(fits == (letters <= 55), "%zu letters and an umlaut: %s", letters,
			letters <= 55 ? "fits" : "too long");
	}
}

static void test_random(void)
{
	static const char *const pieces[] = {"a", "example", "com", ".", ".", ".", "-", "[", "]",
		":", "25", "587", "65536", "\xc3\xbc", "\xe3\x80\x82", "\xef\xbc\x91", "\xff",
		"IPv6:", "2001", "::", "192.0.2.1", "xn--", "_", " ", "\\", "/", "\xcc\x88",
		"\xe2\x80\x8d"};
	uint64_t state = 0x7c15a9;

	many_begin("keys put together at random");
	for (int round = 0; round < 40000; round++) {
		char key[256];
		size_t size = 0;
		unsigned count = 1 + (unsigned)(tap_random(&state) % 10);
		for (unsigned i = 0; i < count; i++) {
			const char *piece =
				pieces[tap_random(&state) % (sizeof pieces / sizeof pieces[0])];
			memcpy(key + size, piece, strlen(piece));
			size += strlen(piece);
		}
		struct destination destination;
		key[size] = '\0';
		if (parse(key, size, &destination) == DESTINATION_OK)
			check_accepted(&destination, key);
		else
			many(true, "%s", key);
	}
	many_end();
}

static void test_nul_bytes(void)
{
	struct destination destination;

	ok(parse("example.com\0", 12, &destination) == DESTINATION_INVALID,
		"a NUL byte at the end of a name");
	ok(parse("example.com\0.evil", 17, &destination) == DESTINATION_INVALID,
		"a NUL byte within a name");
	ok(parse("b\xc3\xbc.example\0.evil", 17, &destination) == DESTINATION_INVALID,
		"a NUL byte within an internationalised name");
	ok(parse("\0", 1, &destination) == DESTINATION_INVALID, "nothing but a NUL byte");
	ok(parse("192.0.2.1\0", 10, &destination) == DESTINATION_INVALID ||
			parse("192.0.2.1\0", 10, &destination) == DESTINATION_ADDRESS,
		"a NUL byte after an address");
	ok(parse("[mx.example.com]:25\0", 20, &destination) == DESTINATION_INVALID,
		"a NUL byte after a port");
}

static void test_print(void)
{
	static const struct {
		const char *key;
		const char *printed;
	} rows[] = {
		{"EXAMPLE.com.", "example.com"},
		{"example.com:025", "example.com"},
		{"example.com.:587", "example.com:587"},
		{"[MX.example.com.]:25", "[mx.example.com]"},
		{"[mx.example.com]:65535", "[mx.example.com]:65535"},
		{"bücher.example:1", "xn--bcher-kva.example:1"},
	};
	struct destination longest = {.kind = DESTINATION_HOST, .port = 65535, .name_length = 253};
	struct {
		char key[DESTINATION_KEY_SIZE];
		char guard[8];
	} memory;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct destination destination;
		char key[DESTINATION_KEY_SIZE] = "";
		if (parse(rows[i].key, strlen(rows[i].key), &destination) == DESTINATION_OK)
			destination_print(&destination, key);
		is_string(key, rows[i].printed, "%s is written %s", rows[i].key, rows[i].printed);
	}
	fill_name(longest.name, 253, 63);
	memset(&memory, 0x5a, sizeof memory);
	destination_print(&longest, memory.key);
	ok(strlen(memory.key) == 253 + 2 + 6 && strcmp(memory.key + 254, "]:65535") == 0 &&
			memory.guard[0] == 0x5a,
		"the longest destination fits its memory");
}

static const struct {
	const char *key;
	const char *name; /* NULL: not a destination */
	uint16_t port;
} host_keys[] = {
	{"mx.example.com", "mx.example.com", 25},
	{"MX.example.com.", "mx.example.com", 25},
	{"mx.example.com:587", "mx.example.com", 587},
	{"[mx.example.com]", "mx.example.com", 25},
	{"[mx.example.com]:465", "mx.example.com", 465},
	{"_25._tcp.mx.example.com", "mx.example.com", 25},
	{"_587._TCP.MX.example.com.", "mx.example.com", 587},
	{"_65535._tcp.mx.example.com", "mx.example.com", 65535},
	{"_0._tcp.mx.example.com", "_0._tcp.mx.example.com", 25},
	{"_65536._tcp.mx.example.com", "_65536._tcp.mx.example.com", 25},
	{"_25._udp.mx.example.com", "_25._udp.mx.example.com", 25},
	{"_25._tcp.mx.example.com:25", NULL, 0},
	{"_25._tcp.[mx.example.com]", NULL, 0},
	{"_25._tcp.", NULL, 0},
	{"_25._tcp", "_25._tcp", 25},
	{"_25._tcp.com", NULL, 0},
	{"_25._tcp.192.0.2.1", NULL, 0},
	{"_", NULL, 0},
	{"", NULL, 0},
	{".example.com", NULL, 0},
	{"192.0.2.1", NULL, 0},
};

static void test_host_keys(void)
{
	for (size_t i = 0; i < sizeof host_keys / sizeof host_keys[0]; i++) {
		struct destination destination;
		size_t size = strlen(host_keys[i].key);
		/* Without a byte after it, so that a sanitizer sees a read past the end. */
		char *key = malloc(size > 0 ? size : 1);

		if (key == NULL)
			abort();
		memcpy(key, host_keys[i].key, size);
		enum destination_result result = destination_parse_host(key, size, &destination);
		free(key);
		if (host_keys[i].name == NULL)
			ok(result != DESTINATION_OK, "'%s' is not a host", host_keys[i].key);
		else
			ok(result == DESTINATION_OK && destination.kind == DESTINATION_HOST &&
					destination.port == host_keys[i].port &&
					strcmp(destination.name, host_keys[i].name) == 0,
				"'%s' is %s, port %u", host_keys[i].key, host_keys[i].name,
				host_keys[i].port);
	}
}

int main(void)
{
	compile_oracle();
	test_good();
	test_bad();
	test_services();
	test_valid_bytes();
	test_valid_exhaustive();
	test_valid_lengths();
	test_key_bytes();
	test_key_exhaustive();
	test_key_lengths();
	test_random();
	test_nul_bytes();
	test_print();
	regfree(&labels);
	regfree(&numbers);
	test_host_keys();
	return done_testing();
}
