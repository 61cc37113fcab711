#include "daemon/ctl/frame/client.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/netstring.h"
#include "common/base/text.h"
#include "daemon/control/control.h"
#include "daemon/ctl/frame/configuration.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	/* Plus six digits, the colon and the final comma. */
	FRAME_MAX = CLIENT_RESPONSE_MAX + 8,
	/* Responses are objects in arrays in objects, a few levels deep. */
	DEPTH_MAX = 16,
};

struct client {
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int fd;
	unsigned timeout; /* [resolver] timeout [s] */
	unsigned last_id;
	/* The bytes from `out_begin` to `out_end` are not sent yet. */
	char *out;
	size_t out_begin, out_end, out_size;
	/* The bytes from `in_begin` to `in_end` are not parsed yet. */
	char *in;
	size_t in_begin, in_end;
};

/* --- which socket -------------------------------------------------------------------------- */

static bool set_path(struct client *client, const char *text)
{
	const char *path = strncmp(text, "unix:", 5) == 0 ? text + 5 : text;

	if (strlen(path) >= sizeof client->path) {
		log_error("%s: the path of a socket has at most %zu characters; name a shorter one "
			  "with -s",
			path, sizeof client->path - 1);
		return false;
	}
	strcpy(client->path, path);
	return true;
}

/* -s names the socket, or else the configuration does. */
static bool choose_path(struct client *client, const struct ctl *ctl, const struct conf *conf)
{
	if (ctl->control != NULL)
		return set_path(client, ctl->control);
	if (conf->server.control[0] != '\0')
		return set_path(client, conf->server.control);
	log_error("[server] control is empty, so tlsad has no control socket: set it in tlsad.conf "
		  "and restart tlsad, or name a socket with -s");
	return false;
}

static bool read_configuration(struct client *client, const struct ctl *ctl, int *status)
{
	char error[CONF_ERROR_SIZE];
	struct conf *conf = configuration_load(ctl, error);

	/*
	 * With -s the configuration is not needed, and the account may not be allowed to read it.
	 */
	if (conf == NULL && (ctl->control == NULL || ctl->conf_given)) {
		log_error("%s", error);
		*status = EX_CONFIG;
		return false;
	}
	*status = EX_UNAVAILABLE;
	if (conf != NULL)
		client->timeout = conf->resolver.timeout;
	bool chosen = choose_path(client, ctl, conf);
	conf_release(conf);
	return chosen;
}

/* --- connecting ---------------------------------------------------------------------------- */

/*
 * Returns whether the reason is that no process listens on the socket. A socket that does not exist
 * shows that only if it is the one of the configuration: one named with -s may be mistyped.
 */
static bool complain_connect(const struct client *client, bool named, int error)
{
	struct stat status;
	bool is_there = stat(client->path, &status) == 0;
	bool is_socket = !is_there || S_ISSOCK(status.st_mode);

	if (error == EACCES || error == EPERM)
		log_error("%s: permission denied: only root and tlsad's account may use the "
			  "control socket; run tlsactl as root",
			client->path);
	else if (error == ENOENT)
		log_error("%s: there is no such socket: start tlsad, or name its control socket "
			  "with -s",
			client->path);
	else if (!is_socket)
		log_error("%s: this is not a socket: name tlsad's control socket with -s",
			client->path);
	else if (error == ECONNREFUSED)
		log_error("%s: no process listens on this socket: start tlsad", client->path);
	else if (error == EAGAIN || error == ETIMEDOUT)
		log_error("%s: tlsad did not accept the connection within %d seconds: see "
			  "\"journalctl -u tlsad\"",
			client->path, CLIENT_CONNECT_TIMEOUT);
	else
		log_error("%s: cannot connect: %s; name tlsad's control socket with -s; its "
			  "path is [server] control in tlsad.conf",
			client->path, strerror(error));
	return (error == ENOENT && !named) || (error == ECONNREFUSED && is_socket);
}

static bool connect_socket(struct client *client, bool named, bool *not_running)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* This limit applies to connect(2), too, which waits if the listen queue is full. */
	struct timeval limit = {.tv_sec = CLIENT_CONNECT_TIMEOUT};

	strcpy(address.sun_path, client->path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 ||
		setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
		connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		fcntl(client->fd, F_SETFL, O_NONBLOCK) != 0) {
		*not_running = complain_connect(client, named, errno);
		return false;
	}
	return true;
}

static struct client *open_client(const struct ctl *ctl, int *status, bool *not_running)
{
	struct client *client = calloc(1, sizeof *client);

	*status = EX_UNAVAILABLE;
	if (client == NULL || (client->in = malloc(FRAME_MAX)) == NULL) {
		free(client);
		log_error("out of memory");
		return NULL;
	}
	client->fd = -1;
	client->timeout = CLIENT_SILENCE_MAX - CLIENT_LOOKUP_EXTRA;
	if (read_configuration(client, ctl, status) &&
		connect_socket(client, ctl->control != NULL, not_running))
		return client;
	client_close(client);
	return NULL;
}

struct client *client_open(const struct ctl *ctl, int *status)
{
	bool not_running = false;

	return open_client(ctl, status, &not_running);
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->in);
	free(client->out);
	free(client);
}

unsigned client_lookup_timeout(const struct client *client)
{
	return client->timeout + CLIENT_LOOKUP_EXTRA;
}

void client_log_silence(const struct client *client, unsigned seconds)
{
	log_error("%s: tlsad did not respond within %u seconds: see \"journalctl -u tlsad\"",
		client->path, seconds);
}

/* --- sending ------------------------------------------------------------------------------- */

static bool reserve(struct client *client, size_t size)
{
	if (client->out_begin > 0) {
		memmove(client->out, client->out + client->out_begin,
			client->out_end - client->out_begin);
		client->out_end -= client->out_begin;
		client->out_begin = 0;
	}
	if (client->out_size - client->out_end >= size)
		return true;
	char *bytes = realloc(client->out, client->out_end + size);
	if (bytes == NULL)
		return false;
	client->out = bytes;
	client->out_size = client->out_end + size;
	return true;
}

bool client_check_argument(const struct command *command, const char *what, const char *argument)
{
	enum { SHOWN_MAX = 100 };
	json_t *string = json_string(argument);
	bool is_utf8 = string != NULL;
	size_t size =
		is_utf8 ? json_dumpb(string, NULL, 0, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : 0;

	json_decref(string);
	if (argument[0] == '\0') {
		log_error("%s: %s is empty", command->name, what);
		return false;
	}
	if (size > 0 && size <= CLIENT_ARGUMENT_MAX)
		return true;
	log_error("%s: %s '%.*s%s' %s", command->name, what, SHOWN_MAX, argument,
		strlen(argument) > SHOWN_MAX ? "..." : "",
		is_utf8 ? "is too long" : "is not UTF-8");
	return false;
}

unsigned client_send(struct client *client, json_t *request)
{
	char bytes[NETSTRING_HEAD + CONTROL_REQUEST_MAX + 1], *payload = bytes + NETSTRING_HEAD;
	unsigned id = client->last_id == INT_MAX ? 1 : client->last_id + 1;
	size_t frame_size = 0;

	if (request == NULL)
		return 0;
	json_object_set_new_nocheck(request, "id", json_integer(id));
	size_t size =
		json_dumpb(request, payload, CONTROL_REQUEST_MAX, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(request);
	if (size == 0 || size > CONTROL_REQUEST_MAX)
		return 0;
	const char *frame = netstring_frame(payload, size, &frame_size);
	if (!reserve(client, frame_size))
		return 0;
	memcpy(client->out + client->out_end, frame, frame_size);
	client->out_end += frame_size;
	client->last_id = id;
	return id;
}

/* --- receiving ----------------------------------------------------------------------------- */

/* Can every string in it be shown on a terminal? */
static bool is_showable(const json_t *value, unsigned depth)
{
	const char *key;
	json_t *member;
	size_t i;

	if (depth > DEPTH_MAX)
		return false;
	if (json_is_string(value))
		return text_is_showable(json_string_value(value));
	/* Jansson's macro has no const version; it only reads. */
	json_object_foreach((json_t *)value, key, member)
	{
		if (!text_is_showable(key) || !is_showable(member, depth + 1))
			return false;
	}
	json_array_foreach(value, i, member)
	{
		if (!is_showable(member, depth + 1))
			return false;
	}
	return true;
}

/* Reads a response. The log module escapes the text of an error, so it is not checked here. */
static bool read_response(const char *payload, size_t size, struct response *response)
{
	memset(response, 0, sizeof *response);
	response->root = json_loadb(payload, size, 0, NULL);
	const json_t *id = json_object_get(response->root, "id");
	const json_t *entry = json_object_get(response->root, "entry");
	response->error = json_string_value(json_object_get(response->root, "error"));
	response->id = (unsigned)json_integer_value(id);
	response->object = entry != NULL ? entry : response->root;
	response->kind = response->error != NULL ? RESPONSE_ERROR
			 : entry != NULL         ? RESPONSE_ENTRY
						 : RESPONSE_LAST;
	/* The error after a request that is not JSON has no id. */
	if (json_is_integer(id) ? json_integer_value(id) <= 0 || json_integer_value(id) > INT_MAX
				: response->kind != RESPONSE_ERROR)
		return false;
	if (response->kind == RESPONSE_LAST && !json_is_true(json_object_get(response->root, "ok")))
		return false;
	return json_is_object(response->object) &&
	       (response->kind == RESPONSE_ERROR || is_showable(response->root, 0));
}

void response_clear(struct response *response)
{
	json_decref(response->root);
	memset(response, 0, sizeof *response);
}

static const char not_tlsad[] =
	"the bytes received are not a response of tlsad: is it tlsad's control socket, and have "
	"tlsad and tlsactl the same version?";

static enum client_result lose(const struct client *client, const char *why)
{
	log_error("%s: %s", client->path, why);
	return CLIENT_LOST;
}

static enum client_result take_frame(struct client *client, struct response *response)
{
	const char *payload = NULL;
	size_t size = 0, consumed = 0;

	switch (netstring_parse(client->in + client->in_begin, client->in_end - client->in_begin,
		CLIENT_RESPONSE_MAX, &payload, &size, &consumed)) {
	case NETSTRING_COMPLETE:
		client->in_begin += consumed;
		if (read_response(payload, size, response))
			return CLIENT_RESPONSE;
		response_clear(response);
		return lose(client, not_tlsad);
	case NETSTRING_PARTIAL:
		return CLIENT_NOTHING;
	default:
		return lose(client, not_tlsad);
	}
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* False when the connection is closed. */
static bool write_some(struct client *client)
{
	ssize_t sent = send(client->fd, client->out + client->out_begin,
		client->out_end - client->out_begin, MSG_NOSIGNAL);

	if (sent > 0)
		client->out_begin += (size_t)sent;
	return sent >= 0 || is_passing(errno);
}

static bool read_some(struct client *client)
{
	memmove(client->in, client->in + client->in_begin, client->in_end - client->in_begin);
	client->in_end -= client->in_begin;
	client->in_begin = 0;
	ssize_t got = read(client->fd, client->in + client->in_end, FRAME_MAX - client->in_end);
	if (got > 0)
		client->in_end += (size_t)got;
	return got > 0 || (got < 0 && is_passing(errno));
}

static int64_t milliseconds_now(void)
{
	return (int64_t)(clock_exact_us() / 1000);
}

enum client_result client_receive(
	struct client *client, int milliseconds, struct response *response)
{
	int64_t end = milliseconds_now() + milliseconds;

	for (;;) {
		struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
		enum client_result result = take_frame(client, response);
		int64_t left = end - milliseconds_now();
		if (result != CLIENT_NOTHING)
			return result;
		if (client->out_begin < client->out_end)
			poll_fd.events |= POLLOUT;
		int ready = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
		if (ready < 0 && errno != EINTR)
			return lose(client, strerror(errno));
		if (ready == 0 && left <= 0)
			return CLIENT_NOTHING;
		/* A peer that closed the connection may have sent data before: read it. */
		if ((poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && ready > 0) {
			if (!read_some(client))
				return lose(client,
					"tlsad closed the connection before it responded: see "
					"\"journalctl -u tlsad\"");
		} else if ((poll_fd.revents & POLLOUT) != 0 && ready > 0 && !write_some(client)) {
			return lose(client, "tlsad closed the connection before it responded: see "
					    "\"journalctl -u tlsad\"");
		}
	}
}

/* --- one request --------------------------------------------------------------------------- */

static struct client *begin(const struct ctl *ctl, json_t *request, unsigned *id, int refused,
	int *status, bool *not_running)
{
	struct client *client = open_client(ctl, status, not_running);

	if (client == NULL) {
		json_decref(request);
		return NULL;
	}
	*id = client_send(client, request);
	if (*id != 0)
		return client;
	/* The arguments were checked. */
	log_error("the request was not sent: out of memory");
	*status = refused;
	client_close(client);
	return NULL;
}

/* Waits for the next response to request `id`. False if none arrives; that is logged. */
static bool await(struct client *client, unsigned id, unsigned seconds, struct response *response)
{
	do {
		response_clear(response);
		switch (client_receive(client, (int)seconds * 1000, response)) {
		case CLIENT_RESPONSE:
			break;
		case CLIENT_NOTHING:
			client_log_silence(client, seconds);
			return false;
		default:
			return false;
		}
	} while (response->id != id && response->id != 0);
	return true;
}

bool client_ask(
	const struct ctl *ctl, json_t *request, int refused, struct response *response, int *status)
{
	unsigned id = 0;

	memset(response, 0, sizeof *response);
	struct client *client = begin(ctl, request, &id, refused, status, &response->not_running);
	if (client == NULL)
		return false;
	unsigned limit = client_lookup_timeout(client);
	bool found = await(
		client, id, limit > CLIENT_SILENCE_MAX ? limit : CLIENT_SILENCE_MAX, response);
	*status = EX_UNAVAILABLE;
	if (found && response->kind == RESPONSE_ERROR) {
		log_error("%s", response->error);
		*status = refused;
	} else if (found && response->kind == RESPONSE_ENTRY) {
		lose(client, not_tlsad);
	}
	client_close(client);
	found = found && response->kind == RESPONSE_LAST;
	if (!found)
		response_clear(response);
	return found;
}

int client_stream(const struct ctl *ctl, json_t *request,
	bool (*take)(void *context, const json_t *entry), void *context)
{
	struct response response = {.id = 0};
	unsigned id = 0;
	int status = EX_UNAVAILABLE;
	bool more = true, not_running = false;
	struct client *client = begin(ctl, request, &id, CTL_NO, &status, &not_running);

	if (client == NULL)
		return status;
	while (more && await(client, id, CLIENT_SILENCE_MAX, &response)) {
		if (response.kind == RESPONSE_ENTRY) {
			more = take(context, response.object);
			continue;
		}
		status = response.kind == RESPONSE_LAST ? CTL_YES : CTL_NO;
		if (response.kind == RESPONSE_ERROR)
			log_error("%s", response.error);
		break;
	}
	response_clear(&response);
	client_close(client);
	return more ? status : EX_IOERR;
}

/* --- members ------------------------------------------------------------------------------- */

void client_log_missing(const char *member)
{
	log_error("tlsad's response has no \"%s\": is tlsad of another version than tlsactl? "
		  "Restart it after an update",
		member);
}

const char *client_string(const json_t *object, const char *member)
{
	const char *value = json_string_value(json_object_get(object, member));
	return value != NULL ? value : "";
}

json_int_t client_integer(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}
