/*
 * client: asks the daemon over its control socket (daemon/control/control.h).
 *
 * If no response comes, one line on standard error says why: there is no daemon, no permission, the
 * socket is another program's, the daemon exits early or is silent for too long, or what it sends
 * is not a response. The exit status is then EX_UNAVAILABLE.
 *
 * Strings in responses have no control characters, which is checked once, here: they can be printed
 * as they are. Requests may be sent without waiting; responses come as they are ready.
 */
#ifndef TLSAD_CTL_FRAME_CLIENT_H
#define TLSAD_CTL_FRAME_CLIENT_H

#include "daemon/ctl/frame/command.h"

#include <jansson.h>

enum {
	CLIENT_CONNECT_TIMEOUT = 5, /* [s] */
	/* The longest silence that is not an error [s]; for lookups see client_lookup_timeout(). */
	CLIENT_SILENCE_MAX = 30,
	/* What a lookup may take beyond [resolver] timeout when the daemon is busy [s]. */
	CLIENT_LOOKUP_EXTRA = 10,
	/* An explanation as the value of a lookup, escaped once more, is the longest. */
	CLIENT_RESPONSE_MAX = 400000,
};

struct client;

/* NULL after an error, which is logged; `*status` is then the exit status. */
struct client *client_open(const struct ctl *ctl, int *status);
void client_close(struct client *client);

/* How long a lookup may take before the daemon counts as silent [s]. */
unsigned client_lookup_timeout(const struct client *client);

/*
 * Send a request, an object with its verb and arguments, which is released here. Returns its id; or
 * 0, and logs nothing, when it is too long, when an argument is not UTF-8 (then json_pack() has
 * returned NULL for `request`) or when out of memory.
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
};

enum client_result {
	CLIENT_RESPONSE,
	CLIENT_NOTHING, /* not within this time */
	CLIENT_LOST,    /* the connection is gone; the reason is logged */
};

/* The next response to any request, waited for up to `milliseconds`. */
enum client_result client_receive(
	struct client *client, int milliseconds, struct response *response);
void response_clear(struct response *response);

/* Log that nothing came for so many seconds. */
void client_log_silence(const struct client *client, unsigned seconds);

/*
 * Ask for one thing and wait for it. True with the response, for response_clear(). False after an
 * error, which is logged; `*status` is then the exit status: `refused` if the daemon refused.
 */
bool client_ask(const struct ctl *ctl, json_t *request, int refused, struct response *response,
	int *status);

/*
 * Ask for many entries; `take` gets each and returns false to read no more. CTL_YES when all came,
 * else an exit status; the reason is logged.
 */
int client_stream(const struct ctl *ctl, json_t *request,
	bool (*take)(void *context, const json_t *entry), void *context);

/* Log that a response of the daemon has no such member: it is of another version. */
void client_log_missing(const char *member);

/* The value of a string member, or "". */
const char *client_string(const json_t *object, const char *member);

/* The value of a number, or 0. */
json_int_t client_integer(const json_t *object, const char *member);

#endif
