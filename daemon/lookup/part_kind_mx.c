#include "common/dane/mx_lookup.h"
#include "daemon/lookup/part_kind.h"

static void found(void *context, const struct mx_set *set)
{
	struct part_kind_waiter *waiter = context;
	waiter->found(waiter, set);
}

static void *start(const struct part_task *task, struct part_kind_waiter *waiter)
{
	return dane_mx_lookup_new(&task->settings, task->subject->name, found, waiter);
}

static void cancel(void *lookup)
{
	dane_mx_lookup_free(lookup);
}

static void pending(const void *lookup, struct part_failure *failure)
{
	dane_mx_lookup_pending(lookup, failure);
}

static bool failed(const void *facts)
{
	const struct mx_set *set = facts;
	return set->status == MX_FAILED;
}

static struct part_times lifetime(
	const void *facts, const struct lifetime_settings *settings, uint32_t now)
{
	const struct mx_set *set = facts;
	return failed(set) ? lifetime_of_failure(settings, now)
			   : lifetime_of_answer(settings, now, set->ttl);
}

static uint8_t *encode(const void *facts, const struct part_times *times, const char *key,
	size_t key_size, size_t *size)
{
	return part_encode_mx(facts, times, key, key_size, size);
}

static uint8_t *encode_failure(const struct part_failure *failure, const struct part_times *times,
	const char *key, size_t key_size, size_t *size)
{
	struct mx_set set = {.status = MX_FAILED, .security = DNS_UNKNOWN, .failure = *failure};
	return part_encode_mx(&set, times, key, key_size, size);
}

/*
 * Only statuses with which a verdict can be DANE: using an expired part must never weaken a policy.
 * decide() makes no other verdict from expired parts.
 */
static bool may_be_stale(uint8_t status)
{
	return status == MX_FOUND || status == MX_ABSENT;
}

const struct part_kind_row part_kind_mx = {
	.kind = PART_MX,
	.question_type = DNS_TYPE_MX,
	.start = start,
	.cancel = cancel,
	.pending = pending,
	.failed = failed,
	.lifetime = lifetime,
	.encode = encode,
	.encode_failure = encode_failure,
	.may_be_stale = may_be_stale,
};
