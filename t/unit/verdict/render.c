/*
 * render: all verdicts at all of Postfix's own levels, by t/lab/dane-cases, "Where the site's own
 * level is stronger"; no reply is weaker than the site's own level; the texts of replies; a failure
 * as one printable line with the name, the type and the reason.
 */
#include "common/verdict/render.h"

#include "t/unit/parts.h"

static const char *const site_names[] = {
	"none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"};

enum { SITES = sizeof site_names / sizeof site_names[0] };

static const struct {
	struct verdict verdict;
	/* The text after OK, by the site's level in the order above; NULL is NOTFOUND. */
	const char *policy[SITES];
} dane[] = {
	{{VERDICT_DANE_ONLY, REASON_DANE_FULL},
		{"dane-only", "dane-only", "dane-only", "dane-only", "dane-only", "dane-only",
			"dane-only", "dane-only"}},
	{{VERDICT_DANE, REASON_DANE_PARTIAL},
		{"dane", "dane", NULL, "dane", NULL, NULL, NULL, NULL}},
	{{VERDICT_DANE, REASON_DANE_INSECURE_MX},
		{"dane", "dane", NULL, "dane", NULL, NULL, NULL, NULL}},
	{{VERDICT_DANE, REASON_DANE_UNUSABLE},
		{"dane", "dane", "encrypt", "dane", NULL, NULL, NULL, NULL}},
};

/* The text of a reply. */
static const char *words_of(struct reply reply)
{
	static char bytes[8192];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	render_reply(&text, &reply);
	return text.cut ? "(cut)" : bytes;
}

/* The text after OK; NULL for NOTFOUND. */
static const char *policy_of(struct reply reply)
{
	const char *words = words_of(reply);
	return strncmp(words, "OK ", 3) == 0 ? words + 3 : NULL;
}

static void test_dane(void)
{
	for (size_t i = 0; i < sizeof dane / sizeof dane[0]; i++) {
		for (unsigned site = 0; site < SITES; site++) {
			struct reply reply = reply_from_verdict(dane[i].verdict, site, NULL);
			const char *expected = dane[i].policy[site], *policy = policy_of(reply);
			ok(expected != NULL ? reply.kind == REPLY_OK && policy != NULL &&
						      strcmp(policy, expected) == 0 &&
						      strcmp(tls_level_names[reply.level],
							      expected) == 0
					    : reply.kind == REPLY_NOTFOUND && policy == NULL,
				"%s where the site is at %s: %s",
				reason_name(dane[i].verdict.reason), site_names[site],
				expected != NULL ? expected : "NOTFOUND");
		}
	}
}

static void test_others(void)
{
	many_begin("no level changes NOTFOUND and TEMP");
	for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
		for (unsigned site = 0; site < SITES; site++) {
			struct reply reply = reply_from_verdict(
				(struct verdict){VERDICT_NOTFOUND, reason}, site, NULL);
			many(reply.kind == REPLY_NOTFOUND, "%s at %s", reason_name(reason),
				site_names[site]);
			reply = reply_from_verdict(
				(struct verdict){VERDICT_TEMP, reason}, site, NULL);
			many(reply.kind == REPLY_TEMP, "%s at %s", reason_name(reason),
				site_names[site]);
		}
	}
	many_end();
}

/*
 * The least security of a connection at each level: 0 is plain text, 1 is TLS, 2 is TLS with an
 * authenticated server, 3 one authenticated by TLSA records. At `dane` Postfix uses `may` for a
 * host without DANE (postconf(5)).
 */
static int least_of(const char *policy, enum tls_level site)
{
	static const int of_site[SITES] = {
		[TLS_LEVEL_NONE] = 0,
		[TLS_LEVEL_MAY] = 0,
		[TLS_LEVEL_ENCRYPT] = 1,
		[TLS_LEVEL_DANE] = 0,
		[TLS_LEVEL_DANE_ONLY] = 3,
		[TLS_LEVEL_FINGERPRINT] = 2,
		[TLS_LEVEL_VERIFY] = 2,
		[TLS_LEVEL_SECURE] = 2,
	};

	if (policy == NULL)
		return of_site[site];
	if (strncmp(policy, "secure", 6) == 0)
		return 2;
	return strcmp(policy, "dane-only") == 0 ? 3 : strcmp(policy, "encrypt") == 0 ? 1 : 0;
}

static void test_never_weaker(void)
{
	many_begin("no answer weakens what the site has");
	for (enum verdict_level level = VERDICT_NOTFOUND; level <= VERDICT_SECURE; level++) {
		for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
			for (unsigned site = 0; site < SITES; site++) {
				struct reply reply = reply_from_verdict(
					(struct verdict){level, reason}, site, NULL);
				if (reply.kind == REPLY_TEMP)
					continue;
				/* The policy's patterns do not matter, and there is none here. */
				const char *words =
					reply.match == MATCH_STS ? "secure" : policy_of(reply);
				many(least_of(words, site) >= least_of(NULL, site),
					"level %d, %s at %s: %s", level, reason_name(reason),
					site_names[site], words != NULL ? words : "NOTFOUND");
			}
		}
	}
	many_end();
}

/* Evidence of a host with this failure. */
static const struct evidence *failed_host(const struct part_failure *failure)
{
	static struct evidence evidence;
	static struct destination destination;
	static uint8_t *bytes;
	struct host_facts facts = {.status = HOST_FAILED, .failure = *failure};
	struct part_times times = parts_times();

	free(bytes);
	destination_parse("[mx.example.com]", strlen("[mx.example.com]"), &destination);
	evidence.destination = &destination;
	evidence_list_hosts(&evidence);
	bytes = parts_host(&evidence.hosts[0].part, &facts, &times, "mx.example.com", 25);
	return &evidence;
}

static void test_words(void)
{
	struct part_failure failure;

	is_string(words_of(reply_level(TLS_LEVEL_DANE_ONLY)), "OK dane-only", "a policy");
	for (int level = 0; level < TLS_LEVEL_COUNT; level++)
		is_string(policy_of(reply_level((enum tls_level)level)), tls_level_names[level],
			"every level");
	is_string(words_of(reply_secure_nexthop()), "OK secure match=nexthop:dot-nexthop",
		"a certificate for the domain's own name");
	is_string(words_of((struct reply){
			  .kind = REPLY_OK, .content = REPLY_TEXT, .text = "{\"a\":1}"}),
		"OK {\"a\":1}", "text as it is");
	is_string(words_of(reply_notfound()), "NOTFOUND ",
		"not found, with the blank that belongs to it");
	is_string(words_of(reply_temp_of(NULL)), "TEMP lookup failed",
		"a failure of which nothing is known");
	is_string(
		words_of(reply_temp("out of memory")), "TEMP out of memory", "a failure in words");
	is_string(words_of((struct reply){.kind = REPLY_PERM, .text = "no such map"}),
		"PERM no such map", "a refusal");
	parts_fail(&failure, DNS_FAILURE_BOGUS, DNS_TYPE_TLSA, "_25._tcp.mx.example.com",
		"signature expired");
	is_string(words_of(reply_temp_of(failed_host(&failure))),
		"TEMP _25._tcp.mx.example.com TLSA: bogus: signature expired",
		"a failure: name, type, reason and the validator's words");
	is_string(words_of(reply_from_verdict((struct verdict){VERDICT_TEMP, REASON_BOGUS},
			  TLS_LEVEL_DANE, failed_host(&failure))),
		"TEMP _25._tcp.mx.example.com TLSA: bogus: signature expired",
		"a verdict takes its evidence along");
	struct reply policy = reply_level(TLS_LEVEL_DANE), notfound = reply_notfound();
	policy.evidence = notfound.evidence = failed_host(&failure);
	is_string(words_of(policy), "OK dane", "a failure beside a policy is not reported");
	is_string(words_of(notfound), "NOTFOUND ", "nor beside not found");
	parts_fail(&failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_MX, "example.com", "");
	is_string(words_of(reply_temp_of(failed_host(&failure))), "TEMP example.com MX: timeout",
		"without words of the validator");
	parts_fail(&failure, DNS_FAILURE_SERVFAIL, DNS_TYPE_AAAA, "mx.example.com",
		"a\nb\\c\x1b[2J\x80");
	is_string(words_of(reply_temp_of(failed_host(&failure))),
		"TEMP mx.example.com AAAA: servfail: a\\x0ab\\x5cc\\x1b[2J\\x80",
		"what servers said is escaped");
}

/* With any bytes in a failure, the reply is one line that Postfix can read. */
static void test_any_failure(void)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_NS, DNS_TYPE_CNAME, DNS_TYPE_MX,
		DNS_TYPE_AAAA, DNS_TYPE_TLSA, 65535};

	many_begin("failures of every kind, with every byte");
	for (enum dns_failure kind = 0; kind < DNS_FAILURE_COUNT; kind++) {
		for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
			for (int byte = 1; byte < 256; byte++) {
				struct part_failure failure = {.failure = kind, .type = types[t]};
				memset(failure.name, byte, sizeof failure.name - 1);
				memset(failure.detail, byte, sizeof failure.detail - 1);
				const char *words = words_of(reply_temp_of(failed_host(&failure)));
				bool printable = true;
				for (const char *at = words; *at != '\0'; at++)
					printable = printable && *at >= ' ' && *at <= '~';
				many(printable && strncmp(words, "TEMP ", 5) == 0 &&
						strstr(words, dns_type_name(types[t])) != NULL &&
						strstr(words, dns_failure_name(kind)) != NULL,
					"byte %d, type %u: %.80s", byte, types[t], words);
			}
		}
	}
	many_end();
	/* Into memory that is too small: it is cut, without other damage. */
	many_begin("a failure into memory of every size");
	struct part_failure failure;
	parts_fail(
		&failure, DNS_FAILURE_BOGUS, DNS_TYPE_TLSA, "mx.example.com", "signature\nexpired");
	for (size_t size = 1; size < 120; size++) {
		char *bytes = malloc(size);
		struct text text;
		text_init(&text, bytes, size);
		render_failure(&text, &failure);
		many(strlen(bytes) == text.used && text.used < size, "%zu bytes", size);
		free(bytes);
	}
	many_end();
}

/* --- MTA-STS ------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	const char *lines[PARTS_LINES_MAX][2];
	const char *policy, *report; /* the text after OK, and what the maps -tlsrpt add */
} sts[] = {
	{"two patterns",
		{{"version", "STSv1"}, {"mode", "enforce"}, {"mx", "mx.example.com"},
			{"mx", "*.example.net"}, {"max_age", "86400"}},
		"secure match=mx.example.com:.example.net servername=hostname",
		" policy_type=sts policy_domain=example.com { policy_string = version: STSv1 }"
		" { policy_string = mode: enforce } { policy_string = mx: mx.example.com }"
		" { policy_string = mx: *.example.net } { policy_string = max_age: 86400 }"
		" mx_host_pattern=mx.example.com mx_host_pattern=*.example.net"},
	{"a line with braces, one with quotes",
		{{"mx", "mx.example.com"}, {"a", "{ x }"}, {"b", "}"}, {"c", "\"quoted\""},
			{"d", "policy_ttl=3 = x"}},
		"secure match=mx.example.com servername=hostname",
		" policy_type=sts policy_domain=example.com { policy_string = mx: mx.example.com }"
		" { policy_string = d: policy_ttl=3 = x } mx_host_pattern=mx.example.com"},
	{"a control character in a damaged part",
		{{"mx", "mx.example.com"}, {"a", "x\ny"}, {"b\r", "x"}},
		"secure match=mx.example.com servername=hostname",
		" policy_type=sts policy_domain=example.com { policy_string = mx: mx.example.com }"
		" mx_host_pattern=mx.example.com"},
};

/* Evidence with this policy; the reply of the verdict `sts-enforce`. */
static struct reply sts_reply(struct evidence *evidence, const struct sts_facts *facts,
	struct destination *destination, uint8_t **bytes)
{
	static const struct verdict verdict = {VERDICT_SECURE, REASON_STS_ENFORCE};
	struct part_times times = parts_times();

	destination_parse("example.com", strlen("example.com"), destination);
	evidence->destination = destination;
	*bytes = parts_sts(&evidence->sts, facts, &times, "example.com");
	evidence->has_sts = true;
	return reply_from_verdict(verdict, TLS_LEVEL_DANE, evidence);
}

static void test_sts(void)
{
	struct destination destination;
	struct evidence evidence;
	struct parts_sts policy;
	uint8_t *bytes;
	char expected[2048];

	for (size_t i = 0; i < sizeof sts / sizeof sts[0]; i++) {
		parts_sts_facts(&policy, STS_ENFORCE, sts[i].lines);
		struct reply reply = sts_reply(&evidence, &policy.facts, &destination, &bytes);
		is_string(policy_of(reply), sts[i].policy, "%s", sts[i].what);
		reply.tlsrpt = true;
		snprintf(expected, sizeof expected, "%s%s", sts[i].policy, sts[i].report);
		is_string(
			policy_of(reply), expected, "%s, with attributes for TLSRPT", sts[i].what);
		free(bytes);
	}
	parts_sts_facts(&policy, STS_ENFORCE, sts[0].lines);
	policy.lines[3].left_out = true;
	struct reply reply = sts_reply(&evidence, &policy.facts, &destination, &bytes);
	reply.tlsrpt = true;
	ok(strstr(policy_of(reply), "policy_string = mx: *") == NULL &&
			strstr(policy_of(reply), "policy_string = mx: mx.example.com }") != NULL,
		"a line that was left out is not reported");
	reply = reply_level(TLS_LEVEL_DANE_ONLY);
	reply.evidence = &evidence;
	reply.tlsrpt = true;
	is_string(words_of(reply), "OK dane-only", "no attributes beside DANE");
	reply = reply_notfound();
	reply.tlsrpt = true;
	is_string(words_of(reply), "NOTFOUND ", "nor beside NOTFOUND");
	free(bytes);
}

/* Replies of just the size that Postfix accepts, and larger ones. */
static void test_large_sts(void)
{
	enum { PATTERNS = 240, NAME = 200 };
	static char names[PATTERNS][NAME + 1], value[UINT16_MAX], room[RENDER_REPLY_MAX + 1];
	static struct sts_pattern patterns[PATTERNS];
	struct sts_line line = {"x", value, 1, 0, false};
	struct sts_facts facts = {.status = STS_ENFORCE, .patterns = patterns, .lines = &line};
	struct destination destination;
	struct evidence evidence;
	struct text text;
	uint8_t *bytes;

	memset(value, 'v', sizeof value);
	for (size_t i = 0; i < PATTERNS; i++) {
		memset(names[i], 'a', NAME);
		patterns[i] = (struct sts_pattern){names[i], NAME};
	}
	static const struct {
		const char *what;
		size_t patterns, too_long; /* [bytes] more than fit with the line of the policy */
		bool has_line, has_patterns;
	} rows[] = {
		{"the longest reply", 100, 0, true, true},
		{"one byte more: without lines of the policy", 100, 1, false, true},
		{"many patterns: without attributes", PATTERNS, 0, false, false},
	};
	facts.line_count = 1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		facts.pattern_count = rows[i].patterns;
		size_t shorter = strlen("OK secure match= servername=hostname") +
				 facts.pattern_count * (NAME + 1) - 1 +
				 strlen(" policy_type=sts policy_domain=example.com") +
				 facts.pattern_count * (NAME + strlen(" mx_host_pattern=")) +
				 strlen(" { policy_string = x:  }");
		line.value_size = shorter < RENDER_REPLY_MAX ? RENDER_REPLY_MAX - shorter : 1;
		line.value_size += rows[i].too_long;
		struct reply reply = sts_reply(&evidence, &facts, &destination, &bytes);
		reply.tlsrpt = true;
		text_init(&text, room, sizeof room);
		render_reply(&text, &reply);
		ok(!text.cut && text.used <= RENDER_REPLY_MAX &&
				(!rows[i].has_line || text.used == RENDER_REPLY_MAX),
			"%s: %zu bytes", rows[i].what, text.used);
		ok((strstr(room, "policy_string") != NULL) == rows[i].has_line &&
				(strstr(room, "mx_host_pattern") != NULL) == rows[i].has_patterns,
			"%s", rows[i].what);
		free(bytes);
	}
}

int main(void)
{
	test_dane();
	test_others();
	test_never_weaker();
	test_words();
	test_any_failure();
	test_sts();
	test_large_sts();
	return done_testing();
}
