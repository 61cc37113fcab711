/*
 * heartbeat: young while its loop runs, old when the loop is stuck, young again afterwards.
 */
#include "daemon/loop/heartbeat.h"

#include "t/unit/tap.h"

#include <time.h>

/* [s] A second and a tick: the longest time between two beats. */
enum { OLD = 2, TIMEOUT = 30 };

static bool turned;

static void note_turn(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what, (void)context;
	turned = true;
}

/* Wait for this age, with or without running the loop. */
static bool wait_for_age(
	const struct heartbeat *heartbeat, struct event_base *base, bool turning, bool old)
{
	struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};

	for (int i = 0; i < TIMEOUT * 50; i++) {
		if ((heartbeat_age(heartbeat) >= OLD) == old)
			return true;
		if (turning)
			event_base_loop(base, EVLOOP_NONBLOCK);
		nanosleep(&moment, NULL);
	}
	return false;
}

int main(void)
{
	static const struct timeval soon = {.tv_usec = 1000};
	struct event_base *base = event_base_new();
	struct heartbeat *heartbeat = heartbeat_new(base);

	ok(heartbeat != NULL, "a heartbeat");
	ok(wait_for_age(heartbeat, base, false, true), "old when the loop does not run");
	ok(wait_for_age(heartbeat, base, true, false), "young when it runs again");
	heartbeat_free(heartbeat);

	event_base_once(base, -1, EV_TIMEOUT, note_turn, NULL, &soon);
	event_base_dispatch(base);
	ok(turned, "no event is left in the loop");
	event_base_free(base);
	libevent_global_shutdown();
	return done_testing();
}
