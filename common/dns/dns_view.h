/*
 * dns_view: creates a libunbound context with the options that this program needs and the servers
 * and trust anchors of the settings, and turns libunbound's own messages into lines of our log.
 */
#ifndef TLSAD_DNS_DNS_VIEW_H
#define TLSAD_DNS_DNS_VIEW_H

#include "common/dns/dns.h"

#include <stdio.h>
#include <unbound.h>

/*
 * A stream for the messages of all views. The caller closes it with fclose() after the last view is
 * deleted. NULL: out of memory.
 */
FILE *dns_view_open_messages(void);

/*
 * A context on the loop of `base`, which the caller deletes with ub_ctx_delete(). NULL if
 * libunbound rejects a setting, also one that it checks only at the first query; `error` then says
 * which one and why.
 */
struct ub_ctx *dns_view_new(struct event_base *base, const struct dns_settings *settings,
	FILE *messages, char *error, size_t error_size);

#endif
