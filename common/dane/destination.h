/*
 * destination: from a lookup key, as Postfix's smtp_tls_policy_maps sends it, to a mail domain or
 * a host with its port.
 *
 * A key is a next-hop as it stands in the transport (postconf(5), smtp_tls_policy_maps). Names
 * follow Postfix's valid_hostname(); internationalised names become A-labels as IDNA2008 with the
 * non-transitional mapping of UTS 46 has it (RFC 5891 5, libidn2). Pure: no DNS, no state.
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

/* What a key turned out to be. All but DESTINATION_OK are answered NOTFOUND without DNS. */
enum destination_result {
	DESTINATION_OK,
	DESTINATION_PARENT,  /* `.example.com`, Postfix's look-up of a parent domain */
	DESTINATION_ADDRESS, /* an address literal */
	DESTINATION_INVALID, /* no mail destination */
};

struct destination {
	enum destination_kind kind;
	uint16_t port;
	uint8_t name_length;
	char name[DESTINATION_NAME_MAX + 1]; /* lower case, A-labels, no dot at the end */
};

enum destination_result destination_parse(
	const char *key, size_t key_size, struct destination *destination);

/*
 * A key that is a host without brackets: `host`, `host:port`, `_port._tcp.host` (RFC 6698 3), or
 * what has brackets for destination_parse().
 */
enum destination_result destination_parse_host(
	const char *key, size_t key_size, struct destination *destination);

/* The one way to write a destination: `name`, `name:587`, `[name]`, `[name]:587`. */
void destination_print(const struct destination *destination, char key[DESTINATION_KEY_SIZE]);

/*
 * A name by itself, as struct destination has it: lower case, A-labels, no dot at the end. One
 * label will do. False when it is no name.
 */
bool destination_name_to_ascii(const char *name, size_t size, char ascii[DESTINATION_NAME_MAX + 1]);

/*
 * Is this a name that Postfix's valid_hostname() takes, of at most 253 octets? One label will do:
 * MX hosts may have one. Upper case is taken as it is.
 */
bool destination_name_valid(const char *name, size_t size);

#endif
