/*
 * resolver: the embedded resolver with its trust anchors, as the daemon and tlsactl use it.
 *
 * Nothing is written to the state directory but by root_anchor_keep(), which is the daemon's to
 * call: whoever only reads the state of the root's key leaves it as it is. Belongs to the thread of
 * its event base.
 */
#ifndef TLSAD_DNS_RESOLVER_H
#define TLSAD_DNS_RESOLVER_H

#include "common/dns/dns.h"
#include "common/dns/root_anchor.h"

struct resolver {
	struct root_anchors *root_anchors;
	struct dns *dns;
};

/* Section [resolver], mostly. The strings belong to the caller, who keeps them for the resolver. */
struct resolver_settings {
	const char *trust_anchor;    /* file of DS or DNSKEY records; need not exist */
	const char *state_directory; /* of the root's key (RFC 5011 2) */
	const char *const *forwards; /* `ADDRESS[@PORT][#TLS-NAME]` */
	size_t forward_count;
	const char *const *stubs; /* `ZONE ADDRESS[@PORT]` */
	size_t stub_count;
	const char *options_file; /* further libunbound options, or NULL */
	uint32_t max_ttl;         /* [s] that the daemon's own cache keeps a record */
	bool query_localhost;     /* allow name servers on loopback addresses */
};

/*
 * False and one line when an anchor or a setting cannot be used; what was opened before the failure
 * is there for resolver_close().
 */
bool resolver_open(struct resolver *resolver, struct event_base *base,
	const struct resolver_settings *settings, char *error, size_t error_size);

/* Apply another `max_ttl` [s]. What is being looked up may fail then. */
void resolver_limit_ttl(struct resolver *resolver, uint32_t max_ttl);

void resolver_close(struct resolver *resolver);

/* How many sockets it may have open at once: a share of the limit that is in force. */
uint32_t resolver_descriptors(void);

#endif
