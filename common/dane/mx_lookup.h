/*
 * mx_lookup: looks up the MX set of a mail domain (RFC 5321 5.1, RFC 7505). lookup_settings.h says
 * when and in which thread the callback is called.
 */
#ifndef TLSAD_DANE_MX_LOOKUP_H
#define TLSAD_DANE_MX_LOOKUP_H

#include "common/dane/lookup_settings.h"
#include "common/part/facts.h"

struct dane_mx_lookup;

typedef void dane_mx_callback(void *context, const struct mx_set *set);

/* NULL: out of memory. */
struct dane_mx_lookup *dane_mx_lookup_new(const struct lookup_settings *settings,
	const char *domain, dane_mx_callback *callback, void *context);
void dane_mx_lookup_free(struct dane_mx_lookup *lookup);

/* The query that the lookup is waiting for, as the failure to report if it is given up now. */
void dane_mx_lookup_pending(const struct dane_mx_lookup *lookup, struct part_failure *failure);

/*
 * Turn the answer to an MX query into the set of hosts, sorted by preference. Pure. The caller
 * frees `set->hosts`. False: out of memory.
 */
bool dane_read_mx(const struct dns_answer *answer, const char *domain, struct mx_set *set);

#endif
