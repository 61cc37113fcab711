#include "common/part/facts.h"

static const char *const mx_status_names[MX_STATUS_COUNT] = {
	[MX_FOUND] = "found",
	[MX_ABSENT] = "absent",
	[MX_NULL] = "null",
	[MX_NXDOMAIN] = "nxdomain",
	[MX_FAILED] = "failed",
};

static const char *const host_status_names[HOST_STATUS_COUNT] = {
	[HOST_USABLE] = "usable",
	[HOST_UNUSABLE] = "unusable",
	[HOST_NONE] = "none",
	[HOST_UNREACHABLE] = "unreachable",
	[HOST_FAILED] = "failed",
};

const char *part_kind_name(enum part_kind kind)
{
	switch (kind) {
	case PART_MX:
		return "mx";
	case PART_HOST:
		return "host";
	case PART_TA:
		return "anchor";
	case PART_TA_ATTEMPT:
		return "attempt";
	}
	return "unknown";
}

const char *mx_status_name(enum mx_status status)
{
	return status < MX_STATUS_COUNT ? mx_status_names[status] : "unknown";
}

const char *host_status_name(enum host_status status)
{
	return status < HOST_STATUS_COUNT ? host_status_names[status] : "unknown";
}
