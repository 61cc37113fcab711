/*
 * policyhost - an HTTPS server for MTA-STS policies that misbehaves on request
 *
 *	policyhost --directory DIR --listen ADDRESS:PORT... [--silent ADDRESS:PORT...]
 *	           [--time SECONDS]
 *
 * Listens on IPv4 addresses; with port 0 the kernel chooses one. At a --silent address it accepts
 * and never reads. For each connection it reads the file DIR/NAME, NAME being what the client sends
 * as SNI (RFC 6066 3). A test may replace the file at any time. It has lines "WORD VALUE", an empty
 * line, and the bytes of the response as they are sent:
 *
 *	certificate FILE   chain and key, in PEM; needed
 *	max_tls 1.1|1.2    the highest version of TLS
 *	delay MS           before the response
 *	piece BYTES MS     the response in pieces of so many bytes, with so much time between them
 *	fill BYTES         after the response, so many bytes `x` in lines
 *	silent request     no byte after the request
 *	end notify|cut|reset|open
 *	                   after the response: close_notify (the default), only close, reset the
 *	                   connection, or leave it open
 *
 * Without a file the handshake fails.
 *
 * Standard output, for tests to read:
 *
 *	listening ADDRESS PORT   for each, when all of them are bound
 *	connection ADDRESS       for each accepted one; ADDRESS is the local one
 *	request NAME LINE        for each request
 *	field NAME LINE          for each of its header fields, right after it
 *	body-left NAME BYTES     the client closed before it had taken the rest
 *
 * Ends at SIGTERM, SIGINT, after --time (default 300 s) and, if standard input is a pipe or a
 * socket, when that is closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LISTEN_MAX = 2048,
	CONTEXTS_MAX = 4096,
	NAME_SIZE = 256,
	REQUEST_MAX = 16384,
	FILL_PIECE = 65536,
	SECONDS_MAX = 24 * 60 * 60,
	MILLISECONDS_MAX = 1000 * SECONDS_MAX,
};

enum end { END_NOTIFY, END_CUT, END_RESET, END_OPEN };

struct conduct {
	char certificate[256];
	int max_tls; /* 0: any */
	unsigned delay, piece, piece_pause;
	uint64_t fill;
	bool silent_request;
	enum end end;
	char *response;
	size_t response_size;
};

struct host {
	struct event_base *base;
	const char *directory;
	SSL_CTX *context; /* without a certificate */
	struct {
		char file[256];
		SSL_CTX *context;
	} contexts[CONTEXTS_MAX];
	size_t context_count;
};

struct connection {
	struct host *host;
	struct bufferevent *buffer;
	SSL *ssl;
	struct event *timer;
	char name[NAME_SIZE];
	struct conduct conduct;
	size_t sent; /* of the response */
	uint64_t filled;
	bool responding, complete;
};

static struct host host;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A decimal number of at most `max`, with nothing after it. */
static unsigned long number(const char *text, unsigned long max)
{
	char *end;

	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > max) {
		fprintf(stderr, "policyhost: not a number up to %lu: %s\n", max, text);
		exit(1);
	}
	return value;
}

/* --- conduct ------------------------------------------------------------------------------- */

static char *read_all(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	struct stat status;
	char *bytes = NULL;

	*size = 0;
	if (file == NULL)
		return NULL;
	if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) &&
		(bytes = malloc((size_t)status.st_size + 1)) != NULL) {
		*size = fread(bytes, 1, (size_t)status.st_size, file);
		bytes[*size] = '\0';
	}
	fclose(file);
	return bytes;
}

static void take_word(struct conduct *conduct, const char *word, char *value)
{
	static const char *const ends[] = {"notify", "cut", "reset", "open"};

	if (strcmp(word, "certificate") == 0) {
		snprintf(conduct->certificate, sizeof conduct->certificate, "%s", value);
	} else if (strcmp(word, "max_tls") == 0) {
		conduct->max_tls = strcmp(value, "1.1") == 0 ? TLS1_1_VERSION : TLS1_2_VERSION;
	} else if (strcmp(word, "delay") == 0) {
		conduct->delay = (unsigned)number(value, MILLISECONDS_MAX);
	} else if (strcmp(word, "piece") == 0) {
		char *blank = strchr(value, ' ');
		if (blank == NULL) {
			fprintf(stderr, "policyhost: not BYTES MS: %s\n", value);
			exit(1);
		}
		*blank = '\0';
		conduct->piece = (unsigned)number(value, UINT_MAX);
		conduct->piece_pause = (unsigned)number(blank + 1, MILLISECONDS_MAX);
	} else if (strcmp(word, "fill") == 0) {
		conduct->fill = number(value, ULONG_MAX);
	} else if (strcmp(word, "silent") == 0) {
		conduct->silent_request = strcmp(value, "request") == 0;
	} else if (strcmp(word, "end") == 0) {
		for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
			if (strcmp(value, ends[i]) == 0)
				conduct->end = (enum end)i;
		}
	} else {
		fprintf(stderr, "policyhost: unknown word %s\n", word);
		exit(1);
	}
}

static bool read_conduct(struct conduct *conduct, const char *name)
{
	char path[1024];
	size_t size;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return false;
	snprintf(path, sizeof path, "%s/%s", host.directory, name);
	char *bytes = read_all(path, &size), *at = bytes;
	if (bytes == NULL)
		return false;
	while (*at != '\n' && *at != '\0') {
		char *line = at, *end = strchr(at, '\n');
		if (end == NULL)
			break;
		*end = '\0';
		at = end + 1;
		char *blank = strchr(line, ' ');
		if (blank != NULL) {
			*blank = '\0';
			take_word(conduct, line, blank + 1);
		}
	}
	if (*at == '\n')
		at++;
	conduct->response_size = size - (size_t)(at - bytes);
	conduct->response = malloc(conduct->response_size + 1);
	if (conduct->response == NULL)
		die("malloc");
	memcpy(conduct->response, at, conduct->response_size);
	free(bytes);
	return true;
}

/* --- TLS ----------------------------------------------------------------------------------- */

static SSL_CTX *new_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL)
		die("SSL_CTX_new");
	/* Old versions need it. */
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	return context;
}

static SSL_CTX *find_context(const char *file)
{
	for (size_t i = 0; i < host.context_count; i++) {
		if (strcmp(host.contexts[i].file, file) == 0)
			return host.contexts[i].context;
	}
	SSL_CTX *context = new_context();
	if (host.context_count == CONTEXTS_MAX ||
		SSL_CTX_use_certificate_chain_file(context, file) != 1 ||
		SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "policyhost: cannot use %s\n", file);
		SSL_CTX_free(context);
		return NULL;
	}
	snprintf(host.contexts[host.context_count].file, sizeof host.contexts[0].file, "%s", file);
	return host.contexts[host.context_count++].context = context;
}

/* Called with the ClientHello, before anything is chosen. */
static int take_hello(SSL *ssl, int *alert, void *context)
{
	struct connection *connection = SSL_get_app_data(ssl);
	const unsigned char *extension;
	size_t size;

	(void)context;
	/* server_name: u16 size of the list, u8 type, u16 size of the name, the name. */
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &size) != 1 ||
		size < 5 || size - 5 >= NAME_SIZE)
		return SSL_CLIENT_HELLO_ERROR;
	memcpy(connection->name, extension + 5, size - 5);
	connection->name[size - 5] = '\0';
	if (!read_conduct(&connection->conduct, connection->name)) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	SSL_CTX *with_certificate = find_context(connection->conduct.certificate);
	if (with_certificate == NULL)
		return SSL_CLIENT_HELLO_ERROR;
	SSL_set_SSL_CTX(ssl, with_certificate);
	if (connection->conduct.max_tls != 0)
		SSL_set_max_proto_version(ssl, connection->conduct.max_tls);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* --- connections --------------------------------------------------------------------------- */

static void free_connection(struct connection *connection)
{
	if (connection->timer != NULL)
		event_free(connection->timer);
	bufferevent_free(connection->buffer);
	free(connection->conduct.response);
	free(connection);
}

static void end_connection(struct connection *connection)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = bufferevent_getfd(connection->buffer);

	switch (connection->conduct.end) {
	case END_OPEN:
		return;
	case END_RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		SSL_set_quiet_shutdown(connection->ssl, 1);
		break;
	case END_CUT:
		SSL_set_quiet_shutdown(connection->ssl, 1);
		SSL_set_shutdown(connection->ssl, SSL_RECEIVED_SHUTDOWN | SSL_SENT_SHUTDOWN);
		break;
	case END_NOTIFY:
		SSL_shutdown(connection->ssl);
		break;
	}
	free_connection(connection);
}

/* Put the next bytes into the output; true if there are more later. */
static void send_more(struct connection *connection)
{
	struct conduct *conduct = &connection->conduct;
	struct evbuffer *output = bufferevent_get_output(connection->buffer);
	size_t left = conduct->response_size - connection->sent;
	size_t size = conduct->piece != 0 && conduct->piece < left ? conduct->piece : left;

	if (left > 0) {
		evbuffer_add(output, conduct->response + connection->sent, size);
		connection->sent += size;
	} else if (connection->filled < conduct->fill) {
		static char filler[FILL_PIECE];
		if (filler[0] == '\0') {
			memset(filler, 'x', sizeof filler);
			for (size_t i = 63; i < sizeof filler; i += 64)
				filler[i] = '\n';
		}
		uint64_t rest = conduct->fill - connection->filled;
		size = rest < sizeof filler ? (size_t)rest : sizeof filler;
		if (conduct->piece != 0 && conduct->piece < size)
			size = conduct->piece;
		evbuffer_add(output, filler, size);
		connection->filled += size;
	}
	connection->complete =
		connection->sent == conduct->response_size && connection->filled == conduct->fill;
}

static void time_has_come(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;

	(void)fd;
	(void)what;
	connection->responding = true;
	send_more(connection);
	if (connection->complete &&
		evbuffer_get_length(bufferevent_get_output(connection->buffer)) == 0)
		end_connection(connection);
}

static void wait_ms(struct connection *connection, unsigned milliseconds)
{
	struct timeval delay = {milliseconds / 1000, milliseconds % 1000 * 1000};

	evtimer_add(connection->timer, &delay);
}

/* The output is empty. */
static void written(struct bufferevent *buffer, void *context)
{
	struct connection *connection = context;

	(void)buffer;
	if (!connection->responding)
		return;
	if (connection->complete)
		end_connection(connection);
	else if (connection->conduct.piece_pause != 0)
		wait_ms(connection, connection->conduct.piece_pause);
	else
		send_more(connection);
}

/* A request ends with an empty line. */
static void say_request(const char *name, const char *bytes)
{
	const char *word = "request";
	size_t size;

	while ((size = strcspn(bytes, "\r\n")) > 0) {
		say("%s %s %.*s", word, name, (int)size, bytes);
		bytes += size + strspn(bytes + size, "\r") + 1;
		word = "field";
	}
}

static void received(struct bufferevent *buffer, void *context)
{
	struct connection *connection = context;
	struct evbuffer *input = bufferevent_get_input(buffer);
	size_t size = evbuffer_get_length(input);
	char *bytes = (char *)evbuffer_pullup(input, -1);

	if (connection->responding || size > REQUEST_MAX) {
		evbuffer_drain(input, size);
		return;
	}
	if (memmem(bytes, size, "\r\n\r\n", 4) == NULL)
		return;
	say_request(connection->name, bytes);
	evbuffer_drain(input, size);
	if (!connection->conduct.silent_request)
		wait_ms(connection, connection->conduct.delay);
}

static void happened(struct bufferevent *buffer, short what, void *context)
{
	struct connection *connection = context;

	(void)buffer;
	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	if (connection->responding && !connection->complete)
		say("body-left %s %llu", connection->name,
			(unsigned long long)(connection->conduct.response_size - connection->sent +
					     connection->conduct.fill - connection->filled));
	free_connection(connection);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
	int peer_size, void *context)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct sockaddr_in local;
	socklen_t size = sizeof local;
	char words[INET_ADDRSTRLEN] = "";

	(void)listener;
	(void)peer;
	(void)peer_size;
	if (getsockname(fd, (struct sockaddr *)&local, &size) == 0)
		inet_ntop(AF_INET, &local.sin_addr, words, sizeof words);
	say("connection %s", words);
	if (context != NULL) {
		/* Silent: the descriptor stays open until this process ends. */
		free(connection);
		return;
	}
	if (connection == NULL)
		die("calloc");
	connection->host = &host;
	connection->ssl = SSL_new(host.context);
	SSL_set_app_data(connection->ssl, connection);
	connection->buffer = bufferevent_openssl_socket_new(host.base, fd, connection->ssl,
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	connection->timer = evtimer_new(host.base, time_has_come, connection);
	bufferevent_openssl_set_allow_dirty_shutdown(connection->buffer, 1);
	bufferevent_setcb(connection->buffer, received, written, happened, connection);
	bufferevent_enable(connection->buffer, EV_READ | EV_WRITE);
}

/* --- start and end ------------------------------------------------------------------------- */

static void add_listener(const char *text, bool silent)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char ip[64];
	const char *colon = strrchr(text, ':');
	socklen_t size = sizeof address;

	if (colon == NULL)
		die("--listen ADDRESS:PORT");
	snprintf(ip, sizeof ip, "%.*s", (int)(colon - text), text);
	address.sin_port = htons((uint16_t)number(colon + 1, UINT16_MAX));
	if (inet_pton(AF_INET, ip, &address.sin_addr) != 1)
		die(text);
	struct evconnlistener *listener = evconnlistener_new_bind(host.base, accepted,
		silent ? &host : NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 512,
		(struct sockaddr *)&address, sizeof address);
	if (listener == NULL)
		die(text);
	getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &size);
	say("listening %s %u", ip, ntohs(address.sin_port));
}

static void stop(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(context);
}

/* A silent connection stays open: many of them need more than the usual limit. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void watch_input(void)
{
	struct stat status;

	if (fstat(STDIN_FILENO, &status) == 0 &&
		(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
		event_add(event_new(host.base, STDIN_FILENO, EV_READ, stop, host.base), NULL);
}

int main(int count, char **arguments)
{
	static const struct option options[] = {
		{"directory", required_argument, NULL, 'd'},
		{"listen", required_argument, NULL, 'l'},
		{"silent", required_argument, NULL, 's'},
		{"time", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	struct timeval limit = {.tv_sec = 300};
	int option;

	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	host.base = event_base_new();
	host.context = new_context();
	if (host.base == NULL)
		die("event_base_new");
	SSL_CTX_set_client_hello_cb(host.context, take_hello, NULL);
	while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
		if (option == 'd')
			host.directory = optarg;
		else if (option == 'l' || option == 's')
			add_listener(optarg, option == 's');
		else if (option == 't')
			limit.tv_sec = (time_t)number(optarg, SECONDS_MAX);
		else
			return 2;
	}
	if (host.directory == NULL)
		return 2;
	event_add(evsignal_new(host.base, SIGTERM, stop, host.base), NULL);
	event_add(evsignal_new(host.base, SIGINT, stop, host.base), NULL);
	event_base_once(host.base, -1, EV_TIMEOUT, stop, host.base, &limit);
	watch_input();
	event_base_dispatch(host.base);
	return 0;
}
