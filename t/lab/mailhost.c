/*
 * mailhost - an SMTP server with STARTTLS that misbehaves on request
 *
 *	mailhost --listen ADDRESS:PORT... [--cert CHAIN.pem --key KEY.pem]
 *	         [--sni NAME=CHAIN.pem,KEY.pem...] [--tls-only] [--fault NAME] [--time SECONDS]
 *
 * An IPv6 address is in brackets; with port 0 the kernel chooses one. The chain is sent as it is in
 * its file. Clients that send a NAME (SNI, RFC 6066 3) get the chain for that name. With --tls-only
 * TLS begins at once. Messages are accepted and discarded.
 *
 * Standard output, for tests to read:
 *
 *	listening ADDRESS PORT   for each, when all of them are bound
 *	connection N             for each accepted one
 *	handshake sni=NAME|none  for each completed one
 *	failed-handshake WORDS
 *	quit                     for each QUIT, under TLS or not
 *
 * Ends at SIGTERM, SIGINT, after --time (default 300 s) and, if standard input is a pipe or a
 * socket, when that is closed, so that it ends with the test that started it.
 *
 * Faults are listed below.
 */
#include "t/lab/mailhost.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *name;
	const char *help;
} faults[FAULT_COUNT] = {
	[FAULT_NONE] = {"none", "as it should be"},
	[FAULT_NO_STARTTLS] = {"no-starttls", "EHLO does not offer it"},
	[FAULT_REFUSE_STARTTLS] = {"refuse-starttls", "STARTTLS is answered with 454"},
	[FAULT_TURN_AWAY] = {"turn-away", "the greeting is a 554"},
	[FAULT_CLOSE_AT_CONNECT] = {"close-at-connect", "closes without a word"},
	[FAULT_CLOSE_AFTER_EHLO] = {"close-after-ehlo", "closes instead of answering EHLO"},
	[FAULT_CLOSE_IN_HANDSHAKE] = {"close-in-handshake", "closes after the ClientHello"},
	[FAULT_SILENT] = {"silent", "never says a word"},
	[FAULT_SILENT_HANDSHAKE] = {"silent-handshake", "220 to STARTTLS, then not a word"},
	[FAULT_BYTE_BY_BYTE] = {"byte-by-byte", "every byte of SMTP and TLS by itself"},
	[FAULT_LONG_BANNER] = {"long-banner", "greets with one line of 100 KB"},
	[FAULT_ENDLESS_BANNER] = {"endless-banner", "greets with 220- lines for ever"},
	[FAULT_GARBAGE] = {"garbage", "greets with random bytes"},
	[FAULT_INJECT] = {"inject", "an SMTP reply in the same packet as the 220 to STARTTLS"},
	[FAULT_ENDLESS_HANDSHAKE] = {"endless-handshake", "a certificate of 16 MB, for ever"},
	[FAULT_HELLO_REQUESTS] = {"hello-requests", "HelloRequest for ever, in the handshake"},
	[FAULT_MANY_CERTS] = {"many-certs", "a chain of 100 certificates"},
};

enum { LISTENERS_MAX = 16, BACKLOG = 64 };

struct listener {
	int fd;
	struct event *accepting;
};

static struct mailhost host;
static struct listener listeners[LISTENERS_MAX];
static unsigned listener_count;

void tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
	va_list arguments;

	fputs("mailhost: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

__attribute__((noreturn)) static void usage(void)
{
	fputs("usage: mailhost --listen ADDRESS:PORT... [--cert CHAIN.pem --key KEY.pem]\n"
	      "                [--sni NAME=CHAIN.pem,KEY.pem...] [--tls-only] [--fault NAME]\n"
	      "                [--time SECONDS]\nfaults:\n",
		stderr);
	for (int i = 0; i < FAULT_COUNT; i++)
		fprintf(stderr, "  %-20s%s\n", faults[i].name, faults[i].help);
	exit(64);
}

/* --- listeners ----------------------------------------------------------------------------- */

static socklen_t parse_address(char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	char *colon = strrchr(text, ':');

	if (colon == NULL)
		usage();
	*colon = '\0';
	in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	memset(address, 0, sizeof *address);
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		if (inet_pton(AF_INET6, text + 1, &v6->sin6_addr) == 1)
			return sizeof *v6;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = port;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		return sizeof *v4;
	usage();
}

static void on_connection(evutil_socket_t listener, short what, void *context)
{
	(void)what;
	(void)context;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		connection_new(&host, fd);
}

static void add_listener(char *text)
{
	struct sockaddr_storage address;
	socklen_t size = parse_address(text, &address);
	int on = 1;

	if (listener_count == LISTENERS_MAX)
		give_up("no more than %d listeners", LISTENERS_MAX);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0)
		give_up("%s: %s", text, strerror(errno));
	listeners[listener_count++].fd = fd;
}

static void tell_listener(const struct listener *listener)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {0};
	socklen_t size = sizeof address;
	char words[INET6_ADDRSTRLEN] = "";

	getsockname(listener->fd, &address.any, &size);
	bool is_v6 = address.any.sa_family == AF_INET6;
	if (is_v6)
		inet_ntop(AF_INET6, &address.v6.sin6_addr, words, sizeof words);
	else
		inet_ntop(AF_INET, &address.v4.sin_addr, words, sizeof words);
	tell("listening %s %u", words, ntohs(is_v6 ? address.v6.sin6_port : address.v4.sin_port));
}

/* --- the process --------------------------------------------------------------------------- */

static void on_signal(evutil_socket_t number, short what, void *context)
{
	(void)number;
	(void)what;
	(void)context;
	event_base_loopbreak(host.base);
}

static void on_input(evutil_socket_t fd, short what, void *context)
{
	char bytes[256];

	(void)what;
	(void)context;
	if (read(fd, bytes, sizeof bytes) <= 0)
		event_base_loopbreak(host.base);
}

static bool input_has_other_end(void)
{
	struct stat status;

	return fstat(STDIN_FILENO, &status) == 0 &&
	       (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

/* To the microsecond: the pauses of FAULT_BYTE_BY_BYTE. */
static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void serve(long seconds)
{
	const struct timeval limit = {.tv_sec = seconds};
	struct event *terminate = evsignal_new(host.base, SIGTERM, on_signal, NULL);
	struct event *interrupt = evsignal_new(host.base, SIGINT, on_signal, NULL);
	struct event *input =
		event_new(host.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL);

	if (terminate == NULL || interrupt == NULL || input == NULL)
		give_up("out of memory");
	event_add(terminate, NULL);
	event_add(interrupt, NULL);
	if (input_has_other_end())
		event_add(input, NULL);
	for (unsigned i = 0; i < listener_count; i++) {
		listeners[i].accepting = event_new(
			host.base, listeners[i].fd, EV_READ | EV_PERSIST, on_connection, NULL);
		if (listeners[i].accepting == NULL || event_add(listeners[i].accepting, NULL) != 0)
			give_up("out of memory");
	}
	for (unsigned i = 0; i < listener_count; i++)
		tell_listener(&listeners[i]);
	event_base_loopexit(host.base, &limit);
	event_base_dispatch(host.base);
	event_free(terminate);
	event_free(interrupt);
	event_free(input);
}

/* Free everything, so that a sanitizer reports no leak. */
static void clear(void)
{
	struct connection *connection;

	while ((connection = LIST_FIRST(&host.connections)) != NULL)
		connection_free(connection);
	for (unsigned i = 0; i < listener_count; i++) {
		event_free(listeners[i].accepting);
		close(listeners[i].fd);
	}
	tls_free(host.tls);
	event_base_free(host.base);
}

/* --- options ------------------------------------------------------------------------------- */

static enum fault find_fault(const char *name)
{
	for (int i = 0; i < FAULT_COUNT; i++) {
		if (strcmp(name, faults[i].name) == 0)
			return (enum fault)i;
	}
	usage();
}

/* NAME=CHAIN,KEY */
static void add_name(char *text)
{
	char *equals = strchr(text, '=');
	char *comma = equals != NULL ? strchr(equals, ',') : NULL;

	if (comma == NULL || host.tls == NULL)
		usage();
	*equals = *comma = '\0';
	tls_add_name(host.tls, text, equals + 1, comma + 1);
}

static const struct option long_options[] = {
	{"listen", required_argument, NULL, 'l'},
	{"cert", required_argument, NULL, 'c'},
	{"key", required_argument, NULL, 'k'},
	{"sni", required_argument, NULL, 's'},
	{"tls-only", no_argument, NULL, 'o'},
	{"fault", required_argument, NULL, 'f'},
	{"time", required_argument, NULL, 't'},
	{NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	const char *chain = NULL, *key = NULL;
	char *names[LISTENERS_MAX];
	unsigned name_count = 0;
	long seconds = 300;
	int letter;

	LIST_INIT(&host.connections);
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 'l':
			add_listener(optarg);
			break;
		case 'c':
			chain = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		case 's':
			if (name_count == LISTENERS_MAX)
				usage();
			names[name_count++] = optarg;
			break;
		case 'o':
			host.tls_only = true;
			break;
		case 'f':
			host.fault = find_fault(optarg);
			break;
		case 't':
			seconds = strtol(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || listener_count == 0 || (chain == NULL) != (key == NULL) ||
		seconds <= 0)
		usage();
	if (chain != NULL)
		host.tls = tls_new(chain, key, host.fault == FAULT_MANY_CERTS);
	for (unsigned i = 0; i < name_count; i++)
		add_name(names[i]);
	signal(SIGPIPE, SIG_IGN);
	host.base = base_new();
	if (host.base == NULL)
		give_up("out of memory");
	serve(seconds);
	clear();
	return 0;
}
