/*
 * sts_address: may a policy server have this address? Whoever controls a domain's DNS chooses the
 * addresses to which tlsad connects, and must not reach the local host or a private network with
 * them. Pure.
 */
#ifndef TLSAD_STS_STS_ADDRESS_H
#define TLSAD_STS_STS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is it a special-purpose address (RFC 6890 and IANA's registries), a multicast address, or one
 * that contains an IPv4 address: loopback, private, link-local, documentation, benchmarks,
 * IPv4-mapped, NAT64, 6to4, Teredo and others? `size` is 4 or 16 octets.
 */
bool sts_address_is_special(const uint8_t *address, size_t size);

#endif
