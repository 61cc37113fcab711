#include "common/dns/dns_count.h"

#include "common/base/counter.h"

static const struct {
	uint16_t type;
	const char *name;
} types[DNS_COUNTED_TYPES] = {
	[DNS_COUNTED_MX] = {DNS_TYPE_MX, "MX"},
	[DNS_COUNTED_A] = {DNS_TYPE_A, "A"},
	[DNS_COUNTED_AAAA] = {DNS_TYPE_AAAA, "AAAA"},
	[DNS_COUNTED_TLSA] = {DNS_TYPE_TLSA, "TLSA"},
	[DNS_COUNTED_CNAME] = {DNS_TYPE_CNAME, "CNAME"},
	[DNS_COUNTED_TXT] = {DNS_TYPE_TXT, "TXT"},
	[DNS_COUNTED_NS] = {DNS_TYPE_NS, "NS"},
	[DNS_COUNTED_OTHER] = {0, "other"},
};

static const char *const status_names[DNS_STATUS_COUNT] = {
	[DNS_STATUS_SECURE] = "secure",
	[DNS_STATUS_INSECURE] = "insecure",
	[DNS_STATUS_BOGUS] = "bogus",
	[DNS_STATUS_SERVFAIL] = "servfail",
	[DNS_STATUS_TIMEOUT] = "timeout",
	[DNS_STATUS_MALFORMED] = "malformed",
	[DNS_STATUS_LOCAL] = "local",
};

const char *dns_counted_type_name(enum dns_counted_type type)
{
	return type < DNS_COUNTED_TYPES ? types[type].name : "other";
}

const char *dns_status_name(enum dns_status status)
{
	return status < DNS_STATUS_COUNT ? status_names[status] : "unknown";
}

static enum dns_status status_of(const struct dns_answer *answer)
{
	if (answer->outcome != DNS_FAILED)
		return answer->security == DNS_SECURE ? DNS_STATUS_SECURE : DNS_STATUS_INSECURE;
	switch (answer->failure) {
	case DNS_FAILURE_BOGUS:
		return DNS_STATUS_BOGUS;
	case DNS_FAILURE_TIMEOUT:
		return DNS_STATUS_TIMEOUT;
	case DNS_FAILURE_MALFORMED:
		return DNS_STATUS_MALFORMED;
	case DNS_FAILURE_LOCAL:
		return DNS_STATUS_LOCAL;
	default:
		return DNS_STATUS_SERVFAIL;
	}
}

static void count_query(struct dns_counters *counters, uint16_t type, enum dns_status status)
{
	size_t row = 0;

	while (row < DNS_COUNTED_OTHER && types[row].type != type)
		row++;
	counter_add(&counters->queries[row][status], 1);
	if (status == DNS_STATUS_SECURE || status == DNS_STATUS_INSECURE)
		counter_set(&counters->failures_in_row, 0);
	else
		counter_add(&counters->failures_in_row, 1);
}

void dns_count_answer(struct dns_counters *counters, uint16_t type, const struct dns_answer *answer)
{
	count_query(counters, type, status_of(answer));
}

void dns_count_timeout(struct dns_counters *counters, uint16_t type)
{
	count_query(counters, type, DNS_STATUS_TIMEOUT);
}
