/*
 * The state is the stage, and one event waits for the socket to be readable or writable. Each step
 * ends either with wait_for() or with finish(). Because finish() may free the struct, both are
 * always the last call of a function.
 */
#include "common/smtp/starttls.h"

#include "common/smtp/smtp_reply.h"
#include "common/smtp/socket_bio.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	COMMAND_SIZE = 512, /* RFC 5321 4.5.3.1.4 */
	READ_SIZE = 4096,   /* at once, so that other connections get their turn [bytes] */
};

struct starttls {
	struct starttls_terms terms;
	char *server_name, *helo; /* copies of the strings in the terms */
	starttls_callback *callback;
	void *context;
	struct event *ready;    /* the socket is readable or writable */
	struct event *deadline; /* of the whole attempt */
	struct socket_bio socket;
	SSL *ssl;
	enum starttls_stage stage;
	bool calling; /* the callback is running */
	bool freed;   /* starttls_free() was called by the callback */
	struct starttls_result result;
	struct smtp_reply reply;
	size_t command_size, command_sent; /* [bytes] */
	char command[COMMAND_SIZE];
};

static const char *const outcome_names[STARTTLS_OUTCOME_COUNT] = {
	[STARTTLS_DONE] = "done",
	[STARTTLS_NO_CONNECTION] = "no-connection",
	[STARTTLS_TIMED_OUT] = "timed-out",
	[STARTTLS_CLOSED] = "closed",
	[STARTTLS_TURNED_AWAY] = "turned-away",
	[STARTTLS_NOT_OFFERED] = "not-offered",
	[STARTTLS_REFUSED] = "refused",
	[STARTTLS_NO_SMTP] = "no-smtp",
	[STARTTLS_NO_TLS] = "no-tls",
	[STARTTLS_LOCAL] = "local",
};

/* The words say when, in a sentence such as "the server closed the connection ...". */
static const struct {
	const char *name;
	const char *words;
} stages[STARTTLS_STAGE_COUNT] = {
	[STARTTLS_STAGE_CONNECT] = {"connect", "while connecting"},
	[STARTTLS_STAGE_GREETING] = {"greeting", "before the greeting"},
	[STARTTLS_STAGE_EHLO] = {"ehlo", "before the reply to EHLO"},
	[STARTTLS_STAGE_STARTTLS] = {"starttls", "before the reply to STARTTLS"},
	[STARTTLS_STAGE_HANDSHAKE] = {"handshake", "in the TLS handshake"},
	[STARTTLS_STAGE_DONE] = {"done", "after the TLS handshake"},
};

const char *starttls_outcome_name(enum starttls_outcome outcome)
{
	return outcome < STARTTLS_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

const char *starttls_stage_name(enum starttls_stage stage)
{
	return stage < STARTTLS_STAGE_COUNT ? stages[stage].name : "unknown";
}

/* --- the end ------------------------------------------------------------------------------- */

static void release(struct starttls *starttls)
{
	SSL_free(starttls->ssl);
	starttls->ssl = NULL;
	if (starttls->socket.fd >= 0)
		close(starttls->socket.fd);
	starttls->socket.fd = -1;
}

static void destroy(struct starttls *starttls)
{
	if (starttls->ready != NULL)
		event_free(starttls->ready);
	if (starttls->deadline != NULL)
		event_free(starttls->deadline);
	release(starttls);
	free(starttls->server_name);
	free(starttls->helo);
	free(starttls);
}

/*
 * Send QUIT and close_notify, as a client should (RFC 5321 4.1.1.10, RFC 8446 6.1), but do not wait
 * for the reply.
 */
static void send_quit(struct starttls *starttls)
{
	static const char quit[] = "QUIT\r\n";
	const int size = sizeof quit - 1;

	switch (starttls->result.outcome) {
	case STARTTLS_DONE:
		/* On a port with TLS at once the server has not sent its greeting yet. */
		if (starttls->terms.protocol == STARTTLS_SMTP)
			(void)SSL_write(starttls->ssl, quit, size);
		(void)SSL_shutdown(starttls->ssl);
		/* The SSL stays until after the callback; its BIO must not outlive the socket. */
		SSL_set_bio(starttls->ssl, NULL, NULL);
		ERR_clear_error();
		return;
	case STARTTLS_TURNED_AWAY:
	case STARTTLS_NOT_OFFERED:
	case STARTTLS_REFUSED:
		(void)send(starttls->socket.fd, quit, (size_t)size, MSG_NOSIGNAL);
		return;
	default:
		return;
	}
}

static void finish(struct starttls *starttls, enum starttls_outcome outcome)
{
	starttls->result.outcome = outcome;
	starttls->result.stage = starttls->stage;
	starttls->result.ssl = outcome == STARTTLS_DONE ? starttls->ssl : NULL;
	send_quit(starttls);
	event_del(starttls->ready);
	event_del(starttls->deadline);
	if (starttls->socket.fd >= 0)
		close(starttls->socket.fd);
	starttls->socket.fd = -1;

	starttls->calling = true;
	starttls->callback(starttls->context, &starttls->result);
	starttls->calling = false;
	release(starttls);
	if (starttls->freed)
		destroy(starttls);
}

static void fail(struct starttls *starttls, enum starttls_outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct starttls *starttls, enum starttls_outcome outcome, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(starttls->result.detail, sizeof starttls->result.detail, format, arguments);
	va_end(arguments);
	finish(starttls, outcome);
}

static bool is_local(int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EMFILE || error == ENFILE ||
	       error == EAGAIN;
}

static void fail_connection(struct starttls *starttls, int error)
{
	fail(starttls,
		is_local(error)      ? STARTTLS_LOCAL
		: error == ETIMEDOUT ? STARTTLS_TIMED_OUT
				     : STARTTLS_NO_CONNECTION,
		"%s", strerror(error));
}

/* `error` is 0 if the other side closed the connection in the regular way. */
static void fail_closed(struct starttls *starttls, int error)
{
	const char *words = stages[starttls->stage].words;

	if (error == 0)
		fail(starttls, STARTTLS_CLOSED, "the server closed the connection %s", words);
	else if (error == ETIMEDOUT)
		fail(starttls, STARTTLS_TIMED_OUT, "%s %s", strerror(error), words);
	else
		fail(starttls, STARTTLS_CLOSED, "the server closed the connection %s: %s", words,
			strerror(error));
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	struct starttls *starttls = context;

	(void)fd;
	(void)what;
	fail(starttls, STARTTLS_TIMED_OUT, "timed out after %u s %s", starttls->terms.timeout,
		stages[starttls->stage].words);
}

/* --- waiting ------------------------------------------------------------------------------- */

static void on_ready(evutil_socket_t fd, short what, void *context);

static void wait_for(struct starttls *starttls, short what)
{
	if (event_assign(starttls->ready, starttls->terms.base, starttls->socket.fd, what, on_ready,
		    starttls) != 0 ||
		event_add(starttls->ready, NULL) != 0)
		fail(starttls, STARTTLS_LOCAL, "cannot add the socket to the event loop");
}

/* --- TLS ----------------------------------------------------------------------------------- */

/* Report OpenSSL's reason. The first error in its queue is the cause of the others. */
static void fail_handshake(struct starttls *starttls)
{
	unsigned long error = ERR_get_error();
	const char *reason = ERR_reason_error_string(error);
	long verified = SSL_get_verify_result(starttls->ssl);

	ERR_clear_error();
	if (starttls->socket.exhausted)
		fail(starttls, STARTTLS_NO_TLS,
			"the server sent more than %d bytes in the handshake",
			STARTTLS_HANDSHAKE_MAX);
	else if (starttls->socket.closed || starttls->socket.error != 0)
		fail_closed(starttls, starttls->socket.error);
	else if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		 ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
		fail(starttls, STARTTLS_NO_TLS, "%s: %s", reason,
			X509_verify_cert_error_string(verified));
	else
		fail(starttls, STARTTLS_NO_TLS, "%s",
			reason != NULL ? reason : "OpenSSL reports no reason");
}

static void go_on_with_handshake(struct starttls *starttls)
{
	ERR_clear_error();
	int result = SSL_connect(starttls->ssl);
	switch (SSL_get_error(starttls->ssl, result)) {
	case SSL_ERROR_NONE:
		starttls->stage = STARTTLS_STAGE_DONE;
		finish(starttls, STARTTLS_DONE);
		return;
	case SSL_ERROR_WANT_READ:
		wait_for(starttls, EV_READ);
		return;
	case SSL_ERROR_WANT_WRITE:
		wait_for(starttls, EV_WRITE);
		return;
	default:
		fail_handshake(starttls);
	}
}

static bool prepare_ssl(struct starttls *starttls)
{
	const struct starttls_terms *terms = &starttls->terms;

	starttls->ssl = SSL_new(terms->context);
	BIO *bio = starttls->ssl != NULL ? socket_bio_new(&starttls->socket) : NULL;
	if (bio == NULL)
		return false;
	SSL_set_bio(starttls->ssl, bio, bio);
	if (starttls->server_name != NULL &&
		SSL_set_tlsext_host_name(starttls->ssl, starttls->server_name) != 1)
		return false;
	return terms->prepare == NULL || terms->prepare(starttls->context, starttls->ssl);
}

static void start_handshake(struct starttls *starttls)
{
	starttls->stage = STARTTLS_STAGE_HANDSHAKE;
	starttls->socket.budget = STARTTLS_HANDSHAKE_MAX;
	bool prepared = prepare_ssl(starttls);
	ERR_clear_error();
	if (prepared)
		go_on_with_handshake(starttls);
	else
		fail(starttls, STARTTLS_LOCAL, "cannot prepare the TLS connection");
}

/* --- SMTP ---------------------------------------------------------------------------------- */

static void send_command(struct starttls *starttls)
{
	while (starttls->command_sent < starttls->command_size) {
		ssize_t sent = send(starttls->socket.fd, starttls->command + starttls->command_sent,
			starttls->command_size - starttls->command_sent, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
			wait_for(starttls, EV_WRITE);
			return;
		}
		/* The server closed the connection, but may have sent a reply before: read it. */
		if (sent < 0)
			break;
		starttls->command_sent += (size_t)sent;
	}
	wait_for(starttls, EV_READ);
}

static void say(struct starttls *starttls, enum starttls_stage stage, const char *verb,
	const char *argument)
{
	int size =
		snprintf(starttls->command, sizeof starttls->command, "%s%s\r\n", verb, argument);

	if (size < 0 || (size_t)size >= sizeof starttls->command) {
		fail(starttls, STARTTLS_LOCAL, "the name for EHLO is too long");
		return;
	}
	starttls->stage = stage;
	starttls->command_size = (size_t)size;
	starttls->command_sent = 0;
	smtp_reply_init(&starttls->reply, stage == STARTTLS_STAGE_EHLO ? "STARTTLS" : NULL);
	send_command(starttls);
}

/*
 * Bytes arrived after a reply although no further command was sent. A server that shuts down may
 * send 421 at any time. After the reply to STARTTLS such bytes are an attack: anybody on the path
 * can inject plaintext that the client then treats as received under TLS (CVE-2011-0411).
 */
static void fail_unasked(struct starttls *starttls, const char *bytes, size_t size)
{
	enum starttls_stage stage = starttls->stage;
	struct smtp_reply *reply = &starttls->reply;
	struct text detail;

	smtp_reply_init(reply, NULL);
	smtp_reply_feed(reply, bytes, size);
	if (stage != STARTTLS_STAGE_STARTTLS && reply->state == SMTP_REPLY_COMPLETE &&
		reply->code == 421) {
		fail(starttls, STARTTLS_TURNED_AWAY, "%s", reply->words_bytes);
		return;
	}
	text_init(&detail, starttls->result.detail, sizeof starttls->result.detail);
	text_add_format(&detail, "unexpected data after the %s: \"",
		stage == STARTTLS_STAGE_GREETING ? "greeting"
		: stage == STARTTLS_STAGE_EHLO   ? "reply to EHLO"
						 : "reply to STARTTLS");
	text_add_escaped(&detail, bytes, size < 48 ? size : 48);
	text_add(&detail, "\"");
	finish(starttls, STARTTLS_NO_SMTP);
}

/* After a reply 2xx: continue with the next stage. */
static void go_on(struct starttls *starttls)
{
	switch (starttls->stage) {
	case STARTTLS_STAGE_GREETING:
		say(starttls, STARTTLS_STAGE_EHLO, "EHLO ", starttls->helo);
		return;
	case STARTTLS_STAGE_EHLO:
		if (starttls->reply.keyword_listed)
			say(starttls, STARTTLS_STAGE_STARTTLS, "STARTTLS", "");
		else
			fail(starttls, STARTTLS_NOT_OFFERED, "the server does not offer STARTTLS");
		return;
	default:
		start_handshake(starttls);
	}
}

static void take_reply(struct starttls *starttls, const char *rest, size_t rest_size)
{
	const struct smtp_reply *reply = &starttls->reply;
	char peeked[SMTP_REPLY_LINE_MAX];

	/* Further bytes may not have been read yet, because the read ended with the reply. */
	if (rest_size == 0) {
		ssize_t more = recv(starttls->socket.fd, peeked, sizeof peeked, MSG_PEEK);
		rest = peeked;
		rest_size = more > 0 ? (size_t)more : 0;
	}
	if (reply->code >= 400)
		fail(starttls,
			starttls->stage == STARTTLS_STAGE_STARTTLS && reply->code != 421
				? STARTTLS_REFUSED
				: STARTTLS_TURNED_AWAY,
			"%s", reply->words_bytes);
	else if (reply->code >= 300)
		fail(starttls, STARTTLS_NO_SMTP, "unexpected reply: %s", reply->words_bytes);
	else if (rest_size > 0)
		fail_unasked(starttls, rest, rest_size);
	else
		go_on(starttls);
}

static void read_reply(struct starttls *starttls)
{
	char bytes[READ_SIZE];
	struct text detail;
	ssize_t size = recv(starttls->socket.fd, bytes, sizeof bytes, 0);

	if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
		wait_for(starttls, EV_READ);
		return;
	}
	if (size <= 0) {
		fail_closed(starttls, size < 0 ? errno : 0);
		return;
	}
	size_t used = smtp_reply_feed(&starttls->reply, bytes, (size_t)size);
	switch (starttls->reply.state) {
	case SMTP_REPLY_UNFINISHED:
		wait_for(starttls, EV_READ);
		return;
	case SMTP_REPLY_COMPLETE:
		take_reply(starttls, bytes + used, (size_t)size - used);
		return;
	default:
		text_init(&detail, starttls->result.detail, sizeof starttls->result.detail);
		smtp_reply_explain(&starttls->reply, &detail);
		finish(starttls, STARTTLS_NO_SMTP);
	}
}

/* --- the connection ------------------------------------------------------------------------ */

static void connected(struct starttls *starttls)
{
	if (starttls->terms.protocol == STARTTLS_NONE) {
		start_handshake(starttls);
		return;
	}
	starttls->stage = STARTTLS_STAGE_GREETING;
	smtp_reply_init(&starttls->reply, NULL);
	wait_for(starttls, EV_READ);
}

static void start_connecting(struct starttls *starttls)
{
	const struct starttls_terms *terms = &starttls->terms;
	int fd = socket(terms->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	starttls->socket.fd = fd;
	if (fd < 0)
		fail_connection(starttls, errno);
	else if (connect(fd, (const struct sockaddr *)&terms->address, terms->address_size) == 0)
		connected(starttls);
	else if (errno == EINPROGRESS || errno == EINTR)
		wait_for(starttls, EV_WRITE);
	else
		fail_connection(starttls, errno);
}

static void end_connecting(struct starttls *starttls)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (getsockopt(starttls->socket.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	/* A reset after the connection was established: a greeting may still be readable. */
	if (error != 0 && error != ECONNRESET)
		fail_connection(starttls, error);
	else
		connected(starttls);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
	struct starttls *starttls = context;

	switch (starttls->stage) {
	case STARTTLS_STAGE_CONNECT:
		if (fd < 0)
			start_connecting(starttls);
		else
			end_connecting(starttls);
		return;
	case STARTTLS_STAGE_HANDSHAKE:
		go_on_with_handshake(starttls);
		return;
	default:
		if ((what & EV_WRITE) != 0)
			send_command(starttls);
		else
			read_reply(starttls);
	}
}

static bool set_up(struct starttls *starttls)
{
	const struct starttls_terms *terms = &starttls->terms;
	const struct timeval limit = {.tv_sec = (time_t)terms->timeout};

	if ((terms->server_name != NULL &&
		    (starttls->server_name = strdup(terms->server_name)) == NULL) ||
		(terms->helo != NULL && (starttls->helo = strdup(terms->helo)) == NULL))
		return false;
	starttls->ready = event_new(terms->base, -1, 0, on_ready, starttls);
	starttls->deadline = evtimer_new(terms->base, on_deadline, starttls);
	return starttls->ready != NULL && starttls->deadline != NULL &&
	       evtimer_add(starttls->deadline, &limit) == 0;
}

struct starttls *starttls_new(
	const struct starttls_terms *terms, starttls_callback *callback, void *context)
{
	struct starttls *starttls = calloc(1, sizeof *starttls);

	if (starttls == NULL)
		return NULL;
	starttls->terms = *terms;
	starttls->callback = callback;
	starttls->context = context;
	starttls->socket.fd = -1;
	if (!set_up(starttls)) {
		destroy(starttls);
		return NULL;
	}
	event_active(starttls->ready, EV_TIMEOUT, 0);
	return starttls;
}

void starttls_free(struct starttls *starttls)
{
	if (starttls == NULL)
		return;
	if (starttls->calling)
		starttls->freed = true;
	else
		destroy(starttls);
}
