/*
 * resolve - the limit for destinations that are not in the cache: only libunbound
 *
 *	resolve [--cpu N] [--in-flight K] [--sts] [--time SECONDS] [--option NAME:VALUE]...
 *		[--json] ANCHORS DOMAINS STUB...
 *
 * Looks up, for each domain of the file DOMAINS (one per line), its MX set, then A and AAAA of its
 * most preferred host, then TLSA of _25._tcp of that host: the four queries that tlsad needs too. K
 * domains (64) are looked up at once. Everything is validated from the trust anchors in the file
 * ANCHORS. A STUB is "ZONE ADDR@PORT", as in tlsad.conf. The options are libunbound's;
 *t/bench/bench passes those of common/dns/dns_view.c, because other options could not be compared.
 *
 * With --sts the domains are not signed and have an MTA-STS policy, for which tlsad needs six
 * queries: MX, then A and AAAA of the host and TXT of _mta-sts.DOMAIN, then A and AAAA of
 * mta-sts.DOMAIN.
 *
 * Prints domains per second, processor time per domain, and how many ended with four secure
 * answers, or with --sts six good ones. The root's key is fetched before the clock starts, as tlsad
 *does at its start. Exit status 0 if all are, otherwise 1; 64 for wrong usage. Stops after --time
 *(default 300 s).
 */
#define _DEFAULT_SOURCE /* ns_initparse */
#include "measure.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unbound-event.h>
#include <unbound.h>

enum { TYPE_SOA = 6, TYPE_TLSA = 52 }; /* of RFC 1035 and RFC 6698 */

struct domain {
	unsigned open;   /* queries without an answer */
	unsigned secure; /* answers that were validated; with --sts, that are good */
	char name[NS_MAXDNAME + 2], host[NS_MAXDNAME];
};

static struct {
	struct ub_ctx *resolver;
	struct event_base *base;
	struct event *refill;
	FILE *names;
	struct domain *domains; /* as many as are looked up at once */
	struct domain **idle;
	size_t idle_count, size;
	bool at_end, sts;
	unsigned long done, secure;
} run;

static void ask(struct domain *domain, const char *name, int type, ub_event_callback_type callback)
{
	domain->open++;
	int code = ub_resolve_event(run.resolver, name, type, ns_c_in, domain, callback, NULL);
	if (code != 0) {
		fprintf(stderr, "resolve: %s: %s\n", name, ub_strerror(code));
		exit(1);
	}
}

static void finish(struct domain *domain)
{
	run.done++;
	run.secure += domain->secure == (run.sts ? 6 : 4);
	run.idle[run.idle_count++] = domain;
	/* Not here: libunbound calls back inside the query if the answer is in its cache. */
	event_active(run.refill, EV_TIMEOUT, 0);
}

static bool count_answer(struct domain *domain, int rcode, int security)
{
	bool good = rcode == ns_r_noerror && (run.sts || security == 2);
	domain->open--;
	domain->secure += good;
	return good;
}

static void on_tlsa(void *context, int rcode, void *packet, int size, int security, char *why_bogus,
	int was_ratelimited)
{
	struct domain *domain = context;
	ns_msg message;

	(void)why_bogus;
	(void)was_ratelimited;
	if (count_answer(domain, rcode, security) &&
		(ns_initparse(packet, size, &message) != 0 || ns_msg_count(message, ns_s_an) == 0))
		domain->secure--;
	finish(domain);
}

static void on_address(void *context, int rcode, void *packet, int size, int security,
	char *why_bogus, int was_ratelimited)
{
	struct domain *domain = context;
	char name[NS_MAXDNAME + 16];

	(void)packet;
	(void)size;
	(void)why_bogus;
	(void)was_ratelimited;
	count_answer(domain, rcode, security);
	if (domain->open > 0)
		return;
	if (run.sts || domain->secure < 2) {
		finish(domain);
		return;
	}
	snprintf(name, sizeof name, "_25._tcp.%s", domain->host);
	ask(domain, name, TYPE_TLSA, on_tlsa);
}

static void on_record(void *context, int rcode, void *packet, int size, int security,
	char *why_bogus, int was_ratelimited)
{
	struct domain *domain = context;
	char name[NS_MAXDNAME + 16];

	(void)packet;
	(void)size;
	(void)why_bogus;
	(void)was_ratelimited;
	count_answer(domain, rcode, security);
	snprintf(name, sizeof name, "mta-sts.%s", domain->name);
	domain->open++;
	ask(domain, name, ns_t_a, on_address);
	domain->open--;
	ask(domain, name, ns_t_aaaa, on_address);
}

/* The host with the lowest preference in the answer to an MX query. */
static bool read_host(struct domain *domain, const unsigned char *packet, int size)
{
	ns_msg message;
	ns_rr record;
	unsigned best = UINT16_MAX + 1;

	if (ns_initparse(packet, size, &message) != 0)
		return false;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &record) != 0)
			return false;
		if (ns_rr_type(record) != ns_t_mx || ns_rr_rdlen(record) < 3 ||
			ns_get16(ns_rr_rdata(record)) >= best)
			continue;
		best = ns_get16(ns_rr_rdata(record));
		if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message),
			    ns_rr_rdata(record) + 2, domain->host, sizeof domain->host) < 0)
			return false;
	}
	return best <= UINT16_MAX;
}

static void on_mx(void *context, int rcode, void *packet, int size, int security, char *why_bogus,
	int was_ratelimited)
{
	struct domain *domain = context;
	char name[NS_MAXDNAME + 16];

	(void)why_bogus;
	(void)was_ratelimited;
	if (!count_answer(domain, rcode, security) || !read_host(domain, packet, size)) {
		finish(domain);
		return;
	}
	/* A host whose answer comes at once must not look like the last one. */
	domain->open++;
	ask(domain, domain->host, ns_t_a, on_address);
	if (run.sts) {
		snprintf(name, sizeof name, "_mta-sts.%s", domain->name);
		ask(domain, name, ns_t_txt, on_record);
	}
	domain->open--;
	ask(domain, domain->host, ns_t_aaaa, on_address);
}

static void on_refill(evutil_socket_t fd, short what, void *context)
{
	char line[NS_MAXDNAME + 2];

	(void)fd;
	(void)what;
	(void)context;
	while (run.idle_count > 0 && !run.at_end) {
		if (fgets(line, sizeof line, run.names) == NULL) {
			run.at_end = true;
			break;
		}
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0')
			continue;
		struct domain *domain = run.idle[--run.idle_count];
		domain->secure = 0;
		domain->open = 0;
		snprintf(domain->name, sizeof domain->name, "%s", line);
		ask(domain, line, ns_t_mx, on_mx);
	}
	if (run.at_end && run.idle_count == run.size)
		event_base_loopbreak(run.base);
}

static void on_root(void *context, int rcode, void *packet, int size, int security, char *why_bogus,
	int was_ratelimited)
{
	(void)context;
	(void)packet;
	(void)size;
	(void)was_ratelimited;
	if (rcode != ns_r_noerror || security != 2) {
		fprintf(stderr, "resolve: the root does not validate: rcode %d %s\n", rcode,
			why_bogus != NULL ? why_bogus : "");
		exit(1);
	}
	event_base_loopbreak(run.base);
}

static bool create(void)
{
	run.base = event_base_new();
	run.resolver = run.base != NULL ? ub_ctx_create_event(run.base) : NULL;
	if (run.resolver == NULL)
		fputs("resolve: libunbound cannot use this version of libevent\n", stderr);
	return run.resolver != NULL;
}

/* `NAME:VALUE`; for libunbound the colon is part of the name. */
static void set_option(char *option)
{
	char name[64];
	size_t length = strcspn(option, ":");

	if (option[length] == ':' && length + 2 <= sizeof name) {
		snprintf(name, sizeof name, "%.*s:", (int)length, option);
		if (ub_ctx_set_option(run.resolver, name, option + length + 1) == 0)
			return;
	}
	fprintf(stderr, "resolve: libunbound does not accept --option \"%s\"\n", option);
	exit(64);
}

static int add_stub(const char *stub)
{
	char zone[NS_MAXDNAME + 1];
	const char *blank = strchr(stub, ' ');

	if (blank == NULL)
		return UB_SYNTAX;
	snprintf(zone, sizeof zone, "%.*s", (int)(blank - stub), stub);
	return ub_ctx_set_stub(run.resolver, zone, blank + 1, 0);
}

static bool prepare(const char *anchors, char **stubs)
{
	int code = 0;

	if (code == 0)
		code = ub_ctx_set_option(run.resolver, "do-not-query-localhost:", "no");
	if (code == 0)
		code = ub_ctx_add_ta_file(run.resolver, anchors);
	for (; *stubs != NULL && code == 0; stubs++)
		code = add_stub(*stubs);
	if (code == 0)
		code = ub_resolve_event(run.resolver, ".", TYPE_SOA, ns_c_in, NULL, on_root, NULL);
	if (code != 0)
		fprintf(stderr, "resolve: %s\n", ub_strerror(code));
	return code == 0;
}

static double processor_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int measure(bool json)
{
	uint64_t start = measure_clock();
	double processor = processor_seconds();

	event_active(run.refill, EV_TIMEOUT, 0);
	event_base_dispatch(run.base);
	processor = processor_seconds() - processor;
	double seconds = (double)(measure_clock() - start) / 1e9;
	double each = run.done > 0 ? processor / (double)run.done : 0;
	printf(json ? "{\"domains\":%lu,\"seconds\":%.6f,\"rate\":%.1f,\"processor_us\":%.1f,"
		      "\"secure\":%lu}\n"
		    : "%lu domains in %.2f s, %.0f/s; %.1f us of processor time each; secure %lu\n",
		run.done, seconds, (double)run.done / seconds, each * 1e6, run.secure);
	return run.done > 0 && run.secure == run.done && run.at_end ? 0 : 1;
}

static const struct option long_options[] = {
	{"cpu", required_argument, NULL, 'c'},
	{"in-flight", required_argument, NULL, 'k'},
	{"sts", no_argument, NULL, 's'},
	{"time", required_argument, NULL, 't'},
	{"option", required_argument, NULL, 'o'},
	{"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	struct timeval limit = {.tv_sec = 300};
	bool json = false;
	int letter;

	run.size = 64;
	if (!create())
		return 1;
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			measure_pin(
				"resolve", (int)measure_number("resolve", "cpu", optarg, 0, 1023));
			break;
		case 'k':
			run.size = measure_number("resolve", "in-flight", optarg, 1, 10000);
			break;
		case 's':
			run.sts = true;
			break;
		case 't':
			limit.tv_sec = (time_t)measure_number("resolve", "time", optarg, 1, 86400);
			break;
		case 'o':
			set_option(optarg);
			break;
		case 'j':
			json = true;
			break;
		default:
			argc = 0;
		}
	}
	if (argc < optind + 3) {
		fputs("usage: resolve [--cpu N] [--in-flight K] [--sts] [--time SECONDS] "
		      "[--option NAME:VALUE]... [--json] ANCHORS "
		      "DOMAINS \"ZONE ADDR@PORT\"...\n",
			stderr);
		return 64;
	}
	run.names = fopen(argv[optind + 1], "r");
	run.domains = calloc(run.size, sizeof run.domains[0]);
	run.idle = calloc(run.size, sizeof run.idle[0]);
	if (run.names == NULL || run.domains == NULL || run.idle == NULL) {
		fprintf(stderr, "resolve: %s: %s\n", argv[optind + 1], strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < run.size; i++)
		run.idle[run.idle_count++] = &run.domains[i];
	if (!prepare(argv[optind], argv + optind + 2))
		return 1;
	run.refill = event_new(run.base, -1, 0, on_refill, NULL);
	if (run.refill == NULL)
		return 1;
	event_base_loopexit(run.base, &limit);
	event_base_dispatch(run.base); /* until on_root() */
	return measure(json);
}
