/*
 * TLS on two BIOs in memory, so that its bytes go through the same buffer as those of SMTP and can
 * be delayed, sent in pieces and replaced.
 */
#include "t/lab/mailhost.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_OF_MANY = 100, NAMES_MAX = 16 };

/* Other certificates, by SNI. */
static struct {
	char *name;
	SSL_CTX *tls;
} names[NAMES_MAX];
static unsigned name_count;

__attribute__((noreturn)) static void give_up(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	fprintf(stderr, "mailhost: %s: %s\n", what, reason != NULL ? reason : "it cannot be used");
	exit(1);
}

static int choose_certificate(SSL *ssl, int *alert, void *context)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)context;
	for (unsigned i = 0; name != NULL && i < name_count; i++) {
		if (strcasecmp(name, names[i].name) != 0)
			continue;
		SSL_set_SSL_CTX(ssl, names[i].tls);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* The last certificate of the chain again and again. */
static void lengthen_chain(SSL_CTX *tls)
{
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_get0_chain_certs(tls, &chain);
	int count = sk_X509_num(chain);
	X509 *last = count > 0 ? sk_X509_value(chain, count - 1) : SSL_CTX_get0_certificate(tls);
	for (int i = count > 0 ? count : 0; i < CHAIN_OF_MANY - 1; i++) {
		if (SSL_CTX_add1_chain_cert(tls, last) != 1)
			give_up("the chain");
	}
}

SSL_CTX *tls_new(const char *chain, const char *key, bool many)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (tls == NULL)
		give_up("TLS");
	if (SSL_CTX_use_certificate_chain_file(tls, chain) != 1)
		give_up(chain);
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(tls) != 1)
		give_up(key);
	/* Send only the certificates of the file. */
	SSL_CTX_set_mode(tls, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_tlsext_servername_callback(tls, choose_certificate);
	if (many)
		lengthen_chain(tls);
	return tls;
}

void tls_add_name(SSL_CTX *tls, const char *name, const char *chain, const char *key)
{
	(void)tls;
	if (name_count == NAMES_MAX)
		give_up("too many names");
	names[name_count].name = strdup(name);
	names[name_count].tls = tls_new(chain, key, false);
	name_count++;
}

void tls_free(SSL_CTX *tls)
{
	while (name_count > 0) {
		name_count--;
		free(names[name_count].name);
		SSL_CTX_free(names[name_count].tls);
	}
	SSL_CTX_free(tls);
}

/* --- the session --------------------------------------------------------------------------- */

bool tls_begin(struct connection *connection)
{
	SSL *ssl = connection->host->tls != NULL ? SSL_new(connection->host->tls) : NULL;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	if (ssl == NULL || in == NULL || out == NULL) {
		SSL_free(ssl);
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	SSL_set_bio(ssl, in, out);
	SSL_set_accept_state(ssl);
	connection->ssl = ssl;
	connection->line_size = 0;
	return true;
}

static void collect_records(struct connection *connection)
{
	char bytes[4096];
	int size;

	while ((size = BIO_read(SSL_get_wbio(connection->ssl), bytes, sizeof bytes)) > 0)
		evbuffer_add(connection->out, bytes, (size_t)size);
}

/* True if a fault replaces the handshake. */
static bool spoil_handshake(struct connection *connection)
{
	switch (connection->host->fault) {
	case FAULT_CLOSE_IN_HANDSHAKE:
		connection->closing = true;
		break;
	case FAULT_SILENT_HANDSHAKE:
		break;
	case FAULT_ENDLESS_HANDSHAKE:
		tls_begin_endless_certificate(connection->out);
		connection->refill = tls_add_endless_certificate;
		break;
	case FAULT_HELLO_REQUESTS:
		connection->refill = tls_add_hello_requests;
		break;
	default:
		return false;
	}
	connection->ignoring = true;
	return true;
}

static void shake_hands(struct connection *connection)
{
	ERR_clear_error();
	int result = SSL_accept(connection->ssl);
	int error = SSL_get_error(connection->ssl, result);
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	const char *name = SSL_get_servername(connection->ssl, TLSEXT_NAMETYPE_host_name);

	if (result == 1) {
		connection->secure = true;
		tell("handshake sni=%s", name != NULL ? name : "none");
	} else if (error != SSL_ERROR_WANT_READ) {
		tell("failed-handshake %s", reason != NULL ? reason : "no reason");
		connection->closing = connection->ignoring = true;
	}
}

void tls_receive(struct connection *connection, const char *bytes, size_t size)
{
	char words[4096];
	int got = 0;

	if (spoil_handshake(connection))
		return;
	BIO_write(SSL_get_rbio(connection->ssl), bytes, (int)size);
	if (!connection->secure)
		shake_hands(connection);
	while (connection->secure && (got = SSL_read(connection->ssl, words, sizeof words)) > 0)
		connection_hear(connection, words, (size_t)got);
	/* The client's close_notify, or nonsense. */
	if (connection->secure && SSL_get_error(connection->ssl, got) != SSL_ERROR_WANT_READ)
		connection->closing = true;
	collect_records(connection);
}

void tls_send(struct connection *connection, const char *bytes, size_t size)
{
	SSL_write(connection->ssl, bytes, (int)size);
	collect_records(connection);
}

/* --- records that never end ---------------------------------------------------------------- */

/*
 * A ServerHello of TLS 1.2 (RFC 5246 7.4.1.3) with TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, and the
 * extension without which OpenSSL does not continue (RFC 5746).
 */
static const unsigned char server_hello[] = {
	0x16, 0x03, 0x03, 0, 49,                               /* record: handshake, its size */
	0x02, 0, 0, 45,                                        /* ServerHello, its size */
	0x03, 0x03,                                            /* TLS 1.2 */
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, /* random */
	17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, /* no session */
	0xc0, 0x2f, 0,             /* cipher suite, no compression */
	0, 5, 0xff, 0x01, 0, 1, 0, /* extensions: renegotiation_info */
};

/* Certificate (RFC 5246 7.4.2): 16 MB, all of it one list, all of that one certificate. */
static const unsigned char certificate[] = {
	0x16, 0x03, 0x03, 0, 10, 0x0b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xf9};

void tls_begin_endless_certificate(struct evbuffer *out)
{
	evbuffer_add(out, server_hello, sizeof server_hello);
	evbuffer_add(out, certificate, sizeof certificate);
}

void tls_add_endless_certificate(struct evbuffer *out)
{
	static const unsigned char header[] = {0x16, 0x03, 0x03, 0x40, 0x00};
	static const unsigned char content[0x4000];

	evbuffer_add(out, header, sizeof header);
	evbuffer_add(out, content, sizeof content);
}

void tls_add_hello_requests(struct evbuffer *out)
{
	static const unsigned char hello_request[] = {0x16, 0x03, 0x03, 0, 4, 0, 0, 0, 0};

	for (int i = 0; i < 1024; i++)
		evbuffer_add(out, hello_request, sizeof hello_request);
}
