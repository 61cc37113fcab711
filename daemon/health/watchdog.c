#include "daemon/health/watchdog.h"

#include "common/base/log.h"
#include "daemon/loop/heartbeat.h"
#include "daemon/process/notify.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SECOND = 1000000, /* [us] */
	/* sd_watchdog_enabled(3) advises half of the time; a third leaves room for a slow host. */
	REPORTS_A_PERIOD = 3,
	INTERVAL_MIN = 10000, /* [us] even if the manager expects more */
};

struct watchdog {
	struct event *timer;
	const struct lookup *lookup;
	const struct server *server;
	const char *status;
	uint32_t age_max; /* [s] how old a heartbeat may be */
	bool stuck;
};

/* Which thread is stuck, or NULL. */
static const char *find_stuck(const struct watchdog *watchdog, uint32_t *age)
{
	*age = lookup_heartbeat_age(watchdog->lookup);
	if (*age > watchdog->age_max)
		return "the lookup thread";
	*age = server_heartbeat_age(watchdog->server);
	return *age > watchdog->age_max ? "a serving thread" : NULL;
}

static void look(evutil_socket_t fd, short what, void *context)
{
	struct watchdog *watchdog = context;
	uint32_t age;
	const char *stuck = find_stuck(watchdog, &age);
	char words[128];

	(void)fd;
	(void)what;
	if (stuck == NULL)
		notify_alive();
	if (stuck != NULL && !watchdog->stuck) {
		snprintf(words, sizeof words, "%s has been stuck for %u seconds", stuck, age);
		log_error("%s: systemd's watchdog gets no more keep-alives and may restart tlsad",
			words);
		notify_status(words);
	} else if (stuck == NULL && watchdog->stuck) {
		log_notice("all threads run again: systemd's watchdog gets keep-alives again");
		notify_status(watchdog->status);
	}
	watchdog->stuck = stuck != NULL;
}

bool watchdog_new(struct watchdog **watchdog, struct event_base *base, const struct lookup *lookup,
	const struct server *server, const char *status)
{
	uint64_t allowed = notify_watchdog();
	uint64_t interval = allowed / REPORTS_A_PERIOD > INTERVAL_MIN ? allowed / REPORTS_A_PERIOD
								      : INTERVAL_MIN;
	struct timeval period = {
		.tv_sec = (time_t)(interval / SECOND),
		.tv_usec = (suseconds_t)(interval % SECOND),
	};

	*watchdog = NULL;
	if (allowed == 0)
		return true;
	struct watchdog *made = calloc(1, sizeof *made);
	if (made == NULL)
		return false;
	made->lookup = lookup;
	made->server = server;
	made->status = status;
	/*
	 * With a short WatchdogSec= the limit is shorter, but heartbeats come only once a second.
	 */
	made->age_max = allowed / SECOND < HEARTBEAT_STUCK ? (uint32_t)(allowed / SECOND) + 1
							   : HEARTBEAT_STUCK;
	made->timer = event_new(base, -1, EV_PERSIST, look, made);
	if (made->timer == NULL || event_add(made->timer, &period) != 0) {
		watchdog_free(made);
		return false;
	}
	*watchdog = made;
	return true;
}

void watchdog_free(struct watchdog *watchdog)
{
	if (watchdog == NULL)
		return;
	/* The rest of the stop may take some time: give it a whole period. */
	if (!watchdog->stuck)
		notify_alive();
	if (watchdog->timer != NULL)
		event_free(watchdog->timer);
	free(watchdog);
}
