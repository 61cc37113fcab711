/*
 * metrics: the HTTP endpoint for Prometheus and load balancers (libevent's evhttp).
 *
 *   /metrics   counters and gauges in Prometheus' text format, tlsad(8)
 *   /healthz   200 if the daemon is healthy, else 503; one line says why
 *
 * It runs in the main thread and only reads the counters of other threads. A connection has one
 * request. Connections are few, short and small, and above the limit the oldest one is closed: a
 * client that keeps connections open can neither lock out the scraper nor slow down the daemon.
 */
#ifndef TLSAD_METRICS_METRICS_H
#define TLSAD_METRICS_METRICS_H

#include "common/base/text.h"
#include "daemon/counters/counters.h"
#include "daemon/process/listeners.h"

#include <event2/event.h>

enum {
	METRICS_LIFETIME = 20,         /* [s] maximum duration of a connection */
	METRICS_IDLE = 10,             /* [s] without data from the client, then it is closed */
	METRICS_HEADERS_MAX = 8192,    /* [bytes] of a request */
	METRICS_BODY_MAX = 1024,       /* [bytes] of a body, e.g. of POST, which is refused */
	METRICS_PAGE_SIZE = 64 * 1024, /* [bytes] about a third is used */
};

struct metrics;

/* What metrics uses; all of it must outlive the metrics. */
struct metrics_services {
	struct event_base *base;
	const struct counters_source *counters;
	uint32_t connections_max; /* open at once */
};

/*
 * Bind [server] metrics, or use the socket of the service manager; there may be none. NULL with one
 * line on failure. Call it early, like server_new().
 */
struct listeners *metrics_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size);

/* Serve the socket. The metrics own the listeners, except if it is NULL, when out of memory. */
struct metrics *metrics_new(
	const struct metrics_services *services, struct conf *conf, struct listeners *listeners);

/*
 * Stop accepting, remove a unix socket's file, and free everything. Call it before the event base
 * and everything in `services` is freed.
 */
void metrics_free(struct metrics *metrics);

void metrics_set_conf(struct metrics *metrics, struct conf *conf);

/* --- metrics_page.c ------------------------------------------------------------------------ */

/* Write the page /metrics with these numbers. */
void metrics_page(const struct counters *counters, struct text *out);

#endif
