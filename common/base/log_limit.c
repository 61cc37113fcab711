#include "common/base/log_limit.h"

/*
 * Another thread may have read the clock later and begun a span after `now`: the difference is then
 * negative, and that span is not over.
 */
static bool span_is_over(const struct log_limit *limit, uint32_t began, uint32_t now)
{
	return (int32_t)(now - began) >= (int32_t)limit->seconds;
}

bool log_limit_allows(struct log_limit *limit, uint32_t now, uint32_t *left_out)
{
	uint64_t state = atomic_load_explicit(&limit->state, memory_order_relaxed), next;
	uint32_t asked;
	bool begins;

	do {
		asked = (uint32_t)state;
		begins = asked == 0 || span_is_over(limit, (uint32_t)(state >> 32), now);
		if (begins)
			next = (uint64_t)now << 32 | 1;
		else
			next = asked < UINT32_MAX ? state + 1 : state;
	} while (!atomic_compare_exchange_weak_explicit(
		&limit->state, &state, next, memory_order_relaxed, memory_order_relaxed));
	*left_out = begins && asked > limit->lines ? asked - limit->lines : 0;
	return begins || asked < limit->lines;
}
