/*
 * worker: one serving thread: its event loop, its connections, and what it needs to reply.
 *
 * Everything belongs to the thread that runs the loop, except for members that other threads may
 * read, which are marked. server.c creates and frees it while the thread does not run.
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
	/* [bytes] of one read(2): a client that pipelines sends many requests at once. */
	READ_MAX = 65536,
	/* [bytes] that may arrive in one turn of the event loop before they are handled. */
	INPUT_FULL = 65536,
	INPUT_SIZE = INPUT_FULL + READ_MAX,
	ARRIVALS_MAX = 32, /* the same in connections: more would not stay in the L1 cache */
	/* [bytes] of replies after which they are written; the longest reply fits after that. */
	OUTPUT_FLUSH = 65536,
	OUTPUT_SIZE = OUTPUT_FLUSH + RENDER_REPLY_MAX + 16,
};

/* What all serving threads share; server.c owns it. */
struct workers {
	struct worker **list;
	unsigned count;
	unsigned running;
	_Atomic unsigned not_accepting; /* threads that have stopped accepting */
	uint32_t connections_max;       /* limit by the descriptors of this process */
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
	/* Of both services, so that a destination is logged once for both. */
	struct deferrals *given_up;
	struct map_service maps;
	struct policy_service policy;
	struct log_limit unreadable; /* log lines about policy requests that cannot be read */
	struct acceptor acceptor;
	bool stopping;
	uint32_t stop_at; /* [s], clock_steady(): while stopping, the time to give up the rest */
	unsigned stop_rounds;
	struct event *stop_round; /* while stopping */
	struct event *tick;
	TAILQ_HEAD(connection_list, connection) idle; /* least recently active first */
	TAILQ_HEAD(, wait) waits;
	/* [us], clock_steady_us(): since when the first of `idle` is idle; any thread may read. */
	_Atomic uint64_t idle_since;
	struct refresh_recent recent;
	struct serving_counters counters; /* any thread may read */
	pthread_t thread;
	struct event *handle_arrivals; /* activated by the first arrival of a turn */
	unsigned arrival_count;
	uint64_t turn_began; /* [us], clock_exact_us(): when the first of them arrived */
	uint64_t replied;    /* socketmap replies whose time is not counted yet */
	struct arrival arrivals[ARRIVALS_MAX];
	size_t input_used; /* [bytes] of `input` that arrivals use */
	char input[INPUT_SIZE];
	char output[OUTPUT_SIZE];
};

/*
 * What a thread uses to reply. All of it must outlive the thread; of the configuration the thread
 * keeps a reference.
 */
struct worker_services {
	struct conf *conf;
	struct cache *cache;
	struct ta_files *ta_files; /* or NULL */
	struct lookup *lookup;
};

/* The thread does not run yet and accepts nothing yet. NULL when out of memory. */
struct worker *worker_new(struct workers *all, const struct worker_services *services);

/* Start the thread, which runs until it has handled MESSAGE_STOP. */
bool worker_start(struct worker *worker);

/*
 * Call it after the thread has ended, or if it never ran. Closes its connections. NULL is allowed.
 */
void worker_free(struct worker *worker);

/* --- worker_stop.c ------------------------------------------------------------------------- */

/*
 * The thread stops, and no longer accepts: requests that have arrived get their reply, those that
 * wait for a lookup for at most 5 seconds, then the event loop ends. worker_stop_when_done() is the
 * callback of stop_round.
 */
void worker_begin_stop(struct worker *worker);
void worker_stop_when_done(evutil_socket_t fd, short what, void *worker);

#endif
