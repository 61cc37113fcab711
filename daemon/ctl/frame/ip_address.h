/*
 * ip_address: parses a numeric IPv4 or IPv6 address. No name is looked up.
 */
#ifndef TLSAD_CTL_FRAME_IP_ADDRESS_H
#define TLSAD_CTL_FRAME_IP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Makes a socket address with this port. False if the text is not an address. */
bool ip_address_parse(
	const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size);

#endif
