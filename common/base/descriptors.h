/*
 * descriptors: how the files that this process may open are shared out
 *
 * libunbound ends the process when it cannot open its file of trust anchors, so what others may
 * open together must leave it enough: RLIMIT_NOFILE is divided before anything is accepted.
 */
#ifndef TLSAD_BASE_DESCRIPTORS_H
#define TLSAD_BASE_DESCRIPTORS_H

#include <stdint.h>

/* Takes all that may be had: the soft limit becomes the hard one. */
void descriptors_raise(void);

/* The limit in force; UINT32_MAX when there is none. */
uint32_t descriptors_limit(void);

/* A sixteenth of the limit in force, but no less than `min` and no more than `max`. */
uint32_t descriptors_share(uint32_t min, uint32_t max);

/* The same of this limit. Pure. */
uint32_t descriptors_share_of(uint32_t limit, uint32_t min, uint32_t max);

#endif
