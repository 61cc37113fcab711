/*
 * Replies of SMTP servers, in pieces: byte by byte, at once, and in pieces whose sizes the first
 * byte of the input decides.
 */
#include "common/smtp/smtp_reply.h"

#include "t/fuzz/fuzz.h"

/* How much of the bytes belongs to the reply. */
static size_t feed(struct smtp_reply *reply, const uint8_t *bytes, size_t size, size_t piece)
{
	size_t used = 0;

	smtp_reply_init(reply, "STARTTLS");
	while (used < size && reply->state == SMTP_REPLY_UNFINISHED) {
		size_t part = piece < size - used ? piece : size - used;
		char *copy = fuzz_copy(bytes + used, part);
		size_t taken = smtp_reply_feed(reply, copy, part);

		free(copy);
		CHECK(taken <= part && (taken == part || reply->state != SMTP_REPLY_UNFINISHED));
		used += taken;
	}
	return used;
}

static void check(const struct smtp_reply *reply)
{
	char words[512];
	struct text text;

	CHECK(reply->line_size <= sizeof reply->line && reply->size <= SMTP_REPLY_MAX + 1);
	CHECK(fuzz_is_printable(reply->words_bytes, strlen(reply->words_bytes)));
	CHECK(reply->code == 0 || (reply->code >= 200 && reply->code <= 599));
	text_init(&text, words, sizeof words);
	smtp_reply_explain(reply, &text);
	CHECK(!text.cut && fuzz_is_printable(words, text.used));
	switch (reply->state) {
	case SMTP_REPLY_COMPLETE:
		CHECK(reply->code != 0 && reply->words.used >= 3 && text.used == 0);
		break;
	case SMTP_REPLY_UNFINISHED:
		CHECK(text.used == 0);
		break;
	default:
		CHECK(text.used > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct smtp_reply whole, other;
	size_t pieces[] = {1, size > 0 ? bytes[0] % 61u + 2 : 2};

	if (size > 0)
		bytes++, size--;
	size_t used = feed(&whole, bytes, size, size > 0 ? size : 1);
	check(&whole);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		size_t other_used = feed(&other, bytes, size, pieces[i]);
		check(&other);
		CHECK(whole.state == other.state && whole.code == other.code &&
			whole.keyword_listed == other.keyword_listed &&
			strcmp(whole.words_bytes, other.words_bytes) == 0);
		/* Of what is malformed more is taken for show, if it is there. */
		CHECK(used == other_used || whole.state == SMTP_REPLY_MALFORMED);
	}
	return 0;
}
