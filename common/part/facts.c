#include "common/part/facts.h"

#include "common/part/kind.h"

const char *mx_status_name(enum mx_status status)
{
	return part_status_name(PART_MX, status);
}

const char *host_status_name(enum host_status status)
{
	return part_status_name(PART_HOST, status);
}

const char *sts_status_name(enum sts_status status)
{
	return part_status_name(PART_STS, status);
}
