#include "common/dns/dns_view.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unbound-event.h>
#include <unistd.h>

enum { MESSAGES_MAX = 5 }; /* logged per second */

/* --- settings ------------------------------------------------------------------------------ */

/*
 * libunbound's defaults are made for a resolver that many stub resolvers share. Here a destination
 * has only seconds, and one with dead name servers must cost little.
 */
static const struct {
	const char *name;
	const char *value;
} fixed_options[] = {
	/* This program needs the validator, whatever the default of libunbound's build. */
	{"module-config:", "validator iterator"},
	/*
	 * With 2000 ms, libunbound gives up a zone with silent servers after 5 seconds instead of
	 * minutes (measured). With 1000 ms it would also treat slow servers, or servers that lose
	 * packets, as dead at once.
	 */
	{"infra-cache-max-rtt:", "2000"},
	{"infra-keep-probing:", "yes"},
	/* Try again soon: a failure must not last much longer than [cache] failure_ttl. */
	{"infra-host-ttl:", "15"},
	{"val-bogus-ttl:", "15"},
	/* Queries that wait for dead servers must leave room for other queries. */
	{"num-queries-per-thread:", "4096"},
	/* Large enough for most TLSA and DNSKEY sets; larger answers use TCP (RFC 9715). */
	{"edns-buffer-size:", "1232"},
	/* Treat a missing signature as bogus: an attacker may have removed it (RFC 4035 5.2). */
	{"harden-dnssec-stripped:", "yes"},
	{"harden-glue:", "yes"},
	{"qname-minimisation:", "yes"},
	/* Names that libunbound would answer itself, but that may exist in a private tree. */
	{"local-zone:", "test. nodefault"},
	{"local-zone:", "invalid. nodefault"},
	{"local-zone:", "home.arpa. nodefault"},
};

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

/* A stub is `ZONE ADDR[@PORT]`; libunbound takes zone and address separately. */
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

/* libunbound needs a port before a name; the port of DNS over TLS is 853 (RFC 7858 3.1). */
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

	if (tls && !set_option(view, "tls-cert-bundle:", TLSAD_CA_FILE, error, error_size))
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

/*
 * libunbound ends the process if it cannot read the file, for example because it is a directory,
 * and waits for the writer of a pipe.
 */
static bool add_options(struct ub_ctx *view, const char *file, char *error, size_t error_size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code;
	struct stat status;
	const char *words = NULL;

	if (fd < 0 || fstat(fd, &status) != 0)
		words = strerror(errno);
	else if (S_ISDIR(status.st_mode) || S_ISFIFO(status.st_mode))
		words = "it is a directory or a pipe";
	if (fd >= 0)
		close(fd);
	if (words != NULL) {
		snprintf(error, error_size,
			"options %.200s: cannot read the file: %s; correct its path or permissions",
			file, words);
		return false;
	}
	code = ub_ctx_config(view, file);
	return code == 0 || complain(error, error_size, "options", file, code);
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
	/* After all other options, so that the file can override them. */
	if (settings->options_file != NULL &&
		!add_options(view, settings->options_file, error, error_size))
		return false;
	if (settings->tracked_root_anchor_file != NULL &&
		(code = ub_ctx_add_ta_autr(view, settings->tracked_root_anchor_file)) != 0)
		return complain(error, error_size, "trust_anchor",
			settings->tracked_root_anchor_file, code);
	for (size_t i = 0; i < settings->zone_trust_anchor_count; i++) {
		if ((code = ub_ctx_add_ta(view, settings->zone_trust_anchors[i])) != 0)
			return complain(error, error_size, "trust_anchor",
				settings->zone_trust_anchors[i], code);
	}
	for (size_t i = 0; i < settings->stub_count; i++) {
		if (!add_stub(view, settings->stubs[i], error, error_size))
			return false;
	}
	return add_forwards(view, settings, error, error_size);
}

/* --- messages ------------------------------------------------------------------------------ */

/* Limited per second: a fault that occurs at every query must not fill the disk. */
static bool message_wanted(void)
{
	static struct log_limit limit = LOG_LIMIT(MESSAGES_MAX, 1);
	uint32_t left_out;

	if (!log_limit_allows(&limit, clock_steady(), &left_out))
		return false;
	if (left_out > 0)
		log_warning("libunbound: %u more messages were not logged", left_out);
	return true;
}

/*
 * Log one message of libunbound. At its verbosity 0 the messages are about its own faults, such as
 * a file of trust anchors that it cannot read. Faults of name servers are reported in its answers.
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

FILE *dns_view_open_messages(void)
{
	cookie_io_functions_t functions = {.write = log_message};
	FILE *messages = fopencookie(NULL, "w", functions);
	if (messages != NULL)
		setvbuf(messages, NULL, _IOLBF, LOG_LINE_SIZE);
	return messages;
}

/* --- start --------------------------------------------------------------------------------- */

static void ignore(void *context, int rcode, void *packet, int packet_size, int security,
	char *why_bogus, int was_ratelimited)
{
	(void)context, (void)rcode, (void)packet, (void)packet_size;
	(void)security, (void)why_bogus, (void)was_ratelimited;
}

/*
 * libunbound applies its settings, including files of trust anchors, at the first query. A query
 * that it answers itself, without the network, shows now whether they are valid.
 */
static bool apply_settings(
	struct ub_ctx *view, const struct dns_settings *settings, char *error, size_t error_size)
{
	int code = ub_resolve_event(view, "localhost.", DNS_TYPE_A, 1, NULL, ignore, NULL);
	bool tls = settings->forward_count > 0 && strchr(settings->forwards[0], '#') != NULL;

	if (code != 0)
		snprintf(error, error_size, "libunbound cannot start with these settings: %s%s",
			ub_strerror(code),
			tls ? "; its build may lack TLS, as in Debian 12, or the package "
			      "ca-certificates may be missing: without TLS, forward to a resolver "
			      "on this host"
			    : "");
	return code == 0;
}

struct ub_ctx *dns_view_new(struct event_base *base, const struct dns_settings *settings,
	FILE *messages, char *error, size_t error_size)
{
	struct ub_ctx *view = ub_ctx_create_event(base);

	if (view == NULL) {
		snprintf(error, error_size,
			"libunbound cannot use this version of libevent, or is out of memory");
		return NULL;
	}
	ub_ctx_debugout(view, messages);
	if (configure(view, settings, error, error_size) &&
		apply_settings(view, settings, error, error_size))
		return view;
	ub_ctx_delete(view);
	return NULL;
}
