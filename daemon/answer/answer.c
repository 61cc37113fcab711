#include "daemon/answer/answer.h"

#include "common/base/clock.h"
#include "common/site/minimum.h"
#include "daemon/answer/explain.h"
#include "daemon/lookup/ta_lookup.h"

#include <stdlib.h>
#include <string.h>

bool answer_is_pinned(const struct socketmap *socketmap, enum answer_form form)
{
	return form == FORM_PINNED ||
	       (form == FORM_POLICY && socketmap->conf->dane.enforce == ENFORCE_PINNED);
}

static enum site_level site_level(const struct socketmap *socketmap)
{
	return (enum site_level)socketmap->conf->dane.site_level;
}

static void hold_floor(
	const struct socketmap *socketmap, const struct question *question, struct reply *reply)
{
	if (question->ruling != NULL)
		*reply = minimum_hold(question->ruling->minimum, site_level(socketmap),
			&question->facts, question->verdict, *reply);
}

static void render_native_reply(struct socketmap *socketmap, const struct question *question,
	struct reply *reply, struct text *out)
{
	struct part_failure failure;

	if (exception_reply(question->ruling, reply)) {
		render_reply(out, reply, NULL);
		return;
	}
	*reply = render_native(question->verdict, site_level(socketmap));
	hold_floor(socketmap, question, reply);
	bool told = reply->kind == REPLY_TEMP && evidence_failure(question->evidence, &failure);
	render_reply(out, reply, told ? &failure : NULL);
}

/* The reply with trust anchors, if their file is there. */
static bool render_with_file(
	struct socketmap *socketmap, struct question *question, struct text *out)
{
	struct pins *pins = &socketmap->pins;
	struct ta_file_finding finding;
	struct ta_file_key key;
	char path[TA_FILE_PATH_SIZE];

	pins->obstacle = PIN_NOT_YET;
	if (socketmap->tafiles == NULL || !ta_file_key(&key, pins, question->evidence))
		return false;
	/* Unless the configuration has changed since, that is for the same anchors. */
	if (question->file != NULL && memcmp(&question->file->key, &key, sizeof key) == 0)
		finding = *question->file;
	else
		ta_files_find(socketmap->tafiles, &key, clock_wall(), &finding);
	switch (finding.state) {
	case TA_FILE_READY:
		ta_files_path(socketmap->tafiles, &finding, path);
		return render_tas(out, question->evidence, path);
	case TA_FILE_UNKNOWN:
		question->missing = true;
		break;
	case TA_FILE_IMPOSSIBLE:
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

	if (exception_reply(question->ruling, reply)) {
		pins->form = PIN_NOTHING;
		pins->obstacle = PIN_NO_DANE;
		render_reply(out, reply, NULL);
		return;
	}
	/* A minimum may ask for as much as a strict site does. */
	if (question->ruling != NULL &&
		!minimum_keeps_pins(question->ruling->minimum, question->verdict))
		settings.strict_site = true;
	reply->kind = REPLY_OK;
	pin_collect(&settings, question->evidence, question->verdict, pins);
	switch (pins->form) {
	case PIN_FINGERPRINTS:
		if (render_fingerprints(out, pins))
			return;
		pins->obstacle = PIN_TOO_MANY;
		break;
	case PIN_TAS:
		if (render_with_file(socketmap, question, out))
			return;
		break;
	case PIN_ENCRYPT:
		*reply = render_encrypt(site_level(socketmap));
		hold_floor(socketmap, question, reply);
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

static void render(struct socketmap *socketmap, struct question *question, struct reply *reply,
	struct text *out)
{
	if (question->form == FORM_TLSA)
		render_tlsa_reply(socketmap, question, reply, out);
	else if (answer_is_pinned(socketmap, question->form))
		render_pinned_reply(socketmap, question, reply, out);
	else
		render_native_reply(socketmap, question, reply, out);
}

static void add_explanation(struct explanation *explanation, struct text *out)
{
	char *json = explain_json(explanation, SOCKETMAP_REPLY_MAX - sizeof "OK ");

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
	struct pin_ta anchor;
	size_t size;

	return pin_record(&settings, record, (uint8_t *)&anchor, &size) == PIN_CLEAR &&
	       cache_has_ta(socketmap->reader, &anchor);
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
	bool monitored = socketmap->conf->dane.mode == MODE_MONITOR;
	const char *words = enforced ? pinned->bytes : native->bytes;
	struct explanation explanation = {
		.parsed = DESTINATION_OK,
		.evidence = question->evidence,
		.verdict = question->verdict,
		.ruling = question->ruling,
		.reply = monitored ? "NOTFOUND " : words,
		.would = monitored ? words : NULL,
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

bool answer(struct socketmap *socketmap, struct question *question, struct reply *reply,
	struct text *out)
{
	size_t begin = out->used;

	evidence_facts(question->evidence, &question->facts);
	question->verdict = decide(&question->facts);
	question->missing = false;
	if (question->form == FORM_EXPLAIN)
		explain(socketmap, question, reply, out);
	else
		render(socketmap, question, reply, out);
	if (!question->missing || !question->cached)
		return true;
	text_cut(out, begin);
	return false;
}

void answer_no_destination(struct socketmap *socketmap, const struct socketmap_request *request,
	enum answer_form form, const struct ruling *ruling, struct reply *reply, struct text *out)
{
	struct verdict verdict = {VERDICT_NOTFOUND, REASON_NOT_A_DESTINATION};
	bool monitored = socketmap->conf->dane.mode == MODE_MONITOR;
	char bytes[64];
	struct text words;

	*reply = (struct reply){REPLY_NOTFOUND, NULL};
	if (ruling != NULL)
		*reply =
			minimum_hold(ruling->minimum, site_level(socketmap), NULL, verdict, *reply);
	if (form != FORM_EXPLAIN) {
		render_reply(out, reply, NULL);
		return;
	}
	text_init(&words, bytes, sizeof bytes);
	render_reply(&words, reply, NULL);
	struct explanation explanation = {
		.key = request->key,
		.key_size = request->key_size,
		.parsed = request->parsed,
		.verdict = verdict,
		.ruling = ruling,
		.reply = monitored ? "NOTFOUND " : bytes,
		.would = monitored ? bytes : NULL,
		.native = bytes,
		.pinned = bytes,
		.not_pinned = "",
	};
	add_explanation(&explanation, out);
	reply->kind = REPLY_OK;
}

const char *answer_monitored(
	struct socketmap *socketmap, struct reply *reply, struct text *out, size_t begin)
{
	struct text *would = &socketmap->words[0];

	text_init(would, socketmap->word_bytes[0], sizeof socketmap->word_bytes[0]);
	text_add_bytes(would, out->bytes + begin, out->used - begin);
	text_cut(out, begin);
	*reply = (struct reply){REPLY_NOTFOUND, NULL};
	render_reply(out, reply, NULL);
	return would->bytes;
}
