#include "daemon/metrics/metrics.h"

#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "daemon/health/health.h"
#include "daemon/metrics/exposition.h"
#include "daemon/process/access.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	CHECK_INTERVAL = 1,          /* [s] */
	CHECK_INTERVAL_FULL = 10000, /* [us] while the number of connections is at its limit */
};

/*
 * evhttp does not report the end of a connection and does not limit the number of connections. So
 * the bufferevent of each one is created here, with a reference that is kept until evhttp has freed
 * its own.
 */
struct connection {
	TAILQ_ENTRY(connection) link;
	struct bufferevent *buffer;
	uint32_t since;      /* [s], clock_steady() */
	bool access_checked; /* [server] allow */
	bool closing;
};

struct metrics {
	struct metrics_services services;
	struct conf *conf;
	struct listeners *listeners; /* one socket */
	struct evhttp *http;
	struct evconnlistener *listener;   /* NULL: stopped */
	struct evhttp_bound_socket *bound; /* if not NULL, evhttp owns the listener */
	struct event *check;
	TAILQ_HEAD(, connection) connections; /* oldest first */
	unsigned connection_count;
	char page[METRICS_PAGE_SIZE];
};

/* --- requests ------------------------------------------------------------------------------ */

static void send_page(struct evhttp_request *request, int code, const char *type, const char *words)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();
	char length[24];

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "Connection", "close");
	snprintf(length, sizeof length, "%zu", strlen(words));
	evhttp_add_header(headers, "Content-Length", length);
	/* libevent 2.1 would also send a body for HEAD. */
	if (body != NULL && evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
		evbuffer_add(body, words, strlen(words));
	evhttp_send_reply(request, code, NULL, body);
	if (body != NULL)
		evbuffer_free(body);
}

static void send_line(struct evhttp_request *request, int code, const char *words)
{
	char line[HEALTH_WORDS_SIZE + 1];

	snprintf(line, sizeof line, "%s\n", words);
	send_page(request, code, "text/plain; charset=utf-8", line);
}

static void show_metrics(struct metrics *metrics, struct evhttp_request *request)
{
	struct counters counters;
	struct text text;

	text_init(&text, metrics->page, sizeof metrics->page);
	counters_read(metrics->services.counters, metrics->conf, &counters);
	metrics_page(&counters, &text);
	/* Never send part of a page: a scraper would take it for a complete one. */
	if (text.cut)
		send_line(request, HTTP_INTERNAL,
			"the page is larger than tlsad's buffer: report this fault of tlsad");
	else
		send_page(request, HTTP_OK, EXPOSITION_CONTENT_TYPE, metrics->page);
}

static void show_health(struct metrics *metrics, struct evhttp_request *request)
{
	char words[HEALTH_WORDS_SIZE];
	const struct counters_source *source = metrics->services.counters;
	bool healthy = health_check(source->server, source->lookup, words);

	send_line(request, healthy ? HTTP_OK : HTTP_SERVUNAVAIL, words);
}

/* All pages. */
static const struct {
	const char *path;
	void (*show)(struct metrics *metrics, struct evhttp_request *request);
} pages[] = {
	{"/metrics", show_metrics},
	{"/healthz", show_health},
};

/* evhttp ends the connection after this: check the connections in the next turn of the loop. */
static void request_completed(struct evhttp_request *request, void *context)
{
	struct metrics *metrics = context;

	(void)request;
	event_active(metrics->check, EV_TIMEOUT, 0);
}

static void take_request(struct evhttp_request *request, void *context)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type method = evhttp_request_get_command(request);

	evhttp_request_set_on_complete_cb(request, request_completed, context);
	for (size_t i = 0; path != NULL && i < sizeof pages / sizeof pages[0]; i++) {
		if (strcmp(path, pages[i].path) != 0)
			continue;
		if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
			pages[i].show(context, request);
			return;
		}
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		send_line(request, HTTP_BADMETHOD, "only the methods GET and HEAD are allowed");
		return;
	}
	send_line(request, HTTP_NOTFOUND, "no such page; the pages are /metrics and /healthz");
}

/* --- connections --------------------------------------------------------------------------- */

static void connection_free(struct metrics *metrics, struct connection *connection)
{
	TAILQ_REMOVE(&metrics->connections, connection, link);
	metrics->connection_count--;
	bufferevent_decref(connection->buffer);
	free(connection);
}

/* Has evhttp freed its connection? Then it has removed its callbacks from the bufferevent. */
static bool is_closed(const struct connection *connection)
{
	bufferevent_data_cb read, write;
	bufferevent_event_cb event;

	bufferevent_getcb(connection->buffer, &read, &write, &event, NULL);
	return event == NULL;
}

/* evhttp notices the end in the next turn of the loop, and frees its connection. */
static void close_connection(struct connection *connection)
{
	shutdown(bufferevent_getfd(connection->buffer), SHUT_RDWR);
	connection->closing = true;
}

static void check_access(struct metrics *metrics, struct connection *connection)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof peer;

	connection->access_checked = true;
	if (endpoint_path(&metrics->listeners->endpoints[0]) != NULL)
		return;
	/* If getpeername() fails the client has already closed the connection. */
	if (getpeername(bufferevent_getfd(connection->buffer), (struct sockaddr *)&peer, &size) !=
			0 ||
		access_allowed(metrics->conf, &peer))
		return;
	access_log_refusal(&peer, size);
	close_connection(connection);
}

/* Returns the oldest connection that is not being closed, or NULL. */
static struct connection *check_each(struct metrics *metrics)
{
	struct connection *connection, *next, *oldest = NULL;
	uint32_t now = clock_steady();

	for (connection = TAILQ_FIRST(&metrics->connections); connection != NULL;
		connection = next) {
		next = TAILQ_NEXT(connection, link);
		if (is_closed(connection)) {
			connection_free(metrics, connection);
			continue;
		}
		if (!connection->access_checked)
			check_access(metrics, connection);
		if (!connection->closing && now - connection->since > METRICS_LIFETIME)
			close_connection(connection);
		if (!connection->closing && oldest == NULL)
			oldest = connection;
	}
	return oldest;
}

/*
 * Free connections that have ended. Close those that are not allowed, those that are too old, and
 * at the limit the oldest one. Until a slot is free, new connections stay in the listen queue.
 */
static void check_connections(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval usual = {.tv_sec = CHECK_INTERVAL},
				    full = {.tv_usec = CHECK_INTERVAL_FULL};
	struct metrics *metrics = context;
	struct connection *oldest = check_each(metrics);
	bool room = metrics->connection_count < metrics->services.connections_max;

	(void)fd;
	(void)what;
	/* Close one at a time: if the first in the list is being closed already, wait for it. */
	if (!room && oldest != NULL && TAILQ_FIRST(&metrics->connections) == oldest)
		close_connection(oldest);
	if (room && metrics->listener != NULL)
		evconnlistener_enable(metrics->listener);
	evtimer_add(metrics->check, room ? &usual : &full);
}

/* evhttp has accepted a connection, and sets its socket in the bufferevent after this returns. */
static struct bufferevent *accept_connection(struct event_base *base, void *context)
{
	struct metrics *metrics = context;
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL)
		return NULL;
	/* The socket must not be closed before libevent has forgotten the descriptor. */
	connection->buffer = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (connection->buffer == NULL) {
		free(connection);
		return NULL;
	}
	bufferevent_incref(connection->buffer);
	connection->since = clock_steady();
	TAILQ_INSERT_TAIL(&metrics->connections, connection, link);
	if (++metrics->connection_count >= metrics->services.connections_max)
		evconnlistener_disable(metrics->listener);
	/* Check access before anything is read from the connection. */
	event_active(metrics->check, EV_TIMEOUT, 0);
	return connection->buffer;
}

/* Out of descriptors: check_connections() tries again. */
static void cannot_accept(struct evconnlistener *listener, void *context)
{
	(void)context;
	evconnlistener_disable(listener);
}

/* --- start and end ------------------------------------------------------------------------- */

struct listeners *metrics_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size)
{
	struct listeners_settings settings = {
		.name = "metrics",
		.endpoints = &conf->server.metrics,
		.count = conf->server.metrics[0] != '\0' ? 1 : 0,
		.count_max = 1,
		.mode = (mode_t)conf->server.socket_mode,
		.owner = owner,
	};
	return listeners_open(&settings, activation, error, error_size);
}

static void stop_accepting(struct metrics *metrics)
{
	if (metrics->bound != NULL)
		evhttp_del_accept_socket(metrics->http, metrics->bound);
	else if (metrics->listener != NULL)
		evconnlistener_free(metrics->listener);
	metrics->bound = NULL;
	metrics->listener = NULL;
}

static bool serve(struct metrics *metrics)
{
	static const struct timeval usual = {.tv_sec = CHECK_INTERVAL};

	metrics->http = evhttp_new(metrics->services.base);
	metrics->check = evtimer_new(metrics->services.base, check_connections, metrics);
	/* No LEV_OPT_CLOSE_ON_FREE: listeners_free() closes the socket. */
	metrics->listener = evconnlistener_new(metrics->services.base, NULL, NULL,
		LEV_OPT_CLOSE_ON_EXEC, 0, metrics->listeners->sockets[0]);
	if (metrics->http == NULL || metrics->check == NULL || metrics->listener == NULL)
		return false;
	metrics->bound = evhttp_bind_listener(metrics->http, metrics->listener);
	if (metrics->bound == NULL)
		return false;
	evconnlistener_set_error_cb(metrics->listener, cannot_accept);
	evhttp_set_bevcb(metrics->http, accept_connection, metrics);
	evhttp_set_gencb(metrics->http, take_request, metrics);
	evhttp_set_timeout(metrics->http, METRICS_IDLE);
	evhttp_set_max_headers_size(metrics->http, METRICS_HEADERS_MAX);
	evhttp_set_max_body_size(metrics->http, METRICS_BODY_MAX);
	/* Allow all methods here: take_request() explains which ones are allowed. */
	evhttp_set_allowed_methods(metrics->http, UINT16_MAX);
	return evtimer_add(metrics->check, &usual) == 0;
}

struct metrics *metrics_new(
	const struct metrics_services *services, struct conf *conf, struct listeners *listeners)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);

	if (metrics == NULL)
		return NULL;
	TAILQ_INIT(&metrics->connections);
	metrics->services = *services;
	metrics->conf = conf_hold(conf);
	metrics->listeners = listeners;
	if (serve(metrics))
		return metrics;
	stop_accepting(metrics);
	metrics->listeners = NULL;
	metrics_free(metrics);
	return NULL;
}

static void stop(struct metrics *metrics)
{
	if (metrics->listener == NULL)
		return;
	stop_accepting(metrics);
	listeners_remove(metrics->listeners);
}

void metrics_free(struct metrics *metrics)
{
	struct connection *connection;

	if (metrics == NULL)
		return;
	stop(metrics);
	if (metrics->http != NULL)
		evhttp_free(metrics->http);
	while ((connection = TAILQ_FIRST(&metrics->connections)) != NULL)
		connection_free(metrics, connection);
	if (metrics->check != NULL)
		event_free(metrics->check);
	listeners_free(metrics->listeners);
	conf_release(metrics->conf);
	free(metrics);
}

void metrics_set_conf(struct metrics *metrics, struct conf *conf)
{
	conf_hold(conf);
	conf_release(metrics->conf);
	metrics->conf = conf;
}
