/*
 * Policy delegation: a request as such, and a connection of a serving thread, whose replies must
 * not depend on the pieces in which the requests arrive.
 */
#include "daemon/answer/policy_request.h"

#include "t/fuzz/still_daemon.h"

#include "t/fuzz/fuzz.h"

enum { PREFIXES_MAX = 200, WORDS_SIZE = 512 };

static enum policy_parsed parse(const uint8_t *bytes, size_t size, size_t *used, char *words)
{
	struct policy_attributes attributes;
	struct text why;

	text_init(&why, words, WORDS_SIZE);
	enum policy_parsed parsed =
		policy_request_parse((const char *)bytes, size, &attributes, used, &why);
	CHECK(!why.cut && fuzz_is_printable(words, why.used));
	CHECK((why.used > 0) == (parsed == POLICY_BAD));
	if (parsed != POLICY_WHOLE)
		return parsed;
	CHECK(*used <= size && *used >= 2 && memcmp(bytes + *used - 2, "\n\n", 2) == 0);
	for (size_t i = 0; i < POLICY_ATTRIBUTES; i++) {
		struct policy_value value = attributes.values[i];
		if (value.bytes == NULL)
			continue;
		CHECK(value.bytes > (const char *)bytes &&
			value.bytes + value.size < (const char *)bytes + *used);
		CHECK(value.bytes[-1] == '=' && value.bytes[value.size] == '\n');
		CHECK(memchr(value.bytes, '\n', value.size) == NULL &&
			memchr(value.bytes, '\0', value.size) == NULL);
		struct policy_value domain = policy_request_domain(value);
		CHECK(memchr(domain.bytes, '@', domain.size) == NULL);
	}
	return parsed;
}

/* A beginning is partial, or shows what the whole is. */
static void check_prefixes(const uint8_t *bytes, size_t size)
{
	char words[WORDS_SIZE];
	size_t used = 0, used_before = 0;
	enum policy_parsed whole = parse(bytes, size, &used, words);

	for (size_t i = 0; i < size && i < PREFIXES_MAX; i++) {
		uint8_t *copy = fuzz_copy(bytes, i);
		enum policy_parsed part = parse(copy, i, &used_before, words);
		CHECK(part == POLICY_PARTIAL || part == whole);
		CHECK(part != POLICY_WHOLE || used_before == used);
		free(copy);
	}
}

/* Each reply is one printable line with an action, and an empty line. */
static void check_replies(const char *replies)
{
	while (*replies != '\0') {
		const char *end = strchr(replies, '\n');
		CHECK(end != NULL && end[1] == '\n');
		CHECK(strncmp(replies, "action=", 7) == 0 && end > replies + 7);
		CHECK(fuzz_is_printable(replies, (size_t)(end - replies)));
		CHECK(end - replies <= 7 + POLICY_REPLY_MAX);
		replies = end + 2;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t replies_size[2], piece = size > 0 ? bytes[size - 1] % 97u + 1 : 1;
	bool closed[2];

	check_prefixes(bytes, size);
	char *at_once = still_daemon_converse(
		&protocol_policy, bytes, size, size, &replies_size[0], &closed[0]);
	char *in_pieces = still_daemon_converse(
		&protocol_policy, bytes, size, piece, &replies_size[1], &closed[1]);
	CHECK(strlen(at_once) == replies_size[0]);
	check_replies(at_once);
	CHECK(closed[0] == closed[1] && replies_size[0] == replies_size[1] &&
		memcmp(at_once, in_pieces, replies_size[0]) == 0);
	free(at_once);
	free(in_pieces);
	return 0;
}
