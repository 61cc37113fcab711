/*
 * server: the serving threads.
 *
 * Each has its own event loop and serves the connections that it accepted. A reply from the cache
 * costs one read(2), one write(2) and its share of the event wait: no lock, no allocation, no log
 * line. An idle connection costs a small struct and no buffer.
 *
 * The functions are called by the main thread, except where noted.
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
	SERVER_WORKER_DESCRIPTORS = 4, /* used by a thread's event loop and its mailbox */
	/* Connections above the limit while another thread is asked to close one of its own. */
	SERVER_OVERSHOOT_MAX = 4,
};

/* [server] workers; 0 there means one for each processor, at most 8. */
unsigned server_worker_count(const struct conf *conf);

/*
 * Bind the endpoints, or use the sockets of the service manager; nothing is accepted yet. NULL with
 * one line that names the endpoint. Call it early: a port in use is then found before anything else
 * is done, and `owner`, the account that gets the unix sockets, may not be allowed to bind them.
 * There are never more than `connections_max` connections, even if [server] max_connections is
 * more.
 */
struct server *server_new(struct conf *conf, uint32_t connections_max,
	struct activation *activation, const struct privileges *owner, char *error,
	size_t error_size);

/* Start the threads. False with one line in `error` if that fails. */
bool server_start(struct server *server, struct cache *cache, struct ta_files *ta_files,
	struct lookup *lookup, char *error, size_t error_size);

/* Send a new configuration to the threads. */
void server_set_conf(struct server *server, struct conf *conf);

/* The sockets of the maps. They do not change when the configuration does. */
const struct listeners *server_listeners(const struct server *server);

/* Those of the policy service; there may be none. */
const struct listeners *server_policy_listeners(const struct server *server);

/*
 * Stop accepting, finish the requests that wait, for at most 5 seconds, and end the threads.
 * Connections in the listen queue are left to the next process, if it gets the same sockets. Then
 * the lookup thread may stop, since no thread waits for its results. server_free() comes last,
 * because it frees results that were still in mailboxes.
 */
void server_stop(struct server *server);
void server_free(struct server *server);

/* [s] since the last beat of the serving thread whose beat is oldest (daemon/loop/heartbeat.h). */
uint32_t server_heartbeat_age(const struct server *server);

/*
 * The number of serving threads, and the counters of each. Any thread, from server_start() to
 * server_free().
 */
unsigned server_threads(const struct server *server);
const struct serving_counters *server_counters(const struct server *server, unsigned thread);

#endif
