/*
 * decide: the whole table of t/lab/dane-cases, "From hosts to the answer (native)": up to four
 * hosts of every status, every kind of MX answer, fresh and expired parts. Each combination is
 * compared with the cases as written there. Then the same with an MTA-STS policy of each status.
 */
#include "common/verdict/decide.h"

#include "t/unit/tap.h"

/* --- the rules ----------------------------------------------------------------------------- */

/* One case of the table: which MX, a condition for the hosts, the verdict. */
enum rule_mx { ANY = 7, SECURE = 1, INSECURE = 2, HOST_KEY = 4 };

struct rule_hosts {
	unsigned usable, unusable, none, failed; /* without the unreachable hosts */
};

static bool no_host_left(const struct rule_hosts *hosts)
{
	return hosts->usable == 0 && hosts->unusable == 0 && hosts->none == 0 && hosts->failed == 0;
}

static bool all_failed(const struct rule_hosts *hosts)
{
	return hosts->failed > 0 && hosts->usable == 0 && hosts->unusable == 0 && hosts->none == 0;
}

static bool all_that_answered_usable(const struct rule_hosts *hosts)
{
	return hosts->usable > 0 && hosts->unusable == 0 && hosts->none == 0;
}

static bool some_usable_others_not(const struct rule_hosts *hosts)
{
	return hosts->usable > 0 && (hosts->unusable > 0 || hosts->none > 0);
}

static bool none_usable_one_unusable(const struct rule_hosts *hosts)
{
	return hosts->usable == 0 && hosts->unusable > 0;
}

static bool usable_or_unusable(const struct rule_hosts *hosts)
{
	return hosts->usable > 0 || hosts->unusable > 0;
}

static bool nothing_and_one_failed(const struct rule_hosts *hosts)
{
	return hosts->usable == 0 && hosts->unusable == 0 && hosts->failed > 0;
}

static bool all_without_dane(const struct rule_hosts *hosts)
{
	return hosts->none > 0 && hosts->usable == 0 && hosts->unusable == 0 && hosts->failed == 0;
}

static const struct {
	enum rule_mx mx;
	bool (*hosts)(const struct rule_hosts *);
	enum verdict_level level;
	enum reason reason;
} rules[] = {
	{ANY, all_failed, VERDICT_TEMP, REASON_LOOKUP_FAILED},
	{SECURE, all_that_answered_usable, VERDICT_DANE_ONLY, REASON_DANE_FULL},
	{SECURE, some_usable_others_not, VERDICT_DANE, REASON_DANE_PARTIAL},
	{SECURE, none_usable_one_unusable, VERDICT_DANE, REASON_DANE_UNUSABLE},
	{SECURE, nothing_and_one_failed, VERDICT_TEMP, REASON_LOOKUP_FAILED},
	{SECURE, all_without_dane, VERDICT_NOTFOUND, REASON_NO_TLSA},
	{INSECURE, usable_or_unusable, VERDICT_DANE, REASON_DANE_INSECURE_MX},
	{INSECURE, nothing_and_one_failed, VERDICT_TEMP, REASON_LOOKUP_FAILED},
	{INSECURE, all_without_dane, VERDICT_NOTFOUND, REASON_INSECURE},
	{ANY, no_host_left, VERDICT_NOTFOUND, REASON_NO_HOST},
	{HOST_KEY, all_that_answered_usable, VERDICT_DANE_ONLY, REASON_DANE_FULL},
	{HOST_KEY, none_usable_one_unusable, VERDICT_DANE, REASON_DANE_UNUSABLE},
	{HOST_KEY, all_without_dane, VERDICT_NOTFOUND, REASON_NO_TLSA},
};

/* False if no case applies, or if two cases with different verdicts apply. */
static bool ask_rules(enum rule_mx mx, const struct rule_hosts *hosts, struct verdict *verdict)
{
	unsigned found = 0;

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if ((rules[i].mx & mx) == 0 || !rules[i].hosts(hosts))
			continue;
		if (found > 0 &&
			(verdict->level != rules[i].level || verdict->reason != rules[i].reason))
			return false;
		verdict->level = rules[i].level;
		verdict->reason = rules[i].reason;
		found++;
	}
	return found > 0;
}

/* --- all combinations ---------------------------------------------------------------------- */

static const char *level_name(enum verdict_level level)
{
	static const char *const names[] = {"NOTFOUND", "TEMP", "dane", "dane-only", "secure"};
	return names[level];
}

static void describe(const struct decide_facts *facts, char *words, size_t size)
{
	size_t used = (size_t)snprintf(words, size,
		"%s, %s, %s%s:", facts->kind == DESTINATION_HOST ? "[host]" : "domain",
		mx_status_name(facts->mx_status), dns_security_name(facts->mx_security),
		facts->stale ? ", stale" : "");
	for (size_t i = 0; i < facts->host_count && i < 8 && used < size; i++)
		used += (size_t)snprintf(
			words + used, size - used, " %s", host_status_name(facts->hosts[i]));
}

/* With expired parts the verdict must never be NOTFOUND. */
static void check(struct decide_facts *facts, struct verdict expected)
{
	for (int stale = 0; stale < 2; stale++) {
		char words[256];
		struct verdict wanted = expected;

		facts->stale = stale == 1;
		if (facts->stale && wanted.level == VERDICT_NOTFOUND)
			wanted = (struct verdict){VERDICT_TEMP, REASON_LOOKUP_FAILED};
		struct verdict got = decide(facts);
		describe(facts, words, sizeof words);
		many(got.level == wanted.level && got.reason == wanted.reason,
			"%s: %s %s, expected %s %s", words, level_name(got.level),
			reason_name(got.reason), level_name(wanted.level),
			reason_name(wanted.reason));
	}
}

static void count_hosts(const struct decide_facts *facts, struct rule_hosts *hosts)
{
	memset(hosts, 0, sizeof *hosts);
	for (size_t i = 0; i < facts->host_count; i++) {
		hosts->usable += facts->hosts[i] == HOST_USABLE;
		hosts->unusable += facts->hosts[i] == HOST_UNUSABLE;
		hosts->none += facts->hosts[i] == HOST_NONE;
		hosts->failed += facts->hosts[i] == HOST_FAILED;
	}
}

static void check_by_rules(struct decide_facts *facts, enum rule_mx mx)
{
	struct rule_hosts hosts;
	struct verdict expected = {VERDICT_NOTFOUND, REASON_COUNT};
	char words[256];

	count_hosts(facts, &hosts);
	describe(facts, words, sizeof words);
	if (many(ask_rules(mx, &hosts, &expected), "%s: there is not one rule for it", words))
		check(facts, expected);
}

/* The n-th combination of `count` hosts. */
static void set_hosts(struct decide_facts *facts, size_t count, unsigned n)
{
	facts->host_count = count;
	for (size_t i = 0; i < count; i++, n /= HOST_STATUS_COUNT)
		facts->hosts[i] = (enum host_status)(n % HOST_STATUS_COUNT);
}

enum { HOSTS_MAX = 4 };

static void test_domains(void)
{
	static const enum dns_security securities[] = {
		DNS_SECURE, DNS_INSECURE, DNS_UNKNOWN, DNS_BOGUS};

	for (size_t s = 0; s < sizeof securities / sizeof securities[0]; s++) {
		char group[64];
		unsigned combinations = 1;

		snprintf(group, sizeof group, "%s MX, all combinations of up to %d hosts",
			dns_security_name(securities[s]), HOSTS_MAX);
		many_begin(group);
		for (size_t count = 0; count <= HOSTS_MAX; count++) {
			for (unsigned n = 0; n < combinations; n++) {
				struct decide_facts facts = {.kind = DESTINATION_DOMAIN,
					.mx_status = MX_FOUND,
					.mx_security = securities[s]};
				set_hosts(&facts, count, n);
				check_by_rules(
					&facts, securities[s] == DNS_SECURE ? SECURE : INSECURE);
			}
			combinations *= HOST_STATUS_COUNT;
		}
		many_end();
	}
}

/* No MX records: as if the key were `[domain]`, with any DNSSEC status. And the `[host]` key. */
static void test_single_hosts(void)
{
	many_begin("a host alone: `[host]`, and a domain without MX");
	for (enum dns_security security = 0; security < DNS_SECURITY_COUNT; security++) {
		for (enum host_status status = 0; status < HOST_STATUS_COUNT; status++) {
			struct decide_facts facts = {.kind = DESTINATION_HOST,
				.mx_status = MX_FOUND,
				.mx_security = security,
				.host_count = 1,
				.hosts = {status}};
			check_by_rules(&facts, HOST_KEY);
			facts.kind = DESTINATION_DOMAIN;
			facts.mx_status = MX_ABSENT;
			check_by_rules(&facts, HOST_KEY);
		}
	}
	/* The MX members must be ignored for a `[host]`. */
	for (enum mx_status mx = 0; mx < MX_STATUS_COUNT; mx++) {
		struct decide_facts facts = {.kind = DESTINATION_HOST,
			.mx_status = mx,
			.mx_security = DNS_INSECURE,
			.mx_failure = DNS_FAILURE_BOGUS,
			.host_count = 1,
			.hosts = {HOST_USABLE}};
		check_by_rules(&facts, HOST_KEY);
	}
	many_end();
}

static void test_no_hosts(void)
{
	static const struct {
		enum dns_failure failure;
		enum reason reason;
	} failures[] = {
		{DNS_FAILURE_BOGUS, REASON_BOGUS},
		{DNS_FAILURE_TIMEOUT, REASON_TIMEOUT},
		{DNS_FAILURE_SERVFAIL, REASON_LOOKUP_FAILED},
		{DNS_FAILURE_MALFORMED, REASON_LOOKUP_FAILED},
		{DNS_FAILURE_LOCAL, REASON_LOOKUP_FAILED},
		{DNS_FAILURE_NONE, REASON_LOOKUP_FAILED},
	};

	many_begin("MX answers that lead to no host");
	for (enum dns_security security = 0; security < DNS_SECURITY_COUNT; security++) {
		struct decide_facts facts = {.kind = DESTINATION_DOMAIN, .mx_security = security};
		facts.mx_status = MX_NXDOMAIN;
		check(&facts, (struct verdict){VERDICT_NOTFOUND, REASON_NXDOMAIN});
		facts.mx_status = MX_NULL;
		check(&facts, (struct verdict){VERDICT_NOTFOUND, REASON_NULL_MX});
		facts.mx_status = MX_FAILED;
		for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
			facts.mx_failure = failures[i].failure;
			check(&facts, (struct verdict){VERDICT_TEMP, failures[i].reason});
		}
	}
	many_end();
}

/* As many hosts as an MX set may have: one of another kind is noticed at any position. */
static void test_many_hosts(void)
{
	many_begin("a hundred hosts, one of them different");
	for (enum host_status most = 0; most < HOST_STATUS_COUNT; most++) {
		for (enum host_status one = 0; one < HOST_STATUS_COUNT; one++) {
			for (size_t place = 0; place < PART_HOSTS_MAX; place += 33) {
				struct decide_facts facts = {.kind = DESTINATION_DOMAIN,
					.mx_status = MX_FOUND,
					.mx_security = DNS_SECURE,
					.host_count = PART_HOSTS_MAX};
				for (size_t i = 0; i < PART_HOSTS_MAX; i++)
					facts.hosts[i] = i == place ? one : most;
				check_by_rules(&facts, SECURE);
				facts.mx_security = DNS_INSECURE;
				check_by_rules(&facts, INSECURE);
			}
		}
	}
	many_end();
}

/* Besides the table: properties that must be true in every case. */
static void test_principles(void)
{
	unsigned combinations = HOST_STATUS_COUNT * HOST_STATUS_COUNT * HOST_STATUS_COUNT;

	many_begin("a failed lookup never turns an answer into NOTFOUND");
	for (unsigned n = 0; n < combinations; n++) {
		for (int secure = 0; secure < 2; secure++) {
			struct decide_facts facts = {.kind = DESTINATION_DOMAIN,
				.mx_status = MX_FOUND,
				.mx_security = secure ? DNS_SECURE : DNS_INSECURE};
			set_hosts(&facts, 3, n);
			enum verdict_level before = decide(&facts).level;
			for (size_t i = 0; i < 3; i++) {
				enum host_status was = facts.hosts[i];
				facts.hosts[i] = HOST_FAILED;
				enum verdict_level after = decide(&facts).level;
				many(after != VERDICT_NOTFOUND, "combination %u, host %zu failed",
					n, i);
				/* An attacker who blocks lookups gains no weaker level. */
				bool others = false;
				for (size_t other = 0; other < 3; other++)
					others |= other != i &&
						  (facts.hosts[other] == HOST_USABLE ||
							  facts.hosts[other] == HOST_UNUSABLE);
				many(after >= VERDICT_TEMP && (!others || after >= VERDICT_DANE),
					"combination %u, host %zu: from %s to %s", n, i,
					level_name(before), level_name(after));
				facts.hosts[i] = was;
			}
		}
	}
	many_end();
	many_begin("the order of the hosts does not matter");
	for (unsigned n = 0; n < combinations; n++) {
		struct decide_facts facts = {.kind = DESTINATION_DOMAIN,
			.mx_status = MX_FOUND,
			.mx_security = DNS_SECURE};
		struct decide_facts turned = facts;
		set_hosts(&facts, 3, n);
		set_hosts(&turned, 3, n);
		turned.hosts[0] = facts.hosts[2];
		turned.hosts[2] = facts.hosts[0];
		struct verdict one = decide(&facts), other = decide(&turned);
		many(one.level == other.level && one.reason == other.reason, "combination %u", n);
		/* Nor does an unreachable host. */
		turned.hosts[3] = HOST_UNREACHABLE;
		turned.host_count = 4;
		other = decide(&turned);
		many(one.level == other.level && one.reason == other.reason,
			"combination %u and an unreachable host", n);
	}
	many_end();
}

/* --- MTA-STS ------------------------------------------------------------------------------- */

/* t/lab/sts-cases, "When MTA-STS applies": what an `enforce` policy changes. */
static const struct {
	enum reason dane;
	struct verdict enforced;
	struct verdict prefers_dane; /* with [sts] insecure_mx = dane */
} sts_rules[] = {
	{REASON_DANE_PARTIAL, {VERDICT_DANE_ONLY, REASON_DANE_PARTIAL_STS},
		{VERDICT_DANE_ONLY, REASON_DANE_PARTIAL_STS}},
	{REASON_DANE_INSECURE_MX, {VERDICT_SECURE, REASON_STS_ENFORCE},
		{VERDICT_DANE, REASON_DANE_INSECURE_MX}},
	{REASON_DANE_UNUSABLE, {VERDICT_SECURE, REASON_STS_ENFORCE},
		{VERDICT_SECURE, REASON_STS_ENFORCE}},
	{REASON_NO_TLSA, {VERDICT_SECURE, REASON_STS_ENFORCE},
		{VERDICT_SECURE, REASON_STS_ENFORCE}},
	{REASON_INSECURE, {VERDICT_SECURE, REASON_STS_ENFORCE},
		{VERDICT_SECURE, REASON_STS_ENFORCE}},
};

static bool same(struct verdict one, struct verdict other)
{
	return one.level == other.level && one.reason == other.reason;
}

static void check_sts(struct decide_facts *facts, bool seen[REASON_COUNT])
{
	char words[256];

	facts->sts = STS_ABSENT;
	describe(facts, words, sizeof words);
	struct verdict dane = decide(facts);
	seen[dane.reason] = true;
	struct rule_hosts hosts;
	count_hosts(facts, &hosts);
	for (int prefers = 0; prefers < 2; prefers++) {
		struct verdict expected = dane;
		facts->dane_behind_insecure_mx = prefers == 1;
		for (size_t i = 0; i < sizeof sts_rules / sizeof sts_rules[0]; i++) {
			if (sts_rules[i].dane == dane.reason)
				expected =
					prefers ? sts_rules[i].prefers_dane : sts_rules[i].enforced;
		}
		if (dane.reason == REASON_DANE_UNUSABLE && hosts.failed > 0)
			expected = (struct verdict){VERDICT_TEMP, REASON_LOOKUP_FAILED};
		for (enum sts_status status = 0; status < STS_STATUS_COUNT; status++) {
			facts->sts = status;
			struct verdict got = decide(facts);
			many(same(got, status == STS_ENFORCE ? expected : dane),
				"%s, policy %s: %s %s", words, sts_status_name(status),
				level_name(got.level), reason_name(got.reason));
			many(decide_needs_sts(facts) == !same(expected, dane),
				"%s, policy %s: is it needed?", words, sts_status_name(status));
		}
	}
	facts->sts = STS_ABSENT;
	facts->dane_behind_insecure_mx = false;
}

static void test_sts(void)
{
	static const enum mx_status answers[] = {
		MX_FOUND, MX_ABSENT, MX_NULL, MX_NXDOMAIN, MX_FAILED};
	unsigned combinations = HOST_STATUS_COUNT * HOST_STATUS_COUNT * HOST_STATUS_COUNT;
	bool seen[REASON_COUNT] = {false};

	many_begin("with a policy of each status");
	for (unsigned n = 0; n < combinations; n++) {
		for (int stale = 0; stale < 2; stale++) {
			struct decide_facts facts = {
				.mx_security = DNS_SECURE, .stale = stale == 1};
			set_hosts(&facts, 3, n);
			check_sts(&facts, seen);
			facts.mx_security = DNS_INSECURE;
			check_sts(&facts, seen);
			facts.kind = DESTINATION_HOST;
			set_hosts(&facts, 1, n);
			check_sts(&facts, seen);
		}
	}
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct decide_facts facts = {
			.mx_status = answers[i], .hosts = {HOST_NONE}, .host_count = 1};
		check_sts(&facts, seen);
	}
	many_end();
	many_begin("each reason of the table has occurred");
	for (size_t i = 0; i < sizeof sts_rules / sizeof sts_rules[0]; i++)
		many(seen[sts_rules[i].dane], "%s", reason_name(sts_rules[i].dane));
	many(seen[REASON_DANE_FULL] && seen[REASON_LOOKUP_FAILED] && seen[REASON_NULL_MX] &&
			seen[REASON_NXDOMAIN] && seen[REASON_NO_HOST],
		"and those that no policy changes");
	many_end();
}

static void test_words(void)
{
	static const char *const names[] = {"dane-full", "dane-partial", "dane-partial-sts",
		"dane-insecure-mx", "dane-unusable", "sts-enforce", "no-tlsa", "insecure",
		"null-mx", "no-host", "nxdomain", "not-a-destination", "lookup-failed", "bogus",
		"timeout", "exception"};

	is_number(sizeof names / sizeof names[0], REASON_COUNT, "all reasons are known here");
	for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
		is_string(reason_name(reason), names[reason], "a reason's stable word");
		const char *rule = reason_rule(reason);
		ok(rule != NULL && strlen(rule) > 10 && strchr(rule, '\n') == NULL,
			"%s: its rule is a line of words", names[reason]);
	}
	is_string(reason_name(REASON_COUNT), "unknown", "a reason that there is not");
	is_string(reason_rule(REASON_COUNT), "unknown", "and its rule");
}

int main(void)
{
	test_domains();
	test_single_hosts();
	test_no_hosts();
	test_many_hosts();
	test_principles();
	test_sts();
	test_words();
	return done_testing();
}
