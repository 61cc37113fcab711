#include "common/dns/dns.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/dns/dns_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unbound-event.h>
#include <unbound.h>

struct dns_query {
	TAILQ_ENTRY(dns_query) link; /* in dns->waiting, then in dns->finished */
	struct dns *dns;
	dns_callback *callback;
	void *context;
	enum dns_view view;
	struct ub_ctx *asked; /* libunbound's context that has the query, under this number */
	int number;
	bool finished;
	bool cancelled;
	bool for_root; /* dns_distrust() does not apply */
	uint16_t type;
	char name[DNS_NAME_SIZE];
	/* The answer as libunbound returned it; rcode is negative if it was not asked. */
	int rcode;
	enum dns_security security;
	uint8_t *packet;
	size_t packet_size;
	char detail[DNS_DETAIL_SIZE];
};

TAILQ_HEAD(dns_query_list, dns_query);

struct dns {
	struct event_base *base;
	struct dns_settings settings;
	FILE *messages; /* libunbound's log messages, which become lines of our log */
	struct ub_ctx *views[DNS_VIEW_COUNT];
	bool second_view_failed;        /* the second view could not be created */
	bool distrust;                  /* dns_distrust() */
	struct dns_query_list waiting;  /* libunbound has not answered yet */
	struct dns_query_list finished; /* answered, callback not yet called */
	struct event *deliver;          /* calls the callbacks of `finished` */
	struct dns_counters counters;
};

const char *dns_library_version(void)
{
	return ub_version();
}

static void query_free(struct dns_query *query)
{
	free(query->packet);
	free(query);
}

/* Turn the result of libunbound into an answer. */
static void read_answer(const struct dns_query *query, struct dns_answer *answer)
{
	/* With NXDOMAIN, which is not a failure, rcode is 0: it is in the packet. */
	if (query->security == DNS_BOGUS) {
		memset(answer, 0, sizeof *answer);
		dns_answer_fail(answer, DNS_FAILURE_BOGUS, DNS_BOGUS, query->detail);
	} else if (query->rcode != 0 || query->packet == NULL) {
		memset(answer, 0, sizeof *answer);
		dns_answer_fail(answer, query->rcode < 0 ? DNS_FAILURE_LOCAL : DNS_FAILURE_SERVFAIL,
			DNS_UNKNOWN,
			query->detail[0] != '\0' ? query->detail
						 : "no name server gave a usable answer");
	} else {
		dns_answer_parse(answer, query->name, query->type, query->security, query->packet,
			query->packet_size);
		if (query->dns->distrust && !query->for_root && answer->security != DNS_SECURE)
			dns_answer_fail(answer, DNS_FAILURE_LOCAL, DNS_UNKNOWN,
				"no trust anchor covers the root zone any longer");
	}
}

/* A step of a lookup, for `tlsad -v`. */
static void log_answer(const struct dns_query *query, const struct dns_answer *answer)
{
	char detail[DNS_DETAIL_SIZE];

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	if (answer->outcome == DNS_FAILED)
		log_debug("asked %s %s: outcome=failed failure=%s detail=\"%s\"",
			query->name[0] != '\0' ? query->name : ".", dns_type_name(query->type),
			dns_failure_name(answer->failure),
			log_quotable(detail, sizeof detail, answer->detail));
	else
		log_debug("asked %s %s: outcome=%s dnssec=%s ttl=%u",
			query->name[0] != '\0' ? query->name : ".", dns_type_name(query->type),
			dns_outcome_name(answer->outcome), dns_security_name(answer->security),
			answer->ttl);
}

static void deliver_finished(evutil_socket_t fd, short what, void *context)
{
	struct dns *dns = context;
	struct dns_query *query;

	(void)fd;
	(void)what;
	while ((query = TAILQ_FIRST(&dns->finished)) != NULL) {
		struct dns_answer answer;

		TAILQ_REMOVE(&dns->finished, query, link);
		read_answer(query, &answer);
		dns_count_answer(&dns->counters, query->type, &answer);
		log_answer(query, &answer);
		query->callback(query->context, &answer);
		dns_answer_clear(&answer);
		query_free(query);
	}
}

static void finish(struct dns_query *query)
{
	query->finished = true;
	TAILQ_REMOVE(&query->dns->waiting, query, link);
	TAILQ_INSERT_TAIL(&query->dns->finished, query, link);
	event_active(query->dns->deliver, EV_TIMEOUT, 0);
}

/* libunbound's callback. All queries share its buffer, so copy the packet and return. */
static void resolved(void *context, int rcode, void *packet, int packet_size, int security,
	char *why_bogus, int was_ratelimited)
{
	struct dns_query *query = context;

	(void)was_ratelimited;
	if (query->cancelled) {
		TAILQ_REMOVE(&query->dns->waiting, query, link);
		query_free(query);
		return;
	}
	query->rcode = rcode;
	query->security = security == 2 ? DNS_SECURE : security == 1 ? DNS_BOGUS : DNS_INSECURE;
	if (why_bogus != NULL)
		snprintf(query->detail, sizeof query->detail, "%s", why_bogus);
	if (packet != NULL && packet_size > 0) {
		query->packet = malloc((size_t)packet_size);
		if (query->packet != NULL) {
			memcpy(query->packet, packet, (size_t)packet_size);
			query->packet_size = (size_t)packet_size;
		} else {
			query->rcode = -1;
			snprintf(query->detail, sizeof query->detail, "out of memory");
		}
	}
	finish(query);
}

/* Create a view when it is first needed. If that fails, the first view is used instead. */
static struct ub_ctx *get_view(struct dns *dns, enum dns_view view)
{
	char error[256];

	if (dns->views[view] == NULL && (view == DNS_VIEW_FRESH || !dns->second_view_failed)) {
		dns->views[view] =
			dns_view_new(dns->base, &dns->settings, dns->messages, error, sizeof error);
		/* The fresh view is tried again each time. */
		if (dns->views[view] == NULL && view != DNS_VIEW_FRESH) {
			dns->second_view_failed = true;
			log_warning("cannot create the second resolver, so records are not "
				    "refreshed before they expire until tlsad restarts: %s",
				error);
		}
	}
	return dns->views[view] != NULL ? dns->views[view] : dns->views[DNS_VIEW_FIRST];
}

static void ask(struct dns_query *query)
{
	char absolute[DNS_NAME_SIZE + 1];

	snprintf(absolute, sizeof absolute, "%s.", query->name);
	query->asked = get_view(query->dns, query->view);
	int code = ub_resolve_event(
		query->asked, absolute, query->type, 1, query, resolved, &query->number);
	if (code != 0) {
		snprintf(query->detail, sizeof query->detail, "libunbound: %s", ub_strerror(code));
		query->rcode = -1;
		finish(query);
	}
}

struct dns_query *dns_query_start(struct dns *dns, enum dns_view view, const char *name,
	uint16_t type, dns_callback *callback, void *context)
{
	struct dns_query *query = calloc(1, sizeof *query);
	if (query == NULL)
		return NULL;
	query->dns = dns;
	query->view = view;
	query->type = type;
	query->callback = callback;
	query->context = context;
	query->security = DNS_UNKNOWN;
	snprintf(query->name, sizeof query->name, "%s", name);
	query->for_root = name[0] == '\0';
	TAILQ_INSERT_TAIL(&dns->waiting, query, link);
	ask(query);
	return query;
}

void dns_query_cancel(struct dns_query *query)
{
	dns_count_timeout(&query->dns->counters, query->type);
	if (query->finished) {
		TAILQ_REMOVE(&query->dns->finished, query, link);
		query_free(query);
		return;
	}
	/*
	 * After ub_cancel() no callback would follow to free the query in. So libunbound
	 * continues, which also fills its cache, and its callback sees the flag.
	 */
	query->cancelled = true;
}

struct dns *dns_new(struct event_base *base, const struct dns_settings *settings, char *error,
	size_t error_size)
{
	struct dns *dns = calloc(1, sizeof *dns);
	if (dns == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	dns->base = base;
	dns->settings = *settings;
	TAILQ_INIT(&dns->waiting);
	TAILQ_INIT(&dns->finished);
	dns->messages = dns_view_open_messages();
	dns->deliver = event_new(base, -1, 0, deliver_finished, dns);
	if (dns->deliver == NULL || dns->messages == NULL) {
		snprintf(error, error_size, "out of memory");
	} else {
		dns->views[DNS_VIEW_FIRST] =
			dns_view_new(dns->base, &dns->settings, dns->messages, error, error_size);
		if (dns->views[DNS_VIEW_FIRST] != NULL)
			return dns;
	}
	dns_free(dns);
	return NULL;
}

void dns_distrust(struct dns *dns, bool distrust)
{
	dns->distrust = distrust;
}

/*
 * Use `fresh` in place of a view, or NULL to create one when it is needed. Queries that are waiting
 * are asked again there: deleting the view would let them fail.
 */
static void replace_view(struct dns *dns, enum dns_view view, struct ub_ctx *fresh)
{
	struct ub_ctx *old = dns->views[view];
	struct dns_query_list again = TAILQ_HEAD_INITIALIZER(again);
	struct dns_query *query, *next;

	dns->views[view] = fresh;
	for (query = TAILQ_FIRST(&dns->waiting); query != NULL; query = next) {
		next = TAILQ_NEXT(query, link);
		if (query->asked != old)
			continue;
		/* No callback follows. */
		ub_cancel(old, query->number);
		TAILQ_REMOVE(&dns->waiting, query, link);
		if (query->cancelled)
			query_free(query);
		else
			TAILQ_INSERT_TAIL(&again, query, link);
	}
	ub_ctx_delete(old);
	while ((query = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, query, link);
		TAILQ_INSERT_TAIL(&dns->waiting, query, link);
		ask(query);
	}
}

void dns_forget(struct dns *dns)
{
	for (int view = 0; view < DNS_VIEW_COUNT; view++) {
		struct ub_ctx *fresh = NULL;
		char error[256];

		if (dns->views[view] == NULL)
			continue;
		if (view == DNS_VIEW_FIRST) {
			fresh = dns_view_new(
				dns->base, &dns->settings, dns->messages, error, sizeof error);
			if (fresh == NULL) {
				log_error("cannot empty the resolver's cache, restart tlsad: %s",
					error);
				return;
			}
		}
		replace_view(dns, view, fresh);
	}
}

void dns_limit_ttl(struct dns *dns, uint32_t max_ttl)
{
	if (dns->settings.max_ttl == max_ttl)
		return;
	/* libunbound accepts no option after its first query, so new views are needed. */
	dns->settings.max_ttl = max_ttl;
	dns_forget(dns);
}

void dns_forget_view(struct dns *dns, enum dns_view view)
{
	if (dns->views[view] != NULL)
		replace_view(dns, view, NULL);
}

const struct dns_counters *dns_counters(const struct dns *dns)
{
	return &dns->counters;
}

static void free_queries(struct dns_query_list *list)
{
	struct dns_query *query;

	while ((query = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, query, link);
		query_free(query);
	}
}

void dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	for (int view = 0; view < DNS_VIEW_COUNT; view++) {
		if (dns->views[view] != NULL)
			ub_ctx_delete(dns->views[view]);
	}
	/* From here on libunbound calls no callback. */
	free_queries(&dns->waiting);
	free_queries(&dns->finished);
	if (dns->messages != NULL)
		fclose(dns->messages);
	if (dns->deliver != NULL)
		event_free(dns->deliver);
	free(dns);
}
