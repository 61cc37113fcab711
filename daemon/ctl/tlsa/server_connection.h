/*
 * server_connection: connects to a mail server and gets the certificates that it sends.
 */
#ifndef TLSAD_CTL_TLSA_SERVER_CONNECTION_H
#define TLSAD_CTL_TLSA_SERVER_CONNECTION_H

#include "common/smtp/starttls.h"
#include "daemon/ctl/frame/local_resolver.h"

/* The choices of --starttls, by enum starttls_protocol. */
extern const char *const server_protocol_names[];

/* The name for EHLO: this host's, or an address literal if it has none (RFC 5321 4.1.4). */
const char *server_connection_helo(void);

/*
 * The certificates that the server sent, its own first. The caller frees the list; NULL when out of
 * memory.
 */
STACK_OF(X509) * server_connection_chain(SSL *ssl);

struct server_connection_terms {
	const char *address; /* numeric */
	uint16_t port;
	const char *name; /* SNI */
	enum starttls_protocol protocol;
	uint32_t timeout; /* [s] */
};

/*
 * Connects and runs the loop until the chain has arrived. The caller frees it. NULL and `error` on
 * an error or after a signal.
 */
STACK_OF(X509) * server_connection_fetch_chain(struct local_resolver *local,
			 const struct server_connection_terms *terms, char *error,
			 size_t error_size);

#endif
