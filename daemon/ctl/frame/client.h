/*
 * client: asks the daemon over its control socket (daemon/control/control.h).
 *
 * Whatever keeps an answer from coming is one line on standard error: no daemon, no permission, a
 * socket of somebody else's, a daemon that ends in the middle, one that is silent for too long, an
 * answer that is none. The exit status is then EX_UNAVAILABLE.
 *
 * Strings in answers have no control characters, which is checked once, here: they can be shown as
 * they are. Requests may be sent without waiting; answers come as they are ready.
 */
#ifndef TLSAD_CTL_FRAME_CLIENT_H
#define TLSAD_CTL_FRAME_CLIENT_H

#include "daemon/ctl/frame/command.h"

#include <jansson.h>

enum {
	CLIENT_CONNECT_LIMIT = 5, /* [s] */
	/* The longest silence that is no fault; for lookups see client_lookup_limit(). [s] */
	CLIENT_SILENCE_LIMIT = 30,
	/* What a lookup may take beyond [resolver] timeout, when the daemon has much to do. [s] */
	CLIENT_LOOKUP_GRACE = 10,
	/* An explanation as the value of a lookup, escaped once more, is the longest. */
	CLIENT_ANSWER_MAX = 400000,
};

struct client;

/* NULL when it cannot be: that has been said, and `*status` is the exit status. */
struct client *client_open(const struct ctl *ctl, int *status);
void client_close(struct client *client);

/* How long a lookup may take before the daemon counts as silent. [s] */
unsigned client_lookup_limit(const struct client *client);

/*
 * Send a request, an object with its verb and arguments, which is released here. Returns its id;
 * or 0 when it is too long, when an argument is no UTF-8 (then `request` is NULL: json_pack() takes
 * none) or when memory ran out, and nothing was said.
 */
unsigned client_send(struct client *client, json_t *request);

enum answer_kind {
	ANSWER_LAST,  /* `object` is the answer */
	ANSWER_ENTRY, /* `object` is one entry of many */
	ANSWER_ERROR, /* `error`: why it could not be done */
};

struct answer {
	unsigned id;
	enum answer_kind kind;
	const json_t *object;
	const char *error;
	json_t *root; /* what holds all of it, for answer_clear() */
};

enum client_result {
	CLIENT_ANSWER,
	CLIENT_NOTHING, /* not within this time */
	CLIENT_LOST,    /* there will be none any more; the reason has been said */
};

/* The next answer to any request, waited for up to `milliseconds`. */
enum client_result client_receive(struct client *client, int milliseconds, struct answer *answer);
void answer_clear(struct answer *answer);

/* Say that nothing came for as long. */
void client_complain_silence(const struct client *client, unsigned seconds);

/*
 * Ask for one thing and wait for it. True with the answer, for answer_clear(); or false, which has
 * been said, and `*status` is the exit status: `refused` where the daemon said no.
 */
bool client_ask(
	const struct ctl *ctl, json_t *request, int refused, struct answer *answer, int *status);

/*
 * Ask for many entries; `take` gets each and returns false to hear no more. CTL_YES when all came,
 * else an exit status: that has been said.
 */
int client_stream(const struct ctl *ctl, json_t *request,
	bool (*take)(void *context, const json_t *entry), void *context);

/* The value of a string member, or "". */
const char *client_string(const json_t *object, const char *member);

/* The value of a number, or 0. */
json_int_t client_integer(const json_t *object, const char *member);

#endif
