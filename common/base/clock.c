#include "common/base/clock.h"

#include <time.h>

static uint64_t microseconds(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint32_t seconds(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	/* A clock before 1970 is treated as 1970: DNSSEC signatures are invalid at both times. */
	return now.tv_sec > 0 ? (uint32_t)now.tv_sec : 0;
}

uint32_t clock_wall(void)
{
	return seconds(CLOCK_REALTIME_COARSE);
}

uint32_t clock_steady(void)
{
	return seconds(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_steady_us(void)
{
	return microseconds(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_exact_us(void)
{
	return microseconds(CLOCK_MONOTONIC);
}
