#include "daemon/lookup/sts_wait.h"

#include "common/base/log.h"
#include "common/sts/sts_fetch.h"

static void is_known(void *context)
{
	struct sts_wait *wait = context;

	wait->pending = false;
	if (wait->begun)
		wait->done(wait->context);
}

void sts_wait_ask(
	struct sts_wait *wait, struct part_lookups *lookups, const struct sts_wait_subject *subject)
{
	if (wait->asked || !lookups->conf->sts.enable)
		return;
	wait->asked = true;
	wait->lookups = lookups;
	wait->request = (struct part_request){
		.kind = part_kind_find(PART_STS),
		.subject = {.name = subject->domain},
		.for_whom = subject->for_whom,
		.refresh = subject->refresh,
		.wish = {.asked = true},
		.done = is_known,
		.context = wait,
		.part = subject->part,
	};
	wait->pending = part_request_start(lookups, &wait->request);
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct sts_wait *wait = context;

	(void)fd;
	(void)what;
	log_debug("%s: step=sts-late seconds=%u", wait->request.for_whom,
		wait->lookups->conf->sts.timeout);
	wait->late = true;
	wait->done(wait->context);
}

/* The policy is in the cache: look it up again in the background if that is due. */
static void refresh_if_due(struct sts_wait *wait)
{
	const struct part_request *request = &wait->request;
	const struct part_buffer *buffer = request->part;
	struct part part;

	if (wait->asked && buffer->bytes != NULL &&
		part_open(&part, PART_STS, buffer->bytes, buffer->size) &&
		cache_clock(wait->lookups->cache) >= part.header.refresh_at)
		part_lookups_refresh(
			wait->lookups, request->kind, &request->subject, &request->wish);
}

void sts_wait_begin(struct sts_wait *wait, sts_wait_done *done, void *context)
{
	if (!wait->pending) {
		refresh_if_due(wait);
		return;
	}
	struct timeval timeout = {.tv_sec = wait->lookups->conf->sts.timeout};
	wait->begun = true;
	wait->done = done;
	wait->context = context;
	wait->deadline = evtimer_new(wait->lookups->base, time_is_over, wait);
	wait->late = wait->deadline == NULL || evtimer_add(wait->deadline, &timeout) != 0;
}

void sts_wait_drop(struct sts_wait *wait)
{
	if (!wait->asked)
		return;
	part_request_drop(&wait->request);
	part_buffer_clear(wait->request.part);
	wait->pending = false;
}

bool sts_wait_is_over(const struct sts_wait *wait)
{
	return !wait->pending || wait->late;
}

void sts_wait_end(struct sts_wait *wait)
{
	if (wait->deadline != NULL)
		event_del(wait->deadline);
	if (wait->pending)
		part_request_defer(wait->lookups, &wait->request, STS_FETCH_SECONDS);
	wait->pending = false;
	wait->begun = false;
}

void sts_wait_clear(struct sts_wait *wait)
{
	if (wait->deadline != NULL)
		event_free(wait->deadline);
	wait->deadline = NULL;
}
