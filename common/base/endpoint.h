/*
 * endpoint: an address to listen on, `unix:PATH` or `inet:HOST:PORT`, and the networks that may
 * connect to it.
 *
 * HOST is a numeric address, in brackets if it is IPv6, or `localhost` (127.0.0.1), or `*` (every
 * address of IPv4 and IPv6). No function here looks up a name in DNS.
 *
 * Functions with `error` return false or -1 on failure and write one line that says what is wrong.
 * endpoint_listen() changes the umask of the process for a moment and is for the main thread; the
 * other functions have no state.
 */
#ifndef TLSAD_BASE_ENDPOINT_H
#define TLSAD_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { ENDPOINT_TEXT_SIZE = 160 }; /* of the text form [bytes]; a unix path has at most 107 */

struct endpoint {
	struct sockaddr_storage address; /* ss_family: AF_UNIX, AF_INET, AF_INET6 */
	socklen_t size;
};

/*
 * Read `unix:/PATH` or `inet:ADDRESS:PORT`. `error` does not repeat the text itself, which the
 * caller knows.
 */
bool endpoint_parse(struct endpoint *endpoint, const char *text, char *error, size_t error_size);

/* The text form, as endpoint_parse() reads it. */
void endpoint_print(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE]);

/* The path of a unix socket; NULL for other endpoints. Points into `endpoint`. */
const char *endpoint_path(const struct endpoint *endpoint);

/*
 * Returns a non-blocking listening socket that the caller closes, or -1 and `error`. `mode` is the
 * mode of a unix socket's file, in force from the moment the file exists. A unix socket that a dead
 * process left is replaced; a socket that a process listens on, or a file of another type, is an
 * error.
 */
int endpoint_listen(const struct endpoint *endpoint, mode_t mode, char *error, size_t error_size);

/* Remove the file of a unix socket; nothing for other endpoints. */
void endpoint_remove(const struct endpoint *endpoint);

struct network {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;       /* length of the prefix, of these 128 bits */
};

/* Read `ADDRESS/BITS` or `ADDRESS`, which is a network of that address alone. */
bool network_parse(struct network *network, const char *text, char *error, size_t error_size);

/* False for an address that is neither IPv4 nor IPv6. */
bool network_contains(const struct network *network, const struct sockaddr_storage *address);

#endif
