#include "daemon/ctl/tlsa/host_name.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

bool host_name_parse(
	const char *typed, unsigned port, const char *protocol, char name[DESTINATION_NAME_MAX + 1])
{
	struct destination destination;
	size_t size = strlen(typed);
	enum destination_result result = DESTINATION_INVALID;

	/* These commands have an option for the port, so only a plain name is accepted. */
	if (strpbrk(typed, "[]:/") == NULL)
		result = destination_parse(typed, size, &destination);
	if (result == DESTINATION_ADDRESS) {
		log_error("%.300s is an address: give the name of the host, whose TLSA records "
			  "these are",
			typed);
		return false;
	}
	if (typed[0] == '_') {
		log_error("'%.300s': give only the name of the host; --port and --protocol set the "
			  "rest",
			typed);
		return false;
	}
	if (result != DESTINATION_OK) {
		log_error("'%.300s' is not a host name", typed);
		return false;
	}
	if (snprintf(NULL, 0, "_%u._%s.%s", port, protocol, destination.name) >
		DESTINATION_NAME_MAX) {
		log_error("the name %s is too long: with port and protocol before it, it is not a "
			  "domain name (RFC 1035 2.3.4)",
			destination.name);
		return false;
	}
	memcpy(name, destination.name, sizeof destination.name);
	return true;
}
