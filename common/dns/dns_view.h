/*
 * dns_view: a context of libunbound with the options that this program needs, the servers and the
 * trust anchors of the settings, and libunbound's own messages as lines of our log.
 */
#ifndef TLSAD_DNS_DNS_VIEW_H
#define TLSAD_DNS_DNS_VIEW_H

#include "common/dns/dns.h"

#include <stdio.h>
#include <unbound.h>

/* Where all views write their messages; fclose() it after the last one. NULL: out of memory. */
FILE *dns_view_open_messages(void);

/*
 * A context on the loop of `base`; ub_ctx_delete() it. NULL when libunbound takes a setting badly,
 * also one that it checks at the first question only: `error` then says which and why.
 */
struct ub_ctx *dns_view_new(struct event_base *base, const struct dns_settings *settings,
	FILE *messages, char *error, size_t error_size);

#endif
