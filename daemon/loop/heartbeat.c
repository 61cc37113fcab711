#include "daemon/loop/heartbeat.h"

#include "common/base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>

struct heartbeat {
	struct event *timer;
	_Atomic uint32_t at; /* [s], clock_steady() */
};

static void beat(evutil_socket_t fd, short what, void *context)
{
	struct heartbeat *heartbeat = context;

	(void)fd;
	(void)what;
	atomic_store_explicit(&heartbeat->at, clock_steady(), memory_order_relaxed);
}

struct heartbeat *heartbeat_new(struct event_base *base)
{
	static const struct timeval second = {.tv_sec = 1};
	struct heartbeat *heartbeat = calloc(1, sizeof *heartbeat);

	if (heartbeat == NULL)
		return NULL;
	beat(-1, 0, heartbeat);
	heartbeat->timer = event_new(base, -1, EV_PERSIST, beat, heartbeat);
	if (heartbeat->timer != NULL && event_add(heartbeat->timer, &second) == 0)
		return heartbeat;
	heartbeat_free(heartbeat);
	return NULL;
}

void heartbeat_free(struct heartbeat *heartbeat)
{
	if (heartbeat == NULL)
		return;
	if (heartbeat->timer != NULL)
		event_free(heartbeat->timer);
	free(heartbeat);
}

uint32_t heartbeat_age(const struct heartbeat *heartbeat)
{
	uint32_t at = atomic_load_explicit(&heartbeat->at, memory_order_relaxed);
	uint32_t now = clock_steady();

	/* The coarse clock may differ by a tick between two processors. */
	return now > at ? now - at : 0;
}
