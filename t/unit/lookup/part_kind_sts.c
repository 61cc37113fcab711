/*
 * part_kind_sts: the lookup of a policy whose file is not downloaded, because tlsad is too busy or
 * MTA-STS was switched off meanwhile. Queries, downloads and the cache are replaced here.
 */
#include "common/base/clock.h"
#include "common/sts/sts_update.h"
#include "daemon/lookup/part_kind.h"
#include "daemon/lookup/part_lookup.h"

#include "t/unit/tap.h"

#include <stdlib.h>
#include <string.h>

enum { FAILURE_TTL = 20 /* [s] */ };

/* --- in place of the network ----------------------------------------------------------------- */

static char handle; /* of all that is started */
static dns_callback *answered;
static sts_fetch_done *fetched;
static void *answered_context, *fetched_context;
static bool refuses; /* no download can be started */

struct dns_query *dns_query_start(struct dns *dns, enum dns_view view, const char *name,
	uint16_t type, dns_callback *callback, void *context)
{
	(void)dns;
	(void)view;
	(void)name;
	(void)type;
	answered = callback;
	answered_context = context;
	return (struct dns_query *)&handle;
}

void dns_query_cancel(struct dns_query *query)
{
	(void)query;
}

struct sts_fetch *sts_fetch_new(
	struct sts_fetches *fetches, const char *domain, sts_fetch_done *done, void *context)
{
	(void)fetches;
	(void)domain;
	fetched = done;
	fetched_context = context;
	return refuses ? NULL : (struct sts_fetch *)&handle;
}

void sts_fetch_free(struct sts_fetch *fetch)
{
	(void)fetch;
}

uint32_t cache_clock(struct cache *cache)
{
	(void)cache;
	return clock_wall();
}

void cache_forget_copies(struct cache *cache)
{
	(void)cache;
}

/* --- the test -------------------------------------------------------------------------------- */

struct waiter {
	struct part_kind_waiter waiter; /* the first member */
	bool found;
	struct sts_facts facts;
	uint32_t expires; /* [s] from now */
};

static void take_facts(struct part_kind_waiter *waiter, const void *facts)
{
	struct waiter *self = (struct waiter *)waiter;
	const struct sts_updated *updated = facts;

	self->found = true;
	self->facts = updated->facts;
	self->expires = updated->times.expires - updated->times.stored_at;
}

static void answer_query(void)
{
	static const char record[] = "\016v=STSv1; id=1;";
	struct dns_record records[] = {{(const uint8_t *)record, sizeof record - 1}};
	struct dns_answer answer = {
		.outcome = DNS_FOUND, .ttl = 3600, .record_count = 1, .records = records};

	answered(answered_context, &answer);
}

enum end { END_REFUSED, END_BUSY, END_OFF };

static const struct row {
	const char *what;
	enum end end;
	enum sts_discovery discovery;
	const char *failure;
	uint32_t expires;
} rows[] = {
	{"too many downloads", END_REFUSED, STS_DISCOVERED,
		"tlsad was too busy: too many downloads, or no memory", FAILURE_TTL},
	{"a download that had no turn", END_BUSY, STS_DISCOVERED, "tlsad was too busy: why",
		FAILURE_TTL},
	{"switched off", END_OFF, STS_LOOKUP_FAILED, "", 0},
};

static void test(struct event_base *base, const struct row *row)
{
	static struct lookup_counters counters;
	struct conf conf = {.cache = {.max_ttl = 86400, .failure_ttl = FAILURE_TTL}};
	struct part_lookups lookups = {
		.base = base,
		.conf = &conf,
		.counters = &counters,
		.sts_fetches = (struct sts_fetches *)&handle,
	};
	struct part_subject subject = {.name = "example.com"};
	struct part_wish wish = {.asked = true};
	struct part_task task = {
		.lookups = &lookups,
		.settings = {.base = base, .timeout = 60},
		.subject = &subject,
		.wish = &wish,
	};
	struct waiter waiter = {.waiter.found = take_facts};
	static const struct sts_fetch_result busy = {.outcome = STS_BUSY, .error = "why"};

	conf.sts.enable = row->end != END_OFF;
	refuses = row->end == END_REFUSED;
	void *lookup = part_kind_sts.start(&task, &waiter.waiter);
	if (!ok(lookup != NULL, "%s", row->what))
		return;
	answer_query();
	if (row->end == END_BUSY)
		fetched(fetched_context, &busy);
	ok(waiter.found, "there is a result");
	is_number(waiter.facts.status, STS_FAILED, "its status");
	is_number(waiter.facts.discovery, row->discovery, "the record");
	is_string(waiter.facts.failure, row->failure, "why there is no file");
	is_number(waiter.facts.failures, 0, "which is no failure of the server");
	is_number(waiter.expires, row->expires, "when it is tried again");
	part_kind_sts.cancel(lookup);
}

int main(void)
{
	struct event_base *base = event_base_new();

	if (base == NULL)
		bail_out("out of memory");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		test(base, &rows[i]);
	event_base_free(base);
	return done_testing();
}
