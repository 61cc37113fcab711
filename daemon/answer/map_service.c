#include "daemon/answer/map_service.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/verdict/render.h"
#include "daemon/answer/exception_log.h"
#include "daemon/answer/explain.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LOGGED_REPLY_SIZE = 601, /* of a TEMP reply: its text says what failed */
	LOGGED_VALUE_MAX = 60,   /* of others: pinned ones are long, and explain shows them */
	LOGGED_KEY_MAX = 200,    /* of the key as received */
};

static bool is_pinned(const struct reply_context *context, enum map_form form)
{
	return form == MAP_PINNED ||
	       (form == MAP_CONFIGURED && context->conf->dane.enforce == ENFORCE_PINNED);
}

struct lookup_needs map_form_needs(const struct reply_context *context, enum map_form form)
{
	return (struct lookup_needs){
		.sts = form != MAP_TLSA,
		.pin = context->ta_files != NULL &&
		       (form == MAP_EXPLAIN || is_pinned(context, form)),
	};
}

struct lookup_needs map_needs(const struct map_service *service, const struct map_request *request)
{
	return map_form_needs(service->context, request->map->form);
}

void map_request_read(const struct map_service *service, const struct map *map, const char *key,
	size_t key_size, struct map_request *request)
{
	const struct rules *rules = service->context->conf->rules;
	struct destination *destination = &request->destination;

	request->map = map;
	request->key = key;
	request->key_size = key_size;
	if (map == NULL || key == NULL)
		return;
	request->parsed = map->form == MAP_TLSA ? destination_parse_host(key, key_size, destination)
						: destination_parse(key, key_size, destination);
	if (request->parsed != DESTINATION_OK)
		return;
	request->place = cache_prefetch(service->context->reader, destination);
	if (rules != NULL)
		rules_look_ahead(
			rules, destination->name, destination->name_length, &request->hint);
	else
		request->hint.generation = 0;
}

/* --- from a request to a result ------------------------------------------------------------ */

/*
 * Rules apply to destinations that mail can be sent to with TLS: not to a parent domain
 * (`.example.com`), which Postfix only asks about, nor to a unix socket.
 */
static bool is_ruled(const struct map_request *request)
{
	if (request->map->form == MAP_TLSA)
		return false;
	return request->parsed == DESTINATION_OK ||
	       (request->parsed != DESTINATION_PARENT && request->key_size > 0 &&
		       request->key[0] != '/');
}

static struct assess_question question_of(
	const struct map_service *service, const struct map_request *request)
{
	enum map_form form = request->map->form;
	bool explained = form == MAP_EXPLAIN;
	bool whole = explained || form == MAP_TLSA || is_pinned(service->context, form);

	return (struct assess_question){
		.parsed = request->parsed,
		.destination = &request->destination,
		.place = request->place,
		.hint = &request->hint,
		.ruled = is_ruled(request),
		.sts = map_form_needs(service->context, form).sts,
		.thorough = explained,
		.depth = whole ? ASSESS_WHOLE : ASSESS_FAILURES,
		.now = clock_wall(),
	};
}

/* Does [dane] mode = monitor apply to replies of this map? */
static bool is_monitored(const struct map_service *service, const struct map *map)
{
	const struct conf *conf = service->context->conf;

	return conf->rules != NULL && conf->dane.mode == MODE_MONITOR && map_is_policy_table(map);
}

static void count_reply(
	const struct map_service *service, const struct map *map, enum reply_kind kind)
{
	size_t index = map != NULL ? (size_t)(map - maps) : MAP_COUNT;
	counter_add(&service->counters->replies[index][kind], 1);
}

/* In monitor mode, replace the reply by NOTFOUND. Each reply is counted here, once. */
static void settle(
	const struct map_service *service, const struct map *map, struct map_result *result)
{
	result->monitored = map != NULL && is_monitored(service, map);
	if (result->monitored) {
		result->would = result->reply;
		result->reply = reply_notfound();
		counter_add(&service->counters->would[result->would.kind], 1);
	}
	count_reply(service, map, result->reply.kind);
}

static struct reply make_explanation(struct map_service *service, const struct map_request *request,
	const struct ta_file_finding *finding, bool *missing, struct map_result *result)
{
	result->explanation = explain_assessment(service->context, request->key, request->key_size,
		request->parsed, &result->assessment, finding, missing);
	if (result->explanation == NULL)
		return reply_temp("out of memory");
	return (struct reply){.kind = REPLY_OK, .content = REPLY_TEXT};
}

/* From result->assessment. False if the lookup thread must first make the file of trust anchors. */
static bool make_reply(struct map_service *service, const struct map_request *request,
	const struct ta_file_finding *finding, struct map_result *result)
{
	struct reply_context *context = service->context;
	const struct assessment *assessment = &result->assessment;
	bool missing = false;

	if (request->map->form == MAP_TLSA)
		result->reply = reply_make_tlsa(context, assessment);
	else if (request->map->form == MAP_EXPLAIN)
		result->reply = make_explanation(service, request, finding, &missing, result);
	else if (request->map->form == MAP_REQUIRETLS)
		result->reply = reply_make_requiretls(context, assessment);
	else if (is_pinned(context, request->map->form))
		result->reply = reply_make_pinned(context, assessment, finding, &missing);
	else
		result->reply = reply_make_native(context, assessment);
	result->reply.tlsrpt = request->map->tlsrpt;
	return !missing;
}

/* PERM for an unknown map or a request without a key. */
static void refuse(
	struct map_service *service, const struct map_request *request, struct map_result *result)
{
	struct text words;

	text_init(&words, service->context->words, sizeof service->context->words);
	if (request->key == NULL) {
		text_add(&words, "a request is a map, a space and a key");
	} else {
		text_add(&words, "no such map; the maps are");
		for (size_t i = 0; i < MAP_COUNT; i++)
			text_add_format(&words, "%s %s", i > 0 ? "," : "", maps[i].name);
	}
	result->reply = (struct reply){.kind = REPLY_PERM, .text = words.bytes};
	settle(service, NULL, result);
}

/* Log the first use of an exception in a day, and its end. */
static void note_exception(const struct map_service *service, const struct map_request *request,
	const struct assessment *assessment)
{
	const struct ruling *ruling = assessment->ruling;

	if (ruling == NULL)
		return;
	if (ruling->ended != NULL)
		exception_log_note_end(ruling->ended);
	if (assessment->state == ASSESS_EXCEPTION && !is_monitored(service, request->map))
		exception_log_note_use(ruling->exception, &request->destination);
}

static void begin_result(struct map_result *result)
{
	result->explanation = NULL;
	result->dump = NULL;
}

enum map_state map_ask(
	struct map_service *service, const struct map_request *request, struct map_result *result)
{
	const struct reply_context *context = service->context;
	struct map_counters *counters = service->counters;
	struct assessment *assessment = &result->assessment;

	begin_result(result);
	if (request->key == NULL || request->map == NULL) {
		refuse(service, request, result);
		return MAP_REPLIED;
	}
	struct assess_question question = question_of(service, request);
	assess(assessment, &question, context->conf, context->reader);
	note_exception(service, request, assessment);
	bool made = assessment->state != ASSESS_MISS && make_reply(service, request, NULL, result);
	if (made)
		settle(service, request->map, result);
	switch (assessment->state) {
	case ASSESS_NO_DESTINATION:
		if (request->parsed == DESTINATION_INVALID)
			counter_add(&counters->invalid, 1);
		return MAP_REPLIED;
	case ASSESS_EXCEPTION:
		return MAP_REPLIED;
	case ASSESS_REFRESH:
	case ASSESS_HIT:
	case ASSESS_MISS:
		break;
	}
	counter_add(made ? &counters->hits : &counters->misses, 1);
	if (!made)
		return MAP_LOOKUP;
	return assessment->state == ASSESS_REFRESH ? MAP_REFRESH : MAP_REPLIED;
}

void map_take(struct map_service *service, const struct map_request *request,
	const struct evidence *evidence, const struct ta_file_finding *finding,
	struct map_result *result)
{
	struct assess_question question = question_of(service, request);

	begin_result(result);
	assess_result(&result->assessment, &question, service->context->conf, evidence);
	make_reply(service, request, finding, result);
	settle(service, request->map, result);
}

void map_end(struct map_service *service, struct map_result *result)
{
	assess_end(service->context->reader);
	if (result->explanation == NULL)
		return;
	json_decref(result->explanation);
	free(result->dump);
}

/* --- the log ------------------------------------------------------------------------------- */

/* An explanation is long, and the client that requested it shows it. */
static const char *loggable_reply(
	char out[LOGGED_REPLY_SIZE], const struct map_request *request, const char *rendered)
{
	bool whole = request->map == NULL || request->map->form != MAP_EXPLAIN;
	return whole ? log_quotable(out, LOGGED_REPLY_SIZE, rendered) : "...";
}

void map_log_cached(const struct map_service *service, const struct map_request *request,
	const struct map_result *result, const char *rendered)
{
	char key[LOGGED_KEY_MAX + 1], sent[LOGGED_KEY_MAX + 1], words[LOGGED_REPLY_SIZE];

	if (!service->context->conf->log.answers)
		return;
	const char *reason = request->key == NULL   ? "no-key"
			     : request->map == NULL ? "no-map"
			     : result->assessment.state == ASSESS_EXCEPTION
				     ? reason_name(REASON_EXCEPTION)
				     : reason_name(result->assessment.verdict.reason);

	snprintf(sent, sizeof sent, "%.*s",
		request->key_size < LOGGED_KEY_MAX ? (int)request->key_size : LOGGED_KEY_MAX,
		request->key != NULL ? request->key : "");
	log_info("replied from the cache: key=\"%s\" map=%s reason=%s reply=\"%.*s\"",
		log_quotable(key, sizeof key, sent),
		request->map != NULL ? request->map->name : "none", reason, LOGGED_VALUE_MAX,
		loggable_reply(words, request, rendered));
}

/* In monitor mode, what the reply would have been; otherwise NULL. */
static const char *loggable_would(char out[LOGGED_REPLY_SIZE], const struct map_result *result)
{
	char bytes[LOGGED_REPLY_SIZE];
	struct text text;

	if (!result->monitored)
		return NULL;
	text_init(&text, bytes, sizeof bytes);
	render_reply(&text, &result->would);
	return log_quotable(out, LOGGED_REPLY_SIZE, bytes);
}

/* The reply, or for an explanation what failed: else the administrator could not see it here. */
static const char *loggable_failure(char out[LOGGED_REPLY_SIZE], const struct map_request *request,
	const struct evidence *evidence, const char *rendered)
{
	char bytes[LOGGED_REPLY_SIZE];
	struct reply failure = reply_temp_of(evidence);
	struct text text;

	if (request->map->form != MAP_EXPLAIN)
		return log_quotable(out, LOGGED_REPLY_SIZE, rendered);
	text_init(&text, bytes, sizeof bytes);
	render_reply(&text, &failure);
	return log_quotable(out, LOGGED_REPLY_SIZE, bytes);
}

/* `reply` is quotable. */
static void log_temp(const struct map_request *request, const char *reason,
	const struct deferral_note *deferral, double seconds, const char *reply, const char *would)
{
	char key[DESTINATION_KEY_SIZE];

	destination_print(&request->destination, key);
	(deferral->quiet ? log_debug : log_warning)(
		"lookup of %s failed: map=%s reason=%s seconds=%.3f deferred=%u left_out=%u "
		"reply=\"%s\"%s%s%s",
		key, request->map->name, reason, seconds, deferral->seconds, deferral->left_out,
		reply, would != NULL ? " would=\"" : "", would != NULL ? would : "",
		would != NULL ? "\"" : "");
}

/* What became of a policy that did not decide; NULL if there is none, or none was needed. */
static const char *loggable_sts(const struct assessment *assessment)
{
	enum sts_status status = assessment->facts.sts;

	bool decided = assessment->verdict.reason == REASON_STS_ENFORCE ||
		       assessment->verdict.reason == REASON_DANE_PARTIAL_STS;

	return status != STS_ABSENT && !decided ? sts_status_name(status) : NULL;
}

void map_log_result(const struct map_request *request, const struct map_result *result,
	const struct deferral_note *deferral, double seconds, const char *rendered)
{
	char key[DESTINATION_KEY_SIZE], words[LOGGED_REPLY_SIZE], other[LOGGED_REPLY_SIZE];
	struct verdict verdict = result->assessment.verdict;
	const char *would = loggable_would(other, result);
	const char *sts = loggable_sts(&result->assessment);

	if (verdict.level == VERDICT_TEMP) {
		log_temp(request, reason_name(verdict.reason), deferral, seconds,
			loggable_failure(words, request, result->assessment.evidence, rendered),
			would);
		return;
	}
	destination_print(&request->destination, key);
	log_info("looked up %s: map=%s reason=%s%s%s seconds=%.3f reply=\"%.*s\"%s%.*s%s", key,
		request->map->name, reason_name(verdict.reason), sts != NULL ? " sts=" : "",
		sts != NULL ? sts : "", seconds, LOGGED_VALUE_MAX,
		loggable_reply(words, request, rendered), would != NULL ? " would=\"" : "",
		LOGGED_VALUE_MAX, would != NULL ? would : "", would != NULL ? "\"" : "");
}

/* --- replies as text ----------------------------------------------------------------------- */

void map_render(struct map_result *result, struct text *out)
{
	if (result->explanation != NULL) {
		result->dump = json_dumps(result->explanation, JSON_COMPACT | JSON_ENSURE_ASCII);
		result->reply.text = result->dump;
		if (result->dump == NULL)
			result->reply = reply_temp("out of memory");
	}
	render_reply(out, &result->reply);
}

enum map_state map_reply(
	struct map_service *service, const struct map_request *request, struct text *out)
{
	struct map_result result;
	enum map_state state = map_ask(service, request, &result);

	if (state != MAP_LOOKUP) {
		map_render(&result, out);
		map_log_cached(service, request, &result, out->bytes);
	}
	map_end(service, &result);
	return state;
}

/* A destination whose requests were given up before now has a result. */
static void end_given_up(const struct map_service *service, const struct map_request *request)
{
	struct deferral_note note;
	char key[DESTINATION_KEY_SIZE];

	if (service->given_up == NULL)
		return;
	destination_print(&request->destination, key);
	deferral_end(service->given_up, key, clock_steady(), &note);
}

void map_finish(struct map_service *service, const struct map_request *request,
	const struct lookup_result *found, double seconds, struct text *out)
{
	struct map_result result;

	map_take(service, request, &found->evidence, &found->file, &result);
	if (result.assessment.verdict.level != VERDICT_TEMP)
		end_given_up(service, request);
	map_render(&result, out);
	map_log_result(request, &result, &found->deferral, seconds, out->bytes);
	map_end(service, &result);
}

void map_give_up(struct map_service *service, const struct map_request *request, const char *why,
	double seconds, struct text *out)
{
	struct map_result result = {.reply = reply_temp(why)};
	struct deferral_note note = {.quiet = false};
	char key[DESTINATION_KEY_SIZE], words[LOGGED_REPLY_SIZE], other[LOGGED_REPLY_SIZE];

	destination_print(&request->destination, key);
	settle(service, request->map, &result);
	render_reply(out, &result.reply);
	if (service->given_up != NULL)
		note = deferral_note(service->given_up, key, clock_steady(), true);
	log_temp(request, "given-up", &note, seconds, log_quotable(words, sizeof words, out->bytes),
		loggable_would(other, &result));
}
