/*
 * host_lookup: looks up the addresses and TLSA records of one host, by the rules of RFC 7672 2.2
 * and RFC 7671 7. lookup_settings.h says when and in which thread the callback is called.
 */
#ifndef TLSAD_DANE_HOST_LOOKUP_H
#define TLSAD_DANE_HOST_LOOKUP_H

#include "common/dane/lookup_settings.h"
#include "common/part/facts.h"

struct dane_host_lookup;

typedef void dane_host_callback(void *context, const struct host_facts *facts);

/* NULL: out of memory. */
struct dane_host_lookup *dane_host_lookup_new(const struct lookup_settings *settings,
	const char *name, uint16_t port, dane_host_callback *callback, void *context);
void dane_host_lookup_free(struct dane_host_lookup *lookup);

/* The query that the lookup is waiting for, as the failure to report if it is given up now. */
void dane_host_lookup_pending(const struct dane_host_lookup *lookup, struct part_failure *failure);

#endif
