#include "daemon/control/verbs.h"

#include "common/base/clock.h"
#include "daemon/control/stream.h"

#include <stdlib.h>
#include <string.h>

/* --- waiting for the lookup thread --------------------------------------------------------- */

/* A request that waits for the lookup thread. */
struct control_wait {
	TAILQ_ENTRY(control_wait) link;        /* in control->waits */
	struct control_connection *connection; /* NULL if it was closed */
	json_t *id;
	bool explain;
	struct map_request request; /* of a lookup */
	uint64_t since;             /* [us], clock_exact_us() */
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

void control_verbs_forget(const struct control_connection *connection)
{
	struct control_wait *wait;

	TAILQ_FOREACH(wait, &connection->control->waits, link)
	{
		if (wait->connection == connection)
			wait->connection = NULL;
	}
}

void control_verbs_clear(struct control *control)
{
	struct control_wait *wait;

	while ((wait = TAILQ_FIRST(&control->waits)) != NULL)
		wait_free(control, wait);
}

/* --- lookups ------------------------------------------------------------------------------- */

/* The reply as Postfix would read it or, for explain and show, the explanation. */
static void respond(
	struct control_connection *connection, json_t *id, bool explain, struct map_result *result)
{
	struct control *control = connection->control;
	struct text text;

	if (explain && result->explanation != NULL) {
		control_respond(
			connection, id, json_pack("{s:O}", "explanation", result->explanation));
		return;
	}
	text_init(&text, control->reply, sizeof control->reply);
	map_render(result, &text);
	if (explain)
		control_send_error(connection, id, text.bytes);
	else
		control_respond(connection, id, json_pack("{s:s}", "reply", text.bytes));
}

static void look_up(struct control_connection *connection, json_t *id, bool explain,
	const struct map_request *request)
{
	struct control *control = connection->control;
	struct control_wait *wait = wait_new(connection, id);

	if (wait != NULL) {
		wait->explain = explain;
		wait->request = *request;
		/* It points into the client's request, which is freed. */
		wait->request.key = NULL;
		if (lookup_ask(control->services.lookup, &request->destination,
			    map_needs(&control->maps, request), false, &control->mailbox, wait))
			return;
		wait_free(control, wait);
	}
	control_send_error(connection, id, "tlsad is out of memory");
}

static enum map_state ask_map(struct control_connection *connection, json_t *id,
	const struct map *map, const char *key, bool explain, struct map_request *request)
{
	struct control *control = connection->control;
	struct map_result result;

	map_request_read(&control->maps, map, key, strlen(key), request);
	enum map_state state = map_ask(&control->maps, request, &result);
	if (state != MAP_LOOKUP) {
		respond(connection, id, explain, &result);
		map_log_cached(&control->maps, request, &result, control->reply);
	}
	map_end(&control->maps, &result);
	return state;
}

/* A member that must be a string; otherwise sends an error and returns NULL. */
static const char *need_string(
	struct control_connection *connection, json_t *id, json_t *request, const char *name)
{
	const char *string = json_string_value(json_object_get(request, name));
	char words[128];

	if (string != NULL)
		return string;
	snprintf(words, sizeof words, "the request's member '%s' is missing or not a string", name);
	control_send_error(connection, id, words);
	return NULL;
}

/* The reply of a map, as for Postfix. */
static void do_lookup(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "map"));
	const char *key = need_string(connection, id, request, "key");
	struct map_request asked;

	const struct map *map = name != NULL ? map_find(name, strlen(name)) : map_default();
	if (key != NULL && ask_map(connection, id, map, key, false, &asked) == MAP_LOOKUP)
		look_up(connection, id, false, &asked);
}

static void do_explain(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *key = need_string(connection, id, request, "key");
	struct map_request asked;

	if (key != NULL &&
		ask_map(connection, id, map_of_form(MAP_EXPLAIN), key, true, &asked) == MAP_LOOKUP)
		look_up(connection, id, true, &asked);
}

/* Only from the cache: no lookup. */
static void do_show(struct control_connection *connection, json_t *id, json_t *request)
{
	const char *key = need_string(connection, id, request, "key");
	struct map_request asked;

	if (key != NULL &&
		ask_map(connection, id, map_of_form(MAP_EXPLAIN), key, true, &asked) == MAP_LOOKUP)
		control_respond(connection, id, json_pack("{s:n}", "explanation"));
}

static void take_result(struct control *control, const struct lookup_result *found)
{
	struct control_wait *wait = found->waiter;
	struct control_connection *connection = wait->connection;
	struct map_result result;

	if (connection != NULL) {
		map_take(&control->maps, &wait->request, &found->evidence, &found->file, &result);
		respond(connection, wait->id, wait->explain, &result);
		map_log_result(&wait->request, &result, &found->deferral,
			(double)(clock_exact_us() - wait->since) / 1e6, control->reply);
		map_end(&control->maps, &result);
	}
	wait_free(control, wait);
	if (connection != NULL)
		control_connection_resume(connection);
}

/* --- flushing ------------------------------------------------------------------------------ */

static void do_flush(struct control_connection *connection, json_t *id, json_t *request)
{
	struct control *control = connection->control;
	struct flush_request flush = {.message = {.kind = MESSAGE_FLUSH}};
	char words[300];

	flush.all = json_is_true(json_object_get(request, "all"));
	if (!flush.all) {
		const char *key = need_string(connection, id, request, "key");
		if (key == NULL)
			return;
		if (destination_parse(key, strlen(key), &flush.destination) != DESTINATION_OK) {
			snprintf(words, sizeof words,
				"'%.200s' is not a destination; use a domain or [HOST]:PORT", key);
			control_send_error(connection, id, words);
			return;
		}
	}
	struct flush_request *message = malloc(sizeof *message);
	struct control_wait *wait = wait_new(connection, id);
	if (message == NULL || wait == NULL) {
		free(message);
		if (wait != NULL)
			wait_free(control, wait);
		control_send_error(connection, id, "tlsad is out of memory");
		return;
	}
	*message = flush;
	message->result_to = &control->mailbox;
	message->waiter = wait;
	mailbox_post(lookup_mailbox(control->services.lookup), &message->message);
}

static void take_flushed(struct control *control, const struct flush_result *found)
{
	struct control_wait *wait = found->waiter;

	if (wait->connection != NULL)
		control_respond(wait->connection, wait->id,
			json_pack("{s:I}", "flushed", (json_int_t)found->count));
	wait_free(control, wait);
}

void control_take_message(void *context, struct message *message)
{
	if (message->kind == MESSAGE_RESULT)
		take_result(context, (struct lookup_result *)message);
	else if (message->kind == MESSAGE_FLUSHED)
		take_flushed(context, (const struct flush_result *)message);
	free(message);
}

/* --- reload -------------------------------------------------------------------------------- */

static void do_reload(struct control_connection *connection, json_t *id, json_t *request)
{
	struct control_services *services = &connection->control->services;
	json_t *changed = json_array(), *restart = json_array();
	char error[CONF_ERROR_SIZE];

	(void)request;
	if (services->reload(services->context, changed, restart, error, sizeof error)) {
		control_respond(connection, id,
			json_pack("{s:O, s:O}", "changed", changed, "restart", restart));
	} else {
		control_send_error(connection, id, error);
	}
	json_decref(changed);
	json_decref(restart);
}

/* --- the verbs ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	control_verb *run;
} verbs[] = {
	{"lookup", do_lookup},
	{"explain", do_explain},
	{"show", do_show},
	{"status", control_status},
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
	text_add(&text, "no such verb; the verbs are");
	for (size_t i = 0; i < VERB_COUNT; i++)
		text_add_format(&text, "%s %s", i > 0 ? "," : "", verbs[i].name);
	control_send_error(connection, id, words);
}

void control_run_payload(struct control_connection *connection, const char *payload, size_t size)
{
	json_t *request = json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(request))
		run_request(connection, request);
	else
		control_send_error(connection, NULL, "the request is not a JSON object");
	json_decref(request);
}
