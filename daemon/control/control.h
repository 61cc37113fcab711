/*
 * control: the control socket, a unix socket through which tlsactl(8) talks to the running daemon.
 *
 * The protocol: netstrings both ways (common/base/netstring.h), each holding one JSON object.
 *
 *   request   {"verb": VERB, "id": NUMBER, ...}   `id` is optional; each response repeats it. A
 *                                                 client may send requests without waiting;
 *                                                 responses come in the order they are ready.
 *   response  {"id": NUMBER, "ok": true, ...}     the last response to a request, or
 *             {"id": NUMBER, "error": WORDS}      the last response to one that failed, or
 *             {"id": NUMBER, "entry": {...}}      one of many; the last response follows
 *
 *   verb      arguments        last response, entries
 *   lookup    map, key         reply: as for a socketmap client, `OK dane-only`. The default of map
 *                              is policy
 *   explain   key              explanation: the object of the map explain
 *   show      key              explanation, only from the cache; null if a part is missing there
 *   status                     status: an object, see tlsactl(8)
 *   list                       count; entries {kind: "mx"|"host"|"anchor"|"attempt", name, port
 *                              (hosts, attempts), status, dnssec (mx), ttl, expires, stale}
 *   export    map              count; entries {key, value} of every mail domain with a reply OK
 *                              that is in the cache; map is policy (the default), native or pinned
 *   flush     key, or          flushed: how many parts were deleted
 *             all: true
 *   reload                     changed: settings that were applied; restart: those that take
 *                              effect at the next start
 *
 * A request over CONTROL_REQUEST_MAX bytes, or one that is not a netstring, ends the connection. If
 * a request is not a JSON object or has no known verb, the response is an error. The words of an
 * error can be shown on a terminal: other bytes that they quote are escaped. Streams wait for
 * their reader without a lock or a snapshot of the cache. Above `connections_max` connections, a
 * new one gets an error and is closed.
 *
 * All of it runs in the main thread.
 */
#ifndef TLSAD_CONTROL_CONTROL_H
#define TLSAD_CONTROL_CONTROL_H

#include "common/conf/conf.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/ta_file.h"
#include "daemon/counters/counters.h"
#include "daemon/lookup/lookup.h"
#include "daemon/server/server.h"

#include <event2/event.h>
#include <jansson.h>

enum {
	CONTROL_REQUEST_MAX = 16384,
	CONTROL_WAITS_MAX = 1024, /* running lookups of a connection; then no request is read */
};

struct control;

/* What the verbs use. All of it must outlive the control. */
struct control_services {
	struct event_base *base;
	struct cache *cache;
	struct ta_files *ta_files; /* or NULL */
	struct lookup *lookup;
	struct server *server;
	const struct counters_source *counters;
	uint32_t connections_max; /* open at once */
	/*
	 * Reload the configuration and append the names of changed settings to the two arrays.
	 * False with one line if the old configuration stays in use.
	 */
	bool (*reload)(
		void *context, json_t *changed, json_t *restart, char *error, size_t error_size);
	void *context;
};

/*
 * Bind [server] control, or use the sockets of the service manager; there may be none. NULL with
 * one line on failure. Call it early, like server_new().
 */
struct listeners *control_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size);

/* Serve these sockets. The control owns them, except if it is NULL, when out of memory. */
struct control *control_new(
	const struct control_services *services, struct conf *conf, struct listeners *listeners);

/* Stop accepting and remove the sockets' files: a successor may create its own from then on. */
void control_stop(struct control *control);

/* End all connections. Call it after the lookup thread, which may still post results, has ended. */
void control_free(struct control *control);

void control_set_conf(struct control *control, struct conf *conf);

#endif
