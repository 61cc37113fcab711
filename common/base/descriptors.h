/*
 * descriptors: dividing the number of files that this process may open (RLIMIT_NOFILE)
 *
 * libunbound ends the process if it cannot open its file of trust anchors. All other users of
 * descriptors together must therefore leave it enough, so RLIMIT_NOFILE is divided among them
 * before the first connection is accepted (daemon/health/descriptor_budget.h). Any thread may call
 * these functions.
 */
#ifndef TLSAD_BASE_DESCRIPTORS_H
#define TLSAD_BASE_DESCRIPTORS_H

#include <stdint.h>

/* Raise the soft limit to the hard limit. If that fails, the old soft limit applies. */
void descriptors_raise(void);

/* The soft limit in force; UINT32_MAX if it is unlimited or unknown. */
uint32_t descriptors_limit(void);

/* A sixteenth of the limit in force, but at least `min` and at most `max`. */
uint32_t descriptors_share(uint32_t min, uint32_t max);

/* The same for the given limit. Pure. */
uint32_t descriptors_share_of(uint32_t limit, uint32_t min, uint32_t max);

#endif
