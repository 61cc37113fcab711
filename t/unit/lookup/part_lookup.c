/*
 * part_lookup: the sources of a part in turn. The first one is a fleet's cache that has the part,
 * or misses at once or later; then DNS, which answers, fails or cannot be asked. It checks the
 * results of requests, the stored parts and the counters; requests that give up, lookups that are
 * stopped. The fleet's cache and the lookup in DNS are replaced here; the rest is the daemon's
 * code.
 */
#include "daemon/lookup/part_lookup.h"

#include "common/base/clock.h"
#include "daemon/lookup/part_source.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

/* Behaviour of a source when it is asked. */
enum act { ACT_REFUSE, ACT_MISS, ACT_FIND, ACT_FAIL, ACT_WAIT };

static enum act fleet_act, dns_act;
static unsigned fleet_asked, dns_asked, running; /* `running`: states that are not freed */

static struct part_lookups lookups;
static struct lookup_counters counters;

static const char domain[] = "example.com";

/* --- a cache of a fleet -------------------------------------------------------------------- */

static uint8_t *encode(enum mx_status status, struct part_times times, size_t *size)
{
	struct mx_host host = {10, "mx.example.com"};
	struct mx_set set = {.status = status,
		.security = DNS_SECURE,
		.ttl = 3600,
		.host_count = status == MX_FOUND ? 1 : 0,
		.hosts = &host};
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_MX, domain, strlen(domain), 0);

	return part_encode_mx(&set, &times, key, key_size, size);
}

static struct part_times life(int64_t from, int64_t to)
{
	uint32_t now = clock_wall();
	return (struct part_times){
		.stored_at = (uint32_t)(now + from),
		.refresh_at = (uint32_t)(now + to),
		.expires = (uint32_t)(now + to),
	};
}

static void fleet_ends(evutil_socket_t fd, short what, void *context)
{
	struct part_buffer part = {0};

	(void)fd;
	(void)what;
	if (fleet_act == ACT_MISS) {
		part_source_missed(context);
		return;
	}
	part.bytes = encode(MX_FOUND, life(0, 600), &part.size);
	part_source_found(context, part, false);
}

static bool fleet_start(struct running_part *lookup)
{
	static const struct timeval now = {0};

	fleet_asked++;
	if (fleet_act == ACT_REFUSE)
		return false;
	running++;
	lookup->state = evtimer_new(lookup->lookups->base, fleet_ends, lookup);
	if (fleet_act != ACT_WAIT)
		evtimer_add(lookup->state, &now);
	return true;
}

static void fleet_cancel(struct running_part *lookup)
{
	event_free(lookup->state);
	lookup->state = NULL;
	running--;
}

static void fleet_pending(const struct running_part *lookup, struct part_failure *failure)
{
	parts_fail(failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_MX, lookup->name, "the fleet is silent");
}

static const struct part_source fleet = {
	.start = fleet_start,
	.cancel = fleet_cancel,
	.pending = fleet_pending,
};

static const struct part_source *const sources[] = {&fleet, &part_source_dns, NULL};

/* --- the lookup of a kind in DNS ------------------------------------------------------------ */

struct dns_lookup {
	struct part_kind_waiter *waiter;
	struct event *timer;
};

static void dns_ends(evutil_socket_t fd, short what, void *context)
{
	const struct dns_lookup *lookup = context;
	struct mx_set set = {.status = MX_ABSENT, .security = DNS_SECURE, .ttl = 3600};

	(void)fd;
	(void)what;
	if (dns_act == ACT_FAIL) {
		set.status = MX_FAILED;
		parts_fail(&set.failure, DNS_FAILURE_SERVFAIL, DNS_TYPE_MX, domain, "broken");
	}
	lookup->waiter->found(lookup->waiter, &set);
}

static void *dns_start(const struct part_task *task, struct part_kind_waiter *waiter)
{
	static const struct timeval now = {0};
	struct dns_lookup *lookup;

	dns_asked++;
	if (dns_act == ACT_REFUSE)
		return NULL;
	running++;
	lookup = malloc(sizeof *lookup);
	lookup->waiter = waiter;
	lookup->timer = evtimer_new(task->settings.base, dns_ends, lookup);
	if (dns_act != ACT_WAIT)
		evtimer_add(lookup->timer, &now);
	return lookup;
}

static void dns_cancel(void *context)
{
	struct dns_lookup *lookup = context;

	if (lookup == NULL)
		return;
	event_free(lookup->timer);
	free(lookup);
	running--;
}

static void dns_pending(const void *lookup, struct part_failure *failure)
{
	(void)lookup;
	parts_fail(failure, DNS_FAILURE_TIMEOUT, DNS_TYPE_MX, domain, "no answer in time");
}

static struct part_kind_row kind; /* MX sets, found by the above */

/* --- requests ------------------------------------------------------------------------------ */

struct asker {
	struct part_request request;
	struct part_buffer part;
	unsigned done; /* calls */
};

static void is_done(void *context)
{
	struct asker *asker = context;
	asker->done++;
}

/* True when it waits. */
static bool ask(struct asker *asker)
{
	*asker = (struct asker){
		.request = {.kind = &kind,
			.subject = {.name = domain, .port = 25},
			.for_whom = domain,
			.done = is_done,
			.context = asker,
			.part = &asker->part},
	};
	return part_request_start(&lookups, &asker->request);
}

static void run(void)
{
	event_base_loop(lookups.base, EVLOOP_NONBLOCK);
	event_base_loop(lookups.base, EVLOOP_NONBLOCK);
	event_base_loop(lookups.base, EVLOOP_NONBLOCK);
}

static void start(enum act fleet_does, enum act dns_does)
{
	fleet_act = fleet_does;
	dns_act = dns_does;
	fleet_asked = dns_asked = 0;
	memset(&counters, 0, sizeof counters);
	cache_flush(lookups.cache, NULL);
}

/* Is it a part of that status, with a failure of that detail, if there is one? */
static bool holds(const struct part_buffer *buffer, enum mx_status status, const char *detail)
{
	struct part_failure failure = {.detail = ""};
	struct part part;

	if (buffer->bytes == NULL || !part_open(&part, PART_MX, buffer->bytes, buffer->size))
		return false;
	part_failure(&part, &failure);
	return part.header.status == status && strcmp(failure.detail, detail) == 0;
}

/* --- sources in turn ------------------------------------------------------------------------ */

static const char no_source[] = "there is no source left to ask";

static void test_turns(void)
{
	static const struct {
		const char *name;
		enum act fleet, dns;
		enum mx_status status;
		const char *detail;
		unsigned dns_asked, parts, failures;
	} rows[] = {
		{"the fleet has it", ACT_FIND, ACT_FIND, MX_FOUND, "", 0, 0, 0},
		{"the fleet misses later", ACT_MISS, ACT_FIND, MX_ABSENT, "", 1, 1, 0},
		{"the fleet misses later, DNS fails", ACT_MISS, ACT_FAIL, MX_FAILED, "broken", 1, 1,
			1},
		{"the fleet misses later, DNS cannot be asked", ACT_MISS, ACT_REFUSE, MX_FAILED,
			no_source, 1, 0, 0},
		{"the fleet cannot be asked", ACT_REFUSE, ACT_FIND, MX_ABSENT, "", 1, 1, 0},
		{"the fleet cannot be asked, DNS fails", ACT_REFUSE, ACT_FAIL, MX_FAILED, "broken",
			1, 1, 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct asker one, other, later;
		const char *name = rows[i].name;

		start(rows[i].fleet, rows[i].dns);
		bool wait = ask(&one);
		wait = ask(&other) && wait;
		ok(wait && fleet_asked == 1, "%s: two requests wait for one lookup", name);
		run();
		ok(one.done == 1 && other.done == 1, "%s: each is called once", name);
		ok(holds(&one.part, rows[i].status, rows[i].detail) &&
				holds(&other.part, rows[i].status, rows[i].detail),
			"%s: both get the part", name);
		ok(dns_asked == rows[i].dns_asked &&
				counter_read(&counters.parts) == rows[i].parts &&
				counter_read(&counters.failures) == rows[i].failures,
			"%s: lookups in DNS are counted", name);
		ok(!ask(&later) && later.done == 0 &&
				holds(&later.part, rows[i].status, rows[i].detail),
			"%s: the next request finds it in the cache", name);
		ok(running == 0 && lookups.running.count == 0, "%s: no lookup is left", name);
		part_buffer_clear(&one.part);
		part_buffer_clear(&other.part);
		part_buffer_clear(&later.part);
	}
}

/* No source can be asked from the start: no lookup runs, and giving up makes a failed part. */
static void test_no_source(void)
{
	struct asker asker;

	start(ACT_REFUSE, ACT_REFUSE);
	ok(!ask(&asker) && asker.part.bytes == NULL, "no source can be asked: nothing to wait for");
	part_request_give_up(&lookups, &asker.request);
	ok(holds(&asker.part, MX_FAILED, "out of memory"), "and the part is a failed one");
	ok(running == 0 && lookups.running.count == 0, "no lookup is left");
	part_buffer_clear(&asker.part);
}

static void put(struct part_times times)
{
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_MX, domain, strlen(domain), 0);
	uint8_t *bytes = encode(MX_FOUND, times, &size);

	cache_put(lookups.cache, key, key_size, bytes, size);
	free(bytes);
}

static void test_stale(void)
{
	struct asker asker;
	struct part part;

	start(ACT_MISS, ACT_REFUSE);
	put(life(-600, -10));
	ok(ask(&asker), "a part that has expired is looked up");
	run();
	ok(asker.done == 1 && holds(&asker.part, MX_FOUND, no_source) &&
			part_open(&part, PART_MX, asker.part.bytes, asker.part.size) &&
			(part.header.flags & PART_STALE) != 0,
		"it is still used when no source is left");
	part_buffer_clear(&asker.part);
}

/* Flushed while it is looked up again: a failure does not bring it back. */
static void test_flushed(void)
{
	struct asker asker;

	start(ACT_MISS, ACT_REFUSE);
	put(life(-600, -10));
	ask(&asker);
	part_lookups_flushed(&lookups);
	run();
	ok(asker.done == 1 && holds(&asker.part, MX_FOUND, no_source),
		"another part was flushed: this one is still used");
	part_buffer_clear(&asker.part);

	start(ACT_MISS, ACT_REFUSE);
	put(life(-600, -10));
	ask(&asker);
	cache_flush(lookups.cache, NULL);
	part_lookups_flushed(&lookups);
	run();
	ok(asker.done == 1 && holds(&asker.part, MX_FAILED, no_source),
		"flushed while it was looked up: it is not used any more");
	part_buffer_clear(&asker.part);
}

/* --- a request is given up ----------------------------------------------------------------- */

static void test_give_up(void)
{
	struct asker asker, later;

	start(ACT_WAIT, ACT_FIND);
	ask(&asker);
	part_request_give_up(&lookups, &asker.request);
	ok(holds(&asker.part, MX_FAILED, "the fleet is silent"),
		"the failure names the silent source");
	part_buffer_clear(&asker.part);
	part_lookups_clear(&lookups);
	ok(running == 0 && part_lookups_init(&lookups), "a lookup is stopped at the first source");
	lookups.sources = sources;

	start(ACT_MISS, ACT_WAIT);
	ask(&asker);
	run();
	part_request_give_up(&lookups, &asker.request);
	ok(holds(&asker.part, MX_FAILED, "no answer in time"), "and at the second one");
	ok(asker.done == 0 && lookups.running.count == 1, "the lookup continues without it");
	part_buffer_clear(&asker.part);
	ok(ask(&later) && fleet_asked == 1, "the next request joins it");
	part_lookups_clear(&lookups);
	ok(running == 0 && later.done == 0, "a lookup is stopped at the second source");
}

/* --- a request that does not wait any longer ------------------------------------------------ */

static void test_drop(void)
{
	struct asker asker, other;

	start(ACT_REFUSE, ACT_WAIT);
	ask(&asker);
	ask(&other);
	part_request_drop(&asker.request);
	part_request_drop(&asker.request);
	ok(asker.part.bytes == NULL && lookups.running.count == 1,
		"a request is dropped: no part, and the lookup continues");
	part_request_give_up(&lookups, &other.request);
	ok(holds(&other.part, MX_FAILED, "no answer in time") && asker.done == 0,
		"another one still waited");
	part_buffer_clear(&other.part);
	part_lookups_clear(&lookups);
	part_lookups_init(&lookups);
	lookups.sources = sources;
}

static void test_defer(void)
{
	struct asker asker, later;

	start(ACT_REFUSE, ACT_WAIT);
	ask(&asker);
	part_request_defer(&lookups, &asker.request, 60);
	ok(holds(&asker.part, MX_FAILED, "") && lookups.running.count == 1,
		"a request is deferred: a failed part, and the lookup continues");
	ok(!ask(&later) && holds(&later.part, MX_FAILED, "") && dns_asked == 1,
		"the next request does not wait");
	part_request_defer(&lookups, &later.request, 60);
	ok(holds(&later.part, MX_FAILED, ""), "and cannot be deferred");
	part_buffer_clear(&asker.part);
	part_buffer_clear(&later.part);
	part_lookups_clear(&lookups);
	part_lookups_init(&lookups);
	lookups.sources = sources;
}

/* The part is refreshed, and the refresh takes long: the part is used until it expires. */
static void test_defer_due(void)
{
	struct part_times due = life(-60, 600);
	struct asker asker, later;

	start(ACT_REFUSE, ACT_WAIT);
	due.refresh_at = clock_wall() - 1;
	put(due);
	asker = (struct asker){.request = {.kind = &kind,
				       .subject = {.name = domain, .port = 25},
				       .for_whom = domain,
				       .refresh = true,
				       .done = is_done,
				       .context = &asker,
				       .part = &asker.part}};
	ok(part_request_start(&lookups, &asker.request), "a part that is due is looked up");
	part_request_defer(&lookups, &asker.request, 60);
	ok(holds(&asker.part, MX_FOUND, ""), "deferred, the request gets the old one");
	ok(!ask(&later) && holds(&later.part, MX_FOUND, ""), "which stays in the cache");
	part_buffer_clear(&asker.part);
	part_buffer_clear(&later.part);
	part_lookups_clear(&lookups);
	part_lookups_init(&lookups);
	lookups.sources = sources;
}

/* The clock is set back during the lookup: the old policy keeps its age. */
static void test_set_back(void)
{
	static const char *const lines[PARTS_LINES_MAX][2] = {{"mx", "mx.example.com"}};
	struct part_kind_row sts = part_kind_sts;
	struct part_times due = life(-600, 7200);
	char key[PART_KEY_MAX];
	size_t key_size = part_named_key(key, PART_STS, domain, strlen(domain), 0);
	struct parts_sts policy;
	struct asker asker;
	struct part part;

	start(ACT_REFUSE, ACT_WAIT);
	sts.start = dns_start;
	sts.cancel = dns_cancel;
	due.refresh_at = due.stored_at;
	parts_sts_facts(&policy, STS_ENFORCE, lines);
	uint8_t *bytes = parts_sts(&part, &policy.facts, &due, domain);
	cache_put(lookups.cache, key, key_size, bytes, part.size);
	free(bytes);
	asker = (struct asker){.request = {.kind = &sts,
				       .subject = {.name = domain},
				       .for_whom = domain,
				       .refresh = true,
				       .done = is_done,
				       .context = &asker,
				       .part = &asker.part}};
	ok(part_request_start(&lookups, &asker.request), "a policy that is due is looked up");
	part_lookups_set_back(&lookups, 3600);
	part_request_defer(&lookups, &asker.request, 60);
	ok(asker.part.bytes != NULL &&
			part_intact(asker.part.bytes, asker.part.size, key, key_size) &&
			part_open(&part, PART_STS, asker.part.bytes, asker.part.size) &&
			part.header.stored_at == due.stored_at - 3600 &&
			part.header.expires == due.expires - 3600,
		"set back: so is the old policy");
	part_buffer_clear(&asker.part);
	part_lookups_clear(&lookups);
	part_lookups_init(&lookups);
	lookups.sources = sources;
}

/* A lookup for which no request waits. */
static void test_refresh(void)
{
	static const struct part_wish wish = {.asked = false};
	struct part_subject subject = {.name = domain, .port = 25};
	struct asker asker;

	start(ACT_REFUSE, ACT_FIND);
	put(life(-60, 600));
	part_lookups_refresh(&lookups, &kind, &subject, &wish);
	part_lookups_refresh(&lookups, &kind, &subject, &wish);
	ok(dns_asked == 1 && lookups.running.count == 1, "refreshed twice: one lookup");
	run();
	ok(running == 0 && lookups.running.count == 0, "it ends");
	ok(!ask(&asker) && holds(&asker.part, MX_ABSENT, ""), "and its result is in the cache");
	part_buffer_clear(&asker.part);
}

int main(void)
{
	char setting[SCRATCH_PATH_SIZE + 32], stale[] = "cache.serve_stale=3600";
	char *overrides[] = {setting, stale}, error[CONF_ERROR_SIZE], words[STORE_ERROR_SIZE];

	scratch_begin();
	snprintf(setting, sizeof setting, "cache.path=%s/cache", scratch_directory);
	struct conf *conf = conf_load("/nonexistent", false, overrides, 2, error);
	struct event_base *base = event_base_new();
	struct cache *cache = conf != NULL ? cache_open(conf, words) : NULL;
	if (cache == NULL || !cache_start_writing(cache, base))
		bail_out("no cache");
	kind = part_kind_mx;
	kind.start = dns_start;
	kind.cancel = dns_cancel;
	kind.pending = dns_pending;
	lookups = (struct part_lookups){
		.base = base, .cache = cache, .conf = conf, .counters = &counters};
	if (!part_lookups_init(&lookups))
		bail_out("no random numbers");
	ok(lookups.sources != NULL && lookups.sources[0] == &part_source_dns &&
			lookups.sources[1] == NULL,
		"DNS is the only source of the daemon");
	lookups.sources = sources;
	test_turns();
	test_no_source();
	test_stale();
	test_flushed();
	test_give_up();
	test_drop();
	test_defer();
	test_defer_due();
	test_set_back();
	test_refresh();
	cache_stop_writing(cache);
	cache_close(cache);
	conf_release(conf);
	event_base_free(base);
	libevent_global_shutdown();
	return done_testing();
}
