#include "daemon/ctl/check/check_warnings.h"

#include "daemon/ctl/frame/time_text.h"
#include "daemon/ctl/tlsa/certificate.h"
#include "daemon/ctl/tlsa/host_facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIGITS_SHOWN = 16,
	TLSA_TTL_MAX = 24 * 60 * 60, /* [s] */
};

static const char *const kind_names[CHECK_WARNING_COUNT] = {
	[CHECK_WARNING_MX_INSECURE] = "mx-insecure",
	[CHECK_WARNING_PARTIAL] = "partial",
	[CHECK_WARNING_NO_ADDRESS] = "no-address",
	[CHECK_WARNING_LOOKUP_FAILED] = "lookup-failed",
	[CHECK_WARNING_FAMILY_FAILS] = "family-fails",
	[CHECK_WARNING_ADDRESS_FAILS] = "address-fails",
	[CHECK_WARNING_NO_STARTTLS] = "no-starttls",
	[CHECK_WARNING_CERTIFICATE_EXPIRED] = "certificate-expired",
	[CHECK_WARNING_CERTIFICATE_EXPIRES] = "certificate-expires",
	[CHECK_WARNING_CERTIFICATE_EARLY] = "certificate-not-yet-valid",
	[CHECK_WARNING_SIGNATURE_EXPIRES] = "signature-expires",
	[CHECK_WARNING_RECORD_STALE] = "record-stale",
	[CHECK_WARNING_TA_NOT_SENT] = "trust-anchor-not-sent",
	[CHECK_WARNING_RECORD_UNUSABLE] = "record-unusable",
	[CHECK_WARNING_ONLY_FULL] = "only-matching-type-0",
	[CHECK_WARNING_LONG_TTL] = "ttl-over-a-day",
	[CHECK_WARNING_OLD_TLS] = "old-tls",
	[CHECK_WARNING_STS_LOOKUP_FAILED] = "sts-lookup-failed",
	[CHECK_WARNING_STS_RECORD] = "sts-record",
	[CHECK_WARNING_STS_NOT_DOWNLOADED] = "sts-not-downloaded",
	[CHECK_WARNING_STS_TESTING] = "sts-testing",
	[CHECK_WARNING_STS_MAX_AGE] = "sts-max-age",
	[CHECK_WARNING_STS_MX_LEFT_OUT] = "sts-mx-left-out",
	[CHECK_WARNING_STS_NO_MATCH] = "sts-no-match",
	[CHECK_WARNING_STS_CERTIFICATE] = "sts-certificate",
};

const char *check_warning_name(enum check_warning_kind kind)
{
	return kind < CHECK_WARNING_COUNT ? kind_names[kind] : "unknown";
}

void check_warnings_add(struct check_warnings *warnings, enum check_warning_kind kind,
	const struct server_check_host *host, const char *format, ...)
{
	va_list arguments;

	if (warnings->count == CHECK_WARNINGS_MAX)
		return;
	struct check_warning *warning = &warnings->list[warnings->count++];
	warning->kind = kind;
	warning->host = host;
	va_start(arguments, format);
	vsnprintf(warning->text, sizeof warning->text, format, arguments);
	va_end(arguments);
}

/* --- DNS ----------------------------------------------------------------------------------- */

static void warn_of_signature(struct check_warnings *warnings, const struct server_check *check,
	const struct server_check_host *host, const char *name, uint16_t type, uint32_t expires)
{
	char date[TIME_TEXT_SIZE], left[TIME_TEXT_SIZE];
	uint32_t now = check->now;

	if (expires == 0 || expires > (uint64_t)now + CHECK_WARNING_SOON)
		return;
	check_warnings_add(warnings, CHECK_WARNING_SIGNATURE_EXPIRES, host,
		"the DNSSEC signature of %s %s expires in %s (%s): unless the zone is signed "
		"again by then, mail is deferred",
		name, dns_type_name(type),
		time_text_duration(left, expires > now ? (int64_t)expires - now : 0),
		time_text_date(date, expires));
}

static void warn_of_mx(struct check_warnings *warnings, const struct server_check *check)
{
	struct verdict decided = check_decide(check);

	if (check->destination.kind != DESTINATION_DOMAIN || check->mx.status != MX_FOUND)
		return;
	if (decided.reason == REASON_DANE_INSECURE_MX)
		check_warnings_add(warnings, CHECK_WARNING_MX_INSECURE, NULL,
			"the MX records are not signed: an attacker who forges them can direct "
			"mail to other hosts; sign the zone %s",
			check->destination.name);
	warn_of_signature(warnings, check, NULL, check->destination.name, DNS_TYPE_MX,
		check->mx.signature_expires);
}

/* Most signatures of a zone expire together, so only the first one of a host is reported. */
static void warn_of_signatures(
	struct check_warnings *warnings, const struct server_check_host *host)
{
	const struct host_question *first = NULL;

	for (size_t i = 0; i < host->facts->question_count; i++) {
		const struct host_question *question = &host->facts->questions[i];
		if (question->signature_expires != 0 &&
			(first == NULL || question->signature_expires < first->signature_expires))
			first = question;
	}
	if (first != NULL)
		warn_of_signature(warnings, host->check, host, first->name, first->type,
			first->signature_expires);
}

static void warn_of_lookups(struct check_warnings *warnings, const struct server_check_host *host)
{
	const struct host_facts *facts = host->facts;

	warn_of_signatures(warnings, host);
	for (size_t i = 0; i < facts->question_count; i++) {
		const struct host_question *question = &facts->questions[i];
		if (question->outcome == DNS_FAILED && facts->status != HOST_FAILED)
			check_warnings_add(warnings, CHECK_WARNING_LOOKUP_FAILED, host,
				"the lookup of %s %s failed: %s", question->name,
				dns_type_name(question->type), question->detail);
		if (question->type == DNS_TYPE_TLSA && question->original_ttl > TLSA_TTL_MAX)
			check_warnings_add(warnings, CHECK_WARNING_LONG_TTL, host,
				"the TTL of the TLSA records is %u s, more than a day: after a "
				"lost key mail is deferred for that long; lower it",
				question->original_ttl);
	}
}

static void warn_of_deployment(
	struct check_warnings *warnings, const struct server_check_host *host)
{
	enum reason reason = check_decide(host->check).reason;

	if (host->facts->status == HOST_UNREACHABLE)
		check_warnings_add(warnings, CHECK_WARNING_NO_ADDRESS, host,
			"the host has no address, so no sender can reach it: remove it from the "
			"MX records");
	if (host->facts->status == HOST_NONE && reason == REASON_DANE_PARTIAL_STS)
		check_warnings_add(warnings, CHECK_WARNING_PARTIAL, host,
			"other hosts have TLSA records and this one has no secure ones: senders "
			"with DANE and MTA-STS do not deliver here; an attacker who blocks the "
			"others makes mail of senders without MTA-STS go here without DANE; "
			"publish TLSA records for this host");
	if (host->facts->status == HOST_NONE &&
		(reason == REASON_DANE_PARTIAL || reason == REASON_DANE_INSECURE_MX ||
			reason == REASON_DANE_UNUSABLE))
		check_warnings_add(warnings, CHECK_WARNING_PARTIAL, host,
			"other hosts have TLSA records and this one has no secure ones: an "
			"attacker who blocks the others makes mail go here without DANE; publish "
			"TLSA records for this host");
}

/* --- TLSA records -------------------------------------------------------------------------- */

/* The best result of any address with this record; TLSA_MATCH_UNKNOWN if no address was reached. */
static enum tlsa_match best_match(const struct server_check_host *host, size_t record)
{
	enum tlsa_match best = TLSA_MATCH_UNKNOWN;

	for (size_t i = 0; i < host->address_count; i++) {
		if (host->addresses[i].matches == NULL)
			continue;
		enum tlsa_match match = host->addresses[i].matches[record];
		if (match != TLSA_MATCH_UNKNOWN && (best == TLSA_MATCH_UNKNOWN || match > best))
			best = match;
	}
	return best;
}

/* If no record matches, the status says so, and a warning to remove a record would be wrong. */
static bool has_match(const struct server_check_host *host)
{
	for (size_t i = 0; i < host->facts->tlsa_count; i++) {
		if (best_match(host, i) == TLSA_MATCH_YES)
			return true;
	}
	return false;
}

static void warn_of_record(
	struct check_warnings *warnings, const struct server_check_host *host, size_t index)
{
	const struct host_tlsa *tlsa = &host->facts->tlsa[index];
	char record[HOST_TLSA_TEXT_SIZE];
	bool absent = best_match(host, index) == TLSA_MATCH_ABSENT;

	host_tlsa_print(tlsa, DIGITS_SHOWN, record);
	if (tlsa->usability != TLSA_USABLE)
		check_warnings_add(warnings, CHECK_WARNING_RECORD_UNUSABLE, host,
			"the record %s cannot be used: %s; replace or remove it", record,
			tlsa_usability_text(tlsa->usability));
	else if (absent && tlsa->rdata[0] == TLSA_DANE_TA)
		check_warnings_add(warnings, CHECK_WARNING_TA_NOT_SENT, host,
			"no certificate that the server sends matches the record %s: the server "
			"must send its trust anchor, too (RFC 7672 3.1.2); if the record is from "
			"before a roll-over, remove it",
			record);
	else if (absent && has_match(host))
		check_warnings_add(warnings, CHECK_WARNING_RECORD_STALE, host,
			"no certificate matches the record %s: keep it for a roll-over that is "
			"to come; remove it if it is left from an earlier one",
			record);
}

static void warn_of_records(struct check_warnings *warnings, const struct server_check_host *host)
{
	const struct host_facts *facts = host->facts;
	size_t usable = 0, full = 0;

	for (size_t i = 0; i < facts->tlsa_count; i++) {
		warn_of_record(warnings, host, i);
		if (facts->tlsa[i].usability == TLSA_USABLE) {
			usable++;
			full += facts->tlsa[i].rdata[2] == TLSA_FULL;
		}
	}
	if (usable > 0 && usable == full)
		check_warnings_add(warnings, CHECK_WARNING_ONLY_FULL, host,
			"all records contain whole certificates or keys (matching type 0), and "
			"some networks drop such large answers: publish SHA-256 digests "
			"(matching type 1)");
}

/* --- certificates -------------------------------------------------------------------------- */

/* Was this certificate sent by an earlier address, or is it earlier in this chain? */
static bool is_known(const struct server_check_host *host, size_t address, int depth)
{
	const X509 *certificate = sk_X509_value(host->addresses[address].chain, depth);

	for (size_t i = 0; i <= address; i++) {
		STACK_OF(X509) *chain = host->addresses[i].chain;
		int most = i == address ? depth : sk_X509_num(chain);
		for (int j = 0; j < most; j++) {
			if (X509_cmp(sk_X509_value(chain, j), certificate) == 0)
				return true;
		}
	}
	return false;
}

/* Which senders check the dates of a certificate: RFC 7671 5.1. */
static const char *date_words(const struct server_check_host *host)
{
	bool anchored = false, ended = false;

	for (size_t i = 0; i < host->facts->tlsa_count; i++) {
		const struct host_tlsa *tlsa = &host->facts->tlsa[i];
		if (tlsa->usability == TLSA_USABLE) {
			anchored = anchored || tlsa->rdata[0] == TLSA_DANE_TA;
			ended = ended || tlsa->rdata[0] == TLSA_DANE_EE;
		}
	}
	if (anchored && !ended)
		return "senders with DANE check the dates (usage 2), renew it";
	if (sts_check_has_patterns(&host->check->sts))
		return ended ? "senders with DANE ignore the dates (usage 3), those with MTA-STS "
			       "do not; renew it"
			     : "senders with MTA-STS check the dates, renew it";
	return ended ? "senders with DANE ignore the dates (usage 3), others may not; renew it"
		     : "renew it";
}

static void warn_of_certificate(struct check_warnings *warnings,
	const struct server_check_host *host, const X509 *certificate)
{
	char subject[CERTIFICATE_NAME_SIZE], date[TIME_TEXT_SIZE], left[TIME_TEXT_SIZE];
	int64_t now = host->check->now, ends = certificate_not_after(certificate);
	int64_t begins = certificate_not_before(certificate);
	struct text text;

	text_init(&text, subject, sizeof subject);
	certificate_add_subject(&text, certificate);
	time_text_date(date, begins > now ? begins : ends);
	if (begins > now)
		check_warnings_add(warnings, CHECK_WARNING_CERTIFICATE_EARLY, host,
			"the certificate %.300s is not valid before %s: %s", subject, date,
			date_words(host));
	else if (ends <= now)
		check_warnings_add(warnings, CHECK_WARNING_CERTIFICATE_EXPIRED, host,
			"the certificate %.300s expired on %s: %s", subject, date,
			date_words(host));
	else if (ends <= now + CHECK_WARNING_SOON)
		check_warnings_add(warnings, CHECK_WARNING_CERTIFICATE_EXPIRES, host,
			"the certificate %.300s expires in %s (%s): %s", subject,
			time_text_duration(left, ends - now), date, date_words(host));
}

static void warn_of_certificates(
	struct check_warnings *warnings, const struct server_check_host *host)
{
	for (size_t i = 0; i < host->address_count; i++) {
		STACK_OF(X509) *chain = host->addresses[i].chain;
		for (int depth = 0; depth < sk_X509_num(chain); depth++) {
			if (!is_known(host, i, depth))
				warn_of_certificate(warnings, host, sk_X509_value(chain, depth));
		}
	}
}

/* --- addresses ----------------------------------------------------------------------------- */

/* Does the address verify, or, if there is nothing to verify against, does it at least offer TLS?
 */
static bool works(const struct server_check_address *address)
{
	enum check_status status = check_status_of_address(address);
	return status == CHECK_VERIFIED ||
	       (!check_sts_decides(address->host->check) && status != CHECK_UNKNOWN &&
		       address->outcome == STARTTLS_DONE &&
		       address->host->facts->status != HOST_USABLE);
}

static void warn_of_failing(struct check_warnings *warnings, const struct server_check_host *host,
	int family, bool whole)
{
	const char *name = family == AF_INET ? "IPv4" : "IPv6";
	char words[CHECK_WARNING_TEXT_SIZE / 2];
	struct text text;

	for (size_t i = 0; i < host->address_count; i++) {
		const struct server_check_address *address = &host->addresses[i];
		if (address->family != family || works(address))
			continue;
		text_init(&text, words, sizeof words);
		check_address_add_text(&text, address);
		if (!whole) {
			check_warnings_add(warnings, CHECK_WARNING_ADDRESS_FAILS, host, "%s: %s",
				address->text, words);
			continue;
		}
		check_warnings_add(warnings, CHECK_WARNING_FAMILY_FAILS, host,
			"over %s it fails (%s: %s), over %s it works, and senders try both: "
			"correct it, or remove these addresses from DNS",
			name, address->text, words, family == AF_INET ? "IPv6" : "IPv4");
		return;
	}
}

/* Warns if only some addresses fail. If all fail, the status says so. */
static void warn_of_families(struct check_warnings *warnings, const struct server_check_host *host)
{
	unsigned all[2] = {0, 0}, working[2] = {0, 0};

	for (size_t i = 0; i < host->address_count; i++) {
		int family = host->addresses[i].family == AF_INET6;
		all[family]++;
		working[family] += works(&host->addresses[i]);
	}
	if (working[0] + working[1] == 0)
		return;
	for (int family = 0; family < 2; family++) {
		if (all[family] > 0)
			warn_of_failing(warnings, host, family == 1 ? AF_INET6 : AF_INET,
				working[family] == 0);
	}
}

static const char *starttls_words(const struct server_check_host *host)
{
	if (host->facts->status != HOST_NONE)
		return "senders that see its TLSA records do not deliver there; enable STARTTLS";
	if (check_sts_decides(host->check))
		return "senders with MTA-STS do not deliver there; enable STARTTLS";
	return "mail goes there unencrypted; enable STARTTLS";
}

static void warn_of_tls(struct check_warnings *warnings, const struct server_check_host *host)
{
	bool starttls_reported = false, version_reported = false;

	for (size_t i = 0; i < host->address_count; i++) {
		const struct server_check_address *address = &host->addresses[i];
		if (address->outcome == STARTTLS_NOT_OFFERED && !starttls_reported) {
			starttls_reported = true;
			check_warnings_add(warnings, CHECK_WARNING_NO_STARTTLS, host,
				"%s: STARTTLS is not offered: %s", address->text,
				starttls_words(host));
		}
		if (address->outcome == STARTTLS_DONE && address->tls_number < TLS1_2_VERSION &&
			!version_reported) {
			version_reported = true;
			check_warnings_add(warnings, CHECK_WARNING_OLD_TLS, host,
				"%s: %s is deprecated (RFC 8996), and more and more senders "
				"refuse it; enable TLS 1.2 or later",
				address->text, address->tls_version);
		}
	}
}

static void warn_of_host(struct check_warnings *warnings, const struct server_check_host *host)
{
	warn_of_deployment(warnings, host);
	check_warnings_add_sts_host(warnings, host);
	warn_of_families(warnings, host);
	warn_of_tls(warnings, host);
	warn_of_certificates(warnings, host);
	warn_of_records(warnings, host);
	warn_of_lookups(warnings, host);
}

bool check_warnings_make(struct check_warnings *warnings, const struct server_check *check)
{
	warnings->count = 0;
	warnings->list = calloc(CHECK_WARNINGS_MAX, sizeof *warnings->list);
	if (warnings->list == NULL)
		return false;
	warn_of_mx(warnings, check);
	check_warnings_add_sts(warnings, check);
	for (size_t i = 0; i < check->host_count; i++)
		warn_of_host(warnings, &check->hosts[i]);
	return true;
}

void check_warnings_clear(struct check_warnings *warnings)
{
	free(warnings->list);
	warnings->list = NULL;
	warnings->count = 0;
}
