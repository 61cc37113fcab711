/*
 * Policy files of MTA-STS (RFC 8461 3.2). A file that is accepted says the same when its lines are
 * written again and read; stored as a part and read back; and Postfix gets nothing of it but words,
 * patterns and, for TLSRPT, whole lines without a character that has a meaning there.
 */
#include "common/sts/sts_policy.h"

#include "common/part/part.h"
#include "common/verdict/evidence.h"
#include "common/verdict/render.h"
#include "t/fuzz/fuzz.h"

static void check_line(const struct sts_line *line)
{
	CHECK(line->key_size > 0 && line->key_size <= 32);
	for (size_t i = 0; i < line->key_size; i++)
		CHECK(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-",
			      line->key[i]) != NULL);
	for (size_t i = 0; i < line->value_size; i++)
		CHECK((unsigned char)line->value[i] >= ' ' && line->value[i] != 0x7f);
	CHECK(line->value_size == 0 ||
		(line->value[0] != ' ' && line->value[line->value_size - 1] != ' '));
}

static void check_pattern(const struct sts_pattern *pattern)
{
	char again[STS_PATTERN_MAX + 1];
	size_t size;

	CHECK(sts_pattern_read(pattern->name, pattern->size, again, &size));
	CHECK(size == pattern->size && memcmp(again, pattern->name, size) == 0);
}

static bool same_patterns(const struct sts_policy *one, const struct sts_policy *other)
{
	bool same = one->pattern_count == other->pattern_count;

	for (size_t i = 0; i < one->pattern_count && same; i++)
		same = one->patterns[i].size == other->patterns[i].size &&
		       memcmp(one->patterns[i].name, other->patterns[i].name,
			       one->patterns[i].size) == 0;
	return same;
}

static void check_written_again(const struct sts_policy *policy, size_t size)
{
	struct sts_policy again;
	char error[256];
	/* Each line needs two octets more than before at most: a blank and the end of the line. */
	size_t room = size + 2 * policy->line_count + 1;
	char *file = malloc(room);
	struct text text;

	CHECK(file != NULL);
	text_init(&text, file, room);
	for (size_t i = 0; i < policy->line_count; i++) {
		text_add_bytes(&text, policy->lines[i].key, policy->lines[i].key_size);
		text_add(&text, ": ");
		text_add_bytes(&text, policy->lines[i].value, policy->lines[i].value_size);
		text_add(&text, "\n");
	}
	if (!text.cut && text.used <= STS_FILE_MAX) {
		CHECK(sts_policy_read(&again, file, text.used, error, sizeof error));
		CHECK(again.mode == policy->mode && again.max_age == policy->max_age);
		CHECK(again.line_count == policy->line_count && same_patterns(&again, policy));
		sts_policy_clear(&again);
	}
	free(file);
}

/* The reply of a map -tlsrpt, made from the stored policy. */
static void check_reply(const struct sts_policy *policy)
{
	static const struct part_times times = {.expires = 1};
	static const char key[] = "smail.example";
	static struct evidence evidence;
	static char room[RENDER_REPLY_MAX + 1];
	struct destination destination = {
		.kind = DESTINATION_DOMAIN, .port = 25, .name_length = 12, .name = "mail.example"};
	struct sts_facts facts = {.status = policy->mode,
		.max_age = policy->max_age,
		.pattern_count = policy->pattern_count,
		.patterns = policy->patterns,
		.line_count = policy->line_count,
		.lines = policy->lines};
	size_t size = 0, braces = 0;
	struct text text;

	uint8_t *bytes = part_encode_sts(&facts, &times, key, sizeof key - 1, &size);
	CHECK(bytes != NULL && part_open(&evidence.sts, PART_STS, bytes, size));
	CHECK(evidence_sts_is_whole(&evidence.sts));
	evidence.destination = &destination;
	evidence.has_sts = true;
	struct reply reply = reply_from_verdict(
		(struct verdict){VERDICT_SECURE, REASON_STS_ENFORCE}, TLS_LEVEL_MAY, &evidence);
	text_init(&text, room, sizeof room);
	render_reply(&text, &reply);
	CHECK(!text.cut && fuzz_is_printable(room, text.used) && strchr(room, '{') == NULL);
	CHECK(strncmp(room, "OK secure match=", 16) == 0);
	CHECK(strcmp(room + text.used - 20, " servername=hostname") == 0);
	CHECK(strchr(room + 10, ' ') == room + text.used - 20);
	reply.tlsrpt = true;
	text_init(&text, room, sizeof room);
	render_reply(&text, &reply);
	CHECK(!text.cut && text.used <= RENDER_REPLY_MAX);
	for (size_t i = 0; i < text.used; i++) {
		CHECK((unsigned char)room[i] >= ' ' && room[i] != 0x7f && room[i] != '"');
		braces += room[i] == '{';
		braces -= room[i] == '}';
		CHECK(braces <= 1);
	}
	CHECK(braces == 0);
	evidence.destination = NULL;
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *file = fuzz_copy(bytes, size);
	struct sts_policy policy;
	char error[256] = "";

	if (sts_policy_read(&policy, file, size, error, sizeof error)) {
		CHECK(sts_has_policy(policy.mode) && policy.max_age <= STS_MAX_AGE_MAX);
		CHECK(policy.mode == STS_NONE || policy.pattern_count > 0);
		for (size_t i = 0; i < policy.line_count; i++)
			check_line(&policy.lines[i]);
		for (size_t i = 0; i < policy.pattern_count; i++)
			check_pattern(&policy.patterns[i]);
		check_written_again(&policy, size);
		if (policy.pattern_count > 0)
			check_reply(&policy);
	} else {
		CHECK(fuzz_is_line(error, sizeof error) && fuzz_is_printable(error, strlen(error)));
		CHECK(policy.line_count == 0 && policy.pattern_count == 0);
	}
	sts_policy_clear(&policy);
	free(file);
	return 0;
}
