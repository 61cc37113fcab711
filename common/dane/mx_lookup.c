#include "common/dane/mx_lookup.h"

#include "common/dane/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dane_mx_lookup {
	dane_mx_callback *callback;
	void *context;
	struct dns_query *query;
	struct event *deadline;
	char domain[DNS_NAME_SIZE];
};

static int compare_hosts(const void *one, const void *other)
{
	const struct mx_host *a = one, *b = other;
	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Ignores names that Postfix would refuse. drop_duplicates() keeps the best preference of each. */
static void add_host(struct mx_set *set, uint16_t preference, const char *name)
{
	if (!destination_name_valid(name, strlen(name)))
		return;
	struct mx_host *host = &set->hosts[set->host_count++];
	host->preference = preference;
	/* A valid name fits. */
	snprintf(host->name, sizeof host->name, "%.*s", DNS_NAME_MAX, name);
}

static int compare_names(const void *one, const void *other)
{
	const struct mx_host *a = one, *b = other;
	int order = strcmp(a->name, b->name);
	return order != 0 ? order : compare_hosts(one, other);
}

static void drop_duplicates(struct mx_set *set)
{
	size_t kept = 0;

	qsort(set->hosts, set->host_count, sizeof *set->hosts, compare_names);
	for (size_t i = 0; i < set->host_count; i++) {
		if (kept == 0 || strcmp(set->hosts[kept - 1].name, set->hosts[i].name) != 0)
			set->hosts[kept++] = set->hosts[i];
	}
	set->host_count = kept;
	qsort(set->hosts, set->host_count, sizeof *set->hosts, compare_hosts);
}

static bool read_hosts(const struct dns_answer *answer, struct mx_set *set)
{
	set->hosts = calloc(answer->record_count, sizeof *set->hosts);
	if (set->hosts == NULL)
		return false;
	for (size_t i = 0; i < answer->record_count; i++) {
		char name[DNS_NAME_SIZE];
		uint16_t preference;

		if (!dns_answer_mx(answer, &answer->records[i], &preference, name))
			continue;
		/* RFC 7505 3: a null MX is the only record of its domain. */
		if (name[0] == '\0' && preference == 0 && answer->record_count == 1) {
			set->status = MX_NULL;
			return true;
		}
		add_host(set, preference, name);
	}
	drop_duplicates(set);
	return true;
}

static void fail(struct mx_set *set, const char *domain, const struct dns_answer *answer)
{
	set->status = MX_FAILED;
	set->security = answer->security;
	set->failure.failure = answer->failure;
	set->failure.type = DNS_TYPE_MX;
	snprintf(set->failure.name, sizeof set->failure.name, "%s", domain);
	snprintf(set->failure.detail, sizeof set->failure.detail, "%s", answer->detail);
}

/* With only some of the hosts, the result would be a guess. */
static void refuse_oversized(struct mx_set *set, const char *domain)
{
	struct dns_answer failed = {.outcome = DNS_FAILED};
	char detail[64];

	snprintf(detail, sizeof detail, "more than %d MX hosts", PART_HOSTS_MAX);
	dns_answer_fail(&failed, DNS_FAILURE_MALFORMED, set->security, detail);
	set->host_count = 0;
	fail(set, domain, &failed);
}

bool dane_read_mx(const struct dns_answer *answer, const char *domain, struct mx_set *set)
{
	memset(set, 0, sizeof *set);
	set->security = answer->security;
	set->ttl = answer->ttl;
	set->signature_expires = answer->signature_expires;
	switch (answer->outcome) {
	case DNS_FOUND:
		set->status = MX_FOUND;
		if (!read_hosts(answer, set))
			return false;
		if (set->host_count > PART_HOSTS_MAX)
			refuse_oversized(set, domain);
		return true;
	case DNS_NODATA:
		set->status = MX_ABSENT;
		return true;
	case DNS_NXDOMAIN:
		set->status = MX_NXDOMAIN;
		return true;
	default:
		fail(set, domain, answer);
		return true;
	}
}

static void conclude(struct dane_mx_lookup *lookup, const struct dns_answer *answer)
{
	struct mx_set set;

	if (!dane_read_mx(answer, lookup->domain, &set)) {
		struct dns_answer failed = {.outcome = DNS_FAILED};
		dns_answer_fail(&failed, DNS_FAILURE_LOCAL, DNS_UNKNOWN, "out of memory");
		memset(&set, 0, sizeof set);
		fail(&set, lookup->domain, &failed);
	}
	event_del(lookup->deadline);
	/* The owner frees the lookup in this call. */
	lookup->callback(lookup->context, &set);
	free(set.hosts);
}

static void answered(void *context, const struct dns_answer *answer)
{
	struct dane_mx_lookup *lookup = context;

	lookup->query = NULL;
	conclude(lookup, answer);
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct dane_mx_lookup *lookup = context;
	struct dns_answer failed = {.outcome = DNS_FAILED};

	(void)fd;
	(void)what;
	dns_answer_fail(&failed, DNS_FAILURE_TIMEOUT, DNS_UNKNOWN, "no answer in time");
	conclude(lookup, &failed);
}

struct dane_mx_lookup *dane_mx_lookup_new(const struct lookup_settings *settings,
	const char *domain, dane_mx_callback *callback, void *context)
{
	struct timeval timeout = {.tv_sec = settings->timeout};
	struct dane_mx_lookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL)
		return NULL;
	lookup->callback = callback;
	lookup->context = context;
	snprintf(lookup->domain, sizeof lookup->domain, "%s", domain);
	lookup->deadline = evtimer_new(settings->base, time_is_over, lookup);
	if (lookup->deadline != NULL && evtimer_add(lookup->deadline, &timeout) == 0)
		lookup->query = dns_query_start(
			settings->dns, settings->view, domain, DNS_TYPE_MX, answered, lookup);
	if (lookup->query == NULL) {
		dane_mx_lookup_free(lookup);
		return NULL;
	}
	return lookup;
}

void dane_mx_lookup_free(struct dane_mx_lookup *lookup)
{
	if (lookup == NULL)
		return;
	if (lookup->query != NULL)
		dns_query_cancel(lookup->query);
	if (lookup->deadline != NULL)
		event_free(lookup->deadline);
	free(lookup);
}

void dane_mx_lookup_pending(const struct dane_mx_lookup *lookup, struct part_failure *failure)
{
	memset(failure, 0, sizeof *failure);
	failure->failure = DNS_FAILURE_TIMEOUT;
	failure->type = DNS_TYPE_MX;
	snprintf(failure->name, sizeof failure->name, "%s", lookup->domain);
	snprintf(failure->detail, sizeof failure->detail, "no answer in time");
}
