/*
 * dns: queries to the embedded, validating resolver (libunbound) on a libevent loop.
 *
 * A struct dns belongs to one thread, the one that runs its event base. It has up to three
 * libunbound contexts with the same settings, called views, because libunbound has no call that
 * ignores its own cache. To refresh a record before it expires, the view that was not used for the
 * last lookup is used (DNS_VIEW_FIRST, DNS_VIEW_SECOND): its copy has expired by then.
 * DNS_VIEW_FRESH serves to find out whether the network answers: the caller empties it with
 * dns_forget_view() before a query, so that the answer cannot come from a cache. The second and the
 * third view are created when they are first used.
 *
 * A callback is called from the event loop, exactly once, never inside dns_query_start() and never
 * after dns_query_cancel(). A failure is an answer (DNS_FAILED), not an error.
 */
#ifndef TLSAD_DNS_DNS_H
#define TLSAD_DNS_DNS_H

#include "common/dns/dns_count.h"

#include <event2/event.h>

struct dns;
struct dns_query;

enum dns_view { DNS_VIEW_FIRST, DNS_VIEW_SECOND, DNS_VIEW_FRESH, DNS_VIEW_COUNT };

/* The strings belong to the caller, who keeps them as long as the struct dns. */
struct dns_settings {
	/*
	 * The trust anchors of the root zone: a file that libunbound reads, and rewrites when the
	 * keys change (RFC 5011 2). NULL: none.
	 */
	const char *tracked_root_anchor_file;
	/* The trust anchors of other zones, one DS or DNSKEY record in each string. */
	const char *const *zone_trust_anchors;
	size_t zone_trust_anchor_count;
	const char *const *forwards; /* `ADDR[@PORT][#TLS-NAME]` */
	size_t forward_count;
	const char *const *stubs; /* `ZONE ADDR[@PORT]` */
	size_t stub_count;
	const char *options_file; /* additional libunbound options, or NULL */
	uint32_t max_ttl;         /* longest time that libunbound caches a record [s] */
	/* Most sockets that each view may have open at once; one for UDP takes about 700 bytes. */
	uint32_t udp_sockets, tcp_sockets;
	bool query_localhost;
};

/* The answer is valid until the callback returns. */
typedef void dns_callback(void *context, const struct dns_answer *answer);

/*
 * NULL if libunbound rejects a setting; `error` then says which one and why. Sends no query.
 * Settings that libunbound checks only at the first query, such as files of trust anchors, are
 * checked here too.
 */
struct dns *dns_new(struct event_base *base, const struct dns_settings *settings, char *error,
	size_t error_size);
void dns_free(struct dns *dns);

/*
 * NULL: out of memory. `name` is ASCII without escapes and without a dot at the end; empty for the
 * root. `type` is one of enum dns_type. The query is freed after its callback or by
 * dns_query_cancel(), which counts it as timed out.
 */
struct dns_query *dns_query_start(struct dns *dns, enum dns_view view, const char *name,
	uint16_t type, dns_callback *callback, void *context);
void dns_query_cancel(struct dns_query *query);

/*
 * Set while no trust anchor covers the root zone although one should. An insecure answer then
 * proves nothing, so every answer that is not secure is treated as failed. Queries for the root
 * itself, which detect the end of this state, are excepted.
 */
void dns_distrust(struct dns *dns, bool distrust);

/*
 * Empty the caches of all views: after the clock was set back, the age of their records is unknown.
 * Queries that are waiting are asked again. Must not be called from a callback.
 */
void dns_forget(struct dns *dns);

/* Change `max_ttl` [s]. If it differs, the caches are emptied as by dns_forget(). */
void dns_limit_ttl(struct dns *dns, uint32_t max_ttl);

/* Empty the cache of one view, which is not the first. Must not be called from a callback. */
void dns_forget_view(struct dns *dns, enum dns_view view);

/* Valid as long as the struct dns; any thread may read the counters. */
const struct dns_counters *dns_counters(const struct dns *dns);

/* The version of libunbound. */
const char *dns_library_version(void);

#endif
