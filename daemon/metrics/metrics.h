/*
 * metrics: what Prometheus and load balancers ask, over HTTP (libevent's evhttp).
 *
 *   /metrics   counters and gauges in Prometheus' text format, tlsad(8)
 *   /healthz   200 while all is well, else 503; one line says why
 *
 * All of it runs in the main thread and only reads what the others count. A connection carries one
 * request. Connections are few, short and small, and when there are too many the oldest is closed:
 * so a client that holds connections can keep neither the scraper out nor the daemon from its work.
 */
#ifndef TLSAD_METRICS_METRICS_H
#define TLSAD_METRICS_METRICS_H

#include "common/base/text.h"
#include "daemon/counters/counters.h"
#include "daemon/process/listeners.h"

#include <event2/event.h>

enum {
	METRICS_LIFETIME = 20,         /* [s] of a connection, whatever it does */
	METRICS_IDLE = 10,             /* [s] that a client may be silent */
	METRICS_HEADERS_MAX = 8192,    /* [bytes] of a request */
	METRICS_BODY_MAX = 1024,       /* [bytes] that are read before a method is refused */
	METRICS_PAGE_SIZE = 64 * 1024, /* a third of it is used */
};

struct metrics;

/* What the numbers are read from; all outlive the metrics. */
struct metrics_services {
	struct event_base *base;
	const struct counters_source *counters;
	uint32_t connections_max; /* open at once */
};

/*
 * Bind [server] metrics, or take what was handed over; there may be none. NULL and one line when
 * that is not possible. To be called early, as server_new() is.
 */
struct listeners *metrics_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size);

/* Answer there. The listeners become the metrics'; NULL, and they do not, when out of memory. */
struct metrics *metrics_new(
	const struct metrics_services *services, struct conf *conf, struct listeners *listeners);

/*
 * Accept no more, remove a unix socket's file and end. Before the event base and before everything
 * in `services`.
 */
void metrics_free(struct metrics *metrics);

void metrics_set_conf(struct metrics *metrics, struct conf *conf);

/* --- metrics_page.c ------------------------------------------------------------------------ */

/* The page /metrics, of these numbers. */
void metrics_page(const struct counters *counters, struct text *out);

#endif
