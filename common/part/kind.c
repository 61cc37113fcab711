#include "common/part/kind.h"

#include "common/part/facts.h"

static const char *const mx_statuses[MX_STATUS_COUNT] = {
	[MX_FOUND] = "found",
	[MX_ABSENT] = "absent",
	[MX_NULL] = "null",
	[MX_NXDOMAIN] = "nxdomain",
	[MX_FAILED] = "failed",
};

static const char *const host_statuses[HOST_STATUS_COUNT] = {
	[HOST_USABLE] = "usable",
	[HOST_UNUSABLE] = "unusable",
	[HOST_NONE] = "none",
	[HOST_UNREACHABLE] = "unreachable",
	[HOST_FAILED] = "failed",
};

static const char *const sts_statuses[STS_STATUS_COUNT] = {
	[STS_ABSENT] = "absent",
	[STS_ENFORCE] = "enforce",
	[STS_TESTING] = "testing",
	[STS_NONE] = "none",
	[STS_FAILED] = "failed",
	[STS_PENDING] = "pending",
};

/* Trust anchors and attempts have one status each, 0. */
static const char *const ta_statuses[] = {"learned"};
static const char *const ta_attempt_statuses[] = {"failed"};

#define STATUSES(names) .status_count = sizeof(names) / sizeof(names)[0], .status_names = (names)

/* MX sets and hosts come first, because every request reads them. */
const struct part_kind_format part_kind_formats[PART_KIND_COUNT] = {
	{
		.kind = PART_MX,
		.name = "mx",
		.key_has_name = true,
		.has_security = true,
		STATUSES(mx_statuses),
	},
	{
		.kind = PART_HOST,
		.name = "host",
		.key_has_name = true,
		.key_has_port = true,
		STATUSES(host_statuses),
	},
	{
		.kind = PART_STS,
		.name = "sts",
		.key_has_name = true,
		STATUSES(sts_statuses),
	},
	{
		.kind = PART_TA,
		.name = "anchor",
		.key_has_ta = true,
		STATUSES(ta_statuses),
	},
	{
		.kind = PART_TA_ATTEMPT,
		.name = "attempt",
		.key_has_name = true,
		.key_has_port = true,
		.key_has_ta = true,
		STATUSES(ta_attempt_statuses),
	},
};

const char *part_kind_name(enum part_kind kind)
{
	const struct part_kind_format *format = part_kind_format(kind);
	return format != NULL ? format->name : "unknown";
}

const char *part_status_name(enum part_kind kind, unsigned status)
{
	const struct part_kind_format *format = part_kind_format(kind);
	return format != NULL && status < format->status_count ? format->status_names[status]
							       : "unknown";
}
