#include "common/base/descriptors.h"

#include <sys/resource.h>

enum { SHARES = 16 };

void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* On failure the soft limit stays as it is. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

uint32_t descriptors_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
		limit.rlim_cur > UINT32_MAX)
		return UINT32_MAX;
	return (uint32_t)limit.rlim_cur;
}

uint32_t descriptors_share(uint32_t min, uint32_t max)
{
	return descriptors_share_of(descriptors_limit(), min, max);
}

uint32_t descriptors_share_of(uint32_t limit, uint32_t min, uint32_t max)
{
	uint32_t share = limit / SHARES;

	if (share < min)
		return min;
	return share < max ? share : max;
}
