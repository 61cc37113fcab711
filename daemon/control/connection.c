#include "daemon/control/connection.h"

#include "common/base/netstring.h"
#include "common/base/text.h"
#include "daemon/control/stream.h"
#include "daemon/control/verbs.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- responses ----------------------------------------------------------------------------- */

static void send_object(struct control_connection *connection, json_t *id, json_t *object)
{
	char head[32];

	if (id != NULL)
		json_object_set(object, "id", id);
	char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	if (text == NULL)
		return;
	struct evbuffer *output = bufferevent_get_output(connection->buffer);
	snprintf(head, sizeof head, "%zu:", strlen(text));
	evbuffer_add(output, head, strlen(head));
	evbuffer_add(output, text, strlen(text));
	evbuffer_add(output, ",", 1);
	free(text);
}

void control_respond(struct control_connection *connection, json_t *id, json_t *object)
{
	json_object_set_new(object, "ok", json_true());
	send_object(connection, id, object);
}

void control_send_entry(struct control_connection *connection, json_t *id, json_t *entry)
{
	send_object(connection, id, json_pack("{s:o}", "entry", entry));
}

void control_send_error(struct control_connection *connection, json_t *id, const char *words)
{
	char escaped[4 * CONF_ERROR_SIZE];
	struct text text;

	/* It may quote a file or a request whose bytes JSON or a terminal cannot take. */
	if (!text_is_showable(words)) {
		text_init(&text, escaped, sizeof escaped);
		text_add_escaped(&text, words, strlen(words));
		words = escaped;
	}
	send_object(connection, id, json_pack("{s:s}", "error", words));
}

/* --- connections --------------------------------------------------------------------------- */

void control_connection_free(struct control_connection *connection)
{
	struct control *control = connection->control;

	control_verbs_forget(connection);
	control_stream_end(connection);
	TAILQ_REMOVE(&control->connections, connection, link);
	control->connection_count--;
	bufferevent_free(connection->buffer);
	free(connection);
}

/*
 * Too many running lookups, a stream, or too much unread output: read no requests until then, so
 * that a client cannot use unlimited memory.
 */
static bool is_busy(const struct control_connection *connection)
{
	struct evbuffer *output = bufferevent_get_output(connection->buffer);
	return connection->wait_count >= CONTROL_WAITS_MAX || connection->stream != NULL ||
	       evbuffer_get_length(output) > CONTROL_UNREAD_MAX;
}

/* False when the connection has ended. */
static bool handle_input(struct control_connection *connection)
{
	struct evbuffer *input = bufferevent_get_input(connection->buffer);

	while (!is_busy(connection) && evbuffer_get_length(input) > 0) {
		size_t size = evbuffer_get_length(input), payload_size, used;
		const char *payload;

		if (size > CONTROL_REQUEST_MAX + NETSTRING_HEAD + 1)
			size = CONTROL_REQUEST_MAX + NETSTRING_HEAD + 1;
		const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)size);
		enum netstring_result found =
			bytes == NULL ? NETSTRING_BAD
				      : netstring_parse(bytes, size, CONTROL_REQUEST_MAX, &payload,
						&payload_size, &used);
		if (found == NETSTRING_PARTIAL)
			break;
		if (found != NETSTRING_COMPLETE) {
			control_connection_free(connection);
			return false;
		}
		control_run_payload(connection, payload, payload_size);
		evbuffer_drain(input, used);
	}
	if (is_busy(connection))
		bufferevent_disable(connection->buffer, EV_READ);
	else
		bufferevent_enable(connection->buffer, EV_READ);
	return true;
}

void control_connection_resume(struct control_connection *connection)
{
	handle_input(connection);
}

static void read_more(struct bufferevent *buffer, void *context)
{
	(void)buffer;
	handle_input(context);
}

/* The output is nearly empty: continue a list, or handle requests that had to wait. */
static void write_more(struct bufferevent *buffer, void *context)
{
	struct control_connection *connection = context;

	(void)buffer;
	if (connection->stream != NULL)
		control_stream_continue(connection);
	if (connection->stream == NULL)
		handle_input(connection);
}

static void connection_ended(struct bufferevent *buffer, short what, void *context)
{
	(void)buffer;
	(void)what;
	control_connection_free(context);
}

void control_connection_refuse(int accepted)
{
	static const char response[] = "{\"error\":\"too many connections; try again later\"}";
	char frame[NETSTRING_HEAD + sizeof response + 1];

	int size = snprintf(frame, sizeof frame, "%zu:%s,", sizeof response - 1, response);
	/* It fits into the socket's buffer; an error means that the client has disconnected. */
	(void)!send(accepted, frame, (size_t)size, MSG_NOSIGNAL);
	close(accepted);
}

void control_connection_open(struct control *control, int accepted)
{
	struct control_connection *connection = calloc(1, sizeof *connection);

	if (connection != NULL)
		connection->buffer = bufferevent_socket_new(
			control->services.base, accepted, BEV_OPT_CLOSE_ON_FREE);
	if (connection == NULL || connection->buffer == NULL) {
		free(connection);
		close(accepted);
		return;
	}
	connection->control = control;
	TAILQ_INSERT_TAIL(&control->connections, connection, link);
	control->connection_count++;
	bufferevent_setcb(connection->buffer, read_more, write_more, connection_ended, connection);
	bufferevent_setwatermark(connection->buffer, EV_READ, 0, 2 * CONTROL_REQUEST_MAX);
	bufferevent_setwatermark(connection->buffer, EV_WRITE, CONTROL_OUTPUT_LOW, 0);
	bufferevent_enable(connection->buffer, EV_READ | EV_WRITE);
}
