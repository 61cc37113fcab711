#include "daemon/lookup/probe.h"

#include "common/base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	INTERVAL = 60 * 60,     /* [s] while validation works; RFC 5011 2.3: not more often */
	INTERVAL_TROUBLED = 10, /* [s] while it does not */
	ANSWER_TIMEOUT = 15,    /* [s] for one answer */
	INTERVAL_WATCH = 5,     /* [s] between two checks whether all queries fail */
	/*
	 * Consecutive failures: fewer may be a dead domain or two, and a probe costs three queries.
	 */
	FAILURES_SUSPICIOUS = 5,
};

struct probe {
	struct dns *dns;
	struct root_anchors *root_anchors;
	struct event *next;  /* send the query, or give up waiting for its answer */
	struct event *watch; /* check whether all queries fail */
	struct dns_query *query;
	enum probe_result last;
	struct probe_state *state; /* the last result, for other threads */
	bool worked;               /* validation has worked at least once since the start */
	bool suspicious;           /* the next query must bypass all caches */
	enum dns_view view;        /* of the next query */
};

static void say_clock(const char *detail)
{
	char date[32];
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &utc);
	log_error("DNSSEC validation does not work: the root's signatures have expired or "
		  "are not valid yet; check this machine's clock, which says %s (%s)",
		date, detail);
}

static void say(enum probe_result result, const char *detail)
{
	switch (result) {
	case PROBE_WORKS:
		log_notice("DNSSEC validation works: the root zone is secure");
		return;
	case PROBE_NO_ROUTE:
		log_error("DNSSEC validation does not work: no answer from the root servers or the "
			  "configured resolvers; check that port 53 is open for UDP and TCP (%s)",
			detail);
		return;
	case PROBE_STRIPPED:
		log_error("DNSSEC validation does not work: signatures are stripped on the way; "
			  "set [resolver] forward to a resolver that passes them on (%s)",
			detail);
		return;
	case PROBE_CLOCK:
		say_clock(detail);
		return;
	case PROBE_NO_MATCH:
		log_error("DNSSEC validation does not work: the root's keys do not match the trust "
			  "anchor, or answers are forged; run tlsactl doctor (%s)",
			detail);
		return;
	default:
		log_error("DNSSEC validation does not work: no trust anchor covers the root, so no "
			  "answer is ever secure; check [resolver] trust_anchor");
	}
}

/* If there are only trust anchors of other zones, an insecure root is what was configured. */
static bool is_wanted(const struct probe *probe, enum probe_result result)
{
	return result == PROBE_WORKS ||
	       (result == PROBE_NO_ANCHOR && root_anchor_tracked_file(probe->root_anchors) == NULL);
}

static void settle(struct probe *probe, const struct dns_answer *answer)
{
	enum probe_result result = probe_read(answer);
	bool wanted = is_wanted(probe, result);
	struct timeval next = {.tv_sec = wanted ? INTERVAL : INTERVAL_TROUBLED};

	if (result != probe->last && result == PROBE_NO_ANCHOR && wanted)
		log_warning("DNSSEC validation works only below the trust anchors of other zones: "
			    "no trust anchor covers the root; see [resolver] trust_anchor");
	else if (result != probe->last)
		say(result, answer->detail);
	probe->last = result;
	atomic_store_explicit(&probe->state->result, result, memory_order_relaxed);
	atomic_store_explicit(&probe->state->expected, wanted, memory_order_relaxed);
	probe->worked = probe->worked || wanted;
	/* An answer from a cache would not show that the network works again. */
	probe->suspicious = probe->worked && !wanted;
	/* Without a root key every answer would be insecure, and mail would go out unprotected. */
	dns_distrust(probe->dns,
		result == PROBE_NO_ANCHOR && root_anchor_tracked_file(probe->root_anchors) != NULL);
	if (result == PROBE_WORKS)
		root_anchor_keep(probe->root_anchors);
	evtimer_add(probe->next, &next);
}

static void answered(void *context, const struct dns_answer *answer)
{
	struct probe *probe = context;
	probe->query = NULL;
	settle(probe, answer);
}

/*
 * If libunbound cannot get the root's keys it remembers that for a minute, and every answer is
 * bogus until then. A host whose network or clock is ready late must not wait for that. The cache
 * is kept only if validation has worked and the root is merely unreachable.
 */
static void forget_trouble(struct probe *probe)
{
	/* If there are only trust anchors of other zones, an insecure root is not an error. */
	if (root_anchor_tracked_file(probe->root_anchors) == NULL || probe->last == PROBE_UNKNOWN ||
		probe->last == PROBE_WORKS || (probe->last == PROBE_NO_ROUTE && probe->worked))
		return;
	dns_forget(probe->dns);
}

static void ask_or_give_up(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT};
	struct probe *probe = context;
	struct dns_answer failed = {.outcome = DNS_FAILED};

	(void)fd;
	(void)what;
	if (probe->query != NULL) {
		dns_query_cancel(probe->query);
		probe->query = NULL;
		dns_answer_fail(&failed, DNS_FAILURE_TIMEOUT, DNS_UNKNOWN, "no answer in time");
		settle(probe, &failed);
		return;
	}
	forget_trouble(probe);
	dns_forget_view(probe->dns, DNS_VIEW_FRESH);
	evtimer_add(probe->next, &timeout);
	probe->query = dns_query_start(probe->dns, probe->suspicious ? DNS_VIEW_FRESH : probe->view,
		"", DNS_TYPE_NS, answered, probe);
	/*
	 * Each view follows the root's keys by itself (RFC 5011), so both are probed in turn; the
	 * second one only after the first one works.
	 */
	if (probe->last == PROBE_WORKS)
		probe->view = probe->view == DNS_VIEW_FIRST ? DNS_VIEW_SECOND : DNS_VIEW_FIRST;
}

/* If all queries fail, probe at once: the cause may be the network and not these domains. */
static void watch(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval now = {.tv_sec = 0};
	struct probe *probe = context;
	uint64_t failures = counter_read(&dns_counters(probe->dns)->failures_in_row);

	(void)fd;
	(void)what;
	if (probe->query != NULL || probe->suspicious || !is_wanted(probe, probe->last) ||
		failures < FAILURES_SUSPICIOUS)
		return;
	probe->suspicious = true;
	evtimer_add(probe->next, &now);
}

struct probe *probe_new(struct event_base *base, struct dns *dns, struct root_anchors *root_anchors,
	struct probe_state *state)
{
	static const struct timeval now = {.tv_sec = 0}, interval = {.tv_sec = INTERVAL_WATCH};
	struct probe *probe = calloc(1, sizeof *probe);

	if (probe == NULL)
		return NULL;
	probe->dns = dns;
	probe->root_anchors = root_anchors;
	probe->state = state;
	probe->next = evtimer_new(base, ask_or_give_up, probe);
	probe->watch = event_new(base, -1, EV_PERSIST, watch, probe);
	if (probe->next == NULL || probe->watch == NULL || evtimer_add(probe->next, &now) != 0 ||
		event_add(probe->watch, &interval) != 0) {
		probe_free(probe);
		return NULL;
	}
	return probe;
}

void probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	if (probe->query != NULL)
		dns_query_cancel(probe->query);
	if (probe->next != NULL)
		event_free(probe->next);
	if (probe->watch != NULL)
		event_free(probe->watch);
	free(probe);
}
