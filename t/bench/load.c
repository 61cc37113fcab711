/*
 * load - sends requests to a socketmap server or a policy service as Postfix does, and measures how
 * fast it replies
 *
 *	load --keys FILE [OPTION]... ENDPOINT
 *
 * Closed loop: every connection sends one request and, after the reply, the next one. ENDPOINT is
 * unix:PATH or inet:HOST:PORT; FILE has one key per line.
 *
 *	--connections N   (16)
 *	--map NAME        (policy)
 *	--policy          send policy requests for a recipient at each key instead
 *	--limit N         only the first N keys of the file
 *	--seed N          (1) the order of the keys; 0 is that of the file
 *	--once            request every key once, then end the run; otherwise repeat them in turn
 *	--time SECONDS    (5; with --once or --hold 600) longest time of the run
 *	--warm-up SECONDS (0) time at the beginning that is not counted
 *	--timeout SECONDS (100, Postfix's own) a reply that is later than this ends the run
 *	--cpu N           stay on this core
 *	--sleep           sleep while waiting for replies; otherwise keep the core busy polling
 *	--hold            open the connections, send one request on each if there are keys, print
 *	                  "holding" and keep them open until standard input ends
 *	--json            print one line of JSON with times in ns, instead of text
 *
 * Exit status: 0; 1 if a reply was malformed, unknown or late, or if a connection ended; 64 for
 * wrong usage.
 *
 * The generator must cost less than any server, otherwise it would limit the result. So requests
 * are framed before the run, in the order of sending; a reply costs one recv(2), one send(2) and
 * one read of the clock. By default it does not sleep, because a server that wakes a sleeping core
 * pays for that, most of all on a virtual machine.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "common/base/endpoint.h"
#include "frame.h"
#include "measure.h"
#include "requests.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { REPLY_MAX = 100000 }; /* socketmap_table(5) */
enum { READ_SIZE = 65536, EVENTS_AT_ONCE = 256 };
enum { SWEEP_INTERVAL = 1000 }; /* between checks for late replies [ms] */

static const uint64_t SECOND = 1000000000U; /* [ns] */

enum reply {
	REPLY_OK,
	REPLY_NOTFOUND,
	REPLY_TEMP,
	REPLY_TIMEOUT,
	REPLY_PERM,
	REPLY_DUNNO,
	REPLY_UNKNOWN
};
enum { REPLY_KINDS = REPLY_UNKNOWN + 1 };

static const char *const reply_words[REPLY_KINDS] = {
	"OK ", "NOTFOUND ", "TEMP ", "TIMEOUT ", "PERM ", "action=DUNNO", ""};
static const char *const reply_names[REPLY_KINDS] = {
	"ok", "notfound", "temp", "timeout", "perm", "dunno", "unknown"};

struct options {
	unsigned long connections, limit, seed, seconds, warm_up, timeout;
	const char *keys, *map, *endpoint;
	bool policy, once, sleep, hold, json;
};

struct connection {
	int fd; /* -1: ended */
	bool waiting;
	uint64_t sent; /* [ns] */
	struct frame frame;
};

static struct {
	struct requests requests;
	size_t next; /* of them */
	struct connection *connections;
	size_t waiting, alive;
	int epoll;
	bool policy;
	uint64_t kinds[REPLY_KINDS];
	uint64_t malformed, lost, late;
	struct histogram times;
} load;

static volatile sig_atomic_t interrupted;

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_connections(const struct options *options)
{
	struct endpoint endpoint;
	char error[256];
	int on = 1;

	if (!endpoint_parse(&endpoint, options->endpoint, error, sizeof error)) {
		fprintf(stderr, "load: %s: %s\n", options->endpoint, error);
		exit(64);
	}
	load.connections = calloc(options->connections, sizeof load.connections[0]);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.connections == NULL || load.epoll < 0)
		fail("connections");
	for (size_t i = 0; i < options->connections; i++) {
		struct connection *connection = &load.connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		int family = endpoint.address.ss_family;
		connection->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connection->fd < 0 ||
			connect(connection->fd, (const struct sockaddr *)&endpoint.address,
				endpoint.size) != 0 ||
			epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
			fail(options->endpoint);
		if (family != AF_UNIX)
			setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		load.alive++;
	}
}

static void lose(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	load.alive--;
	if (connection->waiting)
		load.waiting--;
	connection->waiting = false;
}

static void send_next(struct connection *connection, bool once, uint64_t now)
{
	if (load.next == load.requests.count) {
		if (once)
			return;
		load.next = 0;
	}
	const struct request *request = &load.requests.items[load.next++];
	ssize_t sent = send(connection->fd, load.requests.bytes + request->offset, request->size,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	connection->sent = now;
	connection->waiting = true;
	load.waiting++;
	/* With one small request at a time there is always room for it in the socket. */
	if (sent != (ssize_t)request->size) {
		load.lost++;
		lose(connection);
	}
}

static enum reply classify(const struct frame *frame)
{
	for (int kind = 0; kind < REPLY_UNKNOWN; kind++) {
		size_t size = strlen(reply_words[kind]);
		if (size > FRAME_WORD)
			size = FRAME_WORD;
		if (frame->length >= size && memcmp(frame->word, reply_words[kind], size) == 0)
			return (enum reply)kind;
	}
	return REPLY_UNKNOWN;
}

static void receive(struct connection *connection, bool once)
{
	static char buffer[READ_SIZE];
	size_t used = 0;

	ssize_t size = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		load.lost++;
		lose(connection);
		return;
	}
	enum frame_result result =
		load.policy
			? lines_feed(&connection->frame, buffer, (size_t)size, REPLY_MAX, &used)
			: frame_feed(&connection->frame, buffer, (size_t)size, REPLY_MAX, &used);
	if (result == FRAME_PARTIAL && connection->waiting)
		return;
	/* More data than one reply is an error too. */
	if (result != FRAME_COMPLETE || !connection->waiting || used != (size_t)size) {
		load.malformed++;
		lose(connection);
		return;
	}
	uint64_t now = measure_clock();
	histogram_add(&load.times, now - connection->sent);
	load.kinds[classify(&connection->frame)]++;
	connection->waiting = false;
	load.waiting--;
	send_next(connection, once, now);
}

static void sweep(const struct options *options, uint64_t now)
{
	for (size_t i = 0; i < options->connections; i++) {
		struct connection *connection = &load.connections[i];
		if (connection->waiting && now - connection->sent > options->timeout * SECOND)
			load.late++;
	}
}

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* Returns the duration of the counted part [ns]. */
static uint64_t run(const struct options *options)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	uint64_t start = measure_clock(), now = start, swept = start;
	uint64_t counted = start + options->warm_up * SECOND;
	uint64_t end = counted + options->seconds * SECOND;
	bool warming = options->warm_up > 0;

	for (size_t i = 0; i < options->connections; i++)
		send_next(&load.connections[i], options->once, measure_clock());
	while (now < end && load.waiting > 0 && load.late == 0 && !interrupted) {
		int ready = epoll_wait(
			load.epoll, events, EVENTS_AT_ONCE, options->sleep ? SWEEP_INTERVAL : 0);
		for (int i = 0; i < ready; i++)
			receive(events[i].data.ptr, options->once);
		now = measure_clock();
		if (warming && now >= counted) {
			warming = false;
			start = now;
			memset(load.kinds, 0, sizeof load.kinds);
			histogram_clear(&load.times);
		}
		if (now - swept > SWEEP_INTERVAL * (SECOND / 1000)) {
			swept = now;
			sweep(options, now);
		}
	}
	return now - start;
}

static bool report(const struct options *options, uint64_t duration)
{
	static const struct {
		const char *name;
		double share;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
	enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };
	double seconds = (double)duration / (double)SECOND;
	double rate = duration == 0 ? 0 : (double)load.times.count / seconds;
	uint64_t errors = load.malformed + load.lost + load.late + load.kinds[REPLY_UNKNOWN];

	if (options->json)
		printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"rate\":%.1f", load.times.count,
			seconds, rate);
	else
		printf("%" PRIu64 " replies in %.2f s, %.0f/s;", load.times.count, seconds, rate);
	for (size_t i = 0; i < QUANTILES; i++) {
		uint64_t value = histogram_quantile(&load.times, quantiles[i].share);
		if (options->json)
			printf(",\"%s\":%" PRIu64, quantiles[i].name, value);
		else
			printf(" %s %.1f", quantiles[i].name, (double)value / 1000);
	}
	fputs(options->json ? "" : " us;", stdout);
	for (int kind = 0; kind < REPLY_KINDS; kind++) {
		if (options->json)
			printf(",\"%s\":%" PRIu64, reply_names[kind], load.kinds[kind]);
		else if (load.kinds[kind] > 0)
			printf(" %s %" PRIu64, reply_names[kind], load.kinds[kind]);
	}
	if (options->json)
		printf(",\"malformed\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64 "}\n",
			load.malformed, load.lost, load.late);
	else if (errors > 0)
		printf(" malformed %" PRIu64 " lost %" PRIu64 " late %" PRIu64 "\n", load.malformed,
			load.lost, load.late);
	else
		putchar('\n');
	return errors == 0;
}

/* Idle connections, as between two requests or before the first one. */
static bool hold(const struct options *options)
{
	char byte;

	if (options->keys != NULL) {
		for (size_t i = 0; i < options->connections; i++) {
			/* One after the other, so that the length of the listen queue does not
			 * matter. */
			struct connection *connection = &load.connections[i];
			struct epoll_event event;
			load.next = i % load.requests.count;
			send_next(connection, false, measure_clock());
			while (connection->waiting && epoll_wait(load.epoll, &event, 1, -1) == 1) {
				struct connection *ready = event.data.ptr;
				load.next = load.requests.count;
				receive(ready, true);
			}
		}
	}
	printf("holding %zu\n", load.alive);
	fflush(stdout);
	while (!interrupted && read(STDIN_FILENO, &byte, 1) > 0) {
	}
	return load.lost + load.malformed == 0;
}

static const struct option long_options[] = {
	{"connections", required_argument, NULL, 'n'},
	{"keys", required_argument, NULL, 'k'},
	{"map", required_argument, NULL, 'm'},
	{"policy", no_argument, NULL, 'p'},
	{"limit", required_argument, NULL, 'l'},
	{"seed", required_argument, NULL, 's'},
	{"once", no_argument, NULL, 'o'},
	{"time", required_argument, NULL, 't'},
	{"warm-up", required_argument, NULL, 'w'},
	{"timeout", required_argument, NULL, 'T'},
	{"cpu", required_argument, NULL, 'c'},
	{"sleep", no_argument, NULL, 'S'},
	{"hold", no_argument, NULL, 'h'},
	{"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

static bool read_options(struct options *options, int argc, char **argv)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 'n':
			options->connections =
				measure_number("load", "connections", optarg, 1, 1000000);
			break;
		case 'k':
			options->keys = optarg;
			break;
		case 'm':
			options->map = optarg;
			break;
		case 'p':
			options->policy = true;
			break;
		case 'l':
			options->limit = measure_number("load", "limit", optarg, 1, 100000000);
			break;
		case 's':
			options->seed = measure_number("load", "seed", optarg, 0, 1000000000);
			break;
		case 'o':
			options->once = true;
			break;
		case 't':
			options->seconds = measure_number("load", "time", optarg, 1, 86400);
			break;
		case 'w':
			options->warm_up = measure_number("load", "warm-up", optarg, 0, 86400);
			break;
		case 'T':
			options->timeout = measure_number("load", "timeout", optarg, 1, 86400);
			break;
		case 'c':
			measure_pin("load", (int)measure_number("load", "cpu", optarg, 0, 1023));
			break;
		case 'S':
			options->sleep = true;
			break;
		case 'h':
			options->hold = true;
			break;
		case 'j':
			options->json = true;
			break;
		default:
			return false;
		}
	}
	if (argc != optind + 1 || strlen(options->map) > 100)
		return false;
	options->endpoint = argv[optind];
	if (options->seconds == 0)
		options->seconds = options->once || options->hold ? 600 : 5;
	return options->keys != NULL || options->hold;
}

int main(int argc, char **argv)
{
	struct options options = {
		.connections = 16, .limit = 100000000, .seed = 1, .timeout = 100, .map = "policy"};
	struct rlimit files;
	struct sigaction action = {.sa_handler = on_signal};

	if (!read_options(&options, argc, argv)) {
		fputs("usage: load --keys FILE [--connections N] [--map NAME | --policy] [--limit N]\n"
		      "            [--seed N] [--once] [--time S] [--warm-up S] [--timeout S] [--cpu N]\n"
		      "            [--sleep] [--hold] [--json] unix:PATH|inet:HOST:PORT\n",
			stderr);
		return 64;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	load.policy = options.policy;
	if (options.keys != NULL &&
		!requests_read(&load.requests, options.keys, options.policy ? NULL : options.map,
			options.limit, options.seed))
		return 1;
	open_connections(&options);
	if (options.hold) {
		alarm((unsigned)options.seconds);
		return hold(&options) ? 0 : 1;
	}
	return report(&options, run(&options)) ? 0 : 1;
}
