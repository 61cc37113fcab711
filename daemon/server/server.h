/*
 * server: the serving threads.
 *
 * Each has its own event loop and serves the connections that it accepted. A request that the
 * cache answers costs one read(2), one write(2) and its share of the event wait: no lock, no
 * allocation, no log line. A connection that has nothing to say costs a small struct and no
 * buffer.
 */
#ifndef TLSAD_SERVER_SERVER_H
#define TLSAD_SERVER_SERVER_H

#include "common/conf/conf.h"
#include "daemon/cache/cache.h"
#include "daemon/lookup/lookup.h"
#include "daemon/process/listeners.h"

struct server;
struct serving_counters;

enum {
	SERVER_WORKER_DESCRIPTORS = 4, /* of a thread's event loop and its mailbox */
	/* Connections over the limit, while another thread is told to close one of its own. */
	SERVER_OVERSHOOT_MAX = 4,
};

/* How many threads the configuration asks for. */
unsigned server_worker_count(const struct conf *conf);

/*
 * Bind the endpoints, or take those that were handed over; nothing is accepted yet. NULL and one
 * line that names the endpoint. To be called early: a port in use is found before anything else is
 * done, and `owner`, who gets the unix sockets, may not be allowed to bind them. There are never
 * more than `connections_max` connections, whatever [server] max_connections says.
 */
struct server *server_new(struct conf *conf, uint32_t connections_max,
	struct activation *activation, const struct privileges *owner, char *error,
	size_t error_size);

/* Start the threads. False and one line when that is not possible. */
bool server_start(struct server *server, struct cache *cache, struct ta_files *ta_files,
	struct lookup *lookup, char *error, size_t error_size);

/* Hand a new configuration to the threads. */
void server_set_conf(struct server *server, struct conf *conf);

/* Where the maps are served, whatever the configuration says by now. */
const struct listeners *server_listeners(const struct server *server);

/*
 * Accept no more, finish what is being answered, within bounds, and end the threads. Connections
 * that wait to be accepted are left to the next process, if it gets the same sockets. After it the
 * lookup thread has nobody left to answer to and may stop; server_free() comes last, because its
 * results under way are freed there.
 */
void server_stop(struct server *server);
void server_free(struct server *server);

/* [s] since the last beat of the serving thread that is worst off (daemon/loop/heartbeat.h). */
uint32_t server_heartbeat_age(const struct server *server);

/* The serving threads, and what each of them counts; from server_start() to server_free(). */
unsigned server_threads(const struct server *server);
const struct serving_counters *server_counters(const struct server *server, unsigned thread);

#endif
