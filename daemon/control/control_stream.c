/*
 * Lists of the cache, some entries at a time, as fast as they are read. Between two times nothing
 * of the cache is held: the next entry is looked for behind the key of the last one. So a slow
 * reader costs the daemon one key, and what changes meanwhile is seen or not.
 */
#include "daemon/control/control_connection.h"

#include "common/base/clock.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

struct control_stream {
	json_t *id;
	bool export; /* answers of domains, or else all parts */
	char map[16];
	uint64_t count;
	size_t key_size;
	char key[CACHE_KEY_MAX]; /* of the last part seen */
};

static const char *status_of(const struct part *part)
{
	switch (part->header.kind) {
	case PART_MX:
		return mx_status_name(part->header.status);
	case PART_HOST:
		return host_status_name(part->header.status);
	case PART_TA:
		return "learned";
	default:
		return "failed";
	}
}

static const char *kind_of(const struct part *part)
{
	switch (part->header.kind) {
	case PART_MX:
		return "mx";
	case PART_HOST:
		return "host";
	case PART_TA:
		return "anchor";
	default:
		return "attempt";
	}
}

/* `host:port`, and of an attempt more behind it; of an anchor the digest. */
static void set_name(json_t *entry, const struct control_stream *stream, const struct part *part)
{
	const char *name = stream->key + 1;
	size_t size = stream->key_size - 1;
	char hex[2 * (1 + CACHE_KEY_MAX)];
	struct text text;

	if (part->header.kind == PART_TA) {
		text_init(&text, hex, sizeof hex);
		text_add_hex(&text, name, size);
		json_object_set_new(entry, "name", json_string(hex));
		return;
	}
	const char *colon = part->header.kind != PART_MX ? memchr(name, ':', size) : NULL;
	if (colon != NULL) {
		json_int_t port = 0;
		for (const char *at = colon + 1; at < name + size && *at >= '0' && *at <= '9'; at++)
			port = port * 10 + (*at - '0');
		size = (size_t)(colon - name);
		json_object_set_new(entry, "name", json_stringn(name, size));
		json_object_set_new(entry, "port", json_integer(port));
		return;
	}
	json_object_set_new(entry, "name", json_stringn(name, size));
}

static void send_part(struct control_connection *connection, const struct part *part, uint32_t now)
{
	struct control_stream *stream = connection->stream;
	json_t *entry = json_object();
	uint32_t expires = part->header.expires;

	json_object_set_new(entry, "kind", json_string(kind_of(part)));
	set_name(entry, stream, part);
	json_object_set_new(entry, "status", json_string(status_of(part)));
	if (part->header.kind == PART_MX)
		json_object_set_new(
			entry, "dnssec", json_string(dns_security_name(part->header.security)));
	json_object_set_new(entry, "ttl", json_integer(expires > now ? expires - now : 0));
	json_object_set_new(entry, "expires", json_integer(expires));
	json_object_set_new(entry, "stale", json_boolean((part->header.flags & PART_STALE) != 0));
	control_entry(connection, stream->id, entry);
	stream->count++;
}

/* The answer of a domain whose parts are all there. */
static void send_answer(struct control_connection *connection)
{
	struct control_stream *stream = connection->stream;
	struct control *control = connection->control;
	struct socketmap_request request;
	char payload[sizeof stream->map + CACHE_KEY_MAX];
	struct text text;

	int size = snprintf(payload, sizeof payload, "%s %.*s", stream->map,
		(int)(stream->key_size - 1), stream->key + 1);
	text_init(&text, control->reply, sizeof control->reply);
	socketmap_read(&control->socketmap, payload, (size_t)size, &request);
	if (socketmap_answer(&control->socketmap, &request, &text) == SOCKETMAP_LOOKUP ||
		strncmp(text.bytes, "OK ", 3) != 0)
		return;
	control_entry(connection, stream->id,
		json_pack("{s:s, s:s}", "key", payload + strlen(stream->map) + 1, "value",
			text.bytes + 3));
	stream->count++;
}

static bool send_next(struct control_connection *connection)
{
	struct cache_reader *reader = connection->control->socketmap.reader;
	struct control_stream *stream = connection->stream;
	struct part part;
	bool found = cache_read_next(reader, stream->key, &stream->key_size, &part);

	if (found && !stream->export)
		send_part(connection, &part, clock_wall());
	cache_read_end(reader);
	if (found && stream->export && part.header.kind == PART_MX)
		send_answer(connection);
	return found;
}

void control_end_stream(struct control_connection *connection)
{
	if (connection->stream == NULL)
		return;
	json_decref(connection->stream->id);
	free(connection->stream);
	connection->stream = NULL;
}

/* A bounded number at a time: much of the cache may have nothing to say in an export. */
void control_continue_stream(struct control_connection *connection)
{
	enum { AT_ONCE = 1000 };
	struct control_stream *stream = connection->stream;
	struct evbuffer *output = bufferevent_get_output(connection->buffer);

	for (unsigned i = 0; i < AT_ONCE; i++) {
		if (evbuffer_get_length(output) >= CONTROL_OUTPUT_HIGH)
			return;
		if (send_next(connection))
			continue;
		control_answer(connection, stream->id,
			json_pack("{s:I}", "count", (json_int_t)stream->count));
		control_end_stream(connection);
		return;
	}
	/* Others have their turn; then the callback comes, whether or not something was sent. */
	bufferevent_trigger(connection->buffer, EV_WRITE,
		BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void start(struct control_connection *connection, json_t *id, bool export, const char *map)
{
	struct control_stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL) {
		control_refuse(connection, id, "out of memory");
		return;
	}
	stream->id = id != NULL ? json_incref(id) : NULL;
	stream->export = export;
	snprintf(stream->map, sizeof stream->map, "%s", map);
	connection->stream = stream;
	control_continue_stream(connection);
}

void control_list(struct control_connection *connection, json_t *id, json_t *request)
{
	(void)request;
	start(connection, id, false, "");
}

void control_export(struct control_connection *connection, json_t *id, json_t *request)
{
	static const char *const maps[] = {"policy", "native", "pinned"};
	const char *map = json_string_value(json_object_get(request, "map"));

	if (map == NULL)
		map = maps[0];
	for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
		if (strcmp(map, maps[i]) == 0) {
			start(connection, id, true, map);
			return;
		}
	}
	control_refuse(connection, id, "the map must be policy, native or pinned");
}
