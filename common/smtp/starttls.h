/*
 * starttls: to a mail server and into TLS, to look at its certificates.
 *
 * One attempt is one connection to one address: connect, greeting, EHLO, STARTTLS (RFC 3207 4), TLS
 * handshake with SNI (RFC 7672 8.1), QUIT; or TLS at once. It runs on the caller's event loop,
 * never blocks, is bounded in time and in what it reads (smtp_reply.h has the bounds of SMTP), and
 * calls back once, from the loop. No mail is sent. It raises no SIGPIPE and leaves nothing in
 * OpenSSL's error queue. Whether the certificates are good is the caller's business: the SSL_CTX
 * decides what is verified, and a handshake that ends counts as done whatever was found, as long as
 * the SSL_CTX does not make it fail (SSL_VERIFY_NONE). How large a chain may be is said there as
 * well (SSL_CTX_set_max_cert_list).
 */
#ifndef TLSAD_SMTP_STARTTLS_H
#define TLSAD_SMTP_STARTTLS_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	STARTTLS_DETAIL_SIZE = 256,
	/* All that is read for one handshake [bytes]: ten times OpenSSL's standard max_cert_list.
	 */
	STARTTLS_HANDSHAKE_MAX = 1024 * 1024,
};

enum starttls_protocol {
	STARTTLS_SMTP, /* RFC 3207 4 */
	STARTTLS_NONE, /* TLS from the first byte on, as on port 465 */
};

enum starttls_outcome {
	STARTTLS_DONE,          /* the handshake has ended: see `ssl` */
	STARTTLS_NO_CONNECTION, /* refused, no route */
	STARTTLS_TIMED_OUT,
	STARTTLS_CLOSED, /* the server hung up */
	/* Greeting or EHLO was answered 4xx or 5xx, or anything 421 (RFC 5321 3.8). */
	STARTTLS_TURNED_AWAY,
	STARTTLS_NOT_OFFERED, /* EHLO does not list STARTTLS */
	STARTTLS_REFUSED,     /* STARTTLS was answered 4xx or 5xx, but not 421 */
	STARTTLS_NO_SMTP,     /* what came is no SMTP, too long, or came before it was asked for */
	STARTTLS_NO_TLS,      /* the handshake failed */
	STARTTLS_LOCAL,       /* out of memory, no socket, `prepare` said no */
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

/* Lives until the callback returns, and so does `ssl`. */
struct starttls_result {
	enum starttls_outcome outcome;
	enum starttls_stage stage; /* how far it came: what it was at when it ended */
	/* What went wrong, one line of printable ASCII: the system's, the server's or OpenSSL's
	 * words. */
	char detail[STARTTLS_DETAIL_SIZE];
	/*
	 * With STARTTLS_DONE, else NULL. The connection is closed by then: for the peer's chain and
	 * the result of verification, not to be read from.
	 */
	SSL *ssl;
};

typedef void starttls_callback(void *context, const struct starttls_result *result);

struct starttls_terms {
	struct event_base *base;
	SSL_CTX *context;
	struct sockaddr_storage address; /* with its port */
	socklen_t address_size;
	const char *server_name; /* SNI; NULL: none */
	const char *helo;        /* the name to say EHLO with; not NULL with STARTTLS_SMTP */
	enum starttls_protocol protocol;
	uint32_t timeout; /* [s], of all of it */
	/*
	 * Called before the handshake, to add TLSA records for instance; may be NULL. False ends
	 * it. It must not call starttls_free().
	 */
	bool (*prepare)(void *context, SSL *ssl);
};

struct starttls;

/*
 * The terms are copied, with their names; base and SSL_CTX outlive it. NULL when out of memory.
 * `context` goes to `prepare` as well. Nothing happens in here: the loop connects.
 */
struct starttls *starttls_new(
	const struct starttls_terms *terms, starttls_callback *callback, void *context);

/*
 * For each that was made, also after its callback, also from inside it. A callback that has not
 * been called by then is not any more.
 */
void starttls_free(struct starttls *starttls);

#endif
