#include "common/verdict/evidence.h"

bool evidence_list_hosts(struct evidence *evidence)
{
	bool domain = evidence->destination->kind == DESTINATION_DOMAIN;

	evidence->host_count = 0;
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

void evidence_facts(const struct evidence *evidence, struct decide_facts *facts)
{
	bool domain = evidence->destination->kind == DESTINATION_DOMAIN;

	facts->kind = evidence->destination->kind;
	facts->mx_status = MX_FOUND;
	facts->mx_security = DNS_UNKNOWN;
	facts->mx_failure = DNS_FAILURE_NONE;
	facts->stale = false;
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
	return false;
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
