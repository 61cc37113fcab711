/*
 * dane: looks up the parts of a destination, by the rules of RFC 7672 and RFC 7671.
 *
 * Each lookup runs on the event loop of its struct dns, asks what it needs, and calls back once,
 * from the loop, at the latest when its time is over. Freeing it earlier stops it.
 */
#ifndef TLSAD_DANE_DANE_H
#define TLSAD_DANE_DANE_H

#include "common/dns/dns.h"
#include "common/part/part.h"

struct dane_mx_lookup;
struct dane_host_lookup;

/* What is given to a callback lives until it returns; the lookup is freed by its owner. */
typedef void dane_mx_callback(void *context, const struct mx_set *set);
typedef void dane_host_callback(void *context, const struct host_facts *facts);

/* Who asks and for how long. */
struct dane_terms {
	struct event_base *base;
	struct dns *dns;
	enum dns_view view;
	uint32_t timeout; /* [s] */
};

/* RFC 5321 5.1, RFC 7505: the MX set of a mail domain. NULL when out of memory. */
struct dane_mx_lookup *dane_mx_lookup_new(const struct dane_terms *terms, const char *domain,
	dane_mx_callback *callback, void *context);
void dane_mx_lookup_free(struct dane_mx_lookup *lookup);

/* RFC 7672 2.2: addresses and TLSA records of one host. NULL when out of memory. */
struct dane_host_lookup *dane_host_lookup_new(const struct dane_terms *terms, const char *name,
	uint16_t port, dane_host_callback *callback, void *context);
void dane_host_lookup_free(struct dane_host_lookup *lookup);

/* The question that a lookup waits for, put as a timeout. */
void dane_mx_lookup_pending(const struct dane_mx_lookup *lookup, struct part_failure *failure);
void dane_host_lookup_pending(const struct dane_host_lookup *lookup, struct part_failure *failure);

/* From an MX answer to the set of hosts: pure, for tests by table. `set->hosts` is malloc()ed. */
bool dane_read_mx(const struct dns_answer *answer, const char *domain, struct mx_set *set);

#endif
