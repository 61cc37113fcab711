/*
 * resolver: the embedded resolver as the configuration wants it, with its trust anchors.
 *
 * What a struct dns is made from stands here once, for the daemon and for tlsactl. Nothing is
 * written to the state directory but by root_anchor_keep(), which is the daemon's to call: whoever
 * only reads the state of the root's key leaves it as it is.
 */
#ifndef TLSAD_DNS_RESOLVER_H
#define TLSAD_DNS_RESOLVER_H

#include "common/conf/conf.h"
#include "common/dns/dns.h"
#include "common/dns/root_anchor.h"

struct resolver {
	struct root_anchors *anchors;
	struct dns *dns;
};

/*
 * False and one line when an anchor or a setting of [resolver] cannot be used. The configuration
 * must outlive the resolver, which points into it; what was opened before the failure is there for
 * resolver_close().
 */
bool resolver_open(struct resolver *resolver, struct event_base *base, const struct conf *conf,
	char *error, size_t error_size);

/* Take over what a reload may change: [cache] max_ttl. What is being looked up may fail then. */
void resolver_set_conf(struct resolver *resolver, const struct conf *conf);

void resolver_close(struct resolver *resolver);

/* How many sockets it may have open at once: a share of the limit that is in force. */
uint32_t resolver_descriptors(void);

#endif
