#include "daemon/socketmap.h"

#include "common/clock.h"
#include "common/explain.h"
#include "common/log.h"
#include "daemon/pinning.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOGGED_REPLY_SIZE = 601,    /* of a TEMP answer, which says what is wrong */
	LOGGED_ANSWER_LONGEST = 60, /* of others: pinned ones are long, and explain shows them */
	LOGGED_KEY_LONGEST = 200,   /* as it came */
};

enum answer_form {
	FORM_POLICY, /* as [dane] enforce says */
	FORM_NATIVE,
	FORM_PINNED,
	FORM_EXPLAIN,
	FORM_TLSA,
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

/* Does this map answer with TLSA data in it? */
static bool is_pinned(const struct socketmap *socketmap, const struct socketmap_map *map)
{
	return map->form == FORM_PINNED ||
	       (map->form == FORM_POLICY && socketmap->conf->dane.enforce == ENFORCE_PINNED);
}

bool socketmap_wants_pins(
	const struct socketmap *socketmap, const struct socketmap_request *request)
{
	return socketmap->tafiles != NULL &&
	       (request->map->form == FORM_EXPLAIN || is_pinned(socketmap, request->map));
}

/* What an answer is made from and how. */
struct question {
	const struct evidence *evidence;
	const struct tafile_finding *file; /* from the lookup thread; NULL: find it */
	struct verdict verdict;
	bool cached;  /* the evidence is what the cache has: it may be asked for more */
	bool missing; /* set when there is something that the lookup thread should make */
};

static void render_native_reply(struct socketmap *socketmap, const struct question *question,
	struct reply *reply, struct text *out)
{
	struct part_failure failure;

	*reply =
		render_native(question->verdict, (enum site_level)socketmap->conf->dane.site_level);
	bool told = reply->kind == REPLY_TEMP && evidence_failure(question->evidence, &failure);
	render_reply(out, reply, told ? &failure : NULL);
}

/* The reply with trust anchors, if their file is there. */
static bool render_with_file(
	struct socketmap *socketmap, struct question *question, struct text *out)
{
	struct pins *pins = &socketmap->pins;
	struct tafile_finding finding;
	struct tafile_key key;
	char path[TAFILE_PATH_SIZE];

	pins->obstacle = PIN_NOT_YET;
	if (socketmap->tafiles == NULL || !tafile_key(&key, pins, question->evidence))
		return false;
	/* Unless the configuration has changed since, that is for the same anchors. */
	if (question->file != NULL && memcmp(&question->file->key, &key, sizeof key) == 0)
		finding = *question->file;
	else
		tafiles_find(socketmap->tafiles, &key, clock_wall(), &finding);
	switch (finding.state) {
	case TAFILE_READY:
		tafiles_path(socketmap->tafiles, &finding, path);
		return render_anchors(out, question->evidence, path);
	case TAFILE_UNKNOWN:
		question->missing = true;
		break;
	case TAFILE_IMPOSSIBLE:
		pins->obstacle = finding.obstacle;
		break;
	}
	return false;
}

/* Leaves in socketmap->pins how it came about. */
static void render_pinned_reply(struct socketmap *socketmap, struct question *question,
	struct reply *reply, struct text *out)
{
	struct pin_settings settings = pinning_settings(socketmap->conf);
	struct pins *pins = &socketmap->pins;
	size_t begin = out->used;

	reply->kind = REPLY_OK;
	pin_collect(&settings, question->evidence, question->verdict, pins);
	switch (pins->form) {
	case PIN_FINGERPRINTS:
		if (render_fingerprints(out, pins))
			return;
		pins->obstacle = PIN_TOO_MANY;
		break;
	case PIN_ANCHORS:
		if (render_with_file(socketmap, question, out))
			return;
		break;
	case PIN_ENCRYPT:
		*reply = render_encrypt((enum site_level)socketmap->conf->dane.site_level);
		render_reply(out, reply, NULL);
		return;
	case PIN_NOTHING:
		break;
	}
	pins->form = PIN_NOTHING;
	text_cut(out, begin);
	render_native_reply(socketmap, question, reply, out);
}

/* The usable records of a host, or why there are none. */
static void render_tlsa_reply(struct socketmap *socketmap, const struct question *question,
	struct reply *reply, struct text *out)
{
	const struct part *host = &question->evidence->hosts[0].part;
	size_t begin = out->used, count;

	if (question->verdict.level == VERDICT_TEMP || question->evidence->host_count == 0 ||
		host->header.status != HOST_USABLE) {
		render_native_reply(socketmap, question, reply, out);
		/* Records that cannot be used are none to whoever wants to use them. */
		if (reply->kind != REPLY_TEMP) {
			reply->kind = REPLY_NOTFOUND;
			text_cut(out, begin);
			render_reply(out, reply, NULL);
		}
		return;
	}
	reply->kind = REPLY_OK;
	text_add(out, "OK ");
	if (render_tlsa(out, host, &count))
		return;
	reply->kind = REPLY_PERM;
	text_cut(out, begin);
	text_add_format(out, "PERM the %zu TLSA records do not fit into a reply", count);
}

static void render(struct socketmap *socketmap, const struct socketmap_map *map,
	struct question *question, struct reply *reply, struct text *out)
{
	if (map->form == FORM_TLSA)
		render_tlsa_reply(socketmap, question, reply, out);
	else if (is_pinned(socketmap, map))
		render_pinned_reply(socketmap, question, reply, out);
	else
		render_native_reply(socketmap, question, reply, out);
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

/* Has somebody shown the trust anchor of a record that has only its digest? */
static bool anchor_known(void *context, const struct tlsa_record *record)
{
	struct socketmap *socketmap = context;
	struct pin_settings settings = {.anchors = true, .learn = true};
	struct pin_anchor anchor;
	size_t size;

	return pin_record(&settings, record, (uint8_t *)&anchor, &size) == PIN_CLEAR &&
	       cache_has_anchor(socketmap->reader, &anchor);
}

static void explain(struct socketmap *socketmap, struct question *question, struct reply *reply,
	struct text *out)
{
	struct text *native = &socketmap->words[0], *pinned = &socketmap->words[1];
	struct pin_settings settings = pinning_settings(socketmap->conf);
	char not_pinned[512] = "";
	struct text why;

	for (size_t i = 0; i < 2; i++)
		text_init(&socketmap->words[i], socketmap->word_bytes[i],
			sizeof socketmap->word_bytes[i]);
	text_init(&why, not_pinned, sizeof not_pinned);
	render_native_reply(socketmap, question, reply, native);
	render_pinned_reply(socketmap, question, reply, pinned);
	if (question->missing && question->cached)
		return;
	if (socketmap->pins.form == PIN_NOTHING && socketmap->pins.obstacle != PIN_NO_DANE)
		pin_explain(&socketmap->pins, question->evidence, &why);
	bool enforced = socketmap->conf->dane.enforce == ENFORCE_PINNED;
	struct explanation explanation = {
		.parsed = DESTINATION_OK,
		.evidence = question->evidence,
		.verdict = question->verdict,
		.reply = enforced ? pinned->bytes : native->bytes,
		.native = native->bytes,
		.pinned = pinned->bytes,
		.not_pinned = not_pinned,
		.pin = &settings,
		.anchor_known = anchor_known,
		.context = socketmap,
		.cached = question->cached,
		.now = clock_wall(),
	};
	add_explanation(&explanation, out);
	reply->kind = REPLY_OK;
}

/* False when the lookup thread has to make something first; then nothing is answered. */
static bool answer(struct socketmap *socketmap, const struct socketmap_map *map,
	struct question *question, struct text *out)
{
	struct decide_facts facts;
	struct reply reply;
	size_t begin = out->used;

	evidence_facts(question->evidence, &facts);
	question->verdict = decide(&facts);
	question->missing = false;
	if (map->form == FORM_EXPLAIN)
		explain(socketmap, question, &reply, out);
	else
		render(socketmap, map, question, &reply, out);
	if (question->missing && question->cached) {
		text_cut(out, begin);
		return false;
	}
	count_reply(socketmap, map, reply.kind);
	return true;
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
			.native = "NOTFOUND ",
			.pinned = "NOTFOUND ",
			.not_pinned = "",
		};
		add_explanation(&explanation, out);
		reply.kind = REPLY_OK;
	} else {
		render_reply(out, &reply, NULL);
	}
	count_reply(socketmap, map, reply.kind);
}

/* Of the hosts the status is enough for a native answer. */
static enum cache_depth depth_for(
	const struct socketmap *socketmap, const struct socketmap_map *map)
{
	bool whole =
		map->form == FORM_EXPLAIN || map->form == FORM_TLSA || is_pinned(socketmap, map);
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
	char key[LOGGED_KEY_LONGEST + 1], sent[LOGGED_KEY_LONGEST + 1];
	char words[LOGGED_REPLY_SIZE];

	if (!socketmap->conf->log.answers)
		return;
	snprintf(sent, sizeof sent, "%.*s",
		request->key_size < LOGGED_KEY_LONGEST ? (int)request->key_size
						       : LOGGED_KEY_LONGEST,
		request->key != NULL ? request->key : "");
	log_info("answered from the cache: key=\"%s\" map=%s reason=%s reply=\"%.*s\"",
		log_quotable(key, sizeof key, sent),
		request->map != NULL ? request->map->name : "none", reason, LOGGED_ANSWER_LONGEST,
		loggable_reply(words, request, reply));
}

static enum cache_result answer_from_cache(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
	struct evidence evidence;
	struct question question = {.evidence = &evidence, .cached = true};
	uint32_t now = clock_wall();
	enum cache_depth depth = depth_for(socketmap, request->map);

	evidence.destination = &request->destination;
	enum cache_result cached =
		cache_read(socketmap->reader, request->place, now, depth, &evidence);

	/* A failure is told in its own words, and these are not in the header. */
	if (depth == CACHE_STATUS && cached != CACHE_MISS && evidence_has_failure(&evidence)) {
		cache_read_end(socketmap->reader);
		cached = cache_read(socketmap->reader, request->place, now, CACHE_WHOLE, &evidence);
	}
	if (cached != CACHE_MISS && !answer(socketmap, request->map, &question, out))
		cached = CACHE_MISS;
	if (cached != CACHE_MISS)
		log_answer(socketmap, request, reason_name(question.verdict.reason), out);
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

	if (request->parsed == DESTINATION_OK)
		request->place = cache_prefetch(socketmap->reader, &request->destination);
}

enum socketmap_result socketmap_answer(
	struct socketmap *socketmap, const struct socketmap_request *request, struct text *out)
{
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
		answer_no_destination(socketmap, request, out);
		log_answer(socketmap, request, reason_name(REASON_NOT_A_DESTINATION), out);
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

static void log_temp(const struct socketmap_request *request, const char *reason,
	const struct deferral_note *deferral, double seconds, const struct text *reply)
{
	char key[DESTINATION_KEY_SIZE], words[LOGGED_REPLY_SIZE];

	destination_print(&request->destination, key);
	(deferral->quiet ? log_debug : log_warning)(
		"cannot tell how %s must be reached: map=%s "
		"reason=%s seconds=%.3f deferred=%u left_out=%u reply=\"%s\"",
		key, request->map->name, reason, seconds, deferral->seconds, deferral->left_out,
		loggable_reply(words, request, reply));
}

void socketmap_finish(struct socketmap *socketmap, const struct socketmap_request *request,
	const struct evidence *evidence, const struct tafile_finding *file,
	const struct deferral_note *deferral, double seconds, struct text *out)
{
	struct question question = {.evidence = evidence, .file = file};
	char key[DESTINATION_KEY_SIZE], words[LOGGED_REPLY_SIZE];

	answer(socketmap, request->map, &question, out);
	const char *reason = reason_name(question.verdict.reason);
	if (question.verdict.level == VERDICT_TEMP) {
		log_temp(request, reason, deferral, seconds, out);
		return;
	}
	destination_print(&request->destination, key);
	log_info("looked up %s: map=%s reason=%s seconds=%.3f reply=\"%.*s\"", key,
		request->map->name, reason, seconds, LOGGED_ANSWER_LONGEST,
		loggable_reply(words, request, out));
}

void socketmap_give_up(struct socketmap *socketmap, const struct socketmap_request *request,
	const char *why, double seconds, struct text *out)
{
	struct deferral_note note = {.quiet = false};
	char key[DESTINATION_KEY_SIZE];

	destination_print(&request->destination, key);
	text_add(out, "TEMP ");
	text_add(out, why);
	count_reply(socketmap, request->map, REPLY_TEMP);
	if (socketmap->given_up != NULL)
		note = deferral_note(socketmap->given_up, key, clock_steady());
	log_temp(request, "given-up", &note, seconds, out);
}
