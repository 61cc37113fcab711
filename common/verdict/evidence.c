#include "common/verdict/evidence.h"

#include "common/sts/sts_policy.h"

bool evidence_list_hosts(struct evidence *evidence)
{
	bool domain = evidence->destination->kind == DESTINATION_DOMAIN;

	evidence->host_count = 0;
	evidence->has_sts = false;
	if (!domain || evidence->mx.header.status == MX_ABSENT) {
		/* RFC 5321 5.1: without MX records the domain is its own host. */
		evidence->host_count = 1;
		evidence->hosts[0].preference = 0;
		evidence->hosts[0].name = evidence->destination->name;
		evidence->hosts[0].name_size = evidence->destination->name_length;
		return true;
	}
	if (evidence->mx.header.status != MX_FOUND)
		return true;
	struct part_cursor cursor;
	part_cursor_start(&evidence->mx, &cursor);
	for (unsigned i = 0; i < evidence->mx.header.count; i++) {
		struct part_mx_host host;
		part_next_mx_host(&cursor, &host);
		if (cursor.damaged)
			return false;
		evidence->hosts[i].preference = host.preference;
		evidence->hosts[i].name = host.name;
		evidence->hosts[i].name_size = host.name_size;
		evidence->host_count++;
	}
	return true;
}

static bool is_pattern(const struct sts_pattern *pattern)
{
	for (size_t i = 0; i < pattern->size; i++) {
		char c = pattern->name[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
			c != '.' && !(c == '*' && i == 0))
			return false;
	}
	return pattern->size > 0 && pattern->size <= STS_PATTERN_MAX;
}

bool evidence_sts_is_whole(const struct part *sts)
{
	struct part_cursor cursor;
	struct sts_facts facts;
	struct sts_pattern pattern;
	struct sts_line line;

	part_cursor_start(sts, &cursor);
	part_read_sts(&cursor, &facts);
	for (size_t i = 0; i < facts.pattern_count && !cursor.damaged; i++) {
		part_next_sts_pattern(&cursor, &pattern);
		if (!is_pattern(&pattern))
			return false;
	}
	for (size_t left = part_sts_line_count(&cursor); left > 0 && !cursor.damaged; left--)
		part_next_sts_line(&cursor, &line);
	return !cursor.damaged && (sts->header.status != STS_ENFORCE || facts.pattern_count > 0);
}

bool evidence_host_matches_sts(const struct evidence *evidence, size_t host)
{
	const struct evidence_host *wanted = &evidence->hosts[host];
	struct part_cursor cursor;
	struct sts_facts facts;
	struct sts_pattern pattern;

	part_cursor_start(&evidence->sts, &cursor);
	part_read_sts(&cursor, &facts);
	for (size_t i = 0; i < facts.pattern_count && !cursor.damaged; i++) {
		part_next_sts_pattern(&cursor, &pattern);
		if (sts_pattern_matches(&pattern, wanted->name, wanted->name_size))
			return true;
	}
	return false;
}

bool evidence_matches_sts(const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->host_count; i++) {
		if (evidence_host_matches_sts(evidence, i))
			return true;
	}
	return false;
}

void evidence_facts(const struct evidence *evidence, struct decide_facts *facts)
{
	bool domain = evidence->destination->kind == DESTINATION_DOMAIN;

	facts->kind = evidence->destination->kind;
	facts->mx_status = MX_FOUND;
	facts->mx_security = DNS_UNKNOWN;
	facts->mx_failure = DNS_FAILURE_NONE;
	facts->stale = false;
	facts->sts = evidence->has_sts ? evidence->sts.header.status : STS_ABSENT;
	facts->dane_behind_insecure_mx = false;
	facts->host_count = evidence->host_count;
	if (domain) {
		facts->mx_status = evidence->mx.header.status;
		facts->mx_security = evidence->mx.header.security;
		facts->stale = (evidence->mx.header.flags & PART_STALE) != 0;
		if (facts->mx_status == MX_FAILED) {
			struct part_failure failure;
			part_failure(&evidence->mx, &failure);
			facts->mx_failure = failure.failure;
		}
	}
	for (size_t i = 0; i < evidence->host_count; i++) {
		facts->hosts[i] = evidence->hosts[i].part.header.status;
		facts->stale |= (evidence->hosts[i].part.header.flags & PART_STALE) != 0;
	}
}

uint32_t evidence_expires(const struct evidence *evidence)
{
	uint32_t expires = UINT32_MAX;

	if (evidence->destination->kind == DESTINATION_DOMAIN)
		expires = evidence->mx.header.expires;
	for (size_t i = 0; i < evidence->host_count; i++) {
		if (evidence->hosts[i].part.header.expires < expires)
			expires = evidence->hosts[i].part.header.expires;
	}
	if (evidence->has_sts && evidence->sts.header.expires < expires)
		expires = evidence->sts.header.expires;
	return expires;
}

bool evidence_refresh_due(const struct evidence *evidence, uint32_t now)
{
	if (evidence->destination->kind == DESTINATION_DOMAIN &&
		now >= evidence->mx.header.refresh_at)
		return true;
	for (size_t i = 0; i < evidence->host_count; i++) {
		if (now >= evidence->hosts[i].part.header.refresh_at)
			return true;
	}
	return evidence->has_sts && now >= evidence->sts.header.refresh_at;
}

bool evidence_has_failure(const struct evidence *evidence)
{
	unsigned flags = 0;

	if (evidence->destination->kind == DESTINATION_DOMAIN)
		flags = evidence->mx.header.flags;
	for (size_t i = 0; i < evidence->host_count; i++)
		flags |= evidence->hosts[i].part.header.flags;
	return (flags & PART_HAS_FAILURE) != 0;
}

bool evidence_failure(const struct evidence *evidence, struct part_failure *failure)
{
	if (evidence->destination->kind == DESTINATION_DOMAIN &&
		part_failure(&evidence->mx, failure))
		return true;
	for (size_t i = 0; i < evidence->host_count; i++) {
		if (part_failure(&evidence->hosts[i].part, failure))
			return true;
	}
	return false;
}
