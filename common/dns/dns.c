#include "common/dns/dns.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unbound-event.h>
#include <unbound.h>

enum { MESSAGES_A_SECOND = 5 };

struct dns_query {
	TAILQ_ENTRY(dns_query) link; /* in dns->waiting, then in dns->finished */
	struct dns *dns;
	dns_callback *callback;
	void *context;
	enum dns_view view;
	bool finished;
	bool cancelled;
	bool probing; /* for the root itself */
	uint16_t type;
	char name[DNS_NAME_SIZE];
	/* as libunbound gave it */
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
	FILE *messages; /* where libunbound writes what it has to say: our log */
	struct ub_ctx *views[DNS_VIEW_COUNT];
	bool crippled;                  /* a second view could not be made */
	bool distrust;                  /* dns_distrust() */
	struct dns_query_list waiting;  /* for libunbound */
	struct dns_query_list finished; /* for their callbacks */
	struct event *deliver;          /* runs the callbacks of `finished` */
	struct dns_counters counters;
};

/*
 * libunbound's stock settings are made for a resolver that many stub resolvers share. Here a
 * destination has seconds, and one with dead name servers must cost little.
 */
static const struct {
	const char *name;
	const char *value;
} fixed_options[] = {
	/* The validator is what this program is for, whatever the build's default. */
	{"module-config:", "validator iterator"},
	/*
	 * A zone whose servers are silent is given up after 5 seconds, not minutes (measured),
	 * while one that is merely slow or loses packets is not taken for dead at once, as it is at
	 * 1000.
	 */
	{"infra-cache-max-rtt:", "2000"},
	{"infra-keep-probing:", "yes"},
	/* And tried again soon: a failure must not outlive [cache] failure_ttl by much. */
	{"infra-host-ttl:", "15"},
	{"val-bogus-ttl:", "15"},
	/* What waits for dead servers must leave room for what is answered. */
	{"num-queries-per-thread:", "4096"},
	/* TLSA and DNSKEY sets do not fit in little packets; above this, TCP (RFC 9715). */
	{"edns-buffer-size:", "1232"},
	/* A stripped signature is a downgrade, not a stale zone (RFC 4035). */
	{"harden-dnssec-stripped:", "yes"},
	{"harden-glue:", "yes"},
	{"qname-minimisation:", "yes"},
	/* Names that libunbound would answer itself but a private tree may hold. */
	{"local-zone:", "test. nodefault"},
	{"local-zone:", "invalid. nodefault"},
	{"local-zone:", "home.arpa. nodefault"},
};

const char *dns_library_version(void)
{
	return ub_version();
}

static bool complain(char *error, size_t error_size, const char *what, const char *value, int code)
{
	snprintf(error, error_size, "%s %s: %s", what, value, ub_strerror(code));
	return false;
}

static bool set_option(
	struct ub_ctx *view, const char *name, const char *value, char *error, size_t error_size)
{
	int code = ub_ctx_set_option(view, name, value);
	return code == 0 || complain(error, error_size, name, value, code);
}

static bool set_number(
	struct ub_ctx *view, const char *name, uint32_t number, char *error, size_t error_size)
{
	char value[16];
	snprintf(value, sizeof value, "%u", number);
	return set_option(view, name, value, error, error_size);
}

/* A stub is `ZONE ADDR[@PORT]`; libunbound takes the two apart. */
static bool add_stub(struct ub_ctx *view, const char *stub, char *error, size_t error_size)
{
	char zone[DNS_NAME_SIZE + 1];
	size_t length = strcspn(stub, " \t");
	const char *address = stub + length + strspn(stub + length, " \t");

	if (length >= sizeof zone)
		return complain(error, error_size, "stub", stub, UB_SYNTAX);
	memcpy(zone, stub, length);
	zone[length] = '\0';
	int code = ub_ctx_set_stub(view, zone, address, 0);
	return code == 0 || complain(error, error_size, "stub", stub, code);
}

/* Certificates of forwarders reached over TLS are checked against these. */
static const char ca_certificates[] = "/etc/ssl/certs/ca-certificates.crt";

/* libunbound wants a port before a name; DNS over TLS has one of its own (RFC 7858 3.1). */
static bool spell_forward(const char *forward, char *out, size_t size)
{
	const char *name = strchr(forward, '#');
	int length;

	if (name != NULL && memchr(forward, '@', (size_t)(name - forward)) == NULL)
		length = snprintf(out, size, "%.*s@853%s", (int)(name - forward), forward, name);
	else
		length = snprintf(out, size, "%s", forward);
	return length > 0 && (size_t)length < size;
}

static bool add_forwards(
	struct ub_ctx *view, const struct dns_settings *settings, char *error, size_t error_size)
{
	bool tls = settings->forward_count > 0 && strchr(settings->forwards[0], '#') != NULL;
	int code = 0;

	if (tls && !set_option(view, "tls-cert-bundle:", ca_certificates, error, error_size))
		return false;
	if (tls && (code = ub_ctx_set_tls(view, 1)) != 0)
		return complain(error, error_size, "forward", "over TLS", code);
	for (size_t i = 0; i < settings->forward_count; i++) {
		char address[DNS_NAME_SIZE * 2];
		code = spell_forward(settings->forwards[i], address, sizeof address)
			       ? ub_ctx_set_fwd(view, address)
			       : UB_SYNTAX;
		if (code != 0)
			return complain(error, error_size, "forward", settings->forwards[i], code);
	}
	return true;
}

static bool configure(
	struct ub_ctx *view, const struct dns_settings *settings, char *error, size_t error_size)
{
	int code;

	for (size_t i = 0; i < sizeof fixed_options / sizeof fixed_options[0]; i++) {
		if (!set_option(
			    view, fixed_options[i].name, fixed_options[i].value, error, error_size))
			return false;
	}
	if (!set_option(view, "do-not-query-localhost:", settings->query_localhost ? "no" : "yes",
		    error, error_size) ||
		!set_number(view, "cache-max-ttl:", settings->max_ttl, error, error_size) ||
		!set_number(view, "outgoing-range:", settings->udp_sockets, error, error_size) ||
		!set_number(view, "outgoing-num-tcp:", settings->tcp_sockets, error, error_size))
		return false;
	/* Last of all that is not an anchor or a server, so that it can override the above. */
	if (settings->options_file != NULL &&
		(code = ub_ctx_config(view, settings->options_file)) != 0)
		return complain(error, error_size, "options", settings->options_file, code);
	if (settings->tracked_anchor_file != NULL &&
		(code = ub_ctx_add_ta_autr(view, settings->tracked_anchor_file)) != 0)
		return complain(
			error, error_size, "trust_anchor", settings->tracked_anchor_file, code);
	for (size_t i = 0; i < settings->zone_anchor_count; i++) {
		if ((code = ub_ctx_add_ta(view, settings->zone_anchors[i])) != 0)
			return complain(
				error, error_size, "trust_anchor", settings->zone_anchors[i], code);
	}
	for (size_t i = 0; i < settings->stub_count; i++) {
		if (!add_stub(view, settings->stubs[i], error, error_size))
			return false;
	}
	return add_forwards(view, settings, error, error_size);
}

/* A few a second: what goes wrong for every question must not fill the disk. */
static bool message_wanted(void)
{
	static struct log_limit limit = LOG_LIMIT(MESSAGES_A_SECOND, 1);
	uint32_t left_out;

	if (!log_limit_allows(&limit, clock_steady(), &left_out))
		return false;
	if (left_out > 0)
		log_warning("libunbound: %u more messages", left_out);
	return true;
}

/*
 * libunbound's own messages, a line each. At its verbosity 0 these are faults of its own, such as
 * an anchor file that it cannot read; of what servers do wrong its answers tell.
 */
static ssize_t log_message(void *cookie, const char *bytes, size_t size)
{
	(void)cookie;
	/* "[1700000000] libunbound[42:0] error: ..." */
	const char *words = memmem(bytes, size, "] ", 2);
	const char *again = words != NULL
				    ? memmem(words + 2, size - (size_t)(words + 2 - bytes), "] ", 2)
				    : NULL;
	words = again != NULL ? again + 2 : bytes;
	size_t length = size - (size_t)(words - bytes);
	while (length > 0 && words[length - 1] == '\n')
		length--;
	if (length > 0 && message_wanted()) {
		char line[LOG_LINE_SIZE], text[LOG_LINE_SIZE];
		snprintf(line, sizeof line, "%.*s", (int)length, words);
		log_warning("libunbound: text=\"%s\"", log_quotable(text, sizeof text, line));
	}
	return (ssize_t)size;
}

static FILE *open_messages(void)
{
	cookie_io_functions_t functions = {.write = log_message};
	FILE *messages = fopencookie(NULL, "w", functions);
	if (messages != NULL)
		setvbuf(messages, NULL, _IOLBF, LOG_LINE_SIZE);
	return messages;
}

static void ignore(void *context, int rcode, void *packet, int packet_size, int security,
	char *why_bogus, int was_ratelimited)
{
	(void)context, (void)rcode, (void)packet, (void)packet_size;
	(void)security, (void)why_bogus, (void)was_ratelimited;
}

/*
 * libunbound takes its settings in, anchor files among them, at the first question. One that it
 * answers itself shows now whether it can.
 */
static bool settle(
	struct ub_ctx *view, const struct dns_settings *settings, char *error, size_t error_size)
{
	int code = ub_resolve_event(view, "localhost.", DNS_TYPE_A, 1, NULL, ignore, NULL);
	bool tls = settings->forward_count > 0 && strchr(settings->forwards[0], '#') != NULL;

	if (code != 0)
		snprintf(error, error_size, "libunbound cannot start with these settings: %s%s",
			ub_strerror(code),
			tls ? "; perhaps it was built without TLS, as that of Debian 12 is, or the "
			      "package ca-certificates is missing: without TLS, forward to a "
			      "resolver on this host"
			    : "");
	return code == 0;
}

static struct ub_ctx *view_new(struct dns *dns, char *error, size_t error_size)
{
	struct ub_ctx *view = ub_ctx_create_event(dns->base);
	if (view == NULL) {
		snprintf(error, error_size, "libunbound cannot run on this libevent");
		return NULL;
	}
	ub_ctx_debugout(view, dns->messages);
	if (configure(view, &dns->settings, error, error_size) &&
		settle(view, &dns->settings, error, error_size))
		return view;
	ub_ctx_delete(view);
	return NULL;
}

static void query_free(struct dns_query *query)
{
	free(query->packet);
	free(query);
}

/* Turn what libunbound gave into an answer. */
static void read_answer(const struct dns_query *query, struct dns_answer *answer)
{
	/* NXDOMAIN is no failure and stands in the packet. */
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
		if (query->dns->distrust && !query->probing && answer->security != DNS_SECURE)
			dns_answer_fail(answer, DNS_FAILURE_LOCAL, DNS_UNKNOWN,
				"no trust anchor covers the root any more");
	}
}

/* A step of a lookup, for `-v`. */
static void tell(const struct dns_query *query, const struct dns_answer *answer)
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
		tell(query, &answer);
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

/* libunbound's callback: its buffer is shared by all questions, so keep a copy and return. */
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

/* The others are made when they are first needed; without them the first one serves. */
static struct ub_ctx *get_view(struct dns *dns, enum dns_view view)
{
	char error[256];

	if (dns->views[view] == NULL && (view == DNS_VIEW_FRESH || !dns->crippled)) {
		dns->views[view] = view_new(dns, error, sizeof error);
		/* A fresh one is tried anew each time. */
		if (dns->views[view] == NULL && view != DNS_VIEW_FRESH) {
			dns->crippled = true;
			log_warning("records are not refreshed before they expire: %s", error);
		}
	}
	return dns->views[view] != NULL ? dns->views[view] : dns->views[DNS_VIEW_FIRST];
}

static void ask(struct dns_query *query)
{
	char absolute[DNS_NAME_SIZE + 1];

	snprintf(absolute, sizeof absolute, "%s.", query->name);
	int code = ub_resolve_event(
		get_view(query->dns, query->view), absolute, query->type, 1, query, resolved, NULL);
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
	query->probing = name[0] == '\0';
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
	 * ub_cancel() would leave us no call to free the query in; libunbound goes on with the
	 * question for its cache's sake, and its callback then finds the flag.
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
	dns->messages = open_messages();
	dns->deliver = event_new(base, -1, 0, deliver_finished, dns);
	if (dns->deliver == NULL || dns->messages == NULL) {
		snprintf(error, error_size, "out of memory");
	} else {
		dns->views[DNS_VIEW_FIRST] = view_new(dns, error, error_size);
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

void dns_forget(struct dns *dns)
{
	for (int view = 0; view < DNS_VIEW_COUNT; view++) {
		struct ub_ctx *fresh = NULL, *old = dns->views[view];
		char error[256];

		if (old == NULL)
			continue;
		if (view == DNS_VIEW_FIRST) {
			fresh = view_new(dns, error, sizeof error);
			if (fresh == NULL) {
				log_error("the resolver's cache cannot be emptied: %s", error);
				return;
			}
		}
		dns->views[view] = fresh;
		/* What waits in it is called back, as failed, or runs into its deadline. */
		ub_ctx_delete(old);
	}
}

void dns_limit_ttl(struct dns *dns, uint32_t max_ttl)
{
	if (dns->settings.max_ttl == max_ttl)
		return;
	/* libunbound takes no option over once it has begun to work. */
	dns->settings.max_ttl = max_ttl;
	dns_forget(dns);
}

void dns_forget_view(struct dns *dns, enum dns_view view)
{
	struct ub_ctx *old = dns->views[view];

	dns->views[view] = NULL;
	if (old != NULL)
		ub_ctx_delete(old);
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
	/* libunbound calls back no more. */
	free_queries(&dns->waiting);
	free_queries(&dns->finished);
	if (dns->messages != NULL)
		fclose(dns->messages);
	if (dns->deliver != NULL)
		event_free(dns->deliver);
	free(dns);
}
