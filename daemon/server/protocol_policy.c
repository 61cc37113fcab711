#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "daemon/server/worker.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { PEER_SIZE = 128 };

_Static_assert((int)POLICY_REQUEST_MAX < (int)READ_MAX, "a whole request can be read");

static const char before[] = "action=";
static const char after[] = "\n\n";

static void start_reply(struct worker *worker, const struct batch *batch, struct text *text)
{
	char *place = worker->output + batch->end;

	memcpy(place, before, sizeof before - 1);
	text_init(text, place + sizeof before - 1, POLICY_REPLY_MAX + 1);
}

static void end_reply(struct batch *batch, struct text *text)
{
	memcpy(text->bytes + text->used, after, sizeof after - 1);
	batch->end += sizeof before - 1 + text->used + sizeof after - 1;
}

static enum frame read_request(const struct worker *worker, const char *bytes, size_t size,
	union request *request, size_t *used)
{
	struct policy_attributes attributes;

	switch (policy_request_parse(bytes, size, &attributes, used, NULL)) {
	case POLICY_WHOLE:
		policy_read(&worker->policy, &attributes, &request->policy);
		return FRAME_WHOLE;
	case POLICY_PARTIAL:
		return FRAME_PARTIAL;
	default:
		return FRAME_BAD;
	}
}

/*
 * Postfix will request the map policy when it sends the mail: a lookup for the policy service also
 * makes what that map needs.
 */
static struct lookup_needs needs(const struct worker *worker)
{
	return map_form_needs(&worker->context, MAP_CONFIGURED);
}

static enum request_result reply(
	struct connection *connection, struct batch *batch, const union request *any)
{
	struct worker *worker = connection->worker;
	const struct policy_request *request = &any->policy;
	struct text text;

	start_reply(worker, batch, &text);
	switch (policy_reply(&worker->policy, request, &text)) {
	case POLICY_LOOKUP:
		if (wait_begin(connection, any, &request->destination, needs(worker),
			    worker->conf->policy.wait))
			return REQUEST_WAITS;
		policy_give_up(&worker->policy, request, "out of memory", &text);
		break;
	case POLICY_WARM:
		refresh_start(
			&worker->recent, worker->lookup, &request->destination, needs(worker));
		break;
	case POLICY_REPLIED:
		break;
	}
	end_reply(batch, &text);
	return REQUEST_REPLIED;
}

static void finish(struct worker *worker, struct batch *batch, const struct wait *wait,
	const struct lookup_result *result, const char *why)
{
	const struct policy_request *request = &wait->request.policy;
	struct text text;

	start_reply(worker, batch, &text);
	if (result != NULL)
		policy_finish(&worker->policy, request, result, wait_seconds(wait), &text);
	else
		policy_give_up(&worker->policy, request, why, &text);
	end_reply(batch, &text);
}

/* The client: its address, or for a unix socket its process. */
static void print_peer(int fd, char words[PEER_SIZE])
{
	struct sockaddr_storage peer = {0};
	socklen_t size = sizeof peer;
	char host[64], port[8];
	struct ucred process;
	socklen_t process_size = sizeof process;

	snprintf(words, PEER_SIZE, "a client that has disconnected");
	if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
		return;
	if (peer.ss_family != AF_UNIX) {
		if (getnameinfo((struct sockaddr *)&peer, size, host, sizeof host, port,
			    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
			snprintf(words, PEER_SIZE, "%s port %s", host, port);
		return;
	}
	snprintf(words, PEER_SIZE, "a process on this host");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &process, &process_size) == 0)
		snprintf(words, PEER_SIZE, "process %d of uid %u", (int)process.pid,
			(unsigned)process.uid);
}

static void log_unreadable(struct connection *connection, const char *bytes, size_t size)
{
	struct worker *worker = connection->worker;
	struct policy_attributes attributes;
	char words[512], peer[PEER_SIZE], more[64] = "";
	struct text why;
	size_t used;
	uint32_t left_out;

	counter_add(&worker->counters.policy.unreadable, 1);
	if (!log_limit_allows(&worker->unreadable, clock_steady(), &left_out))
		return;
	text_init(&why, words, sizeof words);
	policy_request_parse(bytes, size, &attributes, &used, &why);
	print_peer(connection->fd, peer);
	if (left_out > 0)
		snprintf(more, sizeof more, " (and %u more that were not logged)", left_out);
	log_warning("policy request from %s cannot be read, its connection is closed: %s%s; only "
		    "smtpd(8) should connect to [server] policy",
		peer, words, more);
}

const struct protocol protocol_policy = {
	.read = read_request,
	.reply = reply,
	.finish = finish,
	.log_unreadable = log_unreadable,
};
