#include "daemon/socketmap.h"

#include "common/clock.h"
#include "common/explain.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum answer_form {
	FORM_POLICY, /* as [dane] enforce says */
	FORM_NATIVE,
	FORM_EXPLAIN,
};

struct socketmap_map {
	const char *name;
	enum answer_form form;
};

/* All maps there are. The later names are those of postfix-tlspol and postfix-mta-sts-resolver. */
static const struct socketmap_map maps[SOCKETMAP_MAPS] = {
	{"policy", FORM_POLICY},
	{"native", FORM_NATIVE},
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

/* The reply that Postfix gets, whatever the map. */
static struct verdict render(struct socketmap *socketmap, const struct evidence *evidence,
	struct reply *reply, struct text *out)
{
	struct decide_facts facts;
	struct part_failure failure;

	evidence_facts(evidence, &facts);
	struct verdict verdict = decide(&facts);
	*reply = render_native(verdict, (enum site_level)socketmap->conf->dane.site_level);
	bool told = reply->kind == REPLY_TEMP && evidence_failure(evidence, &failure);
	render_reply(out, reply, told ? &failure : NULL);
	return verdict;
}

static void add_explanation(struct explanation *explanation, struct text *out)
{
	char *json = explain_json(explanation, SOCKETMAP_REPLY_LONGEST - sizeof "OK ");

	if (json == NULL) {
		text_add(out, "TEMP out of memory");
	} else {
		text_add(out, "OK ");
		text_add(out, json);
	}
	free(json);
}

static struct verdict explain(struct socketmap *socketmap, const struct evidence *evidence,
	bool cached, struct reply *reply, struct text *out)
{
	char words[2048];
	struct text text;

	text_init(&text, words, sizeof words);
	struct verdict verdict = render(socketmap, evidence, reply, &text);
	struct explanation explanation = {
		.parsed = DESTINATION_OK,
		.evidence = evidence,
		.verdict = verdict,
		.reply = words,
		.cached = cached,
		.now = clock_wall(),
	};
	add_explanation(&explanation, out);
	reply->kind = REPLY_OK;
	return verdict;
}

static struct verdict answer(struct socketmap *socketmap, const struct socketmap_map *map,
	const struct evidence *evidence, bool cached, struct text *out)
{
	struct reply reply;
	struct verdict verdict = map->form == FORM_EXPLAIN
					 ? explain(socketmap, evidence, cached, &reply, out)
					 : render(socketmap, evidence, &reply, out);
	count_reply(socketmap, map, reply.kind);
	return verdict;
}

static void answer_no_destination(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
	const struct socketmap_map *map = request->map;
	struct reply reply = {REPLY_NOTFOUND, NULL};

	if (request->parsed == DESTINATION_INVALID)
		count(&socketmap->counters->invalid);
	if (map->form == FORM_EXPLAIN) {
		struct explanation explanation = {
			.key = request->key,
			.key_size = request->key_size,
			.parsed = request->parsed,
			.verdict = {VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION},
			.reply = "NOTFOUND ",
		};
		add_explanation(&explanation, out);
		reply.kind = REPLY_OK;
	} else {
		render_reply(out, &reply, NULL);
	}
	count_reply(socketmap, map, reply.kind);
}

static enum cache_result answer_from_cache(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
	const struct socketmap_map *map = request->map;
	struct evidence evidence;
	uint32_t now = clock_wall();
	enum cache_depth depth = map->form == FORM_EXPLAIN ? CACHE_WHOLE : CACHE_STATUS;

	evidence.destination = &request->destination;
	enum cache_result cached =
		cache_read(socketmap->reader, request->place, now, depth, &evidence);

	/* A failure is told in its own words, and these are not in the header. */
	if (depth == CACHE_STATUS && cached != CACHE_MISS && evidence_has_failure(&evidence)) {
		cache_read_end(socketmap->reader);
		cached = cache_read(socketmap->reader, request->place, now, CACHE_WHOLE, &evidence);
	}
	if (cached != CACHE_MISS)
		answer(socketmap, map, &evidence, true, out);
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
	request->parsed = destination_parse(request->key, request->key_size, &request->destination);
	if (request->parsed == DESTINATION_OK)
		request->place = cache_prefetch(socketmap->reader, &request->destination);
}

enum socketmap_result socketmap_answer(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
	if (request->key == NULL) {
		text_add(out, "PERM expected a map, a blank and a key");
		count_reply(socketmap, NULL, REPLY_PERM);
		return SOCKETMAP_ANSWERED;
	}
	if (request->map == NULL) {
		refuse_map(socketmap, out);
		return SOCKETMAP_ANSWERED;
	}
	if (request->parsed != DESTINATION_OK) {
		answer_no_destination(socketmap, request, out);
		return SOCKETMAP_ANSWERED;
	}
	switch (answer_from_cache(socketmap, request, out)) {
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

void socketmap_finish(struct socketmap *socketmap, const struct socketmap_request *request,
	const struct evidence *evidence, double seconds, struct text *out)
{
	struct verdict verdict = answer(socketmap, request->map, evidence, false, out);
	char key[DESTINATION_KEY_SIZE];

	/* An explanation is long and was asked for by somebody who reads it. */
	const char *reply = request->map->form == FORM_EXPLAIN ? "..." : out->bytes;

	destination_print(&request->destination, key);
	if (verdict.level == VERDICT_TEMP)
		log_warning("cannot tell how %s must be reached: map=%s reason=%s seconds=%.3f "
			    "reply=\"%.600s\"",
			key, request->map->name, reason_name(verdict.reason), seconds, reply);
	else
		log_info("looked up %s: map=%s reason=%s seconds=%.3f reply=\"%.60s\"", key,
			request->map->name, reason_name(verdict.reason), seconds, reply);
}

void socketmap_give_up(struct socketmap *socketmap, const struct socketmap_request *request,
	const char *why, struct text *out)
{
	char key[DESTINATION_KEY_SIZE];

	destination_print(&request->destination, key);
	text_add(out, "TEMP ");
	text_add(out, why);
	count_reply(socketmap, request->map, REPLY_TEMP);
	log_warning("cannot tell how %s must be reached: map=%s %s", key, request->map->name, why);
}
