/*
 * null - the fastest possible server, with which tlsad is compared
 *
 *	null [--cpu N] [--policy] [--reply "OK dane-only"] [--time SECONDS] ENDPOINT
 *
 * Sends the same reply to every socketmap request, or with --policy to every request of the policy
 * delegation protocol, without any lookup. It does only what every server on libevent must do: one
 * read(2) and one write(2) per request, and a share of epoll_wait(2). Requests in pieces and
 * pipelined requests get correct replies; it does not read from a client that does not read; data
 * that is not a netstring ends its connection. No lock, no allocation and no timer while a
 * connection is open.
 *
 * ENDPOINT is unix:PATH or inet:HOST:PORT. Ends at SIGTERM, SIGINT or after --time (default one
 * hour, so that a forgotten process ends).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include "common/base/endpoint.h"
#include "frame.h"
#include "measure.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { REQUEST_MAX = 10000 }; /* socketmap_table(5) */
enum { READ_SIZE = 16384 };
enum { REPLIES_AT_ONCE = 256 };

static struct event_base *base;
static char read_buffer[READ_SIZE];
static char *replies; /* the framed reply, REPLIES_AT_ONCE times */
static size_t reply_size;
static bool policy;

struct connection {
	struct event readable;
	struct event writable;
	struct frame frame;
	size_t owed; /* of replies, not yet written [bytes] */
};

static void connection_close(struct connection *connection)
{
	int fd = event_get_fd(&connection->readable);
	event_del(&connection->readable);
	event_del(&connection->writable);
	close(fd);
	free(connection);
}

/* Write the pending replies; false if the connection has ended. */
static bool pay(struct connection *connection, int fd)
{
	while (connection->owed > 0) {
		/* If a reply was written in part, the next write begins in its middle. */
		size_t skip = (reply_size - connection->owed % reply_size) % reply_size;
		size_t size = REPLIES_AT_ONCE * reply_size - skip;
		if (size > connection->owed)
			size = connection->owed;
		ssize_t written = write(fd, replies + skip, size);
		if (written < 0)
			return errno == EAGAIN || errno == EINTR;
		connection->owed -= (size_t)written;
	}
	return true;
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;

	(void)what;
	if (!pay(connection, fd)) {
		connection_close(connection);
	} else if (connection->owed == 0) {
		event_del(&connection->writable);
		event_add(&connection->readable, NULL);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	size_t done = 0;

	(void)what;
	ssize_t size = read(fd, read_buffer, sizeof read_buffer);
	if (size <= 0) {
		if (size == 0 || (errno != EAGAIN && errno != EINTR))
			connection_close(connection);
		return;
	}
	while (done < (size_t)size) {
		size_t used = 0;
		const char *at = read_buffer + done;
		size_t left = (size_t)size - done;
		enum frame_result result =
			policy ? lines_feed(&connection->frame, at, left, REQUEST_MAX, &used)
			       : frame_feed(&connection->frame, at, left, REQUEST_MAX, &used);
		if (result == FRAME_BAD) {
			connection_close(connection);
			return;
		}
		if (result == FRAME_COMPLETE)
			connection->owed += reply_size;
		done += used;
	}
	if (!pay(connection, fd)) {
		connection_close(connection);
	} else if (connection->owed > 0) {
		event_del(&connection->readable);
		event_add(&connection->writable, NULL);
	}
}

static void on_connection(evutil_socket_t listener, short what, void *context)
{
	int on = 1;

	(void)what;
	(void)context;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct connection *connection = calloc(1, sizeof *connection);
	if (connection == NULL) {
		close(fd);
		return;
	}
	/* Fails on a unix socket, which never delays data. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	event_assign(
		&connection->readable, base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	event_assign(
		&connection->writable, base, fd, EV_WRITE | EV_PERSIST, on_writable, connection);
	event_add(&connection->readable, NULL);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	(void)number;
	(void)what;
	(void)context;
	event_base_loopbreak(base);
}

static bool prepare_reply(const char *reply)
{
	const char *tail = policy ? "\n\n" : ",";
	char head[32];

	if (policy)
		snprintf(head, sizeof head, "action=");
	else
		snprintf(head, sizeof head, "%zu:", strlen(reply));
	reply_size = strlen(head) + strlen(reply) + strlen(tail);
	replies = malloc(REPLIES_AT_ONCE * reply_size + 1);
	for (size_t i = 0; replies != NULL && i < REPLIES_AT_ONCE; i++)
		snprintf(replies + i * reply_size, reply_size + 1, "%s%s%s", head, reply, tail);
	return replies != NULL;
}

/* One thread, so libevent needs no locks and no wake-ups by other threads. */
static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	struct event_base *created = event_base_new_with_config(config);
	event_config_free(config);
	return created;
}

static int serve(const char *name, unsigned long seconds)
{
	struct endpoint endpoint;
	char error[256];
	struct timeval limit = {.tv_sec = (time_t)seconds};
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!endpoint_parse(&endpoint, name, error, sizeof error)) {
		fprintf(stderr, "null: %s: %s\n", name, error);
		return 64;
	}
	int listener = endpoint_listen(&endpoint, 0600, error, sizeof error);
	if (listener < 0) {
		fprintf(stderr, "null: %s: %s\n", name, error);
		return 1;
	}
	base = base_new();
	struct event *accepting =
		base == NULL ? NULL
			     : event_new(base, listener, EV_READ | EV_PERSIST, on_connection, NULL);
	struct event *terminate =
		base == NULL ? NULL : evsignal_new(base, SIGTERM, on_signal, NULL);
	struct event *interrupt = base == NULL ? NULL : evsignal_new(base, SIGINT, on_signal, NULL);
	if (accepting == NULL || terminate == NULL || interrupt == NULL) {
		fputs("null: out of memory\n", stderr);
		return 1;
	}
	event_add(accepting, NULL);
	event_add(terminate, NULL);
	event_add(interrupt, NULL);
	event_base_loopexit(base, &limit);
	signal(SIGPIPE, SIG_IGN);
	event_base_dispatch(base);
	endpoint_remove(&endpoint);
	return 0;
}

static const struct option long_options[] = {
	{"cpu", required_argument, NULL, 'c'},
	{"policy", no_argument, NULL, 'p'},
	{"reply", required_argument, NULL, 'r'},
	{"time", required_argument, NULL, 't'},
	{NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	const char *reply = "OK dane-only";
	unsigned long seconds = 3600;
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			measure_pin("null", (int)measure_number("null", "cpu", optarg, 0, 1023));
			break;
		case 'p':
			policy = true;
			break;
		case 'r':
			reply = optarg;
			break;
		case 't':
			seconds = measure_number("null", "time", optarg, 1, 86400);
			break;
		default:
			argc = 0;
		}
	}
	if (argc != optind + 1) {
		fputs("usage: null [--cpu N] [--policy] [--reply TEXT] [--time SECONDS] ENDPOINT\n",
			stderr);
		return 64;
	}
	if (!prepare_reply(reply)) {
		fputs("null: out of memory\n", stderr);
		return 1;
	}
	return serve(argv[optind], seconds);
}
