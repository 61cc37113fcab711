#include "common/smtp/smtp_reply.h"

#include <string.h>

/* Bytes to show of a line that is not a reply: enough to see what kind of server it is. */
enum { QUOTED_MAX = 48 };

void smtp_reply_init(struct smtp_reply *reply, const char *keyword)
{
	reply->state = SMTP_REPLY_UNFINISHED;
	reply->code = 0;
	reply->keyword_listed = false;
	reply->keyword = keyword;
	reply->size = 0;
	reply->line_size = 0;
	text_init(&reply->words, reply->words_bytes, sizeof reply->words_bytes);
}

/* RFC 5321 4.2: the code's first digit is 2 to 5; what follows the code is a blank or a hyphen. */
static bool may_begin(const char *line, size_t size)
{
	if (size > 0 && (line[0] < '2' || line[0] > '5'))
		return false;
	for (size_t i = 1; i < 3 && i < size; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
	}
	return size < 4 || line[3] == ' ' || line[3] == '-' || line[3] == '\r';
}

static bool begins_with_keyword(const char *words, size_t size, const char *keyword)
{
	while (size > 0 && *words == ' ')
		words++, size--;
	size_t length = 0;
	/* Old servers end a keyword with `=` ("AUTH=LOGIN"). */
	while (length < size && words[length] != ' ' && words[length] != '\t' &&
		words[length] != '=')
		length++;
	return text_equal_nocase(words, length, keyword);
}

/* Add the code once, with the first line, and the words of every line. */
static void keep_words(struct smtp_reply *reply, bool first, const char *words, size_t size)
{
	if (first)
		text_add_bytes(&reply->words, reply->line, 3);
	if (size > 0) {
		text_add(&reply->words, " ");
		text_add_escaped(&reply->words, words, size);
	}
}

static enum smtp_reply_state end_line(struct smtp_reply *reply)
{
	const char *line = reply->line;
	size_t size = reply->line_size;
	bool first = reply->code == 0;

	if (size > 0 && line[size - 1] == '\r')
		size--;
	if (size > SMTP_REPLY_LINE_MAX)
		size = SMTP_REPLY_LINE_MAX;
	if (size < 3 || (size > 3 && line[3] == '\r'))
		return SMTP_REPLY_MALFORMED;
	const char *words = line + (size > 3 ? 4 : 3);
	size_t words_size = size - (size_t)(words - line);

	reply->code = (unsigned)((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
	/* The first line of a reply to EHLO is the server's name, even if it equals the keyword. */
	if (!first && reply->keyword != NULL &&
		begins_with_keyword(words, words_size, reply->keyword))
		reply->keyword_listed = true;
	keep_words(reply, first, words, words_size);
	if (size == 3 || line[3] != '-')
		return SMTP_REPLY_COMPLETE;
	reply->line_size = 0;
	return SMTP_REPLY_UNFINISHED;
}

static enum smtp_reply_state take_byte(struct smtp_reply *reply, char byte)
{
	if (++reply->size > SMTP_REPLY_MAX)
		return SMTP_REPLY_TOO_LONG;
	if (byte == '\n')
		return end_line(reply);
	if (reply->line_size == sizeof reply->line)
		return SMTP_REPLY_UNFINISHED;
	reply->line[reply->line_size++] = byte;
	return reply->line_size > 4 || may_begin(reply->line, reply->line_size)
		       ? SMTP_REPLY_UNFINISHED
		       : SMTP_REPLY_MALFORMED;
}

size_t smtp_reply_feed(struct smtp_reply *reply, const char *bytes, size_t size)
{
	size_t used = 0;

	while (used < size && reply->state == SMTP_REPLY_UNFINISHED)
		reply->state = take_byte(reply, bytes[used++]);
	/* Keep a few more bytes of a line that is not a reply, to show them. */
	if (reply->state == SMTP_REPLY_MALFORMED) {
		while (used < size && bytes[used] != '\n' && reply->line_size < QUOTED_MAX)
			reply->line[reply->line_size++] = bytes[used++];
	}
	return used;
}

void smtp_reply_explain(const struct smtp_reply *reply, struct text *text)
{
	static const char *const problems[SMTP_REPLY_STATE_COUNT] = {
		[SMTP_REPLY_MALFORMED] = "not an SMTP reply",
		[SMTP_REPLY_TOO_LONG] = "the SMTP reply is too long",
	};
	size_t size = reply->line_size < QUOTED_MAX ? reply->line_size : QUOTED_MAX;

	if (problems[reply->state] == NULL)
		return;
	text_add(text, problems[reply->state]);
	if (reply->state == SMTP_REPLY_TOO_LONG)
		text_add_format(text, " (over %d bytes)", SMTP_REPLY_MAX);
	text_add(text, ": \"");
	text_add_escaped(text, reply->line, size);
	text_add(text, reply->line_size > size ? "\"..." : "\"");
}
