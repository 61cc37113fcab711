#include "daemon/lookup/lookup.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/dns/resolver.h"
#include "daemon/lookup/destination_lookup.h"
#include "daemon/lookup/sts_keeper.h"
#include "daemon/loop/heartbeat.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SWEEP_INTERVAL = 60,      /* [s] between two deletions of expired entries */
	SWEEP_AGAIN = 1,          /* [s] the same, if one deletion was not enough */
	FILES_INTERVAL = 60 * 60, /* [s] between two deletions of unused files of trust anchors */
};

struct lookup {
	struct event_base *base;
	struct heartbeat *heartbeat;
	struct mailbox mailbox;
	struct conf *conf;
	struct cache *cache;
	struct resolver resolver;
	struct probe *probe;
	struct ta_files *ta_files;   /* NULL: none */
	struct ta_lookups *tas;      /* NULL: no files of trust anchors are made */
	struct sts_trust *sts_trust; /* the owner's; NULL: none */
	struct sts_fetches *sts_fetches;
	struct sts_keeper *sts_keeper;
	struct event *sweep;
	uint32_t files_at; /* [s], clock_steady(): the next deletion of unused files */
	struct destination_lookups destinations;
	struct lookup_counters counters;
	struct conf *start_conf; /* at the start: the resolver's settings point into it */
	pthread_t thread;
	bool running;
};

static void set_sts(struct lookup *lookup)
{
	const struct conf *conf = lookup->conf;
	struct sts_fetch_settings settings = {
		.port = (uint16_t)conf->sts.port,
		.private_addresses = conf->sts.private_addresses,
		.trust = lookup->sts_trust,
	};

	sts_fetches_set(lookup->sts_fetches, &settings);
}

/* At the start, start.c says so. */
static void note_enabled(const struct lookup *lookup, const struct conf *conf)
{
	if (conf->sts.enable && !lookup->conf->sts.enable && lookup->sts_trust == NULL)
		log_warning("no MTA-STS policy can be downloaded: [sts] ca_file = %s could not be "
			    "read at the start; restart tlsad",
			conf->sts.ca_file);
}

static void notice_clock(struct lookup *lookup)
{
	uint32_t seconds;

	cache_notice_clock(lookup->cache);
	if (!cache_correct_clock(lookup->cache, &seconds))
		return;
	part_lookups_set_back(&lookup->destinations.parts, seconds);
	log_warning("the clock was set back by %u seconds: entries that had expired were deleted "
		    "from the cache",
		seconds);
	/*
	 * libunbound keeps expiry times of the wall clock, without the time of storing: entries
	 * that had expired look like others there.
	 */
	dns_forget(lookup->resolver.dns);
}

static void flush(struct lookup *lookup, const struct flush_request *request)
{
	struct flush_result *result = calloc(1, sizeof *result);
	size_t count = cache_flush(lookup->cache, request->all ? NULL : &request->destination);

	part_lookups_flushed(&lookup->destinations.parts);
	/* Otherwise the next lookup would find the same answers in libunbound's cache. */
	dns_forget(lookup->resolver.dns);
	if (result == NULL)
		return;
	result->message.kind = MESSAGE_FLUSHED;
	result->waiter = request->waiter;
	result->count = count;
	mailbox_post(request->result_to, &result->message);
}

static void take_message(void *context, struct message *message)
{
	struct lookup *lookup = context;

	switch (message->kind) {
	case MESSAGE_LOOKUP:
		notice_clock(lookup);
		destination_lookup_request(&lookup->destinations, (struct lookup_request *)message);
		return;
	case MESSAGE_CONF:
		note_enabled(lookup, ((struct conf_message *)message)->conf);
		conf_release(lookup->conf);
		lookup->conf = ((struct conf_message *)message)->conf;
		destination_lookups_set_conf(&lookup->destinations, lookup->conf);
		set_sts(lookup);
		resolver_limit_ttl(&lookup->resolver, lookup->conf->cache.max_ttl);
		break;
	case MESSAGE_FLUSH:
		flush(lookup, (const struct flush_request *)message);
		break;
	case MESSAGE_STOP:
		event_base_loopbreak(lookup->base);
		break;
	default:
		break;
	}
	free(message);
}

/* --- the thread ---------------------------------------------------------------------------- */

static void forget_deferrals(struct lookup *lookup)
{
	uint32_t now = clock_steady();
	/*
	 * For failure_ttl seconds, requests get a TEMP reply from the cache and are not seen here.
	 */
	uint32_t memory = DEFERRAL_MEMORY + lookup->conf->cache.failure_ttl;

	destination_lookups_forget_deferrals(
		&lookup->destinations, now > memory ? now - memory : 0);
}

static void sweep(evutil_socket_t fd, short what, void *context)
{
	struct lookup *lookup = context;

	const struct conf *conf = lookup->conf;
	struct timeval next = {.tv_sec = SWEEP_INTERVAL};

	(void)fd;
	(void)what;
	notice_clock(lookup);
	if (cache_sweep(lookup->cache, clock_wall(), conf->cache.serve_stale, conf->cache.max_ttl))
		next.tv_sec = SWEEP_AGAIN;
	if (lookup->tas != NULL && clock_steady() >= lookup->files_at) {
		lookup->files_at = clock_steady() + FILES_INTERVAL;
		ta_lookups_sweep(lookup->tas, conf);
	}
	forget_deferrals(lookup);
	evtimer_add(lookup->sweep, &next);
}

static void *run(void *context)
{
	struct lookup *lookup = context;

	pthread_setname_np(pthread_self(), "tlsad-lookups");
	if (event_base_dispatch(lookup->base) < 0)
		log_error("the event loop of the lookup thread failed; restart tlsad");
	/* A transaction of LMDB must end in the thread that began it. */
	cache_stop_writing(lookup->cache);
	return NULL;
}

static bool prepare(struct lookup *lookup, char *error, size_t error_size)
{
	static const struct timeval interval = {.tv_sec = SWEEP_INTERVAL};
	struct resolver_settings resolver = conf_resolver_settings(lookup->conf);

	snprintf(error, error_size, "out of memory");
	lookup->base = event_base_new();
	if (lookup->base == NULL ||
		!mailbox_init(&lookup->mailbox, lookup->base, take_message, lookup))
		return false;
	if (!resolver_open(&lookup->resolver, lookup->base, &resolver, error, error_size))
		return false;
	if (lookup->ta_files != NULL) {
		lookup->tas = ta_lookups_new(
			lookup->base, lookup->cache, lookup->ta_files, error, error_size);
		if (lookup->tas == NULL)
			return false;
	}
	lookup->sts_fetches = sts_fetches_new(lookup->base, lookup->resolver.dns);
	if (lookup->sts_fetches == NULL)
		return false;
	set_sts(lookup);
	lookup->destinations = (struct destination_lookups){
		.parts =
			{
				.base = lookup->base,
				.dns = lookup->resolver.dns,
				.cache = lookup->cache,
				.conf = lookup->conf,
				.counters = &lookup->counters,
				.sts_fetches = lookup->sts_fetches,
			},
		.tas = lookup->tas,
	};
	snprintf(error, error_size, "out of memory");
	if (!destination_lookups_init(&lookup->destinations))
		return false;
	lookup->probe = probe_new(lookup->base, lookup->resolver.dns, lookup->resolver.root_anchors,
		&lookup->counters.resolver);
	lookup->sweep = evtimer_new(lookup->base, sweep, lookup);
	lookup->heartbeat = heartbeat_new(lookup->base);
	lookup->sts_keeper = sts_keeper_new(&lookup->destinations.parts);
	return lookup->sts_keeper != NULL && lookup->probe != NULL && lookup->sweep != NULL &&
	       lookup->heartbeat != NULL && event_add(lookup->sweep, &interval) == 0;
}

struct lookup *lookup_start(struct conf *conf, struct cache *cache, struct ta_files *ta_files,
	struct sts_trust *sts_trust, char *error, size_t error_size)
{
	struct lookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	lookup->mailbox.wake = -1;
	lookup->conf = conf_hold(conf);
	lookup->start_conf = conf_hold(conf);
	lookup->cache = cache;
	lookup->ta_files = ta_files;
	lookup->sts_trust = sts_trust;
	if (prepare(lookup, error, error_size) && cache_start_writing(cache, lookup->base)) {
		if (pthread_create(&lookup->thread, NULL, run, lookup) == 0) {
			lookup->running = true;
			return lookup;
		}
		cache_stop_writing(cache);
		snprintf(error, error_size,
			"cannot start the lookup thread; raise TasksMax= "
			"(systemd.resource-control(5)) or ulimit -u");
	}
	lookup_stop(lookup);
	return NULL;
}

struct mailbox *lookup_mailbox(struct lookup *lookup)
{
	return &lookup->mailbox;
}

bool lookup_ask(struct lookup *lookup, const struct destination *destination,
	struct lookup_needs needs, bool mail, struct mailbox *result_to, void *waiter)
{
	struct lookup_request *request = calloc(1, sizeof *request);

	if (request == NULL)
		return false;
	request->message.kind = MESSAGE_LOOKUP;
	request->destination = *destination;
	request->needs = needs;
	request->mail = mail;
	request->result_to = result_to;
	request->waiter = waiter;
	mailbox_post(&lookup->mailbox, &request->message);
	return true;
}

const struct lookup_counters *lookup_counters(const struct lookup *lookup)
{
	return &lookup->counters;
}

const struct dns_counters *lookup_dns_counters(const struct lookup *lookup)
{
	return dns_counters(lookup->resolver.dns);
}

uint32_t lookup_deferred_seconds(const struct lookup *lookup)
{
	uint32_t since = (uint32_t)counter_read(&lookup->counters.deferred_since);
	uint32_t now = clock_steady();

	return now > since ? now - since : 0;
}

uint32_t lookup_heartbeat_age(const struct lookup *lookup)
{
	return heartbeat_age(lookup->heartbeat);
}

void lookup_stop(struct lookup *lookup)
{
	if (lookup->running) {
		/* Out of memory: leave the thread running, the process exits soon. */
		if (!mailbox_post_kind(&lookup->mailbox, MESSAGE_STOP))
			return;
		pthread_join(lookup->thread, NULL);
		root_anchor_keep(lookup->resolver.root_anchors);
	}
	sts_keeper_free(lookup->sts_keeper);
	destination_lookups_clear(&lookup->destinations);
	sts_fetches_free(lookup->sts_fetches);
	ta_lookups_free(lookup->tas);
	probe_free(lookup->probe);
	resolver_close(&lookup->resolver);
	if (lookup->sweep != NULL)
		event_free(lookup->sweep);
	heartbeat_free(lookup->heartbeat);
	if (lookup->mailbox.wake >= 0)
		mailbox_clear(&lookup->mailbox);
	if (lookup->base != NULL)
		event_base_free(lookup->base);
	conf_release(lookup->conf);
	conf_release(lookup->start_conf);
	free(lookup);
}
