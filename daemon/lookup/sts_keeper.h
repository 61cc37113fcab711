/*
 * sts_keeper: keeps MTA-STS policies fresh although nobody asks for them at the moment (RFC 8461
 * 10.2), and counts the policies in the cache.
 *
 * Otherwise an attacker could wait for the end of a policy that is seldom needed. A policy that
 * nobody asked for within [sts] keep is left alone. Lookup thread.
 */
#ifndef TLSAD_LOOKUP_STS_KEEPER_H
#define TLSAD_LOOKUP_STS_KEEPER_H

#include "daemon/lookup/part_lookup.h"

struct sts_keeper;

/* `lookups` is the caller's, who keeps it. NULL when out of memory. */
struct sts_keeper *sts_keeper_new(struct part_lookups *lookups);
void sts_keeper_free(struct sts_keeper *keeper);

#endif
