/*
 * session: what a command needs that looks things up itself: the daemon's configuration, an event
 * loop and the embedded resolver. Of the daemon's state only the root's key is read; nothing of it
 * is written.
 */
#ifndef TLSAD_CTL_TLSA_SESSION_H
#define TLSAD_CTL_TLSA_SESSION_H

#include "common/dane/dane.h"
#include "common/dns/resolver.h"
#include "daemon/ctl/frame/command.h"

struct session {
	struct conf *conf;
	struct event_base *base;
	struct resolver resolver;
	struct event *interrupt, *terminate;
	int signal; /* that ended the loop, or 0 */
};

/* False when it cannot be: that has been said. session_close() is called in both cases. */
bool session_open(struct session *session, const struct ctl *ctl);

/*
 * The same in three steps, for who goes on where one of them fails: the configuration, the loop,
 * the resolver. False and one line.
 */
bool session_load(struct session *session, const struct ctl *ctl, char *error, size_t error_size);
bool session_begin(struct session *session, char *error, size_t error_size);
bool session_open_resolver(struct session *session, char *error, size_t error_size);

/* Runs the loop until session_stop() is called. False when a signal or an error ended it. */
bool session_run(struct session *session);
void session_stop(struct session *session);

/* Ends the process as a signal that came would have. */
void session_close(struct session *session);

/* For lookups of common/dane/dane; their time is that of [resolver]. */
struct dane_terms session_terms(const struct session *session);

/*
 * The facts of one host, looked up now, for host_facts_free(). NULL when out of memory, which has
 * been said, or after a signal.
 */
struct host_facts *session_look_up_host(struct session *session, const char *name, uint16_t port);

#endif
