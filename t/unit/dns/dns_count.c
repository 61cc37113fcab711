/*
 * dns_count: every answer has one status; a trustworthy answer ends a series of failures.
 */
#include "common/dns/dns_count.h"

#include "t/unit/tap.h"

static const struct {
	enum dns_outcome outcome;
	enum dns_security security;
	enum dns_failure failure;
	enum dns_status status;
} rows[] = {
	{DNS_FOUND, DNS_SECURE, DNS_FAILURE_NONE, DNS_STATUS_SECURE},
	{DNS_NODATA, DNS_SECURE, DNS_FAILURE_NONE, DNS_STATUS_SECURE},
	{DNS_NXDOMAIN, DNS_INSECURE, DNS_FAILURE_NONE, DNS_STATUS_INSECURE},
	{DNS_FAILED, DNS_BOGUS, DNS_FAILURE_BOGUS, DNS_STATUS_BOGUS},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_SERVFAIL, DNS_STATUS_SERVFAIL},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_TIMEOUT, DNS_STATUS_TIMEOUT},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_MALFORMED, DNS_STATUS_MALFORMED},
	{DNS_FAILED, DNS_UNKNOWN, DNS_FAILURE_LOCAL, DNS_STATUS_LOCAL},
};

static uint64_t sum(const struct dns_counters *counters)
{
	uint64_t all = 0;

	for (size_t type = 0; type < DNS_COUNTED_TYPES; type++) {
		for (size_t status = 0; status < DNS_STATUS_COUNT; status++)
			all += counters->queries[type][status];
	}
	return all;
}

static void test_statuses(void)
{
	many_begin("statuses");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dns_counters counters = {.failures_in_row = 0};
		struct dns_answer answer = {.outcome = rows[i].outcome,
			.security = rows[i].security,
			.failure = rows[i].failure};

		dns_count_answer(&counters, DNS_TYPE_TLSA, &answer);
		many(counters.queries[DNS_COUNTED_TLSA][rows[i].status] == 1 && sum(&counters) == 1,
			"row %zu is %s", i, dns_status_name(rows[i].status));
		many(counters.failures_in_row == (rows[i].outcome == DNS_FAILED), "row %zu: %u", i,
			(unsigned)counters.failures_in_row);
	}
	many_end();
}

static void test_row(void)
{
	struct dns_counters counters = {.failures_in_row = 0};
	struct dns_answer good = {.outcome = DNS_NODATA, .security = DNS_INSECURE};

	dns_count_timeout(&counters, DNS_TYPE_MX);
	dns_count_timeout(&counters, DNS_TYPE_SOA);
	is_number((int64_t)counters.failures_in_row, 2, "two failures in a row");
	is_number((int64_t)counters.queries[DNS_COUNTED_OTHER][DNS_STATUS_TIMEOUT], 1,
		"a type that is not asked for");
	dns_count_answer(&counters, DNS_TYPE_A, &good);
	is_number((int64_t)counters.failures_in_row, 0, "an answer ends them");
}

int main(void)
{
	test_statuses();
	test_row();
	return done_testing();
}
