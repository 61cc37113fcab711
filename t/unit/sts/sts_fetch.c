/*
 * sts_fetch: what a download says that its time ended, with queries, transfers and CAs that are
 * replaced here. t/daemon/sts.t has the others.
 */
#include "common/sts/sts_fetch.h"

#include "common/base/clock.h"

#include "t/unit/tap.h"

#include <dlfcn.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* --- in place of the network ----------------------------------------------------------------- */

struct dns_query {
	dns_callback *callback;
	void *context;
	uint16_t type;
};

enum { QUERIES_MAX = 2 };
static struct dns_query queries[QUERIES_MAX]; /* of the last download */
static size_t query_count;
static unsigned transfer_count;

struct dns_query *dns_query_start(struct dns *dns, enum dns_view view, const char *name,
	uint16_t type, dns_callback *callback, void *context)
{
	struct dns_query *query = &queries[query_count++ % QUERIES_MAX];

	(void)dns;
	(void)view;
	(void)name;
	*query = (struct dns_query){callback, context, type};
	return query;
}

void dns_query_cancel(struct dns_query *query)
{
	(void)query;
}

struct sts_transfers *sts_transfers_new(struct event_base *base, size_t max)
{
	static char transfers;

	(void)base;
	(void)max;
	return (struct sts_transfers *)&transfers;
}

void sts_transfers_free(struct sts_transfers *transfers)
{
	(void)transfers;
}

/* None of them ends. */
struct sts_transfer *sts_transfer_start(struct sts_transfers *transfers,
	const struct sts_transfer_request *request, sts_transfer_done *done, void *context)
{
	static char transfer;

	(void)transfers;
	(void)request;
	(void)done;
	(void)context;
	transfer_count++;
	return (struct sts_transfer *)&transfer;
}

void sts_transfer_cancel(struct sts_transfer *transfer)
{
	(void)transfer;
}

/* A server that is never silent. */
uint64_t sts_transfer_active_at(const struct sts_transfer *transfer)
{
	(void)transfer;
	return clock_exact_us();
}

X509_STORE *sts_trust_store(const struct sts_trust *trust)
{
	(void)trust;
	return NULL;
}

bool sts_trust_refresh(struct sts_trust *trust, char *error, size_t error_size)
{
	(void)trust;
	(void)error;
	(void)error_size;
	return true;
}

/* The minute of the next download; 0: as it is. [ms] */
static unsigned minute;

int event_add(struct event *event, const struct timeval *delay)
{
	static int (*add)(struct event *, const struct timeval *);
	struct timeval shorter = {.tv_usec = (suseconds_t)minute * 1000};

	if (add == NULL)
		*(void **)&add = dlsym(RTLD_NEXT, "event_add");
	if (add == NULL)
		bail_out("libevent");
	bool is_minute = delay != NULL && delay->tv_sec == STS_FETCH_SECONDS;
	return add(event, is_minute && minute != 0 ? &shorter : delay);
}

/* --- the test -------------------------------------------------------------------------------- */

static struct event_base *base;

struct result {
	bool ended;
	enum sts_outcome outcome;
	char error[STS_FAILURE_SIZE];
};

static void take_result(void *context, const struct sts_fetch_result *result)
{
	struct result *taken = context;

	taken->ended = true;
	taken->outcome = result->outcome;
	snprintf(taken->error, sizeof taken->error, "%s", result->error);
	event_base_loopbreak(base);
}

/* All policy servers have one address. */
static void answer_queries(void)
{
	static const uint8_t address[4] = {192, 0, 2, 1};
	struct dns_record record = {address, sizeof address};

	for (size_t i = 0; i < QUERIES_MAX; i++) {
		struct dns_answer answer = {.outcome = DNS_NODATA};
		if (queries[i].type == DNS_TYPE_A)
			answer = (struct dns_answer){
				.outcome = DNS_FOUND, .record_count = 1, .records = &record};
		queries[i].callback(queries[i].context, &answer);
	}
}

static struct sts_fetch *begin(struct sts_fetches *fetches, struct result *result)
{
	result->ended = false;
	return sts_fetch_new(fetches, "example.com", take_result, result);
}

static void expect(const struct result *result, enum sts_outcome outcome, const char *error)
{
	if (!result->ended)
		event_base_dispatch(base);
	ok(result->ended, "it ends");
	is_number(result->outcome, outcome, "its outcome");
	is_string(result->error, error, "its words");
}

int main(void)
{
	static char trust;
	struct sts_fetch_settings settings = {
		.port = 443, .private_addresses = true, .trust = (struct sts_trust *)&trust};
	struct sts_fetch *running[STS_SAME_ADDRESS_MAX], *fetch;
	struct result ignored, result;

	base = event_base_new();
	struct sts_fetches *fetches = base != NULL ? sts_fetches_new(base, NULL) : NULL;
	if (fetches == NULL)
		bail_out("out of memory");
	sts_fetches_set(fetches, &settings);

	minute = 50;
	fetch = begin(fetches, &result);
	expect(&result, STS_TIMEOUT, "no policy in time");
	is_number(transfer_count, 0, "its addresses were not found in time");
	sts_fetch_free(fetch);

	fetch = begin(fetches, &result);
	answer_queries();
	is_number(transfer_count, 1, "a transfer that does not end");
	expect(&result, STS_TIMEOUT, "no policy in time");
	sts_fetch_free(fetch);

	minute = 0;
	transfer_count = 0;
	for (size_t i = 0; i < STS_SAME_ADDRESS_MAX; i++) {
		running[i] = begin(fetches, &ignored);
		answer_queries();
	}
	is_number(transfer_count, STS_SAME_ADDRESS_MAX, "as many as one address may have");
	minute = 50;
	fetch = begin(fetches, &result);
	answer_queries();
	is_number((int64_t)sts_fetches_waiting(fetches), 1, "one more waits");
	expect(&result, STS_BUSY, "too many downloads at once");
	is_number(transfer_count, STS_SAME_ADDRESS_MAX, "its server was not tried");
	sts_fetch_free(fetch);

	for (size_t i = 0; i < STS_SAME_ADDRESS_MAX; i++)
		sts_fetch_free(running[i]);
	sts_fetches_free(fetches);
	event_base_free(base);
	return done_testing();
}
