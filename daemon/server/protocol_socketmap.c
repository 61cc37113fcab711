#include "common/base/clock.h"
#include "common/base/netstring.h"
#include "common/verdict/render.h"
#include "daemon/answer/socketmap.h"
#include "daemon/server/worker.h"

#include <string.h>

_Static_assert((int)SOCKETMAP_REQUEST_MAX < (int)READ_MAX, "a whole request can be read");

static void start_reply(struct worker *worker, const struct batch *batch, struct text *text)
{
	text_init(text, worker->output + batch->end + NETSTRING_HEAD, RENDER_REPLY_MAX + 1);
}

static void end_reply(struct worker *worker, struct batch *batch, const struct text *text)
{
	size_t size;
	char *frame = netstring_frame(text->bytes, text->used, &size);
	char *place = worker->output + batch->end;

	if (batch->begin == batch->end) {
		batch->begin = (size_t)(frame - worker->output);
		batch->end = batch->begin + size;
		return;
	}
	memmove(place, frame, size);
	batch->end += size;
}

static enum frame read_request(const struct worker *worker, const char *bytes, size_t size,
	union request *request, size_t *used)
{
	const char *payload;
	size_t payload_size;

	switch (netstring_parse(
		bytes, size, SOCKETMAP_REQUEST_MAX, &payload, &payload_size, used)) {
	case NETSTRING_COMPLETE:
		socketmap_read(&worker->maps, payload, payload_size, &request->map);
		return FRAME_WHOLE;
	case NETSTRING_PARTIAL:
		return FRAME_PARTIAL;
	default:
		return FRAME_BAD;
	}
}

static enum request_result reply(
	struct connection *connection, struct batch *batch, const union request *any)
{
	struct worker *worker = connection->worker;
	const struct map_request *request = &any->map;
	struct text text;

	start_reply(worker, batch, &text);
	switch (map_reply(&worker->maps, request, &text)) {
	case MAP_LOOKUP:
		if (wait_begin(connection, any, &request->destination,
			    map_needs(&worker->maps, request), 0))
			return REQUEST_WAITS;
		map_give_up(&worker->maps, request, "out of memory", 0, &text);
		break;
	case MAP_REFRESH:
		refresh_start(&worker->recent, worker->lookup, &request->destination,
			map_needs(&worker->maps, request));
		break;
	case MAP_REPLIED:
		break;
	}
	end_reply(worker, batch, &text);
	worker->replied++;
	return REQUEST_REPLIED;
}

static void finish(struct worker *worker, struct batch *batch, const struct wait *wait,
	const struct lookup_result *result, const char *why)
{
	const struct map_request *request = &wait->request.map;
	struct text text;

	uint64_t took = clock_exact_us() - wait->since;
	double seconds = (double)took / 1e6;

	start_reply(worker, batch, &text);
	if (result != NULL)
		map_finish(&worker->maps, request, result, seconds, &text);
	else
		map_give_up(&worker->maps, request, why, seconds, &text);
	end_reply(worker, batch, &text);
	histogram_add(&worker->counters.seconds, took, 1);
}

const struct protocol protocol_socketmap = {
	.read = read_request,
	.reply = reply,
	.finish = finish,
};
