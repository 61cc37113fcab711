/*
 * health: can this daemon serve requests? For /healthz and `tlsactl status`.
 *
 * It is healthy if every event loop runs and DNSSEC validation works as configured. A domain that
 * cannot be looked up does not matter: that is the domain's fault. Runs in the main thread; a reply
 * shows that the main thread runs, too.
 */
#ifndef TLSAD_HEALTH_HEALTH_H
#define TLSAD_HEALTH_HEALTH_H

#include "daemon/lookup/lookup.h"
#include "daemon/server/server.h"

enum { HEALTH_WORDS_SIZE = 160 };

/* False with the reason in `words`, one line. True with `words` "ok". */
bool health_check(
	const struct server *server, const struct lookup *lookup, char words[HEALTH_WORDS_SIZE]);

#endif
