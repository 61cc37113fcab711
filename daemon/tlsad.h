/*
 * tlsad: the parts of a running daemon, owned by the main thread.
 */
#ifndef TLSAD_TLSAD_H
#define TLSAD_TLSAD_H

#include "common/conf/conf.h"
#include "daemon/cache/cache.h"
#include "daemon/control/control.h"
#include "daemon/counters/counters.h"
#include "daemon/health/descriptor_budget.h"
#include "daemon/health/watchdog.h"
#include "daemon/lookup/lookup.h"
#include "daemon/loop/signals.h"
#include "daemon/metrics/metrics.h"
#include "daemon/options.h"
#include "daemon/process/pid_file.h"
#include "daemon/process/privileges.h"
#include "daemon/server/server.h"

#include <event2/event.h>

enum { TLSAD_STATUS_SIZE = 256 };

struct tlsad {
	const struct options *options;
	struct conf *conf;
	struct privileges privileges;
	struct descriptor_budget budget;
	struct pid_file pid_file;
	struct cache *cache;
	struct ta_files *ta_files;
	struct sts_trust *sts_trust; /* NULL: there are no trusted CAs */
	struct lookup *lookup;
	struct server *server;
	struct counters_source counters;     /* points at the above, once all of them exist */
	struct listeners *control_listeners; /* until `control` owns them */
	struct listeners *metrics_listeners; /* until `metrics` owns them */
	struct control *control;             /* NULL: no control socket */
	struct metrics *metrics;             /* NULL: no metrics endpoint */
	struct watchdog *watchdog;           /* NULL: the service manager expects no keep-alives */
	struct event_base *base;
	struct signals signals;
	char status[TLSAD_STATUS_SIZE]; /* usual status line for the service manager */
};

#endif
