/*
 * dns: questions to the embedded, validating resolver (libunbound) on a libevent loop.
 *
 * One struct dns belongs to one thread, the one that runs its event base. It holds two libunbound
 * contexts with the same settings, DNS_VIEW_FIRST and DNS_VIEW_SECOND, because libunbound has no
 * call that looks past its own cache: a record is refreshed before it expires by asking the view
 * that was not asked last time, whose copy has expired by then. DNS_VIEW_FRESH is for who wants to
 * know whether the network answers: it is forgotten before a question, so that the answer does not
 * come from a cache. All but the first are made when they are first needed.
 *
 * A callback never runs inside dns_query_start(); it runs from the event loop, once, and not at
 * all after dns_query_cancel().
 */
#ifndef TLSAD_DNS_DNS_H
#define TLSAD_DNS_DNS_H

#include "common/dns/dns_count.h"

#include <event2/event.h>

struct dns;
struct dns_query;

enum dns_view { DNS_VIEW_FIRST, DNS_VIEW_SECOND, DNS_VIEW_FRESH, DNS_VIEW_COUNT };

/* What the resolver is told; the strings belong to the caller and outlive the struct dns. */
struct dns_settings {
	/* A file that libunbound reads and, as RFC 5011 2 has it, rewrites: root zone only. */
	const char *tracked_root_anchor_file;
	/* Records for anchors of other zones, one a string. */
	const char *const *zone_trust_anchors;
	size_t zone_anchor_count;
	const char *const *forwards; /* `ADDR[@PORT][#TLS-NAME]` */
	size_t forward_count;
	const char *const *stubs; /* `ZONE ADDR[@PORT]` */
	size_t stub_count;
	const char *options_file; /* further libunbound options, or NULL */
	uint32_t max_ttl;         /* [s] that libunbound keeps anything */
	/* Sockets that each view may have open at once; one for UDP takes about 700 bytes. */
	uint32_t udp_sockets, tcp_sockets;
	bool query_localhost;
};

/* The answer lives until the callback returns. */
typedef void dns_callback(void *context, const struct dns_answer *answer);

/*
 * NULL when libunbound takes a setting badly: `error` then says which and why. Nothing is asked
 * yet; settings that libunbound checks late (anchor files) are checked here all the same.
 */
struct dns *dns_new(struct event_base *base, const struct dns_settings *settings, char *error,
	size_t error_size);
void dns_free(struct dns *dns);

/* NULL when out of memory. `name` is ASCII without escapes, `type` one of enum dns_type. */
struct dns_query *dns_query_start(struct dns *dns, enum dns_view view, const char *name,
	uint16_t type, dns_callback *callback, void *context);
void dns_query_cancel(struct dns_query *query);

/*
 * No anchor vouches for the root any more, though one should: from here on nothing counts as
 * insecure, only as failed, except for what is asked of the root itself.
 */
void dns_distrust(struct dns *dns, bool distrust);

/*
 * Forget all that was cached: after the clock was set back nothing in there knows its age. Not
 * from a callback.
 */
void dns_forget(struct dns *dns);

/* No answer lives longer than that, in seconds. Where it is a change, dns_forget() is part of it.
 */
void dns_limit_ttl(struct dns *dns, uint32_t max_ttl);

/* Forget what one view has cached, other than the first. Not from a callback. */
void dns_forget_view(struct dns *dns, enum dns_view view);

/* Lives as long as the struct dns; any thread may read. */
const struct dns_counters *dns_counters(const struct dns *dns);

const char *dns_library_version(void);

#endif
