/*
 * host_name: the name of a host as an administrator types it, on the way to its TLSA records.
 */
#ifndef TLSAD_CTL_TLSA_HOST_NAME_H
#define TLSAD_CTL_TLSA_HOST_NAME_H

#include "common/dane/destination.h"

/*
 * `name` gets it in lower case, as A-labels, without a dot at its end. False if it is not a host
 * name, or if `_PORT._PROTOCOL.NAME` is too long for a domain name (RFC 1035 2.3.4); that is
 * logged.
 */
bool host_name_parse(const char *typed, unsigned port, const char *protocol,
	char name[DESTINATION_NAME_MAX + 1]);

#endif
