/*
 * Parts: bytes that a cache on a disk, or one day another host, may hand out. A byte for the length
 * of the key, the key, then parts, each with a length of two bytes: an MX set, then its hosts, then
 * an MTA-STS policy.
 *
 * Nothing that is read from them may lie outside of them, whatever they say; a part that is not
 * damaged says the same when it is encoded again; and replies made of them are printable and
 * bounded.
 */
#include "common/part/part.h"

#include "common/part/layout.h"
#include "common/verdict/evidence.h"
#include "common/verdict/pin.h"
#include "common/verdict/render.h"
#include "t/fuzz/fuzz.h"

enum { PARTS_MAX = 1 + PART_HOSTS_MAX + 1, ROOM = RENDER_REPLY_MAX + 1 };

static bool is_inside(const struct part *part, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	return size == 0 ||
	       (at >= part->bytes + PART_HEADER_SIZE && at <= part->bytes + part->size &&
		       size <= (size_t)(part->bytes + part->size - at));
}

/* --- reading ------------------------------------------------------------------------------- */

static bool copy_string(char *out, size_t room, struct part_bytes bytes)
{
	if (bytes.size >= room || memchr(bytes.bytes, '\0', bytes.size) != NULL)
		return false;
	memcpy(out, bytes.bytes, bytes.size);
	out[bytes.size] = '\0';
	return true;
}

/* False when these facts have no part that says just this: damaged, or strings with NUL bytes. */
static bool read_mx(const struct part *part, struct mx_set *set, struct mx_host *hosts)
{
	struct part_cursor cursor;
	struct part_mx_host host;
	bool good = true;

	*set = (struct mx_set){.status = part->header.status,
		.security = part->header.security,
		.host_count = part->header.count,
		.hosts = hosts};
	part_cursor_start(part, &cursor);
	for (unsigned i = 0; i < part->header.count; i++) {
		part_next_mx_host(&cursor, &host);
		CHECK(host.name_size <= DNS_NAME_MAX);
		CHECK(is_inside(part, host.name, host.name_size) || cursor.damaged);
		struct part_bytes name = {(const uint8_t *)host.name, host.name_size};
		good = copy_string(hosts[i].name, sizeof hosts[i].name, name) && good;
		hosts[i].preference = host.preference;
	}
	return good && !cursor.damaged && cursor.at == cursor.end;
}

static bool read_questions(
	const struct part *part, struct part_cursor *cursor, struct host_facts *facts)
{
	bool good = part->header.count <= PART_QUESTIONS_MAX;

	for (unsigned i = 0; i < part->header.count; i++) {
		struct host_question *question = &facts->questions[i % PART_QUESTIONS_MAX];
		struct part_question found;
		part_next_question(cursor, &found);
		size_t size = found.address_count * found.address_size;
		CHECK(is_inside(part, found.addresses, size) || cursor->damaged);
		CHECK(is_inside(part, found.name.bytes, found.name.size) || cursor->damaged);
		memset(question, 0, sizeof *question);
		question->type = found.type;
		question->outcome = found.outcome;
		question->security = found.security;
		question->failure = found.failure;
		question->ttl = found.expires - part->header.stored_at;
		good = good && found.expires >= part->header.stored_at &&
		       found.address_count <= PART_ADDRESSES_MAX &&
		       copy_string(question->name, sizeof question->name, found.name) &&
		       copy_string(question->canonical_name, sizeof question->canonical_name,
			       found.canonical_name) &&
		       copy_string(question->detail, sizeof question->detail, found.detail);
		question->address_count = good ? found.address_count : 0;
		for (size_t n = 0; n < question->address_count; n++)
			memcpy(question->addresses[n], found.addresses + n * found.address_size,
				found.address_size);
	}
	return good;
}

static bool read_host(const struct part *part, struct host_facts *facts)
{
	struct part_cursor cursor;

	memset(facts, 0, sizeof *facts);
	facts->status = part->header.status;
	facts->question_count = part->header.count;
	part_cursor_start(part, &cursor);
	bool good = copy_string(
		facts->base_domain, sizeof facts->base_domain, part_base_domain(&cursor));
	good = read_questions(part, &cursor, facts) && good;
	facts->tlsa_count = part_tlsa_count(&cursor);
	facts->tlsa = calloc(facts->tlsa_count + 1, sizeof *facts->tlsa);
	CHECK(facts->tlsa != NULL);
	for (size_t i = 0; i < facts->tlsa_count && !cursor.damaged; i++) {
		struct part_tlsa tlsa;
		part_next_tlsa(&cursor, &tlsa);
		CHECK(is_inside(part, tlsa.rdata.bytes, tlsa.rdata.size) || cursor.damaged);
		facts->tlsa[i].usability = tlsa.usability;
		facts->tlsa[i].size = (uint16_t)tlsa.rdata.size;
		facts->tlsa[i].rdata = tlsa.rdata.bytes;
	}
	return good && !cursor.damaged && cursor.at == cursor.end;
}

/* --- writing again ------------------------------------------------------------------------- */

static struct part_times times_of(const struct part *part)
{
	return (struct part_times){part->header.stored_at, part->header.refresh_at,
		part->header.expires, part->header.stale_until, part->header.flags};
}

/* All of it but the checksum, and of the header what is not used. */
static void check_same(
	const struct part *part, uint8_t *bytes, size_t size, const char *key, size_t key_size)
{
	CHECK(bytes != NULL && part_intact(bytes, size, key, key_size));
	CHECK(size == part->size && memcmp(bytes + PART_HEADER_SIZE, part->bytes + PART_HEADER_SIZE,
					    size - PART_HEADER_SIZE) == 0);
	CHECK(memcmp(bytes + PART_AT_STORED_AT, part->bytes + PART_AT_STORED_AT,
		      PART_HEADER_SIZE - PART_AT_STORED_AT) == 0);
	free(bytes);
}

/* The same body, with other times and a failure. */
static void check_encode_again(const struct part *part, const char *key, size_t key_size)
{
	struct part_failure failure = {.failure = DNS_FAILURE_TIMEOUT,
				    .type = DNS_TYPE_MX,
				    .name = "mail.example",
				    .detail = "no answer in time"},
			    found;
	struct part_times times = times_of(part);
	struct part_cursor old, fresh;
	struct part again;
	size_t size = 0;

	uint8_t *bytes =
		part_encode_again(part->bytes, part->size, &times, &failure, key, key_size, &size);
	CHECK(bytes != NULL && part_intact(bytes, size, key, key_size));
	CHECK(part_open(&again, (enum part_kind)part->header.kind, bytes, size));
	CHECK(part_failure(&again, &found) && strcmp(found.name, failure.name) == 0 &&
		strcmp(found.detail, failure.detail) == 0);
	part_cursor_start(part, &old);
	part_cursor_start(&again, &fresh);
	CHECK(old.end - old.at == fresh.end - fresh.at &&
		memcmp(old.at, fresh.at, (size_t)(old.end - old.at)) == 0);
	free(bytes);
}

/* An STS policy, read and encoded again; NULL if it is damaged. Its strings must lie in the part.
 */
static uint8_t *encode_sts_again(
	const struct part *part, const char *key, size_t key_size, size_t *size)
{
	struct part_times times = times_of(part);
	struct part_cursor cursor;
	struct sts_facts facts;
	uint8_t *bytes = NULL;

	part_cursor_start(part, &cursor);
	part_read_sts(&cursor, &facts);
	facts.status = (enum sts_status)part->header.status;
	CHECK(strnlen(facts.id, sizeof facts.id) < sizeof facts.id);
	CHECK(strnlen(facts.failed_id, sizeof facts.failed_id) < sizeof facts.failed_id);
	CHECK(strnlen(facts.failure, sizeof facts.failure) < sizeof facts.failure);
	struct sts_pattern *patterns = calloc(facts.pattern_count + 1, sizeof *patterns);
	CHECK(patterns != NULL);
	for (size_t i = 0; i < facts.pattern_count && !cursor.damaged; i++) {
		part_next_sts_pattern(&cursor, &patterns[i]);
		CHECK(is_inside(part, patterns[i].name, patterns[i].size) || cursor.damaged);
	}
	facts.line_count = part_sts_line_count(&cursor);
	struct sts_line *lines = calloc(facts.line_count + 1, sizeof *lines);
	CHECK(lines != NULL);
	for (size_t i = 0; i < facts.line_count && !cursor.damaged; i++) {
		part_next_sts_line(&cursor, &lines[i]);
		CHECK(is_inside(part, lines[i].key, lines[i].key_size) || cursor.damaged);
		CHECK(is_inside(part, lines[i].value, lines[i].value_size) || cursor.damaged);
	}
	facts.patterns = patterns;
	facts.lines = lines;
	if (!cursor.damaged)
		bytes = part_encode_sts(&facts, &times, key, key_size, size);
	free(patterns);
	free(lines);
	return bytes;
}

/* Only times change, and a part of another kind does not change at all. */
static void check_set_back(const struct part *part, const char *key, size_t key_size)
{
	uint8_t *bytes = fuzz_copy(part->bytes, part->size);
	struct part moved;

	part_sts_set_back(bytes, part->size, 3600, key, key_size);
	if (part->header.kind != PART_STS) {
		CHECK(memcmp(bytes, part->bytes, part->size) == 0);
	} else {
		struct sts_facts before, after;
		struct part_cursor old, fresh;
		CHECK(part_intact(bytes, part->size, key, key_size));
		CHECK(part_open(&moved, PART_STS, bytes, part->size));
		part_cursor_start(part, &old);
		part_cursor_start(&moved, &fresh);
		part_read_sts(&old, &before);
		part_read_sts(&fresh, &after);
		CHECK(old.damaged == fresh.damaged);
		CHECK(strcmp(before.id, after.id) == 0 && before.failures == after.failures &&
			strcmp(before.failure, after.failure) == 0 &&
			before.pattern_count == after.pattern_count);
		if (!old.damaged && before.fetched_at > 3600)
			CHECK(before.fetched_at == UINT32_MAX ||
				after.fetched_at == before.fetched_at - 3600);
	}
	free(bytes);
}

/* Strings may be cut and octets brought to 0 and 1 the first time, but not the second time. */
static void check_sts(const struct part *part, const char *key, size_t key_size)
{
	size_t once_size = 0, twice_size = 0;
	uint8_t *once = encode_sts_again(part, key, key_size, &once_size);
	struct part again;

	if (once == NULL)
		return;
	CHECK(once_size <= part->size && part_intact(once, once_size, key, key_size));
	CHECK(part_open(&again, PART_STS, once, once_size));
	uint8_t *twice = encode_sts_again(&again, key, key_size, &twice_size);
	CHECK(twice != NULL && twice_size == once_size && memcmp(once, twice, once_size) == 0);
	free(once);
	free(twice);
}

static void check_part(const struct part *part, const char *key, size_t key_size)
{
	static struct mx_host hosts[PART_HOSTS_MAX];
	struct part_times times = times_of(part);
	struct part_failure failure;
	struct host_facts facts;
	struct mx_set set;
	size_t size = 0;
	bool failed = part_failure(part, &failure);
	bool plain = (part->header.flags & PART_HAS_FAILURE) == 0;

	CHECK(!failed || !plain);
	CHECK(strnlen(failure.name, sizeof failure.name) < sizeof failure.name &&
		strnlen(failure.detail, sizeof failure.detail) < sizeof failure.detail);
	check_encode_again(part, key, key_size);
	check_set_back(part, key, key_size);
	if (part->header.kind == PART_MX) {
		if (read_mx(part, &set, hosts) && plain && set.status != MX_FAILED) {
			uint8_t *bytes = part_encode_mx(&set, &times, key, key_size, &size);
			check_same(part, bytes, size, key, key_size);
		}
	} else if (part->header.kind == PART_HOST) {
		if (read_host(part, &facts) && plain && facts.status != HOST_FAILED) {
			uint8_t *bytes = part_encode_host(&facts, &times, key, key_size, &size);
			check_same(part, bytes, size, key, key_size);
		}
		free(facts.tlsa);
	} else if (part->header.kind == PART_STS) {
		check_sts(part, key, key_size);
	} else {
		const uint8_t *bytes = part_bytes_of(part, &size);
		CHECK(is_inside(part, bytes, size) && size == part->size - PART_HEADER_SIZE);
	}
}

/* --- keys ---------------------------------------------------------------------------------- */

/* A key that can be read is just what is made of what it says. */
static void check_key(const char *key, size_t size)
{
	char made[PART_TA_ATTEMPT_KEY_MAX];
	struct part_key read;
	size_t made_size = 0;

	if (!part_key_read(&read, key, size))
		return;
	switch (read.kind) {
	case PART_MX:
	case PART_HOST:
	case PART_STS:
		made_size = part_named_key(made, read.kind, read.name, read.name_size, read.port);
		break;
	case PART_TA:
		made_size = part_ta_key(made, &read.ta);
		break;
	case PART_TA_ATTEMPT:
		made_size =
			part_ta_attempt_key(made, read.name, read.name_size, read.port, &read.ta);
		break;
	}
	CHECK(made_size == size && memcmp(made, key, size) == 0);
}

/* --- replies ------------------------------------------------------------------------------- */

static void check_reply(const struct reply *reply)
{
	static char bytes[ROOM];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	render_reply(&text, reply);
	CHECK(text.used > 0 && text.used < sizeof bytes);
	CHECK(fuzz_is_printable(bytes, text.used));
}

/* The lines of a policy may be UTF-8. */
static void check_report(const struct reply *reply)
{
	static char bytes[ROOM];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	render_reply(&text, reply);
	CHECK(text.used > 0 && text.used < sizeof bytes);
	for (size_t i = 0; i < text.used; i++)
		CHECK((unsigned char)bytes[i] >= ' ' && bytes[i] != 0x7f);
}

static void check_replies(const struct evidence *evidence)
{
	static const struct pin_settings settings = {
		.digest = TLSA_SHA256, .tas = true, .learn = true};
	static struct pins pins;
	static struct decide_facts facts;
	char words[1024];
	struct text text;

	evidence_facts(evidence, &facts);
	struct verdict verdict = decide(&facts);
	CHECK(verdict.level <= VERDICT_SECURE && verdict.reason < REASON_COUNT);
	struct reply reply = reply_from_verdict(verdict, TLS_LEVEL_MAY, evidence);
	check_reply(&reply);
	if (evidence->has_sts) {
		CHECK(evidence->host_count > 0 || !evidence_matches_sts(evidence));
		reply.tlsrpt = true;
		check_report(&reply);
	}
	reply = reply_temp_of(evidence);
	check_reply(&reply);
	pin_collect(&settings, evidence, verdict, &pins);
	CHECK(pins.count * pins.size <= PIN_OCTETS_MAX);
	text_init(&text, words, sizeof words);
	if (pins.form == PIN_NOTHING)
		pin_explain(&pins, evidence, &text);
	CHECK(fuzz_is_printable(words, text.used));
	if (pins.form == PIN_FINGERPRINTS) {
		reply = (struct reply){.kind = REPLY_OK,
			.level = TLS_LEVEL_FINGERPRINT,
			.match = MATCH_DIGESTS,
			.pins = &pins};
		check_reply(&reply);
	}
	reply = (struct reply){.kind = REPLY_OK,
		.level = TLS_LEVEL_SECURE,
		.match = MATCH_HOSTS,
		.ta_file = "/ta.pem",
		.evidence = evidence};
	check_reply(&reply);
	size_t count, size;
	if (evidence->host_count == 1 &&
		render_measure_tlsa(&evidence->hosts[0].part, &count, &size) && count > 0 &&
		size < RENDER_REPLY_MAX / 2) {
		reply = (struct reply){
			.kind = REPLY_OK, .content = REPLY_TLSA, .evidence = evidence};
		check_reply(&reply);
	}
}

/* --- all of it ----------------------------------------------------------------------------- */

/* The next part of the input, in memory of its own. */
static uint8_t *next_part(struct fuzz_input *input, size_t *size)
{
	const uint8_t *bytes = fuzz_take(input, fuzz_u16(input), size);

	return fuzz_copy(bytes, *size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct evidence evidence;
	struct fuzz_input input = {bytes, bytes + size};
	uint8_t *parts[PARTS_MAX] = {NULL};
	struct destination destination = {
		.kind = DESTINATION_DOMAIN, .port = 25, .name_length = 12, .name = "mail.example"};
	size_t key_size, part_size, count = 0;

	const char *key = (const char *)fuzz_take(&input, fuzz_u8(&input), &key_size);
	check_key(key, key_size);
	parts[count++] = next_part(&input, &part_size);
	part_intact(parts[0], part_size, key, key_size);
	memset(&evidence, 0, sizeof evidence);
	evidence.destination = &destination;
	for (size_t i = 0; i < PART_KIND_COUNT; i++) {
		enum part_kind kind = part_kind_formats[i].kind;
		if (part_open(&evidence.mx, kind, parts[0], part_size)) {
			check_part(&evidence.mx, key, key_size);
			break;
		}
	}
	if (!part_open(&evidence.mx, PART_MX, parts[0], part_size)) {
		/* A host without an MX set before it. */
		destination.kind = DESTINATION_HOST;
		input = (struct fuzz_input){parts[0], parts[0] + part_size};
	}
	bool whole = evidence_list_hosts(&evidence);
	CHECK(evidence.host_count <= PART_HOSTS_MAX);
	for (size_t i = 0; i < evidence.host_count && whole; i++) {
		if (destination.kind == DESTINATION_HOST) {
			whole = part_open(&evidence.hosts[i].part, PART_HOST, parts[0], part_size);
			continue;
		}
		parts[count] = next_part(&input, &part_size);
		whole = part_open(&evidence.hosts[i].part, PART_HOST, parts[count++], part_size);
		if (whole)
			check_part(&evidence.hosts[i].part, key, key_size);
	}
	parts[count] = next_part(&input, &part_size);
	evidence.has_sts = part_open(&evidence.sts, PART_STS, parts[count++], part_size) &&
			   evidence_sts_is_whole(&evidence.sts);
	if (evidence.has_sts)
		check_part(&evidence.sts, key, key_size);
	if (whole)
		check_replies(&evidence);
	while (count > 0)
		free(parts[--count]);
	return 0;
}
