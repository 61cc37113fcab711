/*
 * worker: one serving thread and its connections, between server.c and connection.c.
 *
 * All of it belongs to the thread that runs the event loop, but for what is marked otherwise.
 */
#ifndef TLSAD_SERVER_WORKER_H
#define TLSAD_SERVER_WORKER_H

#include "daemon/lookup/lookup.h"
#include "daemon/loop/heartbeat.h"
#include "daemon/server/protocol.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

enum {
	/* What one read(2) takes at most: many requests of a client that pipelines. */
	READ_MAX = 65536,
	/* What arrives in one turn of the event loop: once this much has, it is handled. */
	INPUT_FULL = 65536,
	INPUT_SIZE = INPUT_FULL + READ_MAX,
	ARRIVALS_MAX = 32, /* the same, in connections: more would leave the nearest cache */
	LISTENERS_MAX = 2 * CONF_LIST_MAX,
	/* Replies of one read(2)'s requests; the longest one always fits behind OUTPUT_FLUSH. */
	OUTPUT_FLUSH = 65536,
	OUTPUT_SIZE = OUTPUT_FLUSH + RENDER_REPLY_MAX + 16,
};

/* Written by one thread alone; read by anybody. */
struct worker_counters {
	_Atomic uint64_t accepted;
	_Atomic uint64_t refused;
	struct map_counters maps;
	struct policy_counters policy;
	struct histogram seconds; /* of all requests */
};

/* A request of some connection that is being looked up. */
struct wait {
	TAILQ_ENTRY(wait) link;        /* in worker->waits, oldest first */
	struct connection *connection; /* NULL when it has gone */
	union request request;
	uint64_t since; /* [us], clock_exact_us() */
	bool limited;
	struct event deadline; /* if it is: the end of this request's own patience */
};

/* What was read from a connection in this turn of the event loop and is not handled yet. */
struct arrival {
	struct connection *connection; /* NULL when it has gone */
	const char *bytes;             /* in worker->input */
	size_t size;
	size_t first_size; /* of the frame of the first request; 0 when it is not whole, or none */
	union request first; /* if it is */
};

/* Bytes of a connection that have to wait. */
struct backlog {
	char *bytes; /* malloc()ed, NULL when there are none */
	uint32_t size;
	uint32_t done; /* of these, already written */
};

struct connection {
	TAILQ_ENTRY(connection) link; /* in worker->idle, unless it waits for a lookup */
	struct worker *worker;
	const struct protocol *protocol;
	struct event event;
	int fd;
	uint64_t last_active;    /* [us], clock_steady_us() */
	bool heard;              /* there was a request */
	struct wait *wait;       /* what it waits for, or NULL */
	struct arrival *arrival; /* in this turn of the loop, or NULL */
	struct backlog input;    /* a beginning of a request, or requests behind one that waits */
	struct backlog output;
};

/* Lines on clients that could not be understood: a bounded number a second. */
struct complaints {
	uint32_t second; /* clock_steady() */
	unsigned count;  /* in this second */
	unsigned unsaid; /* since the last line */
};

/* Refreshes that were asked for a moment ago and need not be asked for again. */
struct recent_refresh {
	uint32_t hash;
	uint32_t at; /* [s], clock_steady() */
};

enum { RECENT_REFRESHES = 1024, RECENT_SECONDS = 2 };

struct listener {
	struct event *event;
	struct worker *worker;
	const struct protocol *protocol;
	bool inet; /* [server] allow applies */
};

struct worker {
	struct server *server;
	struct event_base *base;
	struct heartbeat *heartbeat;
	struct mailbox mailbox;
	struct lookup *lookup;
	struct cache *cache;
	struct conf *conf;
	struct reply_context context; /* of both services */
	struct map_service maps;
	struct policy_service policy;
	struct complaints complaints;
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	bool paused; /* listeners: no descriptors, or others have yet to close theirs */
	bool stopping;
	uint32_t stop_at; /* [s], clock_steady(): when stopping, the end of patience */
	unsigned stop_rounds;
	struct event *stop_round; /* while stopping */
	struct event *tick;
	TAILQ_HEAD(connection_list, connection) idle; /* least recently active first */
	TAILQ_HEAD(, wait) waits;
	/* [us], clock_steady_us(): since when the first of `idle` is; for other threads to read. */
	_Atomic uint64_t idle_since;
	struct recent_refresh recent[RECENT_REFRESHES];
	uint32_t connection_count;
	_Atomic uint32_t *all_connections; /* of all workers together */
	struct worker_counters counters;
	pthread_t thread;
	struct event *handle_arrivals; /* made active by the first one */
	unsigned arrival_count;
	uint64_t turn_began; /* [us], clock_exact_us(): when the first of them was there */
	uint64_t answered;   /* requests whose time is not counted yet */
	struct arrival arrivals[ARRIVALS_MAX];
	size_t input_used; /* by arrivals */
	char input[INPUT_SIZE];
	char output[OUTPUT_SIZE];
};

/*
 * Told to stop, and accepting no more: what has arrived is still answered, what is being looked up
 * for a while, and then the event loop ends. The second is an event's callback, of stop_round.
 */
void worker_begin_stop(struct worker *worker);
void worker_stop_when_done(evutil_socket_t fd, short what, void *worker);

/* Does no thread accept any more? */
bool server_accepts_nothing(const struct server *server);

/* Take over an accepted socket; closes it when there is no memory. */
void connection_open(struct worker *worker, int fd, const struct protocol *protocol);

void connection_close(struct connection *connection);

/* Answer what has arrived in this turn of the event loop: an event's callback. */
void connection_handle_arrivals(evutil_socket_t fd, short what, void *worker);

/*
 * The lookup that a connection waits for has an answer, or `answer` is NULL and `why` tells. The
 * caller has made sure that the connection is still there, and frees `wait`.
 */
void connection_resume(struct wait *wait, const struct lookup_answer *answer, const char *why);

/* --- asking the lookup thread, wait.c ------------------------------------------------------ */

/* Have the destination looked up in the background, unless somebody wanted it a moment ago. */
void worker_warm(struct worker *worker, const struct destination *destination, bool pin);

/*
 * The connection's request, which is copied, waits until the destination is looked up or, unless
 * `patience` is 0, so many seconds are over. False when out of memory.
 */
bool wait_begin(struct connection *connection, const union request *request,
	const struct destination *destination, bool pin, uint32_t patience);

/* How long it has waited. */
double wait_seconds(const struct wait *wait);

/* It must not be in the list any more. */
void wait_free(struct wait *wait);

#endif
