#include "common/dane/host_lookup.h"
#include "daemon/lookup/part_kind.h"

#include <stdlib.h>

static void found(void *context, const struct host_facts *facts)
{
	struct part_kind_waiter *waiter = context;
	waiter->found(waiter, facts);
}

static void *start(const struct part_task *task, struct part_kind_waiter *waiter)
{
	return dane_host_lookup_new(
		&task->settings, task->subject->name, task->subject->port, found, waiter);
}

static void cancel(void *lookup)
{
	dane_host_lookup_free(lookup);
}

static void pending(const void *lookup, struct part_failure *failure)
{
	dane_host_lookup_pending(lookup, failure);
}

static bool failed(const void *facts)
{
	const struct host_facts *host = facts;
	return host->status == HOST_FAILED;
}

static struct part_times lifetime(
	const void *facts, const struct lifetime_settings *settings, uint32_t now)
{
	const struct host_facts *host = facts;
	struct part_times times = failed(host) ? lifetime_of_failure(settings, now)
					       : lifetime_of_host(settings, now, host->ttl);

	/* A failed query may have hidden records: look them up again after failure_ttl. */
	if (host->uncertain && times.expires > now + settings->failure_ttl)
		times = lifetime_of_failure(settings, now);
	return times;
}

static uint8_t *encode(const void *facts, const struct part_times *times, const char *key,
	size_t key_size, size_t *size)
{
	return part_encode_host(facts, times, key, key_size, size);
}

static uint8_t *encode_failure(const struct part_failure *failure, const struct part_times *times,
	const char *key, size_t key_size, size_t *size)
{
	/* struct host_facts is too large for the stack. */
	struct host_facts *facts = calloc(1, sizeof *facts);
	uint8_t *bytes = NULL;

	if (facts != NULL) {
		facts->status = HOST_FAILED;
		facts->failure = *failure;
		bytes = part_encode_host(facts, times, key, key_size, size);
	}
	free(facts);
	return bytes;
}

/*
 * Only statuses with which a verdict can be DANE: using an expired part must never weaken a policy.
 * decide() makes no other verdict from expired parts.
 */
static bool may_be_stale(uint8_t status)
{
	return status == HOST_USABLE || status == HOST_UNUSABLE;
}

const struct part_kind_row part_kind_host = {
	.kind = PART_HOST,
	.question_type = DNS_TYPE_A,
	.start = start,
	.cancel = cancel,
	.pending = pending,
	.failed = failed,
	.lifetime = lifetime,
	.encode = encode,
	.encode_failure = encode_failure,
	.may_be_stale = may_be_stale,
};
