/*
 * control: what tlsactl(8) asks a running daemon, over a unix socket of its own.
 *
 * The protocol: netstrings both ways (common/base/netstring.h), each holding one JSON object.
 *
 *   request   {"verb": VERB, "id": NUMBER, ...}   `id` may be left away; it comes back with each
 *                                                 response. A client may send requests without
 *                                                 waiting; responses come as they are ready.
 *   response  {"id": NUMBER, "ok": true, ...}     the last response to a request, or
 *             {"id": NUMBER, "error": WORDS}      the same when it could not be done; or
 *             {"id": NUMBER, "entry": {...}}      one of many; the last response follows
 *
 *   verb      arguments        last response, entries
 *   lookup    map, key         reply: what a socketmap client gets, `OK dane-only`. Without map:
 *                              policy
 *   explain   key              explanation: the object of the map explain
 *   show      key              explanation, from the cache alone; null when it is not all there
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
 * A request over CONTROL_REQUEST_MAX bytes, or one that is not a netstring, ends the connection;
 * what is not a JSON object or not a verb is answered with an error. Streams wait for their reader
 * and hold no lock and no snapshot of the cache meanwhile. Beyond `connections_max` connections one
 * is told so, with an error, and closed.
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
	CONTROL_WAITS_MAX = 1024, /* lookups and flushes of one connection; then nothing is read */
};

struct control;

/* What the verbs use. All of it outlives the control. */
struct control_services {
	struct event_base *base;
	struct cache *cache;
	struct ta_files *ta_files; /* or NULL */
	struct lookup *lookup;
	struct server *server;
	const struct counters_source *counters;
	uint32_t connections_max; /* open at once */
	/*
	 * Reload the configuration and put the names of settings into the two arrays. False and one
	 * line when the old one stays.
	 */
	bool (*reload)(
		void *context, json_t *changed, json_t *restart, char *error, size_t error_size);
	void *context;
};

/*
 * Bind [server] control, or take what was handed over; there may be none. NULL and one line when
 * that is not possible. To be called early, as server_new() is.
 */
struct listeners *control_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size);

/* Answer there. The listeners become the control's; NULL, and they do not, when out of memory. */
struct control *control_new(
	const struct control_services *services, struct conf *conf, struct listeners *listeners);

/* Accept no more, and remove the sockets' files: a successor may make its own from then on. */
void control_stop(struct control *control);

/* Ends all connections. After the lookup thread, which may have a result to post. */
void control_free(struct control *control);

void control_set_conf(struct control *control, struct conf *conf);

#endif
