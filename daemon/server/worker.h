/*
 * worker: one serving thread: its event loop, its connections, and what it needs to reply.
 *
 * All of it belongs to the thread that runs the loop, but for what is marked otherwise. server.c
 * makes and frees it while the thread does not run.
 */
#ifndef TLSAD_SERVER_WORKER_H
#define TLSAD_SERVER_WORKER_H

#include "common/base/log_limit.h"
#include "common/verdict/render.h"
#include "daemon/lookup/lookup.h"
#include "daemon/loop/heartbeat.h"
#include "daemon/server/accept.h"
#include "daemon/server/connection.h"
#include "daemon/server/refresh.h"
#include "daemon/server/server.h"
#include "daemon/server/serving_counters.h"
#include "daemon/server/wait.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/queue.h>

enum {
	/* What one read(2) takes at most: many requests of a client that pipelines. */
	READ_MAX = 65536,
	/* What arrives in one turn of the event loop: once this much has, it is handled. */
	INPUT_FULL = 65536,
	INPUT_SIZE = INPUT_FULL + READ_MAX,
	ARRIVALS_MAX = 32, /* the same, in connections: more would leave the nearest cache */
	/* Replies of one read(2)'s requests; the longest one always fits behind OUTPUT_FLUSH. */
	OUTPUT_FLUSH = 65536,
	OUTPUT_SIZE = OUTPUT_FLUSH + RENDER_REPLY_MAX + 16,
};

/* What all serving threads share; it belongs to server.c. */
struct workers {
	struct worker **list;
	unsigned count;
	unsigned running;
	_Atomic unsigned not_accepting; /* threads that accept no more */
	uint32_t connections_max;       /* that the descriptors of this process allow */
	_Atomic uint32_t connections;   /* open now, of all threads */
};

struct worker {
	struct workers *all;
	struct event_base *base;
	struct heartbeat *heartbeat;
	struct mailbox mailbox;
	struct lookup *lookup;
	struct cache *cache;
	struct conf *conf;
	struct reply_context context; /* of both services */
	/* Of both services: a destination is logged once, whichever is asked. */
	struct deferrals *given_up;
	struct map_service maps;
	struct policy_service policy;
	struct log_limit unreadable; /* lines on policy requests that could not be read */
	struct acceptor acceptor;
	bool stopping;
	uint32_t stop_at; /* [s], clock_steady(): while stopping, when the rest is given up */
	unsigned stop_rounds;
	struct event *stop_round; /* while stopping */
	struct event *tick;
	TAILQ_HEAD(connection_list, connection) idle; /* least recently active first */
	TAILQ_HEAD(, wait) waits;
	/* [us], clock_steady_us(): since when the first of `idle` is; for other threads to read. */
	_Atomic uint64_t idle_since;
	struct refresh_recent recent;
	struct serving_counters counters; /* for any thread to read */
	pthread_t thread;
	struct event *handle_arrivals; /* made active by the first one */
	unsigned arrival_count;
	uint64_t turn_began; /* [us], clock_exact_us(): when the first of them was there */
	uint64_t replied;    /* socketmap requests whose time is not counted yet */
	struct arrival arrivals[ARRIVALS_MAX];
	size_t input_used; /* by arrivals */
	char input[INPUT_SIZE];
	char output[OUTPUT_SIZE];
};

/* What a thread replies with. Everything outlives it; the configuration is held. */
struct worker_services {
	struct conf *conf;
	struct cache *cache;
	struct ta_files *ta_files; /* or NULL */
	struct lookup *lookup;
};

/* A thread that does not run yet and accepts nothing yet; NULL when out of memory. */
struct worker *worker_new(struct workers *all, const struct worker_services *services);

/* Start the thread, which runs until it has handled MESSAGE_STOP. */
bool worker_start(struct worker *worker);

/* When the thread has ended, or was never started. Closes its connections. NULL will do. */
void worker_free(struct worker *worker);

/* --- worker_stop.c ------------------------------------------------------------------------- */

/*
 * Told to stop, and accepting no more: what has arrived still has its reply, what is being looked
 * up for a while, and then the event loop ends. The second is an event's callback, of stop_round.
 */
void worker_begin_stop(struct worker *worker);
void worker_stop_when_done(evutil_socket_t fd, short what, void *worker);

#endif
