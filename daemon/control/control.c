/*
 * The verbs stand in one table, at the end. Each gets the request and answers, at once or, where a
 * lookup or a flush is needed, when the lookup thread has done it; lists are streamed from
 * control_stream.c.
 */
#include "daemon/control/control_connection.h"

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/netstring.h"
#include "common/dns/dns.h"
#include "daemon/health/health.h"
#include "daemon/lookup/probe.h"

#include <errno.h>
#include <event2/buffer.h>
#include <idn2.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_MODE = 0600 };

/* --- answers ------------------------------------------------------------------------------- */

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

void control_answer(struct control_connection *connection, json_t *id, json_t *object)
{
	json_object_set_new(object, "ok", json_true());
	send_object(connection, id, object);
}

void control_entry(struct control_connection *connection, json_t *id, json_t *entry)
{
	send_object(connection, id, json_pack("{s:o}", "entry", entry));
}

void control_refuse(struct control_connection *connection, json_t *id, const char *words)
{
	send_object(connection, id, json_pack("{s:s}", "error", words));
}

/* --- lookups ------------------------------------------------------------------------------- */

/* A request that the lookup thread works on. */
struct control_wait {
	TAILQ_ENTRY(control_wait) link;        /* in control->waits */
	struct control_connection *connection; /* NULL when it has gone */
	json_t *id;
	bool explain;
	struct socketmap_request request; /* of a lookup */
	uint64_t since;                   /* [us], clock_exact_us() */
};

static void wait_free(struct control *control, struct control_wait *wait)
{
	TAILQ_REMOVE(&control->waits, wait, link);
	if (wait->connection != NULL)
		wait->connection->wait_count--;
	json_decref(wait->id);
	free(wait);
}

static struct control_wait *wait_new(struct control_connection *connection, json_t *id)
{
	struct control_wait *wait = calloc(1, sizeof *wait);

	if (wait == NULL)
		return NULL;
	wait->connection = connection;
	wait->id = id != NULL ? json_incref(id) : NULL;
	wait->since = clock_exact_us();
	connection->wait_count++;
	TAILQ_INSERT_TAIL(&connection->control->waits, wait, link);
	return wait;
}

static void start_text(struct control *control, struct text *text)
{
	text_init(text, control->reply, sizeof control->reply);
}

/* The reply of a map, as it is or, of the map explain, the object in it. */
static void answer_lookup(
	struct control_connection *connection, json_t *id, bool explain, const char *reply)
{
	if (!explain) {
		control_answer(connection, id, json_pack("{s:s}", "reply", reply));
		return;
	}
	json_t *explanation = strncmp(reply, "OK ", 3) == 0 ? json_loads(reply + 3, 0, NULL) : NULL;
	if (explanation == NULL)
		control_refuse(connection, id, reply);
	else
		control_answer(connection, id, json_pack("{s:o}", "explanation", explanation));
}

/* Ask a map as Postfix does; with `cached` alone nothing is looked up. */
static void ask_map(struct control_connection *connection, json_t *id, const char *map,
	const char *key, bool explain, bool cached)
{
	struct control *control = connection->control;
	struct socketmap_request request;
	char payload[CONTROL_REQUEST_MAX + 64];
	struct text text;

	int size = snprintf(payload, sizeof payload, "%s %s", map, key);
	start_text(control, &text);
	socketmap_read(&control->socketmap, payload, (size_t)size, &request);
	if (socketmap_answer(&control->socketmap, &request, &text) != SOCKETMAP_LOOKUP) {
		answer_lookup(connection, id, explain, text.bytes);
		return;
	}
	if (cached) {
		control_answer(connection, id, json_pack("{s:n}", "explanation"));
		return;
	}
	struct control_wait *wait = wait_new(connection, id);
	if (wait != NULL) {
		wait->explain = explain;
		wait->request = request;
		if (lookup_ask(control->services.lookup, &request.destination,
			    socketmap_wants_pins(&control->socketmap, &request), &control->mailbox,
			    wait))
			return;
		wait_free(control, wait);
	}
	control_refuse(connection, id, "out of memory");
}

/* A member that is a string; NULL and an error if it is missing or something else. */
static const char *need_string(
	struct control_connection *connection, json_t *id, json_t *request, const char *name)
{
	const char *string = json_string_value(json_object_get(request, name));
	char words[64];

	if (string != NULL)
		return string;
	snprintf(words, sizeof words, "'%s' is missing or no string", name);
	control_refuse(connection, id, words);
	return NULL;
}

/* A blank in it would end it. */
static const char *map_of(json_t *request)
{
	const char *map = json_string_value(json_object_get(request, "map"));
	return map == NULL ? "policy" : strchr(map, ' ') != NULL ? "" : map;
}

static void do_lookup(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *key = need_string(connection, id, request, "key");
	if (key != NULL)
		ask_map(connection, id, map_of(request), key, false, false);
}

static void do_explain(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *key = need_string(connection, id, request, "key");
	if (key != NULL)
		ask_map(connection, id, "explain", key, true, false);
}

static void do_show(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *key = need_string(connection, id, request, "key");
	if (key != NULL)
		ask_map(connection, id, "explain", key, true, true);
}

static void take_answer(struct control *control, struct lookup_answer *answer)
{
	struct control_wait *wait = answer->waiter;
	struct control_connection *connection = wait->connection;
	struct text text;

	if (connection != NULL) {
		start_text(control, &text);
		socketmap_finish(&control->socketmap, &wait->request, &answer->evidence,
			&answer->file, &answer->deferral,
			(double)(clock_exact_us() - wait->since) / 1e6, &text);
		answer_lookup(connection, wait->id, wait->explain, text.bytes);
	}
	wait_free(control, wait);
	if (connection != NULL)
		control_read_on(connection);
}

/* --- flushing ------------------------------------------------------------------------------ */

static void do_flush(struct control_connection *connection, json_t *id, json_t *request)
{
	struct control *control = connection->control;
	struct flush_request flush = {.message = {.kind = MESSAGE_FLUSH}};

	flush.all = json_is_true(json_object_get(request, "all"));
	if (!flush.all) {
		const char *key = need_string(connection, id, request, "key");
		if (key == NULL)
			return;
		if (destination_parse(key, strlen(key), &flush.destination) != DESTINATION_OK) {
			control_refuse(connection, id, "that is no destination");
			return;
		}
	}
	struct flush_request *message = malloc(sizeof *message);
	struct control_wait *wait = wait_new(connection, id);
	if (message == NULL || wait == NULL) {
		free(message);
		if (wait != NULL)
			wait_free(control, wait);
		control_refuse(connection, id, "out of memory");
		return;
	}
	*message = flush;
	message->reply_to = &control->mailbox;
	message->waiter = wait;
	mailbox_post(lookup_mailbox(control->services.lookup), &message->message);
}

static void take_flushed(struct control *control, const struct flush_answer *answer)
{
	struct control_wait *wait = answer->waiter;

	if (wait->connection != NULL)
		control_answer(wait->connection, wait->id,
			json_pack("{s:I}", "flushed", (json_int_t)answer->count));
	wait_free(control, wait);
}

static void take_message(void *context, struct message *message)
{
	if (message->kind == MESSAGE_ANSWER)
		take_answer(context, (struct lookup_answer *)message);
	else if (message->kind == MESSAGE_FLUSHED)
		take_flushed(context, (const struct flush_answer *)message);
	free(message);
}

/* --- status -------------------------------------------------------------------------------- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *versions(void)
{
	char lmdb[32];
	int major, minor, patch;

	mdb_version(&major, &minor, &patch);
	snprintf(lmdb, sizeof lmdb, "%d.%d.%d", major, minor, patch);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "libunbound", dns_library_version(),
		"openssl", OpenSSL_version(OPENSSL_VERSION_STRING), "libevent", event_get_version(),
		"lmdb", lmdb, "libidn2", idn2_check_version(NULL), "jansson", jansson_version_str(),
		"inih", INIH_VERSION);
}

static void add_policy(json_t *status, const struct policy_figures *figures)
{
	json_t *policy = json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests",
		number(figures->requests), "hits", number(figures->hits), "misses",
		number(figures->misses), "unreadable", number(figures->unreadable), "monitored",
		number(figures->monitored));
	json_t *replies = json_object();

	for (size_t i = 0; i < POLICY_ACTIONS; i++)
		json_object_set_new(replies, policy_action_name((enum policy_action)i),
			number(figures->replies[i]));
	json_object_set_new(policy, "replies", replies);
	json_object_set_new(status, "policy", policy);
}

static void add_server(json_t *status, const struct control *control)
{
	struct server_figures figures;

	server_figures(control->services.server, &figures);
	json_object_set_new(status, "workers", number(figures.workers));
	json_object_set_new(status, "connections", number(figures.connections));
	json_object_set_new(status, "accepted", number(figures.accepted));
	json_object_set_new(status, "refused", number(figures.refused));
	json_object_set_new(status, "requests", number(figures.requests));
	json_object_set_new(status, "hits", number(figures.hits));
	json_object_set_new(status, "misses", number(figures.misses));
	json_object_set_new(status, "invalid", number(figures.invalid));
	json_object_set_new(status, "replies",
		json_pack("{s:o, s:o, s:o, s:o}", "ok", number(figures.replies[REPLY_OK]),
			"notfound", number(figures.replies[REPLY_NOTFOUND]), "temp",
			number(figures.replies[REPLY_TEMP]), "perm",
			number(figures.replies[REPLY_PERM])));
	json_object_set_new(status, "mode",
		json_string(control->conf->dane.mode == MODE_MONITOR ? "monitor" : "enforce"));
	json_object_set_new(status, "would",
		json_pack("{s:o, s:o, s:o}", "ok", number(figures.would[REPLY_OK]), "notfound",
			number(figures.would[REPLY_NOTFOUND]), "temp",
			number(figures.would[REPLY_TEMP])));
	json_object_set_new(status, "rules",
		json_pack("{s:o, s:o}", "minimums",
			number(rules_minimum_count(control->conf->rules)), "exceptions",
			number(rules_exception_count(control->conf->rules))));
	add_policy(status, &figures.policy);
}

static void add_reasons(json_t *lookups, const struct lookup_counters *counters)
{
	json_t *reasons = json_object();

	for (size_t i = 0; i < REASON_COUNT; i++) {
		uint64_t count = atomic_load(&counters->reasons[i]);
		if (count > 0)
			json_object_set_new(reasons, reason_name((enum reason)i), number(count));
	}
	json_object_set_new(lookups, "reasons", reasons);
}

/* What /healthz says (daemon/health/health.h). */
static void add_health(json_t *status, const struct control *control)
{
	char words[HEALTH_WORDS_SIZE];
	bool healthy = health_check(control->services.server, control->services.lookup, words);

	json_object_set_new(status, "healthy", json_boolean(healthy));
	json_object_set_new(status, "health", json_string(words));
}

static void add_lookups(json_t *status, const struct control *control)
{
	const struct lookup_counters *counters = lookup_counters(control->services.lookup);
	enum probe_result validation = (enum probe_result)atomic_load(&counters->resolver.result);

	json_object_set_new(status, "lookups",
		json_pack("{s:o, s:o, s:o, s:o, s:o}", "requests",
			number(atomic_load(&counters->requests)), "joined",
			number(atomic_load(&counters->joined)), "parts",
			number(atomic_load(&counters->parts)), "failures",
			number(atomic_load(&counters->failures)), "in_flight",
			number(atomic_load(&counters->in_flight))));
	add_reasons(json_object_get(status, "lookups"), counters);
	json_object_set_new(status, "deferred",
		json_pack("{s:o, s:o}", "destinations", number(atomic_load(&counters->deferred)),
			"longest", number(lookup_deferred_seconds(control->services.lookup))));
	json_object_set_new(status, "resolver",
		json_pack("{s:s, s:s}", "state", probe_result_name(validation), "text",
			probe_result_text(validation)));
}

static void add_cache(json_t *status, const struct control *control)
{
	struct store_figures figures;

	cache_figures(control->services.cache, &figures);
	json_object_set_new(status, "cache",
		json_pack("{s:s, s:o, s:o, s:o, s:o}", "path", control->conf->cache.path, "entries",
			number(figures.entries), "size", number(figures.bytes), "max_size",
			number(control->conf->cache.max_size), "evicted", number(figures.evicted)));
}

static void do_status(struct control_connection *connection, json_t *id, json_t *request)
{
	const struct control *control = connection->control;
	const struct listeners *listeners = server_listeners(control->services.server);
	json_t *status = json_object(), *endpoints = json_array();

	(void)request;
	for (size_t i = 0; i < listeners->count; i++) {
		char text[ENDPOINT_TEXT_SIZE];
		endpoint_print(&listeners->endpoints[i], text);
		json_array_append_new(endpoints, json_string(text));
	}
	json_object_set_new(status, "version", json_string(TLSAD_VERSION));
	json_object_set_new(status, "pid", json_integer(getpid()));
	json_object_set_new(status, "uptime", number(clock_steady() - control->started));
	json_object_set_new(status, "versions", versions());
	json_object_set_new(status, "endpoints", endpoints);
	add_health(status, control);
	add_server(status, control);
	add_lookups(status, control);
	add_cache(status, control);
	control_answer(connection, id, json_pack("{s:o}", "status", status));
}

/* --- reload -------------------------------------------------------------------------------- */

static void do_reload(struct control_connection *connection, json_t *id, json_t *request)
{
	struct control_services *services = &connection->control->services;
	json_t *changed = json_array(), *restart = json_array();
	char error[CONF_ERROR_SIZE];

	(void)request;
	if (services->reload(services->context, changed, restart, error, sizeof error)) {
		control_answer(connection, id,
			json_pack("{s:O, s:O}", "changed", changed, "restart", restart));
	} else {
		control_refuse(connection, id, error);
	}
	json_decref(changed);
	json_decref(restart);
}

/* --- the verbs ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(struct control_connection *connection, json_t *id, json_t *request);
} verbs[] = {
	{"lookup", do_lookup},
	{"explain", do_explain},
	{"show", do_show},
	{"status", do_status},
	{"list", control_list},
	{"export", control_export},
	{"flush", do_flush},
	{"reload", do_reload},
};

enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static void run_request(struct control_connection *connection, json_t *request)
{
	json_t *id = json_object_get(request, "id");
	const char *verb = json_string_value(json_object_get(request, "verb"));
	char words[128];
	struct text text;

	if (!json_is_integer(id))
		id = NULL;
	for (size_t i = 0; verb != NULL && i < VERB_COUNT; i++) {
		if (strcmp(verb, verbs[i].name) == 0) {
			verbs[i].run(connection, id, request);
			return;
		}
	}
	text_init(&text, words, sizeof words);
	text_add(&text, "no such verb; there are");
	for (size_t i = 0; i < VERB_COUNT; i++)
		text_add_format(&text, "%s %s", i > 0 ? "," : "", verbs[i].name);
	control_refuse(connection, id, words);
}

static void run_payload(struct control_connection *connection, const char *payload, size_t size)
{
	json_t *request = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(request))
		run_request(connection, request);
	else
		control_refuse(connection, NULL, "that is no JSON object");
	json_decref(request);
}

/* --- connections --------------------------------------------------------------------------- */

static void connection_free(struct control_connection *connection)
{
	struct control *control = connection->control;
	struct control_wait *wait;

	TAILQ_FOREACH(wait, &control->waits, link)
	{
		if (wait->connection == connection)
			wait->connection = NULL;
	}
	control_end_stream(connection);
	TAILQ_REMOVE(&control->connections, connection, link);
	control->connection_count--;
	bufferevent_free(connection->buffer);
	free(connection);
}

/* Waiting for lookups, or for somebody to read: then requests wait in the kernel. */
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
			connection_free(connection);
			return false;
		}
		run_payload(connection, payload, payload_size);
		evbuffer_drain(input, used);
	}
	if (is_busy(connection))
		bufferevent_disable(connection->buffer, EV_READ);
	else
		bufferevent_enable(connection->buffer, EV_READ);
	return true;
}

void control_read_on(struct control_connection *connection)
{
	handle_input(connection);
}

static void read_more(struct bufferevent *buffer, void *context)
{
	(void)buffer;
	handle_input(context);
}

/* The output has run low: more of a list, or what waited for that. */
static void write_more(struct bufferevent *buffer, void *context)
{
	struct control_connection *connection = context;

	(void)buffer;
	if (connection->stream != NULL)
		control_continue_stream(connection);
	if (connection->stream == NULL)
		handle_input(connection);
}

static void connection_ended(struct bufferevent *buffer, short what, void *context)
{
	(void)buffer;
	(void)what;
	connection_free(context);
}

/* The answer to whatever is asked on a connection that is one too many. */
static void turn_away(int accepted)
{
	static const char answer[] = "{\"error\":\"too many connections; try again later\"}";
	char frame[NETSTRING_HEAD + sizeof answer + 1];

	int size = snprintf(frame, sizeof frame, "%zu:%s,", sizeof answer - 1, answer);
	/* It fits, or nobody is there any more. */
	(void)!send(accepted, frame, (size_t)size, MSG_NOSIGNAL);
	close(accepted);
}

static void resume_accepting(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < control->listeners->count; i++)
		event_add(control->accepting[i], NULL);
}

/* Who waits to be accepted would be reported again and again. */
static void pause_accepting(struct control *control)
{
	static const struct timeval pause = {.tv_sec = CONTROL_PAUSE};

	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		for (size_t i = 0; i < control->listeners->count; i++)
			event_del(control->accepting[i]);
		evtimer_add(control->resuming, &pause);
	}
}

uint32_t control_descriptors(void)
{
	return descriptors_share(CONTROL_CONNECTIONS_MIN, CONTROL_CONNECTIONS_MAX);
}

static void accept_one(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;
	int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct control_connection *connection = NULL;

	(void)what;
	if (accepted < 0) {
		pause_accepting(control);
		return;
	}
	if (control->connection_count >= control_descriptors()) {
		turn_away(accepted);
		return;
	}
	connection = calloc(1, sizeof *connection);
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

/* --- start and end ------------------------------------------------------------------------- */

static void stop_accepting(struct control *control)
{
	for (size_t i = 0; control->accepting != NULL && i < control->listeners->count; i++) {
		if (control->accepting[i] != NULL)
			event_free(control->accepting[i]);
	}
	free(control->accepting);
	control->accepting = NULL;
	if (control->resuming != NULL)
		event_free(control->resuming);
	control->resuming = NULL;
}

static bool watch_listeners(struct control *control)
{
	const struct listeners *listeners = control->listeners;

	control->accepting = calloc(listeners->count, sizeof(struct event *));
	for (size_t i = 0; control->accepting != NULL && i < listeners->count; i++) {
		control->accepting[i] = event_new(control->services.base, listeners->sockets[i],
			EV_READ | EV_PERSIST, accept_one, control);
		if (control->accepting[i] == NULL || event_add(control->accepting[i], NULL) != 0)
			return false;
	}
	control->resuming = evtimer_new(control->services.base, resume_accepting, control);
	return control->accepting != NULL && control->resuming != NULL;
}

struct listeners *control_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size)
{
	struct listeners_settings wish = {
		.name = "control",
		.endpoints = &conf->server.control,
		.count = conf->server.control[0] != '\0' ? 1 : 0,
		.mode = CONTROL_MODE,
		.unix_only = true,
		.owner = owner,
	};
	return listeners_open(&wish, activation, error, error_size);
}

struct control *control_new(
	const struct control_services *services, struct conf *conf, struct listeners *listeners)
{
	struct control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return NULL;
	TAILQ_INIT(&control->connections);
	TAILQ_INIT(&control->waits);
	control->services = *services;
	control->conf = conf_hold(conf);
	control->mailbox.wake = -1;
	control->started = clock_steady();
	control->socketmap = (struct socketmap){
		.reader = cache_reader_new(services->cache),
		.tafiles = services->tafiles,
		.conf = control->conf,
		.counters = &control->counters,
	};
	if (control->socketmap.reader != NULL &&
		mailbox_init(&control->mailbox, services->base, take_message, control)) {
		control->listeners = listeners;
		if (watch_listeners(control))
			return control;
		stop_accepting(control);
		control->listeners = NULL;
	}
	control_free(control);
	return NULL;
}

void control_stop(struct control *control)
{
	if (control == NULL || control->listeners == NULL)
		return;
	stop_accepting(control);
	listeners_free(control->listeners);
	control->listeners = NULL;
}

void control_free(struct control *control)
{
	struct control_connection *connection;
	struct control_wait *wait;

	if (control == NULL)
		return;
	control_stop(control);
	while ((connection = TAILQ_FIRST(&control->connections)) != NULL)
		connection_free(connection);
	while ((wait = TAILQ_FIRST(&control->waits)) != NULL)
		wait_free(control, wait);
	if (control->mailbox.wake >= 0)
		mailbox_clear(&control->mailbox);
	cache_reader_free(control->socketmap.reader);
	conf_release(control->conf);
	free(control);
}

void control_set_conf(struct control *control, struct conf *conf)
{
	conf_hold(conf);
	conf_release(control->conf);
	control->conf = conf;
	control->socketmap.conf = conf;
}
