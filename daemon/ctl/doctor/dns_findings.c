/*
 * Findings on name servers, the clock and validation, from the answers that dns.h collects.
 */
#include "common/dns/root_probe.h"
#include "daemon/ctl/doctor/dns.h"
#include "daemon/ctl/frame/time_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

const char *doctor_dns_outcome(const struct exchange *exchange)
{
	static const char *const rcodes[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	size_t rcode = (size_t)exchange->answer.rcode;

	switch (exchange->outcome) {
	case EXCHANGE_SILENT:
		return "no answer within 3 seconds";
	case EXCHANGE_NO_ROUTE:
		return "no route to it";
	case EXCHANGE_FAILED:
		return exchange->error != 0 ? strerror(exchange->error)
					    : "the bytes received are not a DNS answer";
	default:
		if (rcode != 0)
			return rcode < sizeof rcodes / sizeof rcodes[0] ? rcodes[rcode]
									: "an error code of DNS";
		return exchange->answer.found ? "answers" : "an answer without the SOA record";
	}
}

/* Over UDP a truncated answer is good, too: it shows that UDP works. */
static bool is_good(const struct exchange *exchange)
{
	return exchange->outcome == EXCHANGE_ANSWERED && exchange->answer.rcode == 0 &&
	       (exchange->answer.found || (!exchange->tcp && exchange->answer.truncated));
}

static bool is_stripped(const struct exchange *exchange)
{
	return is_good(exchange) && exchange->answer.found && !exchange->answer.is_signed;
}

static const char *transport_name(const struct exchange *exchange)
{
	return exchange->tcp ? "TCP" : "UDP";
}

/* IPv4 and IPv6 have the port at the same place. */
static unsigned port_of(const struct exchange *exchange)
{
	return ntohs(((const struct sockaddr_in *)&exchange->address)->sin_port);
}

/* --- servers that the configuration names ---------------------------------------------------- */

static const char *const kind_words[] = {
	[TARGET_ROOT] = "root server",
	[TARGET_FORWARD] = "[resolver] forward",
	[TARGET_STUB_ROOT] = "[resolver] stub .",
	[TARGET_STUB] = "[resolver] stub",
	[TARGET_NAMESERVER] = "nameserver",
};

/* Is there another name server for the same zone that answers? */
static bool has_substitute(const struct doctor_dns *dns, const struct dns_target *target, int tcp)
{
	for (size_t i = 0; i < dns->count; i++) {
		const struct dns_target *other = &dns->targets[i];
		if (other != target && other->kind == target->kind &&
			strcmp(other->zone, target->zone) == 0 &&
			(other->over_tls || is_good(&dns->exchanges[other->exchange + tcp])))
			return true;
	}
	return false;
}

static void add_unreachable(struct doctor *doctor, const struct doctor_dns *dns,
	const struct dns_target *target, int tcp)
{
	const struct exchange *exchange = &dns->exchanges[target->exchange + tcp];
	bool substitute = has_substitute(dns, target, tcp);

	doctor_add(doctor, DOCTOR_NAME_SERVER, target->name,
		substitute ? DOCTOR_WARNING : DOCTOR_FAULT, "%s for %s over %s: %s",
		kind_words[target->kind], target->zone, transport_name(exchange),
		doctor_dns_outcome(exchange));
	if (exchange->outcome == EXCHANGE_ANSWERED)
		doctor_remedy(doctor, "allow this host on that server, or correct %s in %s",
			kind_words[target->kind], "tlsad.conf");
	else
		doctor_remedy(doctor,
			"start that server, open port %u over UDP and TCP to it, or correct %s "
			"in tlsad.conf",
			port_of(exchange), kind_words[target->kind]);
}

static void add_stripped(
	struct doctor *doctor, const char *name, const char *what, const char *transport)
{
	doctor_add(doctor, DOCTOR_NAME_SERVER, name, DOCTOR_FAULT,
		"%s over %s: answers arrive without DNSSEC signatures", what, transport);
	doctor_remedy(doctor, "[resolver] forward = a resolver that passes DNSSEC signatures on");
}

static void examine_target(
	struct doctor *doctor, const struct doctor_dns *dns, const struct dns_target *target)
{
	bool good = true;

	if (target->over_tls) {
		doctor_add(doctor, DOCTOR_NAME_SERVER, target->name, DOCTOR_OK,
			"%s over TLS: examined by the check validation", kind_words[target->kind]);
		return;
	}
	for (int tcp = 0; tcp < 2; tcp++) {
		const struct exchange *exchange = &dns->exchanges[target->exchange + tcp];
		if (!is_good(exchange))
			add_unreachable(doctor, dns, target, tcp);
		else if (target->kind != TARGET_STUB && is_stripped(exchange))
			add_stripped(doctor, target->name, kind_words[target->kind],
				transport_name(exchange));
		else
			continue;
		good = false;
	}
	if (good)
		doctor_add(doctor, DOCTOR_NAME_SERVER, target->name, DOCTOR_OK,
			"%s for %s answers over UDP and TCP%s", kind_words[target->kind],
			target->zone, target->kind != TARGET_STUB ? ", with DNSSEC" : "");
}

/* --- the root servers, by family ------------------------------------------------------------- */

struct reach {
	unsigned routes, good, stripped;
};

static struct reach reach_roots(const struct doctor_dns *dns, int family, int tcp)
{
	struct reach reach = {0};

	for (size_t i = 0; i < dns->count; i++) {
		const struct exchange *exchange = &dns->exchanges[dns->targets[i].exchange + tcp];
		if (dns->targets[i].kind != TARGET_ROOT || exchange->address.ss_family != family)
			continue;
		reach.routes += exchange->outcome != EXCHANGE_NO_ROUTE;
		reach.good += is_good(exchange);
		reach.stripped += is_stripped(exchange);
	}
	return reach;
}

static void add_roots(struct doctor *doctor, struct reach reach, bool other_family,
	const char *family, const char *transport)
{
	char object[32];

	snprintf(object, sizeof object, "%s %s", family, transport);
	if (reach.stripped > 0) {
		add_stripped(doctor, object, "root servers", transport);
	} else if (reach.good > 0) {
		doctor_add(doctor, DOCTOR_NAME_SERVER, object, DOCTOR_OK,
			"root servers answer, with DNSSEC");
	} else if (reach.routes == 0 && other_family) {
		doctor_add(doctor, DOCTOR_NAME_SERVER, object, DOCTOR_OK,
			"this host has no route to the root servers");
	} else if (reach.routes == 0) {
		doctor_add(doctor, DOCTOR_NAME_SERVER, object, DOCTOR_FAULT,
			"no route to the root servers");
		doctor_remedy(doctor,
			"see \"ip route\"; or [resolver] forward = a resolver that this host may "
			"ask");
	} else {
		doctor_add(doctor, DOCTOR_NAME_SERVER, object,
			other_family ? DOCTOR_WARNING : DOCTOR_FAULT,
			"no root server answers within 3 seconds");
		doctor_remedy(doctor,
			"open port 53 over %s to the Internet, or [resolver] forward = a "
			"resolver that this host may ask",
			transport);
	}
}

static void examine_roots(struct doctor *doctor, const struct doctor_dns *dns)
{
	for (int tcp = 0; tcp < 2; tcp++) {
		const char *transport = tcp ? "TCP" : "UDP";
		struct reach ipv4 = reach_roots(dns, AF_INET, tcp);
		struct reach ipv6 = reach_roots(dns, AF_INET6, tcp);
		add_roots(doctor, ipv4, ipv6.good > 0, "IPv4", transport);
		/* If IPv4 does not work either, one fault is enough. */
		add_roots(doctor, ipv6, ipv6.routes == 0 || ipv4.good > 0, "IPv6", transport);
	}
}

/* --- the clock ------------------------------------------------------------------------------- */

/*
 * The root's signature that is nearest to the time of this host: one server may have an old zone.
 */
static const struct question_answer *find_nearest(
	const struct doctor_dns *dns, uint32_t now, int32_t *distance)
{
	const struct question_answer *nearest = NULL;

	for (size_t i = 0; i < 2 * dns->count; i++) {
		const struct exchange *exchange = &dns->exchanges[i];
		const struct question_answer *answer = &exchange->answer;
		if (exchange->outcome != EXCHANGE_ANSWERED || !answer->is_signed ||
			strcmp(exchange->zone, ".") != 0)
			continue;
		int32_t off = question_distance(answer->inception, answer->expiration, now);
		if (nearest == NULL || (off < 0 ? -(int64_t)off : off) <
					       (*distance < 0 ? -(int64_t)*distance : *distance)) {
			nearest = answer;
			*distance = off;
		}
	}
	return nearest;
}

static void examine_clock(struct doctor *doctor, const struct doctor_dns *dns)
{
	char from[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE], now_words[TIME_TEXT_SIZE],
		off[TIME_TEXT_SIZE];
	int64_t now = (int64_t)time(NULL);
	int32_t distance = 0;
	const struct question_answer *nearest = find_nearest(dns, (uint32_t)now, &distance);

	if (nearest == NULL) {
		doctor_add(doctor, DOCTOR_CLOCK, "", DOCTOR_UNKNOWN,
			"no signature of the root arrived, so the clock could not be checked: %s",
			time_text_date(now_words, now));
		doctor_remedy(doctor, "see the check name-server");
		return;
	}
	/* The difference of two serial numbers is also the difference in seconds since 1970. */
	time_text_date(from, now + (int32_t)(nearest->inception - (uint32_t)now));
	time_text_date(until, now + (int32_t)(nearest->expiration - (uint32_t)now));
	time_text_date(now_words, now);
	if (distance == 0) {
		doctor_add(doctor, DOCTOR_CLOCK, "", DOCTOR_OK,
			"%s is within the validity of the root's signatures, %s to %s", now_words,
			from, until);
		return;
	}
	time_text_duration(off, distance < 0 ? -(int64_t)distance : distance);
	doctor_add(doctor, DOCTOR_CLOCK, "", DOCTOR_FAULT,
		"%s is %s %s the validity of the root's signatures, %s to %s: the clock is %s by "
		"at least that much",
		now_words, off, distance < 0 ? "before" : "after", from, until,
		distance < 0 ? "slow" : "fast");
	doctor_remedy(doctor, "timedatectl set-ntp true");
}

/* --- validation ------------------------------------------------------------------------------ */

static void add_invalid(
	struct doctor *doctor, const struct doctor_dns *dns, const char *what, const char *remedy)
{
	doctor_add(doctor, DOCTOR_VALIDATION, "", DOCTOR_FAULT, "%s%s%s%s", what,
		dns->answer.detail[0] != '\0' ? " (" : "", dns->answer.detail,
		dns->answer.detail[0] != '\0' ? ")" : "");
	doctor_remedy(doctor, "%s", remedy);
}

static void examine_validation(struct doctor *doctor, const struct doctor_dns *dns)
{
	if (!dns->answered)
		return;
	switch (probe_read(&dns->answer)) {
	case PROBE_WORKS:
		doctor_add(doctor, DOCTOR_VALIDATION, "", DOCTOR_OK, "the root zone is secure");
		return;
	case PROBE_NO_ROUTE:
		add_invalid(
			doctor, dns, "no answer for the root zone", "see the check name-server");
		return;
	case PROBE_STRIPPED:
		add_invalid(doctor, dns, "DNSSEC signatures are removed on the way to this host",
			"[resolver] forward = a resolver that passes DNSSEC signatures on");
		return;
	case PROBE_CLOCK:
		add_invalid(doctor, dns, "the root's signatures have expired or are not valid yet",
			"see the check clock");
		return;
	case PROBE_NO_MATCH:
		add_invalid(doctor, dns,
			"the root's keys do not match the trust anchor, or answers are forged",
			"[resolver] trust_anchor = a file with the keys of this root");
		return;
	default:
		add_invalid(doctor, dns,
			"there is no trust anchor for the root, so no answer is secure",
			"see the check trust-anchor");
	}
}

void doctor_examine_dns(struct doctor *doctor, const struct doctor_dns *dns)
{
	bool roots = false;

	for (size_t i = 0; i < dns->count; i++) {
		roots = roots || dns->targets[i].kind == TARGET_ROOT;
		if (dns->targets[i].kind != TARGET_ROOT &&
			dns->targets[i].kind != TARGET_NAMESERVER)
			examine_target(doctor, dns, &dns->targets[i]);
	}
	if (roots)
		examine_roots(doctor, dns);
	examine_clock(doctor, dns);
	examine_validation(doctor, dns);
}
