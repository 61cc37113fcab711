/*
 * peer: the mail server at the other end: its address, what is said to it, and what it sends.
 */
#ifndef TLSAD_CTL_TLSA_PEER_H
#define TLSAD_CTL_TLSA_PEER_H

#include "common/smtp/starttls.h"
#include "daemon/ctl/frame/local_resolver.h"

/* `--starttls`: the index is an enum starttls_protocol. */
extern const char *const peer_protocols[];

/* The name to say EHLO with: this host's, or a literal where it has none (RFC 5321 4.1.4). */
const char *peer_helo(void);

/* A numeric address with a port; false when it is none. */
bool peer_address(
	const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size);

/* 4 or 16 octets of an A or AAAA record. */
void peer_address_of_rdata(const uint8_t *rdata, size_t rdata_size, uint16_t port,
	struct sockaddr_storage *address, socklen_t *size);

/* What a server sent, its own certificate first, for the caller to free; NULL: out of memory. */
STACK_OF(X509) * peer_chain(SSL *ssl);

struct peer_terms {
	const char *address; /* numeric */
	uint16_t port;
	const char *name; /* SNI */
	enum starttls_protocol protocol;
	uint32_t timeout; /* [s] */
};

/* One connection, now: its chain, or NULL and `error`, without a chain when a signal came. */
STACK_OF(X509) * peer_fetch_chain(struct local_resolver *local, const struct peer_terms *terms,
			 char *error, size_t error_size);

#endif
