/*
 * host_name: parses the name of a host for the commands about TLSA records.
 */
#ifndef TLSAD_CTL_TLSA_HOST_NAME_H
#define TLSAD_CTL_TLSA_HOST_NAME_H

#include "common/dane/destination.h"

/*
 * Writes it to `name` in lower case, as A-labels, without a final dot. False if it is not a host
 * name, or if `_PORT._PROTOCOL.NAME` is too long for a domain name (RFC 1035 2.3.4); that is
 * logged.
 */
bool host_name_parse(const char *typed, unsigned port, const char *protocol,
	char name[DESTINATION_NAME_MAX + 1]);

#endif
