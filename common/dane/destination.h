/*
 * destination: turns a lookup key, as Postfix sends it for smtp_tls_policy_maps, into a mail domain
 * or a host, with its port.
 *
 * A key is a next-hop as written in the transport (postconf(5), smtp_tls_policy_maps). Names must
 * be valid for Postfix's valid_hostname(). Internationalised names are converted to A-labels with
 * IDNA2008 and the non-transitional mapping of UTS 46 (RFC 5891 5, libidn2). Pure: no DNS, no
 * state; only unusual names of ports are looked up in services(5).
 */
#ifndef TLSAD_DANE_DESTINATION_H
#define TLSAD_DANE_DESTINATION_H

#include "common/dns/dns_answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DESTINATION_NAME_MAX = DNS_NAME_MAX,
	DESTINATION_LABEL_MAX = 63,
	DESTINATION_DEFAULT_PORT = 25,
	/* "[" NAME "]:65535" and a NUL byte */
	DESTINATION_KEY_SIZE = DESTINATION_NAME_MAX + 9,
};

enum destination_kind {
	DESTINATION_DOMAIN, /* has an MX set */
	DESTINATION_HOST,   /* `[host]`: no MX lookup */
};

/* The reply to a key with any result but DESTINATION_OK is NOTFOUND, without a DNS lookup. */
enum destination_result {
	DESTINATION_OK,
	DESTINATION_PARENT,  /* `.example.com`, with which Postfix looks up a parent domain */
	DESTINATION_ADDRESS, /* an address literal */
	DESTINATION_INVALID, /* not a mail destination */
};

struct destination {
	enum destination_kind kind;
	uint16_t port;
	uint8_t name_length;
	char name[DESTINATION_NAME_MAX + 1]; /* lower case, A-labels, no dot at the end */
};

/* `*destination` is defined only with DESTINATION_OK. */
enum destination_result destination_parse(
	const char *key, size_t key_size, struct destination *destination);

/*
 * The same for a key that is a host, with or without brackets: `host`, `host:port`, `[host]`,
 * `[host]:port`, or `_port._tcp.host` (RFC 6698 3).
 */
enum destination_result destination_parse_host(
	const char *key, size_t key_size, struct destination *destination);

/* The normal form of a destination: `name`, `name:587`, `[name]`, `[name]:587`. */
void destination_print(const struct destination *destination, char key[DESTINATION_KEY_SIZE]);

/*
 * The normal form of a name without port, as in struct destination: lower case, A-labels, no dot at
 * the end. A single label is allowed. False if it is not a name.
 */
bool destination_name_to_ascii(const char *name, size_t size, char ascii[DESTINATION_NAME_MAX + 1]);

/*
 * Does Postfix's valid_hostname() accept this name, and has it at most 253 octets? A single label
 * is allowed, because MX hosts may have one, and so is upper case.
 */
bool destination_name_valid(const char *name, size_t size);

#endif
