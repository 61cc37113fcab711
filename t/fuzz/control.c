/* The control socket: frames and requests of tlsactl, or of anybody who may connect to it. */
#include "daemon/control/control.h"

#include "common/base/netstring.h"
#include "daemon/control/connection.h"
#include "t/fuzz/still_daemon.h"

#include "t/fuzz/fuzz.h"

#include <sys/socket.h>

static bool reload(void *context, json_t *changed, json_t *restart, char *error, size_t error_size)
{
	(void)context;
	json_array_append_new(changed, json_string("cache.max_ttl"));
	json_array_append_new(restart, json_string("server.user"));
	snprintf(error, error_size, "not %s", "used");
	return true;
}

static struct control *open_control(struct still_daemon *still)
{
	static struct counters_source counters;
	static struct control *control;

	if (control != NULL)
		return control;
	counters.cache = still->cache;
	control = control_new(&(struct control_services){.base = still->base,
				      .cache = still->cache,
				      .ta_files = still->ta_files,
				      .counters = &counters,
				      .connections_max = 10,
				      .reload = reload},
		still->conf, &still->listeners);
	CHECK(control != NULL);
	return control;
}

/* Each response is a frame with an object: it is done, one of many, or an error. */
static void check_responses(const char *bytes, size_t size)
{
	while (size > 0) {
		const char *payload;
		size_t payload_size, consumed, members = 0;

		CHECK(netstring_parse(bytes, size, NETSTRING_MAX, &payload, &payload_size,
			      &consumed) == NETSTRING_COMPLETE);
		CHECK(fuzz_is_printable(payload, payload_size));
		json_t *response = json_loadb(payload, payload_size, JSON_REJECT_DUPLICATES, NULL);
		const json_t *id = json_object_get(response, "id");
		members += json_is_true(json_object_get(response, "ok"));
		members += json_is_object(json_object_get(response, "entry"));
		members += json_is_string(json_object_get(response, "error"));
		CHECK(json_is_object(response) && members == 1);
		CHECK(id == NULL || json_is_integer(id));
		json_decref(response);
		bytes += consumed;
		size -= consumed;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char responses[STILL_REPLIES_MAX];
	struct still_daemon *still = still_daemon();
	struct control *control = open_control(still);
	size_t sent = 0, used = 0;
	int theirs, ours = still_daemon_connect(&theirs);
	ssize_t got = -1;

	control_connection_open(control, theirs);
	for (unsigned idle = 0; idle < 8 && got != 0; idle++) {
		ssize_t now = sent < size ? send(ours, bytes + sent, size - sent, MSG_NOSIGNAL) : 0;
		if (now > 0)
			sent += (size_t)now, idle = 0;
		still_daemon_run(still->base);
		while ((got = recv(ours, responses + used, sizeof responses - used, 0)) > 0)
			used += (size_t)got, idle = 0;
		CHECK(used < sizeof responses);
	}
	check_responses(responses, used);
	fuzz_end_connection(ours);
	still_daemon_run(still->base);
	CHECK(control->connection_count == 0 && TAILQ_EMPTY(&control->connections));
	CHECK(TAILQ_EMPTY(&control->waits));
	return 0;
}
