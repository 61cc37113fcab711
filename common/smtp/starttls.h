/*
 * starttls: connects to a mail server and starts TLS, to see its certificates.
 *
 * One attempt is one connection to one address: connect, greeting, EHLO, STARTTLS (RFC 3207 4), TLS
 * handshake with SNI (RFC 7672 8.1), QUIT; or TLS at once. No mail is sent. It runs on the caller's
 * event loop and in its thread, never blocks, has a limit for its time and for the bytes that it
 * reads (smtp_reply.h has the limits for SMTP), and calls back exactly once, from the loop. It
 * raises no SIGPIPE and leaves nothing in OpenSSL's error queue.
 *
 * The SSL_CTX decides what is verified: a completed handshake counts as done whatever was found,
 * unless the SSL_CTX makes it fail (all modes but SSL_VERIFY_NONE). The SSL_CTX also limits the
 * size of a certificate chain (SSL_CTX_set_max_cert_list). The caller judges the certificates.
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
	/* Bytes read in one handshake: ten times OpenSSL's default of max_cert_list. */
	STARTTLS_HANDSHAKE_MAX = 1024 * 1024,
};

enum starttls_protocol {
	STARTTLS_SMTP, /* RFC 3207 4 */
	STARTTLS_NONE, /* TLS from the first byte, as on port 465 */
};

enum starttls_outcome {
	STARTTLS_DONE,          /* the handshake is complete: see `ssl` */
	STARTTLS_NO_CONNECTION, /* refused, no route */
	STARTTLS_TIMED_OUT,
	STARTTLS_CLOSED, /* the server closed the connection */
	/* A greeting or a reply to EHLO of 4xx or 5xx, or any reply 421 (RFC 5321 3.8). */
	STARTTLS_TURNED_AWAY,
	STARTTLS_NOT_OFFERED, /* the reply to EHLO does not list STARTTLS */
	STARTTLS_REFUSED,     /* a reply to STARTTLS of 4xx or 5xx, but not 421 */
	STARTTLS_NO_SMTP,     /* data that is not SMTP, is too long, or was sent too early */
	STARTTLS_NO_TLS,      /* the handshake failed */
	STARTTLS_LOCAL,       /* out of memory, no socket, `prepare` returned false */
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

/* Valid until the callback returns, and so is `ssl`. */
struct starttls_result {
	enum starttls_outcome outcome;
	enum starttls_stage stage; /* the step at which it ended */
	/*
	 * What went wrong, one line of printable ASCII: from the system, the server or OpenSSL;
	 * empty with STARTTLS_DONE.
	 */
	char detail[STARTTLS_DETAIL_SIZE];
	/*
	 * With STARTTLS_DONE, otherwise NULL. To read the peer's chain and the result of the
	 * verification; the connection is already closed.
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
	const char *helo;        /* our name in EHLO; not NULL with STARTTLS_SMTP */
	enum starttls_protocol protocol;
	uint32_t timeout; /* for the whole attempt [s] */
	/*
	 * Called before the handshake, for example to add TLSA records; may be NULL. False ends the
	 * attempt with STARTTLS_LOCAL. It must not call starttls_free().
	 */
	bool (*prepare)(void *context, SSL *ssl);
};

struct starttls;

/*
 * Start an attempt; the event loop connects later. The terms and their strings are copied; the
 * caller keeps the event base and the SSL_CTX as long as the attempt. `context` is passed to the
 * callback and to `prepare`. NULL: out of memory.
 */
struct starttls *starttls_new(
	const struct starttls_terms *terms, starttls_callback *callback, void *context);

/*
 * Free an attempt; needed after its callback too, and allowed inside it. If the callback has not
 * been called yet, it will not be called.
 */
void starttls_free(struct starttls *starttls);

#endif
