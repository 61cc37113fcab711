/*
 * name: a host's name as an administrator types it.
 */
#ifndef TLSAD_CTL_FRAME_NAME_H
#define TLSAD_CTL_FRAME_NAME_H

#include "common/dane/destination.h"

/*
 * Lower case, A-labels, no dot at the end. False when it is no host name, or when none of its TLSA
 * records could have a name (RFC 1035 2.3.4): that has been said.
 */
bool name_read(const char *typed, unsigned port, const char *protocol,
	char name[DESTINATION_NAME_MAX + 1]);

#endif
