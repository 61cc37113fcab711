/*
 * mx_lookup: the MX set of a mail domain, RFC 5321 5.1 and RFC 7505.
 */
#ifndef TLSAD_DANE_MX_LOOKUP_H
#define TLSAD_DANE_MX_LOOKUP_H

#include "common/dane/lookup_settings.h"
#include "common/part/facts.h"

struct dane_mx_lookup;

typedef void dane_mx_callback(void *context, const struct mx_set *set);

/* NULL when out of memory. */
struct dane_mx_lookup *dane_mx_lookup_new(const struct lookup_settings *settings,
	const char *domain, dane_mx_callback *callback, void *context);
void dane_mx_lookup_free(struct dane_mx_lookup *lookup);

/* The question that it waits for, as a timeout. */
void dane_mx_lookup_pending(const struct dane_mx_lookup *lookup, struct part_failure *failure);

/*
 * From an MX answer to the set of hosts: pure, for tests by table. `set->hosts` is malloc()ed.
 * False when out of memory.
 */
bool dane_read_mx(const struct dns_answer *answer, const char *domain, struct mx_set *set);

#endif
