#include "daemon/answer/explain.h"

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/site/minimum.h"
#include "common/sts/sts_record.h"
#include "common/verdict/render.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum {
	/* Octets of one TLSA record's data that are shown; digests are shorter. */
	DATA_SHOWN_MAX = 64,
	/* TLSA records of one host that are shown; there are seldom more than a few. */
	TLSA_SHOWN_MAX = 32,
	/* Patterns of an MTA-STS policy, and lines that were left out, that are shown. */
	STS_SHOWN_MAX = 64,
	/* Characters of a reply that are shown: one with a thousand digests is much longer. */
	REPLY_SHOWN_MAX = 4096,
};

static json_t *bytes_string(struct part_bytes bytes)
{
	/* Names and details were made printable ASCII before they were stored. */
	return json_stringn((const char *)bytes.bytes, bytes.size);
}

static uint32_t seconds_left(uint32_t expires, uint32_t now)
{
	return expires > now ? expires - now : 0;
}

static void set_reply(json_t *object, const char *member, const struct reply *reply)
{
	char *whole = malloc(RENDER_REPLY_MAX + 1);
	char shown[REPLY_SHOWN_MAX + sizeof "..."];
	struct text text;

	if (whole == NULL)
		return;
	text_init(&text, whole, RENDER_REPLY_MAX + 1);
	render_reply(&text, reply);
	snprintf(shown, sizeof shown, "%.*s%s", REPLY_SHOWN_MAX, whole,
		text.used > REPLY_SHOWN_MAX ? "..." : "");
	json_object_set_new(object, member, json_string(shown));
	free(whole);
}

static void set_failure(json_t *object, const struct part *part)
{
	struct part_failure failure;
	char words[DNS_NAME_SIZE + DNS_DETAIL_SIZE + 64];
	struct text text;

	if (!part_failure(part, &failure))
		return;
	text_init(&text, words, sizeof words);
	render_failure(&text, &failure);
	json_object_set_new(object, "failure", json_string(words));
}

static void set_times(json_t *object, const struct part *part, uint32_t now)
{
	json_object_set_new(object, "ttl", json_integer(seconds_left(part->header.expires, now)));
	json_object_set_new(object, "expires", json_integer(part->header.expires));
	if ((part->header.flags & PART_STALE) != 0) {
		json_object_set_new(object, "stale", json_true());
		json_object_set_new(object, "stale_until", json_integer(part->header.stale_until));
	}
}

static json_t *mx_object(const struct evidence *evidence, uint32_t now)
{
	const struct part *mx = &evidence->mx;
	json_t *object = json_object();

	json_object_set_new(object, "name", json_string(evidence->destination->name));
	json_object_set_new(object, "status", json_string(mx_status_name(mx->header.status)));
	json_object_set_new(object, "dnssec", json_string(dns_security_name(mx->header.security)));
	set_times(object, mx, now);
	set_failure(object, mx);
	return object;
}

static json_t *address_array(const struct part_question *question)
{
	json_t *array = json_array();

	for (size_t i = 0; i < question->address_count; i++) {
		char address[INET6_ADDRSTRLEN];
		if (inet_ntop(question->type == DNS_TYPE_A ? AF_INET : AF_INET6,
			    question->addresses + i * question->address_size, address,
			    sizeof address))
			json_array_append_new(array, json_string(address));
	}
	return array;
}

static json_t *question_object(struct part_cursor *cursor, uint32_t now)
{
	struct part_question question;
	json_t *object = json_object();

	part_next_question(cursor, &question);
	json_object_set_new(object, "name", bytes_string(question.name));
	json_object_set_new(object, "type", json_string(dns_type_name(question.type)));
	json_object_set_new(object, "status", json_string(dns_outcome_name(question.outcome)));
	json_object_set_new(object, "dnssec", json_string(dns_security_name(question.security)));
	if (question.outcome == DNS_FAILED) {
		json_object_set_new(
			object, "failure", json_string(dns_failure_name(question.failure)));
		json_object_set_new(object, "detail", bytes_string(question.detail));
	} else {
		json_object_set_new(
			object, "ttl", json_integer(seconds_left(question.expires, now)));
	}
	if (question.canonical_name.size > 0)
		json_object_set_new(
			object, "canonical_name", bytes_string(question.canonical_name));
	if (question.address_count > 0)
		json_object_set_new(object, "addresses", address_array(&question));
	return object;
}

/*
 * The digest or the trust anchor that a usable record adds to a pinned reply, or why it adds none.
 */
static void set_pin(
	json_t *object, const struct explanation *explanation, const struct part_tlsa *tlsa)
{
	struct tlsa_record record;
	uint8_t entry[sizeof(struct ta_digest)];
	char words[3 * TLSA_DIGEST_MAX];
	struct text text;
	size_t size = 0;

	if (explanation->pin == NULL || !tlsa_read(tlsa->rdata.bytes, tlsa->rdata.size, &record))
		return;
	enum pin_obstacle obstacle = pin_record(explanation->pin, &record, entry, &size);
	if (record.usage == TLSA_DANE_TA) {
		bool known = record.matching_type != TLSA_FULL &&
			     explanation->ta_known(explanation->context, &record);
		if (obstacle == PIN_CLEAR && !known && record.matching_type != TLSA_FULL)
			obstacle = PIN_TA_UNKNOWN;
		json_object_set_new(object, "trust_anchor",
			json_string(record.matching_type == TLSA_FULL ? "published"
				    : known                           ? "learned"
								      : "unknown"));
	} else if (obstacle == PIN_CLEAR) {
		text_init(&text, words, sizeof words);
		text_add_fingerprint(&text, entry, size);
		json_object_set_new(object, "match", json_string(words));
	}
	if (obstacle != PIN_CLEAR)
		json_object_set_new(object, "not_pinned", json_string(pin_obstacle_text(obstacle)));
}

static json_t *tlsa_object(const struct explanation *explanation, const struct part_tlsa *tlsa)
{
	json_t *object = json_object();
	char data[2 * DATA_SHOWN_MAX + 1];
	struct text text;

	if (tlsa->rdata.size >= 3) {
		size_t size = tlsa->rdata.size - 3;
		json_object_set_new(object, "usage", json_integer(tlsa->rdata.bytes[0]));
		json_object_set_new(object, "selector", json_integer(tlsa->rdata.bytes[1]));
		json_object_set_new(object, "matching_type", json_integer(tlsa->rdata.bytes[2]));
		text_init(&text, data, sizeof data);
		text_add_hex(&text, tlsa->rdata.bytes + 3,
			size < DATA_SHOWN_MAX ? size : DATA_SHOWN_MAX);
		json_object_set_new(object, "data", json_string(data));
		json_object_set_new(object, "size", json_integer((json_int_t)size));
	}
	json_object_set_new(object, "usable", json_boolean(tlsa->usability == TLSA_USABLE));
	if (tlsa->usability != TLSA_USABLE)
		json_object_set_new(
			object, "why", json_string(tlsa_usability_text(tlsa->usability)));
	else
		set_pin(object, explanation, tlsa);
	return object;
}

static void set_tlsa(
	json_t *object, const struct explanation *explanation, struct part_cursor *cursor)
{
	json_t *array = json_array();
	size_t count = part_tlsa_count(cursor);

	for (size_t i = 0; i < count && i < TLSA_SHOWN_MAX && !cursor->damaged; i++) {
		struct part_tlsa tlsa;
		part_next_tlsa(cursor, &tlsa);
		json_array_append_new(array, tlsa_object(explanation, &tlsa));
	}
	json_object_set_new(object, "tlsa", array);
	if (count > TLSA_SHOWN_MAX && !cursor->damaged)
		json_object_set_new(object, "tlsa_not_shown",
			json_integer((json_int_t)(count - TLSA_SHOWN_MAX)));
}

static json_t *host_object(const struct explanation *explanation, size_t index)
{
	const struct evidence *evidence = explanation->evidence;
	uint32_t now = explanation->now;
	const struct evidence_host *host = &evidence->hosts[index];
	struct part_cursor cursor;
	json_t *object = json_object(), *lookups = json_array();

	json_object_set_new(object, "name", json_stringn(host->name, host->name_size));
	json_object_set_new(object, "port", json_integer(evidence->destination->port));
	json_object_set_new(object, "preference", json_integer(host->preference));
	json_object_set_new(
		object, "status", json_string(host_status_name(host->part.header.status)));
	set_times(object, &host->part, now);
	set_failure(object, &host->part);
	part_cursor_start(&host->part, &cursor);
	struct part_bytes base_domain = part_base_domain(&cursor);
	if (base_domain.size > 0)
		json_object_set_new(object, "base_domain", bytes_string(base_domain));
	for (unsigned i = 0; i < host->part.header.count && !cursor.damaged; i++)
		json_array_append_new(lookups, question_object(&cursor, now));
	json_object_set_new(object, "lookups", lookups);
	set_tlsa(object, explanation, &cursor);
	return object;
}

/* --- the MTA-STS policy -------------------------------------------------------------------- */

/* Which hosts match one of the patterns, and which match none. */
static void set_matches(json_t *object, const struct evidence *evidence)
{
	json_t *matching = json_array(), *others = json_array();

	for (size_t i = 0; i < evidence->host_count; i++) {
		const struct evidence_host *host = &evidence->hosts[i];
		json_array_append_new(evidence_host_matches_sts(evidence, i) ? matching : others,
			json_stringn(host->name, host->name_size));
	}
	json_object_set_new(object, "hosts_matching", matching);
	json_object_set_new(object, "hosts_not_matching", others);
}

static void set_policy(json_t *object, const struct explanation *explanation,
	const struct sts_facts *facts, struct part_cursor *cursor)
{
	json_t *patterns = json_array(), *left_out = json_array();
	struct sts_pattern pattern;
	struct sts_line line;

	json_object_set_new(object, "id", json_string(facts->id));
	json_object_set_new(object, "max_age", json_integer(facts->max_age));
	json_object_set_new(object, "fetched_at", json_integer(facts->fetched_at));
	json_object_set_new(
		object, "age", json_integer(seconds_left(explanation->now, facts->fetched_at)));
	for (size_t i = 0; i < facts->pattern_count && !cursor->damaged; i++) {
		part_next_sts_pattern(cursor, &pattern);
		if (i < STS_SHOWN_MAX)
			json_array_append_new(patterns, json_stringn(pattern.name, pattern.size));
	}
	json_object_set_new(object, "patterns", patterns);
	if (facts->pattern_count > STS_SHOWN_MAX)
		json_object_set_new(object, "patterns_not_shown",
			json_integer((json_int_t)(facts->pattern_count - STS_SHOWN_MAX)));
	for (size_t left = part_sts_line_count(cursor); left > 0 && !cursor->damaged; left--) {
		part_next_sts_line(cursor, &line);
		if (line.left_out && json_array_size(left_out) < STS_SHOWN_MAX)
			json_array_append_new(left_out, json_stringn(line.value, line.value_size));
	}
	json_object_set_new(object, "mx_left_out", left_out);
	set_matches(object, explanation->evidence);
}

static json_t *sts_object(const struct explanation *explanation)
{
	const struct evidence *evidence = explanation->evidence;
	struct part_cursor cursor;
	struct sts_facts facts;
	json_t *object;

	if (!evidence->has_sts)
		return json_null();
	object = json_object();
	part_cursor_start(&evidence->sts, &cursor);
	part_read_sts(&cursor, &facts);
	enum sts_status status = evidence->sts.header.status;
	json_object_set_new(object, "domain", json_string(evidence->destination->name));
	json_object_set_new(object, "status", json_string(sts_status_name(status)));
	/* Such an entry is written before the lookup and the download have ended. */
	json_object_set_new(object, "record",
		json_string(status == STS_PENDING ? "not known yet"
						  : sts_discovery_text(facts.discovery)));
	set_times(object, &evidence->sts, explanation->now);
	if (evidence->sts.header.refresh_at != UINT32_MAX)
		json_object_set_new(object, "refresh",
			json_integer(
				seconds_left(evidence->sts.header.refresh_at, explanation->now)));
	if (sts_has_policy(status))
		set_policy(object, explanation, &facts, &cursor);
	if (facts.failure[0] != '\0') {
		json_object_set_new(object, "failures", json_integer(facts.failures));
		json_object_set_new(object, "failure", json_string(facts.failure));
		json_object_set_new(object, "failed_at", json_integer(facts.failed_at));
		json_object_set_new(object, "retry_at", json_integer(facts.retry_at));
	}
	return object;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void set_evidence(json_t *object, const struct explanation *explanation, size_t hosts)
{
	const struct evidence *evidence = explanation->evidence;
	bool domain = evidence->destination->kind == DESTINATION_DOMAIN;
	json_t *array = json_array();

	json_object_set_new(object, "kind", json_string(domain ? "domain" : "host"));
	json_object_set_new(object, "port", json_integer(evidence->destination->port));
	json_object_set_new(object, "ttl",
		json_integer(seconds_left(evidence_expires(evidence), explanation->now)));
	json_object_set_new(object, "cached", json_boolean(explanation->cached));
	json_object_set_new(
		object, "mx", domain ? mx_object(evidence, explanation->now) : json_null());
	for (size_t i = 0; i < evidence->host_count && i < hosts; i++)
		json_array_append_new(array, host_object(explanation, i));
	json_object_set_new(object, "hosts", array);
	json_object_set_new(object, "sts", sts_object(explanation));
	if (hosts < evidence->host_count)
		json_object_set_new(object, "hosts_not_shown",
			json_integer((json_int_t)(evidence->host_count - hosts)));
}

static void set_place(json_t *object, const struct rule_place *place)
{
	json_object_set_new(
		object, "file", place->line > 0 ? json_string(place->file) : json_null());
	json_object_set_new(object, "line", json_integer(place->line));
}

static json_t *minimum_object(const struct explanation *explanation)
{
	const struct ruling *ruling = explanation->ruling;
	json_t *object;

	if (ruling == NULL || ruling->minimum_key == NULL)
		return json_null();
	object = json_object();
	json_object_set_new(object, "domain", json_string(ruling->minimum_key));
	json_object_set_new(object, "level", json_string(minimum_names[ruling->minimum]));
	json_object_set_new(object, "offered", json_string(minimum_offer(explanation->verdict)));
	json_object_set_new(object, "reached",
		explanation->verdict.level == VERDICT_TEMP
			? json_null()
			: json_boolean(minimum_reached(ruling->minimum, explanation->verdict)));
	set_place(object, &ruling->minimum_place);
	return object;
}

static const char *exception_state(const struct ruling *ruling)
{
	return ruling->exception == NULL ? "ended"
					 : exception_effect_text(exception_effect(
						   ruling->minimum, ruling->exception->level));
}

static json_t *exception_object(const struct explanation *explanation)
{
	const struct ruling *ruling = explanation->ruling;
	char date[EXCEPTION_DATE_SIZE];
	struct reply reply;
	json_t *object;

	if (ruling == NULL || (ruling->exception == NULL && ruling->ended == NULL))
		return json_null();
	const struct exception *exception =
		ruling->exception != NULL ? ruling->exception : ruling->ended;
	bool forever = exception->until == EXCEPTION_FOREVER;
	object = json_object();
	json_object_set_new(object, "domain", json_string(exception->key));
	json_object_set_new(object, "level", json_string(tls_level_names[exception->level]));
	json_object_set_new(object, "until",
		forever ? json_null() : json_string(exception_print_date(exception->until, date)));
	json_object_set_new(object, "why", json_string(exception->reason));
	json_object_set_new(object, "state", json_string(exception_state(ruling)));
	json_object_set_new(object, "in_force",
		json_boolean(
			ruling->exception != NULL &&
			exception_effect(ruling->minimum, exception->level) == EXCEPTION_HOLDS));
	if (exception_reply(ruling, &reply))
		json_object_set_new(object, "instead_of",
			json_string(reason_name(explanation->verdict.reason)));
	set_place(object, &exception->place);
	return object;
}

/* `reason` is that of the reply: `exception` if an exception decides. */
static void set_rules(json_t *object, const struct explanation *explanation)
{
	enum reason reason = explanation->verdict.reason;
	struct reply reply;

	if (explanation->parsed == DESTINATION_OK && exception_reply(explanation->ruling, &reply))
		reason = REASON_EXCEPTION;
	json_object_set_new(object, "reason", json_string(reason_name(reason)));
	json_object_set_new(object, "rule", json_string(reason_rule(reason)));
	json_object_set_new(object, "minimum", minimum_object(explanation));
	json_object_set_new(object, "exception", exception_object(explanation));
	json_object_set_new(object, "monitor", json_boolean(explanation->monitored));
	if (explanation->monitored)
		set_reply(object, "would", &explanation->reply);
}

static json_t *make_object(const struct explanation *explanation, size_t hosts)
{
	static const struct reply notfound = {.kind = REPLY_NOTFOUND};
	char key[4 * 256 + 1];
	struct text text;
	json_t *object = json_object();

	text_init(&text, key, sizeof key);
	if (explanation->parsed == DESTINATION_OK) {
		destination_print(explanation->evidence->destination, key);
	} else {
		text_add_escaped(&text, explanation->key,
			explanation->key_size < 256 ? explanation->key_size : 256);
	}
	json_object_set_new(object, "destination", json_string(key));
	set_reply(object, "reply", explanation->monitored ? &notfound : &explanation->reply);
	set_reply(object, "native", &explanation->native);
	set_reply(object, "pinned", &explanation->pinned);
	if (explanation->not_pinned[0] != '\0')
		json_object_set_new(object, "not_pinned", json_string(explanation->not_pinned));
	set_rules(object, explanation);
	if (explanation->parsed == DESTINATION_OK) {
		set_evidence(object, explanation, hosts);
	} else {
		json_object_set_new(object, "kind", json_null());
		json_object_set_new(object, "port", json_null());
		json_object_set_new(object, "ttl", json_integer(0));
		json_object_set_new(object, "cached", json_false());
		json_object_set_new(object, "mx", json_null());
		json_object_set_new(object, "hosts", json_array());
		json_object_set_new(object, "sts", json_null());
	}
	return object;
}

/* Size as compact text; 0 on failure. */
static size_t size_of(const json_t *object)
{
	return json_dumpb(object, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
}

json_t *explain_object(const struct explanation *explanation, size_t limit)
{
	size_t hosts = PART_HOSTS_MAX;
	json_t *object = make_object(explanation, hosts);

	while (object != NULL && size_of(object) > limit && hosts > 0) {
		json_decref(object);
		hosts /= 2;
		object = make_object(explanation, hosts);
	}
	if (object != NULL && size_of(object) <= limit)
		return object;
	json_decref(object);
	return NULL;
}

/* --- from an assessment -------------------------------------------------------------------- */

/* Was the trust anchor learned of which the record has only a digest? */
static bool ta_known(void *reader, const struct tlsa_record *record)
{
	struct pin_settings settings = {.tas = true, .learn = true};
	struct ta_digest ta;
	size_t size;

	return pin_record(&settings, record, (uint8_t *)&ta, &size) == PIN_CLEAR &&
	       cache_has_ta(reader, &ta);
}

json_t *explain_assessment(struct reply_context *context, const char *key, size_t key_size,
	enum destination_result parsed, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing)
{
	const struct conf *conf = context->conf;
	struct pin_settings settings = conf_pin_settings(conf);
	char not_pinned[512] = "";
	struct text why;
	struct explanation explanation = {
		.key = key,
		.key_size = key_size,
		.parsed = parsed,
		.evidence = assessment->evidence,
		.verdict = assessment->verdict,
		.ruling = assessment->ruling,
		.monitored = conf->dane.mode == MODE_MONITOR,
		.native = reply_make_native(context, assessment),
		.pinned = reply_make_pinned(context, assessment, finding, missing),
		.not_pinned = not_pinned,
		.pin = &settings,
		.ta_known = ta_known,
		.context = context->reader,
		.cached = assessment->cached,
		.now = clock_wall(),
	};

	if (*missing && assessment->cached)
		return NULL;
	text_init(&why, not_pinned, sizeof not_pinned);
	if (parsed == DESTINATION_OK && context->pins.form == PIN_NOTHING &&
		context->pins.obstacle != PIN_NO_DANE)
		pin_explain(&context->pins, assessment->evidence, &why);
	explanation.reply = parsed == DESTINATION_OK && conf->dane.enforce == ENFORCE_PINNED
				    ? explanation.pinned
				    : explanation.native;
	return explain_object(&explanation, RENDER_REPLY_MAX - sizeof "OK ");
}
