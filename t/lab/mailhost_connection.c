/*
 * One connection: its SMTP dialogue and its bytes. Nothing is freed in the middle of a step:
 * settle() at the end of a step checks whether there is something to write or to close.
 */
#include "t/lab/mailhost.h"

#include "common/base/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LONG_BANNER = 100 * 1024, /* [bytes] */
	GARBAGE_SIZE = 512,       /* [bytes] */
	BYTE_PAUSE = 100,         /* [us] */
	READ_SIZE = 16 * 1024,    /* [bytes] */
};

/* --- what is said -------------------------------------------------------------------------- */

static void speak(struct connection *connection, const char *words)
{
	if (connection->ssl != NULL)
		tls_send(connection, words, strlen(words));
	else
		evbuffer_add(connection->out, words, strlen(words));
}

static void add_long_banner(struct evbuffer *out)
{
	static char banner[LONG_BANNER];

	memset(banner, 'x', sizeof banner);
	memcpy(banner, "220 ", 4);
	evbuffer_add(out, banner, sizeof banner);
	evbuffer_add(out, "\r\n", 2);
}

static void add_endless_banner(struct evbuffer *out)
{
	for (int i = 0; i < 256; i++)
		evbuffer_add_printf(out, "220-this greeting has no end\r\n");
}

/* The same in every run, and its first byte is not a digit. */
static void add_garbage(struct evbuffer *out)
{
	uint64_t state = 88172645463325252;

	for (int i = 0; i < GARBAGE_SIZE; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		char byte = (char)(i == 0 ? 0x80 | (state & 0x7f) : state);
		evbuffer_add(out, &byte, 1);
	}
}

static void greet(struct connection *connection)
{
	switch (connection->host->fault) {
	case FAULT_CLOSE_AT_CONNECT:
		connection->closing = true;
		return;
	case FAULT_SILENT:
		connection->ignoring = true;
		return;
	case FAULT_TURN_AWAY:
		speak(connection, "554-5.7.1 mailhost.example does not like you\r\n"
				  "554 5.7.1 go \x07 away\r\n");
		return;
	case FAULT_LONG_BANNER:
		add_long_banner(connection->out);
		return;
	case FAULT_ENDLESS_BANNER:
		connection->refill = add_endless_banner;
		return;
	case FAULT_GARBAGE:
		add_garbage(connection->out);
		return;
	default:
		speak(connection, "220-mailhost.example ESMTP\r\n220 a server for tests\r\n");
	}
}

/* --- what is heard ------------------------------------------------------------------------- */

static void answer_ehlo(struct connection *connection)
{
	bool offer = connection->ssl == NULL && connection->host->fault != FAULT_NO_STARTTLS;

	if (connection->host->fault == FAULT_CLOSE_AFTER_EHLO) {
		connection->closing = true;
		return;
	}
	speak(connection, "250-mailhost.example\r\n250-PIPELINING\r\n");
	if (offer)
		speak(connection, "250-STARTTLS\r\n");
	speak(connection, "250 8BITMIME\r\n");
}

static void answer_starttls(struct connection *connection)
{
	struct mailhost *host = connection->host;

	if (host->tls == NULL || connection->ssl != NULL) {
		speak(connection, "502 5.5.1 no TLS here\r\n");
	} else if (host->fault == FAULT_REFUSE_STARTTLS) {
		speak(connection, "454 4.7.0 TLS not available due to temporary reason\r\n");
	} else {
		speak(connection, "220 2.0.0 go ahead\r\n");
		if (host->fault == FAULT_INJECT)
			speak(connection, "250 2.0.0 injected\r\n");
		connection->dead = !tls_begin(connection);
	}
}

static const struct {
	const char *verb;
	void (*answer)(struct connection *connection);
	const char *reply; /* where there is nothing else to do */
} commands[] = {
	{"EHLO", answer_ehlo, NULL},
	{"STARTTLS", answer_starttls, NULL},
	{"HELO", NULL, "250 mailhost.example\r\n"},
	{"MAIL", NULL, "250 2.1.0 fine\r\n"},
	{"RCPT", NULL, "250 2.1.5 fine\r\n"},
	{"RSET", NULL, "250 2.0.0 fine\r\n"},
	{"NOOP", NULL, "250 2.0.0 fine\r\n"},
	{"DATA", NULL, "354 end it with a dot\r\n"},
	{"QUIT", NULL, "221 2.0.0 bye\r\n"},
};

static void obey(struct connection *connection, const char *line, size_t size)
{
	size_t verb_size = 0;

	while (verb_size < size && line[verb_size] != ' ')
		verb_size++;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (!text_equal_nocase(line, verb_size, commands[i].verb))
			continue;
		connection->in_message = commands[i].verb[0] == 'D';
		if (commands[i].verb[0] == 'Q') {
			tell("quit");
			connection->closing = true;
		}
		if (commands[i].answer != NULL)
			commands[i].answer(connection);
		else
			speak(connection, commands[i].reply);
		return;
	}
	speak(connection, "502 5.5.2 what?\r\n");
}

static void hear_line(struct connection *connection, const char *line, size_t size)
{
	if (size > 0 && line[size - 1] == '\r')
		size--;
	if (!connection->in_message) {
		obey(connection, line, size);
	} else if (size == 1 && line[0] == '.') {
		connection->in_message = false;
		speak(connection, "250 2.0.0 thrown away\r\n");
	}
}

void connection_hear(struct connection *connection, const char *bytes, size_t size)
{
	const SSL *ssl = connection->ssl;

	/* Discard plaintext that was received after STARTTLS (RFC 3207 6). */
	for (size_t i = 0; i < size && !connection->closing && connection->ssl == ssl; i++) {
		if (bytes[i] != '\n') {
			if (connection->line_size < sizeof connection->line)
				connection->line[connection->line_size++] = bytes[i];
			continue;
		}
		size_t line_size = connection->line_size;
		connection->line_size = 0;
		hear_line(connection, connection->line, line_size);
	}
}

/* --- the socket ---------------------------------------------------------------------------- */

void connection_free(struct connection *connection)
{
	LIST_REMOVE(connection, link);
	if (connection->readable != NULL)
		event_free(connection->readable);
	if (connection->writable != NULL)
		event_free(connection->writable);
	if (connection->pause != NULL)
		event_free(connection->pause);
	if (connection->out != NULL)
		evbuffer_free(connection->out);
	SSL_free(connection->ssl);
	close(connection->fd);
	free(connection);
}

static void settle(struct connection *connection)
{
	static const struct timeval pause = {.tv_usec = BYTE_PAUSE};
	bool empty = evbuffer_get_length(connection->out) == 0;

	if (connection->dead || (empty && connection->closing)) {
		connection_free(connection);
		return;
	}
	if (empty && connection->refill == NULL)
		return;
	if (connection->host->fault != FAULT_BYTE_BY_BYTE)
		event_add(connection->writable, NULL);
	else if (!evtimer_pending(connection->pause, NULL))
		event_add(connection->pause, &pause);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	bool single = connection->host->fault == FAULT_BYTE_BY_BYTE;

	(void)fd;
	(void)what;
	if (connection->refill != NULL && evbuffer_get_length(connection->out) == 0)
		connection->refill(connection->out);
	if (evbuffer_write_atmost(connection->out, connection->fd, single ? 1 : -1) < 0 &&
		errno != EAGAIN && errno != EINTR) {
		/* Data that the client sent before it closed must still be read. */
		evbuffer_drain(connection->out, evbuffer_get_length(connection->out));
		connection->refill = NULL;
	}
	settle(connection);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	char bytes[READ_SIZE];
	ssize_t size = recv(fd, bytes, sizeof bytes, 0);

	(void)what;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0)
		connection->dead = true;
	else if (connection->ignoring)
		;
	else if (connection->ssl != NULL)
		tls_receive(connection, bytes, (size_t)size);
	else
		connection_hear(connection, bytes, (size_t)size);
	settle(connection);
}

void connection_new(struct mailhost *host, int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	int on = 1;

	tell("connection %u", ++host->accepted);
	if (connection == NULL) {
		close(fd);
		return;
	}
	LIST_INSERT_HEAD(&host->connections, connection, link);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection->host = host;
	connection->fd = fd;
	connection->out = evbuffer_new();
	connection->readable =
		event_new(host->base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->writable = event_new(host->base, fd, EV_WRITE, on_writable, connection);
	connection->pause = evtimer_new(host->base, on_writable, connection);
	if (connection->out == NULL || connection->readable == NULL ||
		connection->writable == NULL || connection->pause == NULL) {
		connection_free(connection);
		return;
	}
	event_add(connection->readable, NULL);
	if (!host->tls_only || host->fault == FAULT_SILENT || host->fault == FAULT_CLOSE_AT_CONNECT)
		greet(connection);
	else
		connection->dead = !tls_begin(connection);
	settle(connection);
}
