#include "daemon/ctl/frame/ip_address.h"

#include <arpa/inet.h>
#include <string.h>

bool ip_address_parse(
	const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		*size = sizeof *ipv4;
		return true;
	}
	if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) != 1)
		return false;
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	*size = sizeof *ipv6;
	return true;
}
