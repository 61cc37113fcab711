#include "daemon/control/stream.h"

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/verdict/render.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

struct control_stream {
	json_t *id;
	const struct map *map; /* export: replies of this map for mail domains; NULL: all parts */
	uint64_t count;
	struct cache_position position;
};

/* A trust anchor has no name: its digest is shown instead. */
static void set_name(json_t *entry, const struct part_key *key)
{
	const struct part_kind_format *format = part_kind_format(key->kind);
	char hex[2 * sizeof key->ta + 1];
	struct text text;

	if (format->key_has_name) {
		json_object_set_new(entry, "name", json_stringn(key->name, key->name_size));
	} else {
		text_init(&text, hex, sizeof hex);
		text_add_hex(&text, &key->ta, sizeof key->ta);
		json_object_set_new(entry, "name", json_string(hex));
	}
	if (format->key_has_port)
		json_object_set_new(entry, "port", json_integer(key->port));
}

static void send_part(struct control_connection *connection, const struct part_key *key,
	const struct part *part, uint32_t now)
{
	struct control_stream *stream = connection->stream;
	const struct part_header *header = &part->header;
	json_t *entry = json_object();
	uint32_t expires = header->expires;

	json_object_set_new(entry, "kind", json_string(part_kind_name(key->kind)));
	set_name(entry, key);
	json_object_set_new(
		entry, "status", json_string(part_status_name(key->kind, header->status)));
	if (part_kind_format(key->kind)->has_security)
		json_object_set_new(
			entry, "dnssec", json_string(dns_security_name(header->security)));
	json_object_set_new(entry, "ttl", json_integer(expires > now ? expires - now : 0));
	json_object_set_new(entry, "expires", json_integer(expires));
	json_object_set_new(entry, "stale", json_boolean((header->flags & PART_STALE) != 0));
	control_send_entry(connection, stream->id, entry);
	stream->count++;
}

/* Send the reply for a mail domain if it is OK and all its parts are in the cache. */
static void send_reply(struct control_connection *connection, const struct part_key *domain)
{
	struct control_stream *stream = connection->stream;
	struct control *control = connection->control;
	struct map_request request;
	struct map_result result;
	struct text text;

	map_request_read(&control->maps, stream->map, domain->name, domain->name_size, &request);
	enum map_state state = map_ask(&control->maps, &request, &result);
	text_init(&text, control->reply, sizeof control->reply);
	if (state != MAP_LOOKUP && control->context.conf->log.answers) {
		map_render(&result, &text);
		map_log_cached(&control->maps, &request, &result, text.bytes);
		text_cut(&text, 0);
	}
	if (state != MAP_LOOKUP && result.reply.kind == REPLY_OK) {
		render_value(&text, &result.reply);
		control_send_entry(connection, stream->id,
			json_pack("{s:s%, s:s}", "key", domain->name, domain->name_size, "value",
				text.bytes));
		stream->count++;
	}
	map_end(&control->maps, &result);
}

static bool send_next(struct control_connection *connection)
{
	struct cache_reader *reader = connection->control->context.reader;
	struct control_stream *stream = connection->stream;
	struct part_key key;
	struct part part;
	bool found = cache_read_next(reader, &stream->position, &key, &part);

	if (found && stream->map == NULL)
		send_part(connection, &key, &part, clock_wall());
	cache_read_end(reader);
	if (found && stream->map != NULL && key.kind == PART_MX)
		send_reply(connection, &key);
	return found;
}

void control_stream_end(struct control_connection *connection)
{
	if (connection->stream == NULL)
		return;
	json_decref(connection->stream->id);
	free(connection->stream);
	connection->stream = NULL;
}

/*
 * At most ENTRIES_A_TURN_MAX parts in a turn of the event loop: in an export, many parts may
 * produce no output that would pause it.
 */
void control_stream_continue(struct control_connection *connection)
{
	enum { ENTRIES_A_TURN_MAX = 1000 };
	struct control_stream *stream = connection->stream;
	struct evbuffer *output = bufferevent_get_output(connection->buffer);

	for (unsigned i = 0; i < ENTRIES_A_TURN_MAX; i++) {
		if (evbuffer_get_length(output) >= CONTROL_OUTPUT_HIGH)
			return;
		if (send_next(connection))
			continue;
		control_respond(connection, stream->id,
			json_pack("{s:I}", "count", (json_int_t)stream->count));
		control_stream_end(connection);
		return;
	}
	/* Other events have their turn; then write_more() is called, even if nothing was sent. */
	bufferevent_trigger(connection->buffer, EV_WRITE,
		BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void start(struct control_connection *connection, json_t *id, const struct map *map)
{
	struct control_stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL) {
		control_send_error(connection, id, "tlsad is out of memory");
		return;
	}
	stream->id = id != NULL ? json_incref(id) : NULL;
	stream->map = map;
	connection->stream = stream;
	control_stream_continue(connection);
}

void control_list(struct control_connection *connection, json_t *id, json_t *request)
{
	(void)request;
	start(connection, id, NULL);
}

static void refuse_map(struct control_connection *connection, json_t *id)
{
	char bytes[128];
	struct text words;
	const char *before = " ";

	text_init(&words, bytes, sizeof bytes);
	text_add(&words, "the map must be one of");
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (!maps[i].exported)
			continue;
		text_add(&words, before);
		text_add(&words, maps[i].name);
		before = ", ";
	}
	control_send_error(connection, id, words.bytes);
}

void control_export(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "map"));
	const struct map *map = name != NULL ? map_find(name, strlen(name)) : map_default();

	/* The exact name, unlike in a request of Postfix. */
	if (map != NULL && map->exported && (name == NULL || strcmp(name, map->name) == 0))
		start(connection, id, map);
	else
		refuse_map(connection, id);
}
