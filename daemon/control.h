/*
 * control: what tlsactl(8) asks a running daemon, over a unix socket of its own.
 *
 * The protocol: netstrings both ways (common/netstring.h), each holding one JSON object.
 *
 *   request   {"verb": VERB, "id": NUMBER, ...}   `id` may be left away; it comes back with each
 *                                                 answer. A client may send requests without
 *                                                 waiting; answers come as they are ready.
 *   answer    {"id": NUMBER, "ok": true, ...}     the last answer to a request, or
 *             {"id": NUMBER, "error": WORDS}      the same when it could not be done; or
 *             {"id": NUMBER, "entry": {...}}      one of many; the last answer follows them
 *
 *   verb      arguments        last answer, entries
 *   lookup    map, key         reply: what a socketmap client gets, `OK dane-only`. Without map:
 *                              policy
 *   explain   key              explanation: the object of the map explain
 *   show      key              explanation, from the cache alone; null when it is not all there
 *   status                     status: an object, see tlsactl(8)
 *   list                       count; entries {kind: "mx"|"host"|"anchor"|"attempt", name, port
 *                              (hosts, attempts), status, dnssec (mx), ttl, expires, stale}
 *   export    map              count; entries {key, value} of every mail domain with an answer OK
 *                              that is in the cache; map is policy (the default), native or pinned
 *   flush     key, or          flushed: how many parts were deleted
 *             all: true
 *   reload                     changed: settings that were taken over; restart: those that will be
 *                              at the next start
 *
 * A request over CONTROL_REQUEST_LONGEST bytes, or what is no netstring, ends the connection; what
 * is no JSON object or no verb is answered with an error. Streams wait for their reader and hold
 * no lock and no snapshot of the cache meanwhile.
 *
 * All of it runs in the main thread.
 */
#ifndef TLSAD_CONTROL_H
#define TLSAD_CONTROL_H

enum {
	CONTROL_REQUEST_LONGEST = 16384,
	CONTROL_ANSWER_LONGEST = 400000, /* an explanation, escaped once more, is the longest */
};

#endif
