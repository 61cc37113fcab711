/*
 * The output of check as text: the status, each host with its addresses and certificates, and the
 * warnings.
 */
#include "common/sts/sts_record.h"
#include "common/verdict/render.h"
#include "daemon/ctl/check/check_print.h"
#include "daemon/ctl/check/suggested_record.h"
#include "daemon/ctl/frame/terminal.h"
#include "daemon/ctl/frame/time_text.h"
#include "daemon/ctl/tlsa/certificate.h"
#include "daemon/ctl/tlsa/host_facts.h"

#include <string.h>

enum {
	INDENT = 2,
	DEEP = 4,
	LABEL_WIDTH = 9, /* "published" */
	NAMES_SHOWN = 8,
	WORDS_SIZE = 1024,
};

static const enum terminal_style styles[CHECK_STATUS_COUNT] = {
	[CHECK_VERIFIED] = TERMINAL_GOOD,
	[CHECK_FAILED] = TERMINAL_BAD,
	[CHECK_UNKNOWN] = TERMINAL_WARNING,
	[CHECK_NO_DANE] = TERMINAL_WARNING,
	[CHECK_PASSED_OVER] = TERMINAL_FAINT,
};

/* --- certificates -------------------------------------------------------------------------- */

static bool same_chain(
	const struct server_check_address *one, const struct server_check_address *other)
{
	int count = sk_X509_num(one->chain);

	if (count <= 0 || sk_X509_num(other->chain) != count)
		return false;
	for (int i = 0; i < count; i++) {
		if (X509_cmp(sk_X509_value(one->chain, i), sk_X509_value(other->chain, i)) != 0)
			return false;
	}
	return true;
}

/* An earlier address of the same host that sent the same chain, or NULL. */
static const struct server_check_address *find_same(const struct server_check_address *address)
{
	for (const struct server_check_address *other = address->host->addresses; other < address;
		other++) {
		if (same_chain(address, other))
			return other;
	}
	return NULL;
}

static void print_certificate(const struct terminal *terminal, const X509 *certificate, int depth)
{
	char subject[CERTIFICATE_NAME_SIZE], issuer[CERTIFICATE_NAME_SIZE];
	char names[WORDS_SIZE], label[32], begins[TIME_TEXT_SIZE], ends[TIME_TEXT_SIZE];
	struct text text;

	text_init(&text, label, sizeof label);
	text_add_format(&text, "cert %d", depth);
	text_init(&text, subject, sizeof subject);
	certificate_add_subject(&text, certificate);
	text_init(&text, issuer, sizeof issuer);
	certificate_add_issuer(&text, certificate);
	text_init(&text, names, sizeof names);
	certificate_add_names(&text, certificate, NAMES_SHOWN);
	terminal_print_row(terminal, DEEP, TERMINAL_PLAIN, label, LABEL_WIDTH - INDENT,
		"%s; names: %s; issuer: %s; valid %s to %s", subject, names, issuer,
		time_text_date(begins, certificate_not_before(certificate)),
		time_text_date(ends, certificate_not_after(certificate)));
}

static void print_chain(const struct terminal *terminal, const struct server_check_address *address)
{
	const struct server_check_address *same = find_same(address);

	if (same != NULL) {
		terminal_print_row(terminal, DEEP, TERMINAL_PLAIN, "certs", LABEL_WIDTH - INDENT,
			"the same as at %s", same->text);
		return;
	}
	for (int depth = 0; depth < sk_X509_num(address->chain); depth++)
		print_certificate(terminal, sk_X509_value(address->chain, depth), depth);
}

static void print_match(const struct terminal *terminal, const struct server_check_address *address)
{
	const struct host_facts *facts = address->host->facts;
	char record[HOST_TLSA_TEXT_SIZE];

	if (!address->match.verified || address->match.record == TLSA_MATCH_NO_RECORD)
		return;
	host_tlsa_print(&facts->tlsa[address->match.record], HOST_TLSA_DIGITS, record);
	if (address->match.position >= 0)
		terminal_print_row(terminal, DEEP, TERMINAL_GOOD, "match", LABEL_WIDTH - INDENT,
			"%s is cert %d, depth %d", record, address->match.position,
			address->match.depth);
	else
		terminal_print_row(terminal, DEEP, TERMINAL_GOOD, "match", LABEL_WIDTH - INDENT,
			"%s is the trust anchor, which the server did not send, depth %d", record,
			address->match.depth);
}

/* For each record whose certificate was sent but does not verify: the reason. */
static void print_rejected(
	const struct terminal *terminal, const struct server_check_address *address)
{
	const struct host_facts *facts = address->host->facts;

	for (size_t i = 0; address->matches != NULL && i < facts->tlsa_count; i++) {
		char record[HOST_TLSA_TEXT_SIZE];
		if (address->matches[i] != TLSA_MATCH_REJECTED)
			continue;
		terminal_print_row(terminal, DEEP, TERMINAL_BAD, "reject", LABEL_WIDTH - INDENT,
			"%s is cert %d, but: %s",
			host_tlsa_print(&facts->tlsa[i], HOST_TLSA_DIGITS, record),
			address->record_results[i].position, address->record_results[i].reason);
	}
}

/* Unless the line of the address has the reason. */
static void print_web(const struct terminal *terminal, const struct server_check_address *address)
{
	const struct server_check *check = address->host->check;

	if (address->host->pattern == NULL)
		return;
	if (address->web.verified)
		terminal_print_row(terminal, DEEP, TERMINAL_GOOD, "WebPKI", LABEL_WIDTH - INDENT,
			"the certificate verifies for %s", address->host->name);
	else if (!check_sts_decides(check) || check_lacks_record(address))
		terminal_print_row(terminal, DEEP, TERMINAL_WARNING, "WebPKI", LABEL_WIDTH - INDENT,
			"the certificate does not verify: %s", address->web.reason);
}

static void print_suggested_records(
	const struct terminal *terminal, const struct server_check_address *address)
{
	struct suggested_record records[SUGGESTED_RECORDS_MAX];
	size_t count = suggested_records_make(address, records);
	bool has_label = false;

	for (size_t i = 0; i < count; i++) {
		if (records[i].verifies && !has_label) {
			terminal_print_row(terminal, DEEP, TERMINAL_STRONG, "publish",
				LABEL_WIDTH - INDENT, "one of these records would match:");
			has_label = true;
		}
		if (records[i].verifies)
			terminal_print_line(terminal, DEEP + INDENT, records[i].line);
	}
	for (size_t i = 0; i < count; i++) {
		if (!records[i].verifies)
			terminal_print_row(terminal, DEEP, TERMINAL_FAINT, "but not",
				LABEL_WIDTH - INDENT,
				"a record for cert %d, which would not verify: %s",
				records[i].depth, records[i].reason);
		suggested_record_clear(&records[i]);
	}
}

/* --- addresses and hosts ------------------------------------------------------------------- */

static void print_address(
	const struct terminal *terminal, const struct server_check_address *address)
{
	enum check_status status = check_status_of_address(address);
	char words[WORDS_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	check_address_add_text(&text, address);
	terminal_print_row(terminal, INDENT, styles[status], check_status_name(status), LABEL_WIDTH,
		"%s: %s", address->text, words);
	if (address->outcome != STARTTLS_DONE)
		return;
	print_chain(terminal, address);
	print_match(terminal, address);
	print_rejected(terminal, address);
	print_web(terminal, address);
	if (check_lacks_record(address) && find_same(address) == NULL)
		print_suggested_records(terminal, address);
}

static void print_pattern(const struct terminal *terminal, const struct server_check_host *host)
{
	if (!sts_check_has_patterns(&host->check->sts))
		return;
	if (host->pattern != NULL)
		terminal_print_row(terminal, INDENT, TERMINAL_PLAIN, "MTA-STS", LABEL_WIDTH,
			"matches the pattern %.*s", (int)host->pattern->size, host->pattern->name);
	else
		terminal_print_row(terminal, INDENT, TERMINAL_BAD, "MTA-STS", LABEL_WIDTH,
			"matches no pattern of the policy");
}

static void print_host(const struct terminal *terminal, const struct server_check_host *host)
{
	const struct server_check *check = host->check;
	enum check_status status = check_status_of_host(host);
	char words[WORDS_SIZE];
	struct text text;

	terminal_print_blank(terminal);
	text_init(&text, words, sizeof words);
	text_add(&text, host->name);
	if (check->destination.kind == DESTINATION_DOMAIN && check->mx.status == MX_FOUND)
		text_add_format(&text, ", preference %u", host->preference);
	terminal_print_row(terminal, 0, styles[status], check_status_label(check, status),
		LABEL_WIDTH + INDENT, "%s", words);
	text_init(&text, words, sizeof words);
	host_facts_add_text(&text, host->facts);
	terminal_print_row(terminal, INDENT, TERMINAL_PLAIN, "DNS", LABEL_WIDTH, "%s", words);
	print_pattern(terminal, host);
	if (host->address_count == 0 && !check->options.mx_only &&
		(host->facts->status == HOST_USABLE || host->facts->status == HOST_NONE))
		terminal_print_row(terminal, INDENT, TERMINAL_WARNING, "unknown", LABEL_WIDTH,
			"the host has no IPv%d address", check->options.ipv4_only ? 4 : 6);
	for (size_t i = 0; i < host->address_count; i++)
		print_address(terminal, &host->addresses[i]);
}

/* --- the MX set ---------------------------------------------------------------------------- */

static void print_mx(const struct terminal *terminal, const struct server_check *check)
{
	const struct mx_set *mx = &check->mx;
	char words[WORDS_SIZE];
	struct text text;

	if (check->destination.kind != DESTINATION_DOMAIN)
		return;
	text_init(&text, words, sizeof words);
	switch (mx->status) {
	case MX_FOUND:
		text_add_format(&text, "%zu host%s, %s", check->host_count,
			check->host_count == 1 ? "" : "s", dns_security_name(mx->security));
		break;
	case MX_ABSENT:
		text_add(&text, "no MX records; the domain is its own host (RFC 5321 5.1)");
		break;
	case MX_NULL:
		text_add(&text, "null MX, the domain accepts no mail (RFC 7505)");
		break;
	case MX_NXDOMAIN:
		text_add(&text, "the domain does not exist");
		break;
	default:
		render_failure(&text, &mx->failure);
	}
	terminal_print_row(terminal, INDENT, TERMINAL_PLAIN, "MX", LABEL_WIDTH, "%s", words);
}

/* --- MTA-STS ------------------------------------------------------------------------------- */

/* To how many hosts senders with MTA-STS deliver. */
static void add_hosts(struct text *text, const struct server_check *check)
{
	unsigned counts[CHECK_STATUS_COUNT] = {0}, all = 0;

	for (size_t i = 0; i < check->host_count; i++) {
		enum check_status status = check_sts_status_of_host(&check->hosts[i]);
		counts[status]++;
		all += status != CHECK_PASSED_OVER;
	}
	const char *ending = all == 1 ? "" : "s";
	if (check->options.mx_only) {
		text_add_format(
			text, "%u of %u host%s match", all - counts[CHECK_FAILED], all, ending);
		return;
	}
	if (check->sts.status == STS_TESTING)
		text_add(text, "senders deliver to all hosts; at mode enforce, ");
	text_add_format(text, "senders with MTA-STS%s deliver to %u of %u host%s",
		check->sts.status == STS_TESTING || check_sts_decides(check) ? ""
									     : " but without DANE",
		counts[CHECK_VERIFIED], all, ending);
	if (counts[CHECK_UNKNOWN] > 0)
		text_add_format(text, "; %u unknown", counts[CHECK_UNKNOWN]);
}

static void add_policy(struct text *text, const struct server_check *check)
{
	const struct sts_check *sts = &check->sts;
	char age[TIME_TEXT_SIZE];

	text_add_format(text, "mode %s, id %s, max_age %s: ", sts_status_name(sts->status), sts->id,
		time_text_duration(age, sts->policy.max_age));
	if (sts_check_has_patterns(sts))
		add_hosts(text, check);
	else
		text_add(text, "senders use no policy");
}

static void print_patterns(const struct terminal *terminal, const struct sts_policy *policy)
{
	char words[TERMINAL_LINE_MAX];
	struct text text;

	text_init(&text, words, sizeof words);
	for (size_t i = 0; i < policy->pattern_count && i < NAMES_SHOWN; i++)
		text_add_format(&text, "%s%.*s", i > 0 ? ", " : "", (int)policy->patterns[i].size,
			policy->patterns[i].name);
	if (policy->pattern_count > NAMES_SHOWN)
		text_add_format(&text, " and %zu more", policy->pattern_count - NAMES_SHOWN);
	if (policy->pattern_count > 0)
		terminal_print_row(
			terminal, INDENT, TERMINAL_PLAIN, "patterns", LABEL_WIDTH, "%s", words);
}

static void print_sts(const struct terminal *terminal, const struct server_check *check)
{
	const struct sts_check *sts = &check->sts;
	char words[WORDS_SIZE];
	struct text text;

	if (!sts->ended)
		return;
	text_init(&text, words, sizeof words);
	if (sts_has_policy(sts->status))
		add_policy(&text, check);
	else if (sts->discovery == STS_DISCOVERED)
		text_add_format(&text, "id %s, but the download of the policy failed: %s", sts->id,
			sts->error);
	else
		text_add_format(&text, "%s at %s%s%s", sts_discovery_text(sts->discovery),
			sts->record_name, sts->status == STS_FAILED ? ": " : "", sts->error);
	text_mark_cut(&text);
	terminal_print_row(terminal, INDENT, TERMINAL_PLAIN, "MTA-STS", LABEL_WIDTH, "%s", words);
	print_patterns(terminal, &sts->policy);
}

/* --- all of it ----------------------------------------------------------------------------- */

static void print_warnings(const struct terminal *terminal, const struct check_warnings *warnings)
{
	if (warnings->count > 0)
		terminal_print_blank(terminal);
	for (size_t i = 0; i < warnings->count; i++) {
		const struct check_warning *warning = &warnings->list[i];
		terminal_print_row(terminal, 0, TERMINAL_WARNING, "warning", LABEL_WIDTH + INDENT,
			"%s%s%s", warning->host != NULL ? warning->host->name : "",
			warning->host != NULL ? ": " : "", warning->text);
	}
}

void check_print_text(const struct server_check *check, const struct check_warnings *warnings)
{
	enum check_status status = check_status_of_all(check);
	struct verdict decided = check_decide(check);
	char key[DESTINATION_KEY_SIZE];
	struct terminal terminal;

	terminal_open(&terminal, stdout);
	destination_print(&check->destination, key);
	terminal_print_row(&terminal, 0, styles[status], check_status_label(check, status),
		LABEL_WIDTH + INDENT, "%s", key);
	print_mx(&terminal, check);
	print_sts(&terminal, check);
	terminal_print_row(&terminal, INDENT, TERMINAL_PLAIN, "senders", LABEL_WIDTH, "%s: %s",
		reason_name(decided.reason), reason_rule(decided.reason));
	for (size_t i = 0; i < check->host_count; i++)
		print_host(&terminal, &check->hosts[i]);
	print_warnings(&terminal, warnings);
}
