/*
 * client: sends requests to the daemon over its control socket (daemon/control/control.h).
 *
 * If no response arrives, one line on standard error says why: no daemon, no permission, the socket
 * of another program, a daemon that exits early or is silent for too long, or bytes that are not a
 * response. The exit status is then EX_UNAVAILABLE.
 *
 * Strings in responses have no control characters; this is checked here once, so callers can print
 * them. Requests may be sent without waiting for responses, which arrive in any order.
 */
#ifndef TLSAD_CTL_FRAME_CLIENT_H
#define TLSAD_CTL_FRAME_CLIENT_H

#include "daemon/ctl/frame/command.h"

#include <jansson.h>

enum {
	CLIENT_CONNECT_TIMEOUT = 5, /* [s] */
	/*
	 * Without a byte for longer than this [s] the daemon is regarded as silent; for lookups see
	 * client_lookup_timeout().
	 */
	CLIENT_SILENCE_MAX = 30,
	/* Time that a busy daemon may need for a lookup beyond [resolver] timeout [s]. */
	CLIENT_LOOKUP_EXTRA = 10,
	/*
	 * The longest response is an explanation as the value of a lookup, escaped once more
	 * [bytes].
	 */
	CLIENT_RESPONSE_MAX = 400000,
	/*
	 * An argument in a request [bytes of JSON, with its quotes]: two of them fit into a
	 * request. No destination, and no name of a map, has as many.
	 */
	CLIENT_ARGUMENT_MAX = 8000,
};

/*
 * May an argument of the command be sent in a request? `what` is its name, such as DEST. False if
 * it is empty, too long or not UTF-8, which is logged; the command then exits with EX_USAGE.
 */
bool client_check_argument(const struct command *command, const char *what, const char *argument);

struct client;

/* NULL after an error, which is logged; `*status` is then the exit status. */
struct client *client_open(const struct ctl *ctl, int *status);
void client_close(struct client *client);

/* After this time without a response to a lookup the daemon is regarded as silent [s]. */
unsigned client_lookup_timeout(const struct client *client);

/*
 * Sends a request, an object with its verb and arguments, and releases it. Returns its id. Returns
 * 0 and logs nothing if it is too long, if an argument is not UTF-8 (then json_pack() has returned
 * NULL for `request`) or when out of memory.
 */
unsigned client_send(struct client *client, json_t *request);

enum response_kind {
	RESPONSE_LAST,  /* `object` is the response */
	RESPONSE_ENTRY, /* `object` is one entry of many */
	RESPONSE_ERROR, /* `error`: why the daemon refused or failed */
};

struct response {
	unsigned id;
	enum response_kind kind;
	const json_t *object;
	const char *error;
	json_t *root; /* owns the others, for response_clear() */
	/* If there is no response: no process listens on the socket, so tlsad is not running. */
	bool not_running;
};

enum client_result {
	CLIENT_RESPONSE,
	CLIENT_NOTHING, /* nothing arrived within this time */
	CLIENT_LOST,    /* the connection is gone; the reason is logged */
};

/* Waits up to `milliseconds` for the next response to any request. */
enum client_result client_receive(
	struct client *client, int milliseconds, struct response *response);
void response_clear(struct response *response);

/* Logs that nothing arrived for this number of seconds. */
void client_log_silence(const struct client *client, unsigned seconds);

/*
 * Sends a request and waits for its response. Returns true with the response, for response_clear().
 * Returns false after an error, which is logged; `*status` is then the exit status, and `refused`
 * if the daemon refused. `response` has nothing then but `not_running`.
 */
bool client_ask(const struct ctl *ctl, json_t *request, int refused, struct response *response,
	int *status);

/*
 * Sends a request whose response has many entries. `take` gets each and returns false to stop.
 * Returns CTL_YES if all have arrived, else an exit status; the reason is logged.
 */
int client_stream(const struct ctl *ctl, json_t *request,
	bool (*take)(void *context, const json_t *entry), void *context);

/* Logs that a response has no such member, as that of a daemon of another version may. */
void client_log_missing(const char *member);

/* The value of a string member, or "". */
const char *client_string(const json_t *object, const char *member);

/* The value of a number, or 0. */
json_int_t client_integer(const json_t *object, const char *member);

#endif
