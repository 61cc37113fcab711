/*
 * mailhost: declarations for the files of t/lab/mailhost. One process, one thread, one event loop.
 */
#ifndef TLSAD_T_LAB_MAILHOST_H
#define TLSAD_T_LAB_MAILHOST_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum fault {
	FAULT_NONE,
	FAULT_NO_STARTTLS,
	FAULT_REFUSE_STARTTLS,
	FAULT_TURN_AWAY,
	FAULT_CLOSE_AT_CONNECT,
	FAULT_CLOSE_AFTER_EHLO,
	FAULT_CLOSE_IN_HANDSHAKE,
	FAULT_SILENT,
	FAULT_SILENT_HANDSHAKE,
	FAULT_BYTE_BY_BYTE,
	FAULT_LONG_BANNER,
	FAULT_ENDLESS_BANNER,
	FAULT_GARBAGE,
	FAULT_INJECT,
	FAULT_ENDLESS_HANDSHAKE,
	FAULT_HELLO_REQUESTS,
	FAULT_MANY_CERTS,
	FAULT_COUNT,
};

struct connection {
	LIST_ENTRY(connection) link;
	struct mailhost *host;
	int fd;
	struct event *readable;
	struct event *writable;
	struct event *pause;                  /* byte by byte: until the next one */
	struct evbuffer *out;                 /* to the socket; under TLS, records */
	void (*refill)(struct evbuffer *out); /* sent without end */
	bool ignoring;                        /* the received bytes */
	bool closing;                         /* as soon as `out` is empty */
	bool dead;
	bool in_message; /* between DATA and its dot */
	char line[1024]; /* of SMTP, so far */
	size_t line_size;
	SSL *ssl;    /* on two BIOs in memory */
	bool secure; /* the handshake has ended */
};

LIST_HEAD(connections, connection);

struct mailhost {
	struct event_base *base;
	struct connections connections;
	unsigned accepted;
	enum fault fault;
	bool tls_only;
	SSL_CTX *tls; /* NULL: none */
};

/* A line on standard output, for the test to read. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- mailhost_connection.c ----------------------------------------------------------------- */

/* Owns the descriptor from then on. */
void connection_new(struct mailhost *host, int fd);
void connection_free(struct connection *connection);

/* Bytes of SMTP that were received, under TLS or not. */
void connection_hear(struct connection *connection, const char *bytes, size_t size);

/* --- mailhost_tls.c ------------------------------------------------------------------------ */

/* Each exits with OpenSSL's message if a file cannot be used. */
SSL_CTX *tls_new(const char *chain, const char *key, bool many);
void tls_add_name(SSL_CTX *tls, const char *name, const char *chain, const char *key);
void tls_free(SSL_CTX *tls);

bool tls_begin(struct connection *connection);

/* Bytes from the socket. */
void tls_receive(struct connection *connection, const char *bytes, size_t size);

void tls_send(struct connection *connection, const char *bytes, size_t size);

/* Records of TLS that never end, from the ServerHello on. */
void tls_begin_endless_certificate(struct evbuffer *out);
void tls_add_endless_certificate(struct evbuffer *out);
void tls_add_hello_requests(struct evbuffer *out);

#endif
