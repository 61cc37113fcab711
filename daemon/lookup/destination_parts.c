#include "daemon/lookup/destination_parts.h"

#include <stdlib.h>
#include <string.h>

void destination_parts_clear(struct destination_parts *parts)
{
	part_buffer_clear(&parts->mx);
	part_buffer_clear(&parts->sts);
	for (size_t i = 0; i < parts->host_count; i++)
		part_buffer_clear(&parts->hosts[i]);
	free(parts->hosts);
	parts->hosts = NULL;
	parts->host_count = 0;
}

static bool is_domain(const struct destination_parts *parts)
{
	return parts->destination.kind == DESTINATION_DOMAIN;
}

bool destination_parts_list(const struct destination_parts *parts, struct evidence *evidence)
{
	evidence->destination = &parts->destination;
	evidence->host_count = 0;
	if (is_domain(parts) &&
		(parts->mx.bytes == NULL ||
			!part_open(&evidence->mx, PART_MX, parts->mx.bytes, parts->mx.size)))
		return false;
	return evidence_list_hosts(evidence);
}

bool destination_parts_evidence(const struct destination_parts *parts, struct evidence *evidence)
{
	if (!destination_parts_list(parts, evidence) || evidence->host_count != parts->host_count)
		return false;
	for (size_t i = 0; i < parts->host_count; i++) {
		const struct part_buffer *host = &parts->hosts[i];
		if (host->bytes == NULL ||
			!part_open(&evidence->hosts[i].part, PART_HOST, host->bytes, host->size))
			return false;
	}
	evidence->has_sts =
		parts->needs_sts && parts->sts.bytes != NULL &&
		part_open(&evidence->sts, PART_STS, parts->sts.bytes, parts->sts.size) &&
		evidence_sts_is_whole(&evidence->sts);
	return evidence->has_sts || !parts->needs_sts;
}

static bool complete(const struct destination_parts *parts)
{
	if (is_domain(parts) && parts->mx.bytes == NULL)
		return false;
	for (size_t i = 0; i < parts->host_count; i++) {
		if (parts->hosts[i].bytes == NULL)
			return false;
	}
	return parts->sts.bytes != NULL || !parts->needs_sts;
}

static size_t total_size(const struct destination_parts *parts)
{
	size_t size = parts->mx.size + parts->sts.size;

	for (size_t i = 0; i < parts->host_count; i++)
		size += parts->hosts[i].size;
	return size;
}

/*
 * Copy the parts to `bytes`, one after the other, and point the evidence at them. False if a host
 * has no part, because memory ran out.
 */
static bool fill(struct lookup_result *result, const struct destination_parts *parts)
{
	uint8_t *at = result->bytes;
	struct evidence *evidence = &result->evidence;

	result->destination = parts->destination;
	evidence->destination = &result->destination;
	if (is_domain(parts)) {
		memcpy(at, parts->mx.bytes, parts->mx.size);
		part_open(&evidence->mx, PART_MX, at, parts->mx.size);
		at += parts->mx.size;
	}
	if (!evidence_list_hosts(evidence) || evidence->host_count != parts->host_count)
		return false;
	for (size_t i = 0; i < parts->host_count; i++) {
		const struct part_buffer *host = &parts->hosts[i];
		memcpy(at, host->bytes, host->size);
		part_open(&evidence->hosts[i].part, PART_HOST, at, host->size);
		at += host->size;
	}
	if (parts->needs_sts) {
		memcpy(at, parts->sts.bytes, parts->sts.size);
		evidence->has_sts = part_open(&evidence->sts, PART_STS, at, parts->sts.size) &&
				    evidence_sts_is_whole(&evidence->sts);
	}
	return true;
}

struct lookup_result *destination_parts_result(
	const struct destination_parts *parts, const struct ta_file_finding *file)
{
	struct lookup_result *result;

	if (!complete(parts))
		return NULL;
	result = malloc(sizeof *result + total_size(parts));
	if (result == NULL)
		return NULL;
	result->message.kind = MESSAGE_RESULT;
	result->waiter = NULL;
	result->file = *file;
	result->deferral = (struct deferral_note){.quiet = false};
	if (!fill(result, parts)) {
		free(result);
		return NULL;
	}
	return result;
}
