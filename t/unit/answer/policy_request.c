/*
 * policy_request: requests as sent by Postfix 2.1 to 3.12, each cut at every byte and in any order;
 * invalid requests, found at the first byte that shows the error; exact limits; domains.
 */
#include "daemon/answer/policy_request.h"

#include "t/unit/tap.h"

static struct policy_attributes attributes;
static char words[512];
static struct text why;
static size_t used;

static enum policy_parsed parse(const char *bytes, size_t size)
{
	/* A separate copy, so that a sanitizer detects reads after its end. */
	char *copy = malloc(size + 1);

	if (copy == NULL)
		bail_out("out of memory");
	memcpy(copy, bytes, size);
	text_init(&why, words, sizeof words);
	copy = realloc(copy, size > 0 ? size : 1);
	enum policy_parsed parsed = policy_request_parse(copy, size, &attributes, &used, &why);
	free(copy);
	return parsed;
}

/* --- valid requests ------------------------------------------------------------------------ */

/* The attributes that each version added (SMTPD_POLICY_README), in the order of smtpd_check.c. */
#define POSTFIX_2_1                                                                                \
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=SMTP\n"                   \
	"client_address=1.2.3.4\nclient_name=another.domain.tld\nhelo_name=some.domain.tld\n"      \
	"sender=foo@bar.tld\nrecipient=bar@foo.tld\nqueue_id=8045F2AB23\n"                         \
	"instance=123.456.7\n"
#define POSTFIX_2_2                                                                                \
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"                  \
	"client_address=1.2.3.4\nclient_name=another.domain.tld\n"                                 \
	"reverse_client_name=another.domain.tld\nhelo_name=some.domain.tld\n"                      \
	"sender=foo@bar.tld\nrecipient=bar@foo.tld\nqueue_id=8045F2AB23\n"                         \
	"instance=123.456.7\nsize=12345\nsasl_method=plain\nsasl_username=you\nsasl_sender=\n"     \
	"ccert_subject=solaris9.porcupine.org\nccert_issuer=Wietse+20Venema\n"                     \
	"ccert_fingerprint=C2:9D:F4:87:71:73:73:D9:18:E7:C2:F3:C1:DA:6E:04\n"
#define POSTFIX_2_3                                                                                \
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"                  \
	"client_address=1.2.3.4\nclient_name=another.domain.tld\n"                                 \
	"reverse_client_name=another.domain.tld\nhelo_name=some.domain.tld\n"                      \
	"sender=foo@bar.tld\nrecipient=bar@foo.tld\nrecipient_count=0\nqueue_id=8045F2AB23\n"      \
	"instance=123.456.7\nsize=12345\netrn_domain=\nsasl_method=plain\nsasl_username=you\n"     \
	"sasl_sender=\nccert_subject=solaris9.porcupine.org\nccert_issuer=Wietse+20Venema\n"       \
	"ccert_fingerprint=C2:9D:F4:87:71:73:73:D9:18:E7:C2:F3:C1:DA:6E:04\n"                      \
	"encryption_protocol=TLSv1/SSLv3\nencryption_cipher=DHE-RSA-AES256-SHA\n"                  \
	"encryption_keysize=256\n"
#define POSTFIX_3_0                                                                                \
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"                  \
	"client_address=1.2.3.4\nclient_name=another.domain.tld\nclient_port=1234\n"               \
	"reverse_client_name=another.domain.tld\nhelo_name=some.domain.tld\n"                      \
	"sender=foo@bar.tld\nrecipient=bar@foo.tld\nrecipient_count=0\nqueue_id=\n"                \
	"instance=1ab3.56f0a1.7\nsize=12345\netrn_domain=\nstress=\nsasl_method=plain\n"           \
	"sasl_username=you\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n"     \
	"ccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.2\n"                                 \
	"encryption_cipher=ECDHE-RSA-AES256-GCM-SHA384\nencryption_keysize=256\n"
#define POSTFIX_3_8                                                                                \
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"                  \
	"client_address=1.2.3.4\nclient_name=another.domain.tld\nclient_port=1234\n"               \
	"reverse_client_name=another.domain.tld\nserver_address=10.3.2.1\nserver_port=587\n"       \
	"helo_name=some.domain.tld\nsender=foo@bar.tld\nrecipient=bar@foo.tld\n"                   \
	"recipient_count=0\nqueue_id=\ninstance=1ab3.56f0a1.7\nsize=12345\netrn_domain=\n"         \
	"stress=\nsasl_method=plain\nsasl_username=you\nsasl_sender=\nccert_subject=\n"            \
	"ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"                           \
	"encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n"                  \
	"encryption_keysize=256\npolicy_context=submission\ncompatibility_level=3.6\n"             \
	"mail_version=3.8.0\n"
#define POSTFIX_3_12                                                                               \
	"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"                  \
	"client_address=1.2.3.4\nclient_name=another.domain.tld\nclient_port=1234\n"               \
	"reverse_client_name=another.domain.tld\nserver_address=10.3.2.1\nserver_port=587\n"       \
	"helo_name=some.domain.tld\nsender=foo@bar.tld\nrecipient=bar@foo.tld\n"                   \
	"recipient_count=0\nqueue_id=\ninstance=1ab3.56f0a1.7\nsize=12345\netrn_domain=\n"         \
	"stress=\nsasl_method=plain\nsasl_username=you\nsasl_sender=\nccert_subject=\n"            \
	"ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"                           \
	"encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n"                  \
	"encryption_keysize=256\ntls_sni=mail.example.com\npolicy_context=submission\n"            \
	"compatibility_level=3.6\nmail_version=3.12.0\n"

static const struct {
	const char *version;
	const char *lines;
	bool has_sasl;
} versions[] = {
	{"Postfix 2.1", POSTFIX_2_1, false},
	{"Postfix 2.2", POSTFIX_2_2, true},
	{"Postfix 2.3", POSTFIX_2_3, true},
	{"Postfix 3.0", POSTFIX_3_0, true},
	{"Postfix 3.8", POSTFIX_3_8, true},
	{"Postfix 3.12", POSTFIX_3_12, true},
};

enum { VERSIONS = sizeof versions / sizeof versions[0] };

/* The values point into `bytes`, which must stay valid. */
static bool is(enum policy_attribute attribute, const char *expected)
{
	const struct policy_value *value = &attributes.values[attribute];

	if (expected == NULL)
		return value->bytes == NULL && value->size == 0;
	return value->bytes != NULL && value->size == strlen(expected) &&
	       memcmp(value->bytes, expected, value->size) == 0;
}

static bool is_read(const char *bytes, size_t size, bool has_sasl)
{
	return policy_request_parse(bytes, size, &attributes, &used, NULL) == POLICY_WHOLE &&
	       is(POLICY_REQUEST_TYPE, "smtpd_access_policy") && is(POLICY_STATE, "RCPT") &&
	       is(POLICY_RECIPIENT, "bar@foo.tld") && is(POLICY_SENDER, "foo@bar.tld") &&
	       is(POLICY_CLIENT_ADDRESS, "1.2.3.4") &&
	       is(POLICY_SASL_USERNAME, has_sasl ? "you" : NULL) &&
	       policy_request_has_recipient(&attributes) && policy_request_may_prepend(&attributes);
}

/* The lines in an order that depends on `state`. */
static void shuffle(const char *text, char *out, uint64_t *state)
{
	const char *lines[64], *at = text;
	size_t count = 0;

	for (; *at != '\0'; at = strchr(at, '\n') + 1)
		lines[count++] = at;
	for (size_t i = count; i > 1; i--) {
		size_t other = (size_t)(tap_random(state) % i);
		const char *line = lines[i - 1];
		lines[i - 1] = lines[other];
		lines[other] = line;
	}
	out[0] = '\0';
	for (size_t i = 0; i < count; i++)
		strncat(out, lines[i], (size_t)(strchr(lines[i], '\n') + 1 - lines[i]));
	strcat(out, "\n");
}

static void test_versions(void)
{
	char bytes[4096];
	uint64_t random = 1;

	for (size_t i = 0; i < VERSIONS; i++) {
		size_t size = (size_t)snprintf(bytes, sizeof bytes, "%s\n", versions[i].lines);
		ok(is_read(bytes, size, versions[i].has_sasl) && used == size, "%s",
			versions[i].version);
		many_begin("cut anywhere it is incomplete");
		for (size_t cut = 0; cut < size; cut++)
			many(parse(bytes, cut) == POLICY_PARTIAL, "after %zu bytes", cut);
		many_end();
		snprintf(bytes + size, sizeof bytes - size, "%s\n", "request=something else");
		ok(is_read(bytes, strlen(bytes), versions[i].has_sasl) && used == size,
			"bytes after it belong to the next one");
		many_begin("in any order");
		for (int n = 0; n < 200; n++) {
			shuffle(versions[i].lines, bytes, &random);
			many(is_read(bytes, size, versions[i].has_sasl) && used == size, "%s",
				bytes);
		}
		many_end();
	}
}

/* --- invalid requests ---------------------------------------------------------------------- */

#define TEXT(string) string, sizeof string - 1

static const struct {
	const char *name;
	const char *bytes;
	size_t size;
	enum policy_parsed expected;
	const char *words;
} rows[] = {
	{"nothing", TEXT(""), POLICY_PARTIAL, ""},
	{"no attributes", TEXT("\n"), POLICY_BAD, "no attributes"},
	{"an unknown one", TEXT("future=1\n\n"), POLICY_WHOLE, ""},
	{"no type", TEXT("recipient=a@b.c\n\n"), POLICY_WHOLE, ""},
	{"empty values", TEXT("recipient=\nsender=\nprotocol_state=\n\n"), POLICY_WHOLE, ""},
	{"an equals sign in a value", TEXT("sender=a=b@c.d\n\n"), POLICY_WHOLE, ""},
	{"UTF-8", TEXT("recipient=j\xc3\xb6rg@b\xc3\xbc.example\n\n"), POLICY_WHOLE, ""},
	{"no UTF-8", TEXT("helo_name=\xff\xfe\n\n"), POLICY_WHOLE, ""},
	{"no equals sign", TEXT("request\n"), POLICY_BAD, "no \"=\" in \"request\""},
	{"no equals sign, later", TEXT("sender=a@b.c\nnonsense\n\n"), POLICY_BAD,
		"no \"=\" in \"nonsense\""},
	{"no equals sign yet", TEXT("request"), POLICY_PARTIAL, ""},
	{"no name", TEXT("=x\n"), POLICY_BAD, "no name before"},
	{"a blank line of CRLF", TEXT("sender=a@b.c\r\n\r\n"), POLICY_BAD, "no \"=\" in \"?\""},
	{"another type", TEXT("request=junk\n"), POLICY_BAD, "type smtpd_access_policy"},
	{"no type in it", TEXT("request=\n"), POLICY_BAD, "type smtpd_access_policy"},
	{"a longer type", TEXT("request=smtpd_access_policy2\n"), POLICY_BAD, "type"},
	{"a type in capitals", TEXT("request=SMTPD_ACCESS_POLICY\n"), POLICY_BAD, "type"},
	{"two recipients", TEXT("recipient=a@b.c\nrecipient=d@e.f\n"), POLICY_BAD,
		"attribute recipient occurs twice"},
	{"the same twice", TEXT("sender=a@b.c\nsender=a@b.c\n"), POLICY_BAD, "sender occurs twice"},
	{"empty, and again", TEXT("recipient=\nrecipient=\n"), POLICY_BAD, "occurs twice"},
	{"an unused one twice", TEXT("size=1\nsize=2\n\n"), POLICY_WHOLE, ""},
	{"NUL in a value", TEXT("recipient=a@b.c\0.d\n"), POLICY_BAD, "a NUL byte"},
	{"NUL in a name", TEXT("re\0cipient=a@b.c\n"), POLICY_BAD, "a NUL byte"},
	{"NUL in an unused one", TEXT("future=\0\n"), POLICY_BAD, "a NUL byte"},
	{"NUL before the end of the line", TEXT("\0"), POLICY_BAD, "a NUL byte"},
	{"a netstring", TEXT("22:policy a.example.com,\n"), POLICY_BAD, "no \"=\""},
	{"HTTP", TEXT("GET / HTTP/1.1\r\n\r\n"), POLICY_BAD, "no \"=\""},
	{"a TLS hello", TEXT("\x16\x03\x01\x02\x00\x01"), POLICY_BAD, "a NUL byte"},
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum policy_parsed parsed = parse(rows[i].bytes, rows[i].size);
		if (!ok(parsed == rows[i].expected && strstr(words, rows[i].words) != NULL &&
				    (parsed == POLICY_BAD) == (words[0] != '\0'),
			    "%s", rows[i].name))
			diag("%d: %s", parsed, words);
		ok(parsed != POLICY_WHOLE || used == rows[i].size, "all of it");
	}
	/* The error for the log is always one line. */
	parse(TEXT("a\x1b[2J\nb=1\n\n"));
	is_string(words, "no \"=\" in \"a?[2J\"", "no escape sequences");
}

/* --- limits -------------------------------------------------------------------------------- */

static char large[4 * POLICY_REQUEST_MAX];

static size_t add_line(size_t size, size_t length)
{
	memcpy(large + size, "x=", 2);
	memset(large + size + 2, 'y', length - 2);
	large[size + length] = '\n';
	return size + length + 1;
}

static void test_line_limits(void)
{
	size_t size = add_line(0, POLICY_LINE_MAX);

	large[size++] = '\n';
	ok(parse(large, size) == POLICY_WHOLE, "the longest line");
	size = add_line(0, POLICY_LINE_MAX + 1);
	ok(parse(large, size) == POLICY_BAD && strstr(words, "a line of more than") != NULL,
		"one byte more: %s", words);
	ok(parse(large, POLICY_LINE_MAX) == POLICY_PARTIAL, "as much without an end");
	ok(parse(large, POLICY_LINE_MAX + 1) == POLICY_BAD, "and one byte more");
	memset(large, 'x', sizeof large);
	ok(parse(large, sizeof large) == POLICY_BAD && strlen(words) < 200, "an endless one: %s",
		words);
}

static void test_count_limits(void)
{
	size_t size = 0;

	for (int i = 0; i < POLICY_LINES_MAX; i++)
		size = add_line(size, 3);
	large[size] = '\n';
	ok(parse(large, size + 1) == POLICY_WHOLE, "the largest number of lines");
	size = add_line(size, 3);
	ok(parse(large, size) == POLICY_BAD && strstr(words, "lines") != NULL, "one more: %s",
		words);
}

static void test_size_limits(void)
{
	size_t size = 0;

	while (size + 8000 < POLICY_REQUEST_MAX)
		size = add_line(size, 7000);
	size = add_line(size, POLICY_REQUEST_MAX - size - 1);
	large[size] = '\n';
	is_number((int64_t)size, POLICY_REQUEST_MAX, "lines of the largest size");
	ok(parse(large, size + 1) == POLICY_WHOLE, "and the end after them");
	size = add_line(size, 2);
	ok(parse(large, size) == POLICY_BAD && strstr(words, "longer than") != NULL,
		"one more line: %s", words);
}

/* With any bytes: nothing is read after their end, and `used` is within them. */
static void test_noise(void)
{
	static const char alphabet[] = "=\n\0re=recipient@.\xff ";
	uint64_t random = 7;
	char bytes[64];

	many_begin("noise");
	for (int n = 0; n < 20000; n++) {
		size_t size = (size_t)(tap_random(&random) % sizeof bytes);
		for (size_t i = 0; i < size; i++)
			bytes[i] = alphabet[tap_random(&random) % (sizeof alphabet - 1)];
		enum policy_parsed parsed = parse(bytes, size);
		many(parsed != POLICY_WHOLE || (used > 0 && used <= size), "%zu of %zu", used,
			size);
	}
	many_end();
}

/* --- recipients and domains ---------------------------------------------------------------- */

static void test_states(void)
{
	static const struct {
		const char *bytes;
		bool has_recipient, may_prepend;
	} states[] = {
		{"protocol_state=RCPT\nrecipient=a@b.c\n\n", true, true},
		{"protocol_state=DATA\nrecipient=a@b.c\nrecipient_count=1\n\n", true, true},
		{"protocol_state=END-OF-MESSAGE\nrecipient=a@b.c\n\n", true, false},
		{"protocol_state=DATA\nrecipient=\nrecipient_count=2\n\n", false, true},
		{"protocol_state=DATA\n\n", false, true},
		{"protocol_state=CONNECT\nrecipient=a@b.c\n\n", false, true},
		{"protocol_state=EHLO\n\n", false, true},
		{"protocol_state=HELO\n\n", false, true},
		{"protocol_state=MAIL\nsender=a@b.c\n\n", false, true},
		{"protocol_state=VRFY\nrecipient=a@b.c\n\n", false, true},
		{"protocol_state=ETRN\n\n", false, true},
		{"protocol_state=rcpt\nrecipient=a@b.c\n\n", false, true},
		{"protocol_state=\nrecipient=a@b.c\n\n", false, true},
		{"recipient=a@b.c\n\n", false, true},
	};

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		policy_request_parse(
			states[i].bytes, strlen(states[i].bytes), &attributes, &used, NULL);
		ok(policy_request_has_recipient(&attributes) == states[i].has_recipient &&
				policy_request_may_prepend(&attributes) == states[i].may_prepend,
			"%s", states[i].bytes);
	}
}

static void test_domains(void)
{
	static const struct {
		const char *address, *domain;
	} addresses[] = {
		{"user@example.org", "example.org"},
		{"user", ""},
		{"", ""},
		{"user@", ""},
		{"@example.org", "example.org"},
		{"a@b@example.org", "example.org"},
		{"\"a@b\"@example.org", "example.org"},
		{"\"a\\\"@b\"@example.org", "example.org"},
		{"\"a@b.example\"", "b.example\""},
		{"user@[192.0.2.1]", "[192.0.2.1]"},
		{"user@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
		{"@relay.example:user@example.org", "example.org"},
		{"user%example.net@example.org", "example.org"},
		{"j\xc3\xb6rg@b\xc3\xbc.example", "b\xc3\xbc.example"},
	};

	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		struct policy_value address = {addresses[i].address, strlen(addresses[i].address)};
		struct policy_value domain = policy_request_domain(address);
		ok(domain.size == strlen(addresses[i].domain) &&
				memcmp(domain.bytes, addresses[i].domain, domain.size) == 0,
			"the domain of %s", addresses[i].address);
	}
	ok(policy_request_domain((struct policy_value){NULL, 0}).size == 0, "of none");
}

int main(void)
{
	test_versions();
	test_rows();
	test_line_limits();
	test_count_limits();
	test_size_limits();
	test_noise();
	test_states();
	test_domains();
	return done_testing();
}
