/*
 * starttls: to a mail server and into TLS, to look at its certificates.
 *
 * One attempt is one connection to one address: connect, greeting, EHLO, STARTTLS (RFC 3207), TLS
 * handshake with SNI (RFC 7672 8.1), QUIT; or TLS at once. It runs on the caller's event loop,
 * never blocks, is bounded in time and in what it reads, and calls back once, from the loop. No
 * mail is sent. Whether the certificates are good is the caller's business: the SSL_CTX decides
 * what is verified, and a handshake that ends counts as done whatever was found, as long as the
 * SSL_CTX does not make it fail (SSL_VERIFY_NONE).
 */
#ifndef TLSAD_STARTTLS_H
#define TLSAD_STARTTLS_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	STARTTLS_DETAIL_SIZE = 256,
	STARTTLS_LINE_LONGEST = 2048,   /* of one reply line; RFC 5321 4.5.3.1.5 has 512 */
	STARTTLS_REPLY_LONGEST = 65536, /* of one reply, all its lines */
};

enum starttls_protocol {
	STARTTLS_SMTP, /* RFC 3207 */
	STARTTLS_NONE, /* TLS from the first byte on, as on port 465 */
};

enum starttls_outcome {
	STARTTLS_DONE,          /* the handshake has ended: see `ssl` */
	STARTTLS_NO_CONNECTION, /* refused, no route */
	STARTTLS_TIMED_OUT,
	STARTTLS_CLOSED,      /* the server hung up */
	STARTTLS_TURNED_AWAY, /* greeting or EHLO was answered 4xx or 5xx */
	STARTTLS_NOT_OFFERED, /* EHLO does not list STARTTLS */
	STARTTLS_REFUSED,     /* STARTTLS was answered 4xx or 5xx */
	STARTTLS_NO_SMTP,     /* what came is no SMTP, too long, or came before it was asked for */
	STARTTLS_NO_TLS,      /* the handshake failed */
	STARTTLS_LOCAL,       /* out of memory, no socket */
	STARTTLS_OUTCOME_COUNT,
};

/* One word, for JSON and logs. */
const char *starttls_outcome_name(enum starttls_outcome outcome);

enum starttls_stage {
	STARTTLS_STAGE_CONNECT,
	STARTTLS_STAGE_GREETING,
	STARTTLS_STAGE_EHLO,
	STARTTLS_STAGE_STARTTLS,
	STARTTLS_STAGE_HANDSHAKE,
	STARTTLS_STAGE_DONE,
	STARTTLS_STAGE_COUNT,
};

const char *starttls_stage_name(enum starttls_stage stage);

/* Lives until the callback returns. */
struct starttls_result {
	enum starttls_outcome outcome;
	enum starttls_stage stage; /* how far it came */
	/* What went wrong, one line of printable ASCII: the system's, the server's or OpenSSL's
	 * words. */
	char detail[STARTTLS_DETAIL_SIZE];
	SSL *ssl; /* with STARTTLS_DONE */
};

typedef void starttls_callback(void *context, const struct starttls_result *result);

struct starttls_terms {
	struct event_base *base;
	SSL_CTX *context;
	struct sockaddr_storage address; /* with its port */
	socklen_t address_size;
	const char *server_name; /* SNI; NULL: none */
	const char *helo;        /* the name to say EHLO with */
	enum starttls_protocol protocol;
	uint32_t timeout; /* [s], of all of it */
	/* Called before the handshake, to add TLSA records for instance; may be NULL. False ends
	 * it. */
	bool (*prepare)(void *context, SSL *ssl);
};

struct starttls;

/* The terms are copied. NULL when out of memory. `context` goes to `prepare` as well. */
struct starttls *starttls_new(
	const struct starttls_terms *terms, starttls_callback *callback, void *context);

/* Also from inside the callback. Without it having been called it is not any more. */
void starttls_free(struct starttls *starttls);

#endif
