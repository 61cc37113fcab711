/*
 * local_resolver: for commands that make lookups without the daemon: the daemon's configuration, an
 * event loop and the embedded resolver. Of the daemon's state only the root's keys are read;
 * nothing is written. SIGINT and SIGTERM end the loop.
 */
#ifndef TLSAD_CTL_FRAME_LOCAL_RESOLVER_H
#define TLSAD_CTL_FRAME_LOCAL_RESOLVER_H

#include "common/conf/conf.h"
#include "common/dane/host_lookup.h"
#include "common/dane/mx_lookup.h"
#include "common/dns/resolver.h"
#include "daemon/ctl/frame/command.h"

struct local_resolver {
	struct conf *conf;
	struct event_base *base;
	struct resolver resolver;
	struct event *interrupt, *terminate;
	int signal; /* the signal that ended the loop, or 0 */
};

/* False after an error, which is logged. Call local_resolver_close() in both cases. */
bool local_resolver_open(struct local_resolver *local, const struct ctl *ctl);

/*
 * The same in three steps, for a command that continues if one of them fails: the configuration,
 * the loop, the resolver. False and one line in `error` on an error.
 */
bool local_resolver_load_conf(
	struct local_resolver *local, const struct ctl *ctl, char *error, size_t error_size);
bool local_resolver_open_loop(struct local_resolver *local, char *error, size_t error_size);
bool local_resolver_open_resolver(struct local_resolver *local, char *error, size_t error_size);

/* Runs the loop until local_resolver_stop() is called. False when a signal or an error ended it. */
bool local_resolver_run(struct local_resolver *local);
void local_resolver_stop(struct local_resolver *local);

/* If a signal ended the loop, this ends the process with the same signal. */
void local_resolver_close(struct local_resolver *local);

/* Settings for lookups of common/dane, with the timeout of [resolver]. */
struct lookup_settings local_resolver_settings(const struct local_resolver *local);

#endif
