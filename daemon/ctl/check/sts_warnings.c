/*
 * The warnings of check that are about MTA-STS. check_warnings.h has their kinds.
 */
#include "common/base/text.h"
#include "common/sts/sts_record.h"
#include "daemon/ctl/check/check_warnings.h"

enum { LINE_SHOWN_MAX = 100 };

/* --- the destination ----------------------------------------------------------------------- */

static void warn_of_record(struct check_warnings *warnings, const struct sts_check *sts)
{
	switch (sts->discovery) {
	case STS_SEVERAL_RECORDS:
		check_warnings_add(warnings, CHECK_WARNING_STS_RECORD, NULL,
			"%s has several records of MTA-STS, so none counts, and senders use no "
			"policy: remove all but one",
			sts->record_name);
		break;
	case STS_MALFORMED_RECORD:
		check_warnings_add(warnings, CHECK_WARNING_STS_RECORD, NULL,
			"the record of MTA-STS at %s is malformed, so senders use no policy: write "
			"it as \"v=STSv1; id=20260101;\"",
			sts->record_name);
		break;
	case STS_LOOKUP_FAILED:
		check_warnings_add(warnings, CHECK_WARNING_STS_LOOKUP_FAILED, NULL,
			"the lookup of %s TXT failed: %s: senders without an older MTA-STS policy "
			"use none",
			sts->record_name, sts->error);
		break;
	case STS_DISCOVERED:
		if (sts->local_fault)
			check_warnings_add(warnings, CHECK_WARNING_STS_NOT_DOWNLOADED, NULL,
				"the MTA-STS policy was not downloaded, because of a fault of this "
				"host: %s",
				sts->error);
		else if (sts->status == STS_FAILED)
			check_warnings_add(warnings, CHECK_WARNING_STS_NOT_DOWNLOADED, NULL,
				"the MTA-STS policy cannot be downloaded from mta-sts.%s: %s: "
				"senders without an older policy use none",
				sts->domain, sts->error);
		break;
	default:
		break;
	}
}

static void warn_of_lines(struct check_warnings *warnings, const struct sts_policy *policy)
{
	char words[4 * LINE_SHOWN_MAX + 1];
	struct text text;

	for (size_t i = 0; i < policy->line_count; i++) {
		const struct sts_line *line = &policy->lines[i];
		if (!line->left_out)
			continue;
		text_init(&text, words, sizeof words);
		text_add_escaped(&text, line->value,
			line->value_size < LINE_SHOWN_MAX ? line->value_size : LINE_SHOWN_MAX);
		check_warnings_add(warnings, CHECK_WARNING_STS_MX_LEFT_OUT, NULL,
			"the line \"mx: %s\" of the MTA-STS policy does not count: it is not a "
			"host name, nor \"*.\" and one",
			words);
		/* There may be thousands. */
		return;
	}
}

void check_warnings_add_sts(struct check_warnings *warnings, const struct server_check *check)
{
	const struct sts_check *sts = &check->sts;

	if (!sts->ended)
		return;
	warn_of_record(warnings, sts);
	if (!sts_check_has_patterns(sts))
		return;
	if (sts->status == STS_TESTING)
		check_warnings_add(warnings, CHECK_WARNING_STS_TESTING, NULL,
			"the mode of the MTA-STS policy is testing: senders report what violates it "
			"and deliver nevertheless; when nothing does, change it to enforce");
	if (sts->policy.max_age < CHECK_WARNING_MAX_AGE)
		check_warnings_add(warnings, CHECK_WARNING_STS_MAX_AGE, NULL,
			"max_age of the MTA-STS policy is %u s, less than a day: an attacker who "
			"blocks downloads for that long turns it off; RFC 8461 3.2 expects weeks",
			sts->policy.max_age);
	warn_of_lines(warnings, &sts->policy);
}

/* --- a host -------------------------------------------------------------------------------- */

static const char *consequence(const struct server_check *check)
{
	if (check->sts.status != STS_ENFORCE)
		return "at mode enforce, senders with MTA-STS would not deliver there";
	return check_sts_decides(check) ? "senders with MTA-STS do not deliver there"
					: "senders with MTA-STS but without DANE do not deliver "
					  "there";
}

static void warn_of_certificate(
	struct check_warnings *warnings, const struct server_check_host *host)
{
	/* Where MTA-STS decides, the status says so. */
	if (host->pattern == NULL || check_sts_decides(host->check))
		return;
	for (size_t i = 0; i < host->address_count; i++) {
		const struct server_check_address *address = &host->addresses[i];
		if (address->outcome != STARTTLS_DONE || address->web.verified)
			continue;
		check_warnings_add(warnings, CHECK_WARNING_STS_CERTIFICATE, host,
			"%s: the certificate does not verify for MTA-STS: %s: %s", address->text,
			address->web.reason, consequence(host->check));
		return;
	}
}

void check_warnings_add_sts_host(
	struct check_warnings *warnings, const struct server_check_host *host)
{
	if (!sts_check_has_patterns(&host->check->sts))
		return;
	if (host->pattern == NULL && host->facts->status != HOST_UNREACHABLE)
		check_warnings_add(warnings, CHECK_WARNING_STS_NO_MATCH, host,
			"the host matches no pattern of the MTA-STS policy: %s; add \"mx: %s\" to "
			"the policy, then change the id in the record",
			consequence(host->check), host->name);
	warn_of_certificate(warnings, host);
}
