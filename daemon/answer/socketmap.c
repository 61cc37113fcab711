#include "daemon/answer/socketmap.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/minimum.h"
#include "daemon/answer/answer.h"
#include "daemon/answer/exception_log.h"

#include <stdatomic.h>
#include <string.h>

enum {
	LOGGED_REPLY_SIZE = 601, /* of a TEMP answer, which says what is wrong */
	LOGGED_ANSWER_MAX = 60,  /* of others: pinned ones are long, and explain shows them */
	LOGGED_KEY_MAX = 200,    /* as it came */
};

struct socketmap_map {
	const char *name;
	enum answer_form form;
};

/* All maps there are. The later names are those of postfix-tlspol and postfix-mta-sts-resolver. */
static const struct socketmap_map maps[SOCKETMAP_MAPS] = {
	{"policy", FORM_POLICY},
	{"native", FORM_NATIVE},
	{"pinned", FORM_PINNED},
	{"tlsa", FORM_TLSA},
	{"explain", FORM_EXPLAIN},
	{"QUERY", FORM_POLICY},
	{"postfix", FORM_POLICY},
};

const char *socketmap_map_name(size_t n)
{
	return n < SOCKETMAP_MAPS ? maps[n].name : NULL;
}

static void count(_Atomic uint64_t *counter)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

static void count_reply(
	struct socketmap *socketmap, const struct socketmap_map *map, enum reply_kind kind)
{
	size_t index = map != NULL ? (size_t)(map - maps) : SOCKETMAP_MAPS;
	count(&socketmap->counters->replies[index][kind]);
}

static const struct socketmap_map *find_map(const char *name, size_t size)
{
	/* What nearly everybody asks, as everybody writes it. */
	static const char usual[] = "policy";
	if (size == sizeof usual - 1 && memcmp(name, usual, size) == 0)
		return &maps[0];
	for (size_t i = 0; i < SOCKETMAP_MAPS; i++) {
		if (text_equal_nocase(name, size, maps[i].name))
			return &maps[i];
	}
	return NULL;
}

static void refuse_map(struct socketmap *socketmap, struct text *out)
{
	text_add(out, "PERM no such map; there are");
	for (size_t i = 0; i < SOCKETMAP_MAPS; i++) {
		text_add(out, i > 0 ? ", " : " ");
		text_add(out, maps[i].name);
	}
	count_reply(socketmap, NULL, REPLY_PERM);
}

bool socketmap_wants_pins(
	const struct socketmap *socketmap, const struct socketmap_request *request)
{
	return socketmap->tafiles != NULL &&
	       (request->map->form == FORM_EXPLAIN ||
		       answer_is_pinned(socketmap, request->map->form));
}

/* --- rules --------------------------------------------------------------------------------- */

/* Is nothing enforced here? */
static bool is_monitored(const struct socketmap *socketmap, const struct socketmap_map *map)
{
	return socketmap->conf->rules != NULL && socketmap->conf->dane.mode == MODE_MONITOR &&
	       map->form != FORM_EXPLAIN && map->form != FORM_TLSA;
}

/* Counts the reply behind `begin`. Returns what it would be if anything were enforced, or NULL. */
static const char *settle(struct socketmap *socketmap, const struct socketmap_map *map,
	struct reply *reply, struct text *out, size_t begin)
{
	const char *would = NULL;

	if (is_monitored(socketmap, map)) {
		count(&socketmap->counters->would[reply->kind]);
		would = answer_monitored(socketmap, reply, out, begin);
	}
	count_reply(socketmap, map, reply->kind);
	return would;
}

/* The rules for what is asked, NULL where there are none. The map tlsa tells what DNS says. */
static const struct ruling *find_ruling(const struct socketmap *socketmap,
	const struct socketmap_request *request, struct ruling *ruling)
{
	const struct rules *rules = socketmap->conf->rules;
	const struct destination *destination = &request->destination;

	if (rules == NULL || request->map->form == FORM_TLSA)
		return NULL;
	if (request->parsed == DESTINATION_OK) {
		*ruling = (struct ruling){.minimum = MINIMUM_NONE};
		rules_match(rules, destination->name, destination->name_length, &request->hint,
			rules_exception_count(rules) > 0 ? clock_wall() : 0, ruling);
		return ruling;
	}
	/* Nothing is sent to these. */
	if (request->parsed == DESTINATION_PARENT || request->key_size == 0 ||
		request->key[0] == '/')
		return NULL;
	rules_find_nameless(rules, ruling);
	return ruling;
}

/* An exception needs no lookup: it is there for destinations whose lookups fail. */
static bool answer_exception(struct socketmap *socketmap, const struct socketmap_request *request,
	const struct ruling *ruling, struct text *out)
{
	struct reply reply;
	size_t begin = out->used;

	if (ruling == NULL)
		return false;
	if (ruling->ended != NULL)
		exception_log_note_end(ruling->ended);
	if (request->map->form == FORM_EXPLAIN || !exception_reply(ruling, &reply))
		return false;
	if (!is_monitored(socketmap, request->map))
		exception_log_note_use(ruling->exception, &request->destination);
	render_reply(out, &reply, NULL);
	settle(socketmap, request->map, &reply, out, begin);
	return true;
}

/* --- answers ------------------------------------------------------------------------------- */

static void answer_other_key(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
	struct ruling found;
	struct reply reply;
	size_t begin = out->used;

	if (request->parsed == DESTINATION_INVALID)
		count(&socketmap->counters->invalid);
	answer_no_destination(socketmap, request, request->map->form,
		find_ruling(socketmap, request, &found), &reply, out);
	settle(socketmap, request->map, &reply, out, begin);
}

/* Of the hosts the status is enough for a native answer. */
static enum cache_depth depth_for(
	const struct socketmap *socketmap, const struct socketmap_map *map)
{
	bool whole = map->form == FORM_EXPLAIN || map->form == FORM_TLSA ||
		     answer_is_pinned(socketmap, map->form);
	return whole ? CACHE_WHOLE : CACHE_STATUS;
}

/* An explanation is long and was asked for by somebody who reads it. */
static const char *loggable_reply(char out[LOGGED_REPLY_SIZE],
	const struct socketmap_request *request, const struct text *reply)
{
	bool whole = request->map == NULL || request->map->form != FORM_EXPLAIN;
	return whole ? log_quotable(out, LOGGED_REPLY_SIZE, reply->bytes) : "...";
}

/* `[log] answers`: what is no work has a line as well. Never in the way of who has not asked. */
static void log_answer(struct socketmap *socketmap, const struct socketmap_request *request,
	const char *reason, const struct text *reply)
{
	char key[LOGGED_KEY_MAX + 1], sent[LOGGED_KEY_MAX + 1];
	char words[LOGGED_REPLY_SIZE];

	if (!socketmap->conf->log.answers)
		return;
	snprintf(sent, sizeof sent, "%.*s",
		request->key_size < LOGGED_KEY_MAX ? (int)request->key_size : LOGGED_KEY_MAX,
		request->key != NULL ? request->key : "");
	log_info("answered from the cache: key=\"%s\" map=%s reason=%s reply=\"%.*s\"",
		log_quotable(key, sizeof key, sent),
		request->map != NULL ? request->map->name : "none", reason, LOGGED_ANSWER_MAX,
		loggable_reply(words, request, reply));
}

static enum cache_result answer_from_cache(struct socketmap *socketmap,
	const struct socketmap_request *request, const struct ruling *ruling, struct text *out)
{
	struct evidence evidence;
	struct question question;
	struct reply reply;
	size_t begin = out->used;
	uint32_t now = clock_wall();
	enum cache_depth depth = depth_for(socketmap, request->map);

	question.form = request->map->form;
	question.evidence = &evidence;
	question.file = NULL;
	question.ruling = ruling;
	question.cached = true;
	evidence.destination = &request->destination;
	enum cache_result cached =
		cache_read(socketmap->reader, request->place, now, depth, &evidence);

	/* A failure is told in its own words, and these are not in the header. */
	if (depth == CACHE_STATUS && cached != CACHE_MISS && evidence_has_failure(&evidence)) {
		cache_read_end(socketmap->reader);
		cached = cache_read(socketmap->reader, request->place, now, CACHE_WHOLE, &evidence);
	}
	if (cached != CACHE_MISS && !answer(socketmap, &question, &reply, out))
		cached = CACHE_MISS;
	if (cached != CACHE_MISS) {
		settle(socketmap, request->map, &reply, out, begin);
		log_answer(socketmap, request, reason_name(question.verdict.reason), out);
	}
	cache_read_end(socketmap->reader);
	return cached;
}

void socketmap_read(const struct socketmap *socketmap, const char *payload, size_t size,
	struct socketmap_request *request)
{
	const char *blank = memchr(payload, ' ', size);

	request->map = NULL;
	request->key = NULL;
	request->key_size = 0;
	if (blank == NULL)
		return;
	request->key = blank + 1;
	request->key_size = size - (size_t)(request->key - payload);
	request->map = find_map(payload, (size_t)(blank - payload));
	if (request->map == NULL)
		return;
	request->parsed =
		request->map->form == FORM_TLSA
			? destination_parse_host(
				  request->key, request->key_size, &request->destination)
			: destination_parse(request->key, request->key_size, &request->destination);

	if (request->parsed != DESTINATION_OK)
		return;
	request->place = cache_prefetch(socketmap->reader, &request->destination);
	if (socketmap->conf->rules != NULL)
		rules_look_ahead(socketmap->conf->rules, request->destination.name,
			request->destination.name_length, &request->hint);
	else
		request->hint.generation = 0;
}

enum socketmap_result socketmap_answer(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
	const struct ruling *ruling = NULL;
	struct ruling found;

	if (request->key == NULL) {
		text_add(out, "PERM expected a map, a blank and a key");
		count_reply(socketmap, NULL, REPLY_PERM);
		log_answer(socketmap, request, "no-key", out);
		return SOCKETMAP_ANSWERED;
	}
	if (request->map == NULL) {
		refuse_map(socketmap, out);
		log_answer(socketmap, request, "no-map", out);
		return SOCKETMAP_ANSWERED;
	}
	if (request->parsed != DESTINATION_OK) {
		answer_other_key(socketmap, request, out);
		log_answer(socketmap, request, reason_name(REASON_NOT_A_DESTINATION), out);
		return SOCKETMAP_ANSWERED;
	}
	if (socketmap->conf->rules != NULL) {
		ruling = find_ruling(socketmap, request, &found);
		if (answer_exception(socketmap, request, ruling, out)) {
			log_answer(socketmap, request, reason_name(REASON_EXCEPTION), out);
			return SOCKETMAP_ANSWERED;
		}
	}
	switch (answer_from_cache(socketmap, request, ruling, out)) {
	case CACHE_HIT:
		count(&socketmap->counters->hits);
		return SOCKETMAP_ANSWERED;
	case CACHE_REFRESH:
		count(&socketmap->counters->hits);
		return SOCKETMAP_REFRESH;
	default:
		count(&socketmap->counters->misses);
		return SOCKETMAP_LOOKUP;
	}
}

/* `would` is what the reply would have been where nothing is enforced, else NULL. */
static void log_temp(const struct socketmap_request *request, const char *reason,
	const struct deferral_note *deferral, double seconds, const struct text *reply,
	const char *would)
{
	char key[DESTINATION_KEY_SIZE], words[LOGGED_REPLY_SIZE], other[LOGGED_REPLY_SIZE] = "";

	destination_print(&request->destination, key);
	(deferral->quiet ? log_debug : log_warning)(
		"cannot tell how %s must be reached: map=%s "
		"reason=%s seconds=%.3f deferred=%u left_out=%u reply=\"%s\"%s%s%s",
		key, request->map->name, reason, seconds, deferral->seconds, deferral->left_out,
		loggable_reply(words, request, reply), would != NULL ? " would=\"" : "",
		would != NULL ? log_quotable(other, sizeof other, would) : "",
		would != NULL ? "\"" : "");
}

static void log_lookup(const struct socketmap_request *request, const char *reason, double seconds,
	const struct text *reply, const char *would)
{
	char key[DESTINATION_KEY_SIZE], words[LOGGED_REPLY_SIZE], other[LOGGED_REPLY_SIZE] = "";

	destination_print(&request->destination, key);
	log_info("looked up %s: map=%s reason=%s seconds=%.3f reply=\"%.*s\"%s%.*s%s", key,
		request->map->name, reason, seconds, LOGGED_ANSWER_MAX,
		loggable_reply(words, request, reply), would != NULL ? " would=\"" : "",
		LOGGED_ANSWER_MAX, would != NULL ? log_quotable(other, sizeof other, would) : "",
		would != NULL ? "\"" : "");
}

void socketmap_finish(struct socketmap *socketmap, const struct socketmap_request *request,
	const struct evidence *evidence, const struct ta_file_finding *file,
	const struct deferral_note *deferral, double seconds, struct text *out)
{
	struct ruling found;
	struct question question = {
		.form = request->map->form,
		.evidence = evidence,
		.file = file,
		/* Once more: a reload may have come in between. */
		.ruling = find_ruling(socketmap, request, &found),
	};
	struct reply reply;
	size_t begin = out->used;

	answer(socketmap, &question, &reply, out);
	const char *would = settle(socketmap, request->map, &reply, out, begin);
	const char *reason = reason_name(question.verdict.reason);
	if (question.verdict.level == VERDICT_TEMP)
		log_temp(request, reason, deferral, seconds, out, would);
	else
		log_lookup(request, reason, seconds, out, would);
}

void socketmap_give_up(struct socketmap *socketmap, const struct socketmap_request *request,
	const char *why, double seconds, struct text *out)
{
	struct reply reply = {REPLY_TEMP, NULL};
	struct deferral_note note = {.quiet = false};
	char key[DESTINATION_KEY_SIZE];
	size_t begin = out->used;

	destination_print(&request->destination, key);
	text_add(out, "TEMP ");
	text_add(out, why);
	const char *would = settle(socketmap, request->map, &reply, out, begin);
	if (socketmap->given_up != NULL)
		note = deferral_note(socketmap->given_up, key, clock_steady());
	log_temp(request, "given-up", &note, seconds, out, would);
}
