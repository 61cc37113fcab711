/*
 * ip_address: a numeric IPv4 or IPv6 address that an administrator types. No name is looked up.
 */
#ifndef TLSAD_CTL_FRAME_IP_ADDRESS_H
#define TLSAD_CTL_FRAME_IP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* As the address of a socket, with this port. False if the text is not an address. */
bool ip_address_parse(
	const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size);

#endif
