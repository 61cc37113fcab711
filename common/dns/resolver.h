/*
 * resolver: the embedded resolver with its trust anchors, for the daemon and for tlsactl.
 *
 * A struct resolver belongs to the thread of its event base. Only root_anchor_keep() writes to the
 * state directory, and only the daemon calls it: tlsactl reads the state of the root key without
 * changing it.
 */
#ifndef TLSAD_DNS_RESOLVER_H
#define TLSAD_DNS_RESOLVER_H

#include "common/dns/dns.h"
#include "common/dns/root_anchor.h"

struct resolver {
	struct root_anchors *root_anchors;
	struct dns *dns;
};

/*
 * Mostly the section [resolver]. The strings belong to the caller, who keeps them as long as the
 * resolver.
 */
struct resolver_settings {
	const char *trust_anchor;    /* file of DS or DNSKEY records; need not exist */
	const char *state_directory; /* of the root key's state (RFC 5011 2) */
	const char *const *forwards; /* `ADDRESS[@PORT][#TLS-NAME]` */
	size_t forward_count;
	const char *const *stubs; /* `ZONE ADDRESS[@PORT]` */
	size_t stub_count;
	const char *options_file; /* additional libunbound options, or NULL */
	uint32_t max_ttl;         /* longest time that the daemon's cache keeps a result [s] */
	bool query_localhost;     /* allow name servers on loopback addresses */
};

/*
 * False and one line if a trust anchor or a setting cannot be used. Call resolver_close() after a
 * failure too.
 */
bool resolver_open(struct resolver *resolver, struct event_base *base,
	const struct resolver_settings *settings, char *error, size_t error_size);

/* Apply another `max_ttl` [s]. Lookups in progress may fail. */
void resolver_limit_ttl(struct resolver *resolver, uint32_t max_ttl);

void resolver_close(struct resolver *resolver);

/* Most sockets that a resolver may have open at once: a share of the limit in force. */
uint32_t resolver_descriptors(void);

#endif
