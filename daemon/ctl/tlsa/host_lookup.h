/*
 * host_lookup: looks up one host and waits for the result.
 */
#ifndef TLSAD_CTL_TLSA_HOST_LOOKUP_H
#define TLSAD_CTL_TLSA_HOST_LOOKUP_H

#include "common/part/part.h"
#include "daemon/ctl/frame/local_resolver.h"

/*
 * Runs the loop until the lookup has ended. The caller frees the facts with host_facts_free(). NULL
 * when out of memory, which is logged, or after a signal.
 */
struct host_facts *host_lookup_run(struct local_resolver *local, const char *name, uint16_t port);

#endif
