/*
 * endpoint: where somebody may connect, `unix:PATH` or `inet:HOST:PORT`, and from where.
 *
 * HOST is a numeric address, in brackets where it is IPv6, or `localhost`, or `*` for every
 * address. Nothing here looks up a name in DNS.
 */
#ifndef TLSAD_BASE_ENDPOINT_H
#define TLSAD_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { ENDPOINT_TEXT_SIZE = 160 }; /* as text; a unix path has at most 107 bytes */

struct endpoint {
	struct sockaddr_storage address; /* ss_family: AF_UNIX, AF_INET, AF_INET6 */
	socklen_t size;
};

/*
 * `unix:/PATH` or `inet:ADDRESS:PORT`. False, and in `error` what is wrong, without the text
 * itself.
 */
bool endpoint_parse(struct endpoint *endpoint, const char *text, char *error, size_t error_size);

/* As endpoint_parse() reads it. */
void endpoint_print(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE]);

/* Of a unix socket; NULL for others. */
const char *endpoint_path(const struct endpoint *endpoint);

/*
 * A listening socket that does not block, or -1 and `error`. A unix socket left over by a process
 * that is gone is taken over; one that somebody listens on is refused.
 */
int endpoint_listen(const struct endpoint *endpoint, mode_t mode, char *error, size_t error_size);

/* Remove a unix socket's file. */
void endpoint_remove(const struct endpoint *endpoint);

struct network {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;       /* of these 128 that count */
};

/* `ADDRESS/BITS` or `ADDRESS`. */
bool network_parse(struct network *network, const char *text, char *error, size_t error_size);

bool network_contains(const struct network *network, const struct sockaddr_storage *address);

#endif
