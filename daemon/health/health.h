/*
 * health: is this daemon fit to answer? For /healthz and for `tlsactl status`.
 *
 * It is while every thread turns and the resolver works; a domain that cannot be looked up is that
 * domain's trouble. Runs in the main thread: whoever gets a reply has seen that
 * this one turns.
 */
#ifndef TLSAD_HEALTH_HEALTH_H
#define TLSAD_HEALTH_HEALTH_H

#include "daemon/lookup/lookup.h"
#include "daemon/server/server.h"

enum { HEALTH_WORDS_SIZE = 160 };

/* False, and in one line why. When all is well `words` is "ok". */
bool health_check(
	const struct server *server, const struct lookup *lookup, char words[HEALTH_WORDS_SIZE]);

#endif
