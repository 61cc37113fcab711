/*
 * minimum: the whole table: every minimum with every kind of destination and every level of the
 * site.
 */
#include "common/site/minimum.h"

#include "t/unit/tap.h"

/* Kinds of destinations by their hosts, one letter per host. */
struct sort {
	const char *name;
	enum destination_kind kind;
	enum mx_status mx_status;
	enum dns_security mx_security;
	const char *hosts; /* u usable, x unusable, n none, f failed */
	enum reason reason;
};

static const struct sort sorts[] = {
	{"full", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "uu", REASON_DANE_FULL},
	{"full, one failed", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "uf", REASON_DANE_FULL},
	{"host", DESTINATION_HOST, MX_FOUND, DNS_SECURE, "u", REASON_DANE_FULL},
	{"partial", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "un", REASON_DANE_PARTIAL},
	{"mixed", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "ux", REASON_DANE_PARTIAL},
	{"mixed, failed", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "uxf", REASON_DANE_PARTIAL},
	{"mixed, none", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "uxn", REASON_DANE_PARTIAL},
	{"unusable", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "xx", REASON_DANE_UNUSABLE},
	{"unusable host", DESTINATION_HOST, MX_FOUND, DNS_SECURE, "x", REASON_DANE_UNUSABLE},
	{"unusable, none", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "xn", REASON_DANE_UNUSABLE},
	{"unusable, failed", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "xf", REASON_DANE_UNUSABLE},
	{"insecure MX", DESTINATION_DOMAIN, MX_FOUND, DNS_INSECURE, "u", REASON_DANE_INSECURE_MX},
	{"insecure MX, unusable", DESTINATION_DOMAIN, MX_FOUND, DNS_INSECURE, "x",
		REASON_DANE_INSECURE_MX},
	{"no TLSA", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "n", REASON_NO_TLSA},
	{"insecure", DESTINATION_DOMAIN, MX_FOUND, DNS_INSECURE, "n", REASON_INSECURE},
	{"MTA-STS", DESTINATION_DOMAIN, MX_FOUND, DNS_INSECURE, "n", REASON_STS_ENFORCE},
	{"partial, MTA-STS", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "un",
		REASON_DANE_PARTIAL_STS},
	{"null MX", DESTINATION_DOMAIN, MX_NULL, DNS_SECURE, "", REASON_NULL_MX},
	{"NXDOMAIN", DESTINATION_DOMAIN, MX_NXDOMAIN, DNS_SECURE, "", REASON_NXDOMAIN},
	{"failed", DESTINATION_DOMAIN, MX_FOUND, DNS_SECURE, "ff", REASON_LOOKUP_FAILED},
	{"bogus", DESTINATION_DOMAIN, MX_FAILED, DNS_SECURE, "", REASON_BOGUS},
};

enum { SORTS = sizeof sorts / sizeof sorts[0], SITES = TLS_LEVEL_SECURE + 1 };

static const char *const site_names[SITES] = {
	"none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"};

static struct decide_facts facts_of(const struct sort *sort)
{
	bool with_policy =
		sort->reason == REASON_STS_ENFORCE || sort->reason == REASON_DANE_PARTIAL_STS;
	struct decide_facts facts = {.kind = sort->kind,
		.mx_status = sort->mx_status,
		.mx_security = sort->mx_security,
		.mx_failure = DNS_FAILURE_BOGUS,
		.sts = with_policy ? STS_ENFORCE : STS_ABSENT};

	for (const char *host = sort->hosts; *host != '\0'; host++)
		facts.hosts[facts.host_count++] = *host == 'u'   ? HOST_USABLE
						  : *host == 'x' ? HOST_UNUSABLE
						  : *host == 'n' ? HOST_NONE
								 : HOST_FAILED;
	return facts;
}

/* --- the table ------------------------------------------------------------------------------- */

/*
 * Replies by site level, in the order none, may, encrypt, dane, dane-only, fingerprint, verify,
 * secure: D dane-only, d dane, e encrypt, s secure match=nexthop, m secure match= the patterns of
 * the MTA-STS policy, N NOTFOUND, T TEMP.
 */
static const struct {
	const char *sort;
	const char *answers[MINIMUM_COUNT];
} table[] = {
	/*                    none        encrypted   authenticated dane */
	{"full", {"DDDDDDDD", "DDDDDDDD", "DDDDDDDD", "DDDDDDDD"}},
	{"full, one failed", {"DDDDDDDD", "DDDDDDDD", "DDDDDDDD", "DDDDDDDD"}},
	{"host", {"DDDDDDDD", "DDDDDDDD", "DDDDDDDD", "DDDDDDDD"}},
	{"partial", {"ddNdNNNN", "DDNDNNNN", "DDDDNNDN", "DDDDDDDD"}},
	{"mixed", {"ddNdNNNN", "ddNdNNNN", "DDDDNNDN", "DDDDDDDD"}},
	{"mixed, failed", {"ddNdNNNN", "DDNDNNNN", "DDDDNNDN", "DDDDDDDD"}},
	{"mixed, none", {"ddNdNNNN", "DDNDNNNN", "DDDDNNDN", "DDDDDDDD"}},
	{"unusable", {"ddedNNNN", "ddedNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"unusable host", {"ddedNNNN", "ddedNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"unusable, none", {"ddedNNNN", "eeeeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"unusable, failed", {"ddedNNNN", "eeeeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"insecure MX", {"ddNdNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"insecure MX, unusable", {"ddNdNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"no TLSA", {"NNNNNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"insecure", {"NNNNNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"MTA-STS", {"mmmmNmmm", "mmmmNmmm", "mmmmNmmm", "DDDDDDDD"}},
	{"partial, MTA-STS", {"DDDDDDDD", "DDDDDDDD", "DDDDDDDD", "DDDDDDDD"}},
	{"null MX", {"NNNNNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"NXDOMAIN", {"NNNNNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"}},
	{"failed", {"TTTTTTTT", "TTTTTTTT", "TTTTTTTT", "TTTTTTTT"}},
	{"bogus", {"TTTTTTTT", "TTTTTTTT", "TTTTTTTT", "TTTTTTTT"}},
};

static char letter(struct reply reply)
{
	if (reply.kind == REPLY_NOTFOUND)
		return 'N';
	if (reply.kind == REPLY_TEMP)
		return 'T';
	if (reply.match == MATCH_NEXTHOP)
		return reply.level == TLS_LEVEL_SECURE ? 's' : '?';
	if (reply.match == MATCH_STS)
		return reply.level == TLS_LEVEL_SECURE ? 'm' : '?';
	return reply.level == TLS_LEVEL_DANE_ONLY ? 'D' : tls_level_names[reply.level][0];
}

static void check_native(void)
{
	many_begin("native: destination x minimum x site level");
	for (size_t i = 0; i < SORTS; i++) {
		struct decide_facts facts = facts_of(&sorts[i]);
		struct verdict verdict = decide(&facts);

		many(verdict.reason == sorts[i].reason && strcmp(sorts[i].name, table[i].sort) == 0,
			"%s: %s", sorts[i].name, reason_name(verdict.reason));
		for (int minimum = 0; minimum < MINIMUM_COUNT; minimum++) {
			for (int site = 0; site < SITES; site++) {
				struct reply reply = minimum_hold((enum minimum_level)minimum,
					(enum tls_level)site, &facts, verdict,
					reply_from_verdict(verdict, (enum tls_level)site, NULL));
				many(letter(reply) == table[i].answers[minimum][site],
					"%s, minimum %s, site %s: %c, expected %c", sorts[i].name,
					minimum_names[minimum], site_names[site], letter(reply),
					table[i].answers[minimum][site]);
			}
		}
	}
	many_end();
}

/* --- never weaker -------------------------------------------------------------------------- */

/*
 * How strong a reply is for the weakest host that Postfix may use, written independently of the
 * code: 0 nothing, 1 TLS, 2 TLS with a server authenticated by a name from the domain, 3 DANE.
 */
static int strength(char answer, enum tls_level site, const struct sort *sort)
{
	static const int of_site[SITES] = {0, 0, 1, 0, 3, 2, 1, 2};
	bool signed_mx = sort->reason != REASON_DANE_INSECURE_MX && sort->reason != REASON_INSECURE;

	switch (answer) {
	case 'D':
		return 3;
	case 's':
	case 'm':
		return 2;
	case 'e':
		return 1;
	case 'd':
		return signed_mx && strpbrk(sort->hosts, "nf") == NULL && sort->hosts[0] != '\0'
			       ? 1
			       : 0;
	case 'N':
		return site == TLS_LEVEL_DANE ? strength('d', TLS_LEVEL_NONE, sort) : of_site[site];
	default:
		return 3; /* nothing is sent */
	}
}

static void check_strength(void)
{
	many_begin("no answer is weaker than its minimum, or than it would be without");
	for (size_t i = 0; i < SORTS; i++) {
		struct decide_facts facts = facts_of(&sorts[i]);
		struct verdict verdict = decide(&facts);

		for (int minimum = 0; minimum < MINIMUM_COUNT; minimum++) {
			for (int level = 0; level < SITES; level++) {
				enum tls_level site = (enum tls_level)level;
				struct reply before = reply_from_verdict(verdict, site, NULL);
				struct reply after = minimum_hold(
					(enum minimum_level)minimum, site, &facts, verdict, before);
				int reached = strength(letter(after), site, &sorts[i]);
				many(reached >= minimum && reached >= strength(letter(before), site,
									      &sorts[i]),
					"%s, minimum %s, site %s: %c", sorts[i].name,
					minimum_names[minimum], site_names[site], letter(after));
			}
		}
	}
	many_end();
}

/* --- pinned -------------------------------------------------------------------------------- */

static void check_pinned(void)
{
	many_begin("pinned: which answers with TLSA data stay, and what TLS alone becomes");
	for (size_t i = 0; i < SORTS; i++) {
		struct decide_facts facts = facts_of(&sorts[i]);
		struct verdict verdict = decide(&facts);
		bool full = verdict.reason == REASON_DANE_FULL ||
			    verdict.reason == REASON_DANE_PARTIAL_STS;

		many(minimum_keeps_pins(MINIMUM_NONE, verdict) &&
				minimum_keeps_pins(MINIMUM_ENCRYPTED, verdict) &&
				minimum_keeps_pins(MINIMUM_AUTHENTICATED, verdict) == full &&
				minimum_keeps_pins(MINIMUM_DANE, verdict) == full,
			"%s", sorts[i].name);
		if (verdict.reason != REASON_DANE_UNUSABLE)
			continue;
		static const char *const answers[MINIMUM_COUNT] = {
			"eeeeNNNN", "eeeeNNNN", "ssssNNsN", "DDDDDDDD"};
		for (int minimum = 0; minimum < MINIMUM_COUNT; minimum++) {
			for (int site = 0; site < SITES; site++) {
				struct reply reply = minimum_hold((enum minimum_level)minimum,
					(enum tls_level)site, &facts, verdict,
					reply_encrypt((enum tls_level)site));
				many(letter(reply) == answers[minimum][site],
					"%s, minimum %s, site %s: %c, expected %c", sorts[i].name,
					minimum_names[minimum], site_names[site], letter(reply),
					answers[minimum][site]);
			}
		}
	}
	many_end();
}

/* --- destinations without a name, reaching a minimum, exceptions ---------------------------- */

static void check_nameless(void)
{
	static const char *const answers[MINIMUM_COUNT] = {
		"NNNNNNNN", "eeNeNNNN", "ssssNNsN", "DDDDDDDD"};
	struct verdict verdict = {VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION};

	many_begin("a destination without a name");
	for (int minimum = 0; minimum < MINIMUM_COUNT; minimum++) {
		for (int site = 0; site < SITES; site++) {
			struct reply reply = minimum_hold((enum minimum_level)minimum,
				(enum tls_level)site, NULL, verdict, reply_notfound());
			many(letter(reply) == answers[minimum][site], "minimum %s, site %s: %c",
				minimum_names[minimum], site_names[site], letter(reply));
		}
	}
	many_end();
}

static void check_reached(void)
{
	many_begin("what a destination offers");
	for (int reason = 0; reason < REASON_COUNT; reason++) {
		struct verdict verdict = {VERDICT_NOTFOUND, (enum reason)reason};
		bool dane = reason == REASON_DANE_FULL || reason == REASON_DANE_PARTIAL ||
			    reason == REASON_DANE_PARTIAL_STS;

		many(minimum_reached(MINIMUM_NONE, verdict) &&
				minimum_reached(MINIMUM_ENCRYPTED, verdict) &&
				minimum_reached(MINIMUM_AUTHENTICATED, verdict) ==
					(dane || reason == REASON_STS_ENFORCE) &&
				minimum_reached(MINIMUM_DANE, verdict) == dane &&
				minimum_offer(verdict)[0] != '\0',
			"%s", reason_name((enum reason)reason));
	}
	many_end();
	is_string(minimum_offer((struct verdict){VERDICT_DANE, REASON_DANE_PARTIAL}),
		"DANE for some hosts only", "in words");
}

static void check_exception(void)
{
	/* By level none, may, encrypt, dane, dane-only, (fingerprint), verify, secure. */
	static const char *const effects[MINIMUM_COUNT] = {
		"hhhhh-hh", "rrhoh-hh", "ooooh-oh", "ooooh-oo"};

	many_begin("exceptions: minimum x level");
	for (int minimum = 0; minimum < MINIMUM_COUNT; minimum++) {
		const char *row = effects[minimum];
		for (int level = 0; level < SITES; level++) {
			if (row[level] == '-')
				continue;
			char got = "hro"[exception_effect(
				(enum minimum_level)minimum, (enum tls_level)level)];
			many(got == row[level], "minimum %s, exception %s: %c, expected %c",
				minimum_names[minimum], site_names[level], got, row[level]);
		}
	}
	many_end();
}

int main(void)
{
	check_native();
	check_strength();
	check_pinned();
	check_nameless();
	check_reached();
	check_exception();
	return done_testing();
}
