/*
 * smtp_reply: replies from a table, each one whole, cut in two at every byte, and byte by byte: the
 * result is the same. Lines and replies of every length around their limits. From random bytes
 * nothing unprintable results.
 */
#include "common/smtp/smtp_reply.h"

#include "t/unit/tap.h"

enum { EXPLANATION_SIZE = 256 };

static const struct row {
	const char *bytes;
	enum smtp_reply_state state;
	unsigned code;
	size_t rest; /* bytes at the end that do not belong to the reply */
	const char *words;
	bool listed; /* STARTTLS */
} rows[] = {
	{"220 mx.example ESMTP\r\n", SMTP_REPLY_COMPLETE, 220, 0, "220 mx.example ESMTP", false},
	{"220 mx.example ESMTP\n", SMTP_REPLY_COMPLETE, 220, 0, "220 mx.example ESMTP", false},
	{"220\r\n", SMTP_REPLY_COMPLETE, 220, 0, "220", false},
	{"220\n", SMTP_REPLY_COMPLETE, 220, 0, "220", false},
	{"220 \r\n", SMTP_REPLY_COMPLETE, 220, 0, "220", false},
	{"220-one\r\n220-two\r\n220 three\r\n", SMTP_REPLY_COMPLETE, 220, 0, "220 one two three",
		false},
	{"220-one\n220-\n220 three\n", SMTP_REPLY_COMPLETE, 220, 0, "220 one three", false},
	{"220-one\n220-two\r\n220\n", SMTP_REPLY_COMPLETE, 220, 0, "220 one two", false},
	{"599 x\r\n", SMTP_REPLY_COMPLETE, 599, 0, "599 x", false},
	/* Codes that differ: the last one is used. */
	{"250-one\r\n550 two\r\n", SMTP_REPLY_COMPLETE, 550, 0, "250 one two", false},
	{"450-one\r\n250 STARTTLS\r\n", SMTP_REPLY_COMPLETE, 250, 0, "450 one STARTTLS", true},
	/* Bytes after the reply are not used. */
	{"220 go\r\n250 more\r\n", SMTP_REPLY_COMPLETE, 220, 10, "220 go", false},
	{"220 go\r\n\r\n", SMTP_REPLY_COMPLETE, 220, 2, "220 go", false},
	{"220 go\n\x16\x03\x01", SMTP_REPLY_COMPLETE, 220, 3, "220 go", false},
	/* The server chooses the words. */
	{"554 \x1b[2J\xc3\xa4\\\r\n", SMTP_REPLY_COMPLETE, 554, 0, "554 \\x1b[2J\\xc3\\xa4\\x5c",
		false},
	{"554 a\rb\r\r\n", SMTP_REPLY_COMPLETE, 554, 0, "554 a\\x0db\\x0d", false},
	/* The keyword: a whole word, in any case, at the beginning of a line, not on the first
	   line. */
	{"250-mx\r\n250 STARTTLS\r\n", SMTP_REPLY_COMPLETE, 250, 0, "250 mx STARTTLS", true},
	{"250-mx\n250-StartTls\n250 HELP\n", SMTP_REPLY_COMPLETE, 250, 0, "250 mx StartTls HELP",
		true},
	{"250-mx\r\n250 STARTTLS now\r\n", SMTP_REPLY_COMPLETE, 250, 0, "250 mx STARTTLS now",
		true},
	{"250-mx\r\n250 STARTTLS=now\r\n", SMTP_REPLY_COMPLETE, 250, 0, "250 mx STARTTLS=now",
		true},
	{"250-mx\r\n250-STARTTLSX\r\n250 XSTARTTLS\r\n", SMTP_REPLY_COMPLETE, 250, 0,
		"250 mx STARTTLSX XSTARTTLS", false},
	{"250-mx\r\n250-START\r\n250 AUTH STARTTLS\r\n", SMTP_REPLY_COMPLETE, 250, 0,
		"250 mx START AUTH STARTTLS", false},
	{"250-STARTTLS\r\n250 HELP\r\n", SMTP_REPLY_COMPLETE, 250, 0, "250 STARTTLS HELP", false},
	{"250 STARTTLS\r\n", SMTP_REPLY_COMPLETE, 250, 0, "250 STARTTLS", false},
	/* Incomplete. */
	{"2", SMTP_REPLY_UNFINISHED, 0, 0, "", false},
	{"220", SMTP_REPLY_UNFINISHED, 0, 0, "", false},
	{"220 mx", SMTP_REPLY_UNFINISHED, 0, 0, "", false},
	{"220 mx\r", SMTP_REPLY_UNFINISHED, 0, 0, "", false},
	{"220-mx\r\n", SMTP_REPLY_UNFINISHED, 220, 0, "220 mx", false},
	{"220-mx\r\n220", SMTP_REPLY_UNFINISHED, 220, 0, "220 mx", false},
	/* Not a reply. */
	{"\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"22\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"120 wait\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"620 x\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{" 220 x\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"2200 x\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"220_x\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"220\rx\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"2x0 x\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"22x x\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"220-mx\r\n\r\n", SMTP_REPLY_MALFORMED, 220, 0, "220 mx", false},
	{"220-mx\r\nmx\r\n", SMTP_REPLY_MALFORMED, 220, 0, "220 mx", false},
	{"SSH-2.0-OpenSSH_9.2\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"HTTP/1.1 400 Bad Request\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"* OK IMAP4rev1\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"+OK POP3\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
	{"\x15\x03\x01\r\n", SMTP_REPLY_MALFORMED, 0, 0, "", false},
};

/* In pieces: `first` bytes, then `step` at a time. Returns how many were used. */
static size_t feed(
	struct smtp_reply *reply, const char *bytes, size_t size, size_t first, size_t step)
{
	size_t taken = 0;

	smtp_reply_init(reply, "STARTTLS");
	while (taken < size && reply->state == SMTP_REPLY_UNFINISHED) {
		size_t piece = taken == 0 && first > 0 ? first : step;
		if (piece > size - taken)
			piece = size - taken;
		/* In memory of exactly its size. */
		char *copy = malloc(piece);
		memcpy(copy, bytes + taken, piece);
		size_t used = smtp_reply_feed(reply, copy, piece);
		free(copy);
		taken += used;
		if (used < piece)
			break;
	}
	return taken;
}

static void check_row(const struct row *row, size_t first, size_t step)
{
	struct smtp_reply reply;
	size_t size = strlen(row->bytes);
	size_t taken = feed(&reply, row->bytes, size, first, step);

	many(reply.state == row->state && reply.code == row->code &&
			reply.keyword_listed == row->listed &&
			strcmp(reply.words_bytes, row->words) == 0,
		"'%s' in pieces of %zu and %zu: state %d, code %u, listed %d, '%s'", row->bytes,
		first, step, reply.state, reply.code, reply.keyword_listed, reply.words_bytes);
	if (row->state == SMTP_REPLY_COMPLETE)
		many(taken == size - row->rest, "'%s' in pieces of %zu and %zu: %zu taken",
			row->bytes, first, step, taken);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t size = strlen(rows[i].bytes);
		char name[64] = "";
		struct text text;

		text_init(&text, name, sizeof name);
		text_add_escaped(&text, rows[i].bytes, size);
		many_begin(name);
		for (size_t cut = 0; cut < size; cut++)
			check_row(&rows[i], cut, size);
		for (size_t step = 1; step < size; step++)
			check_row(&rows[i], 0, step);
		many_end();
	}
}

/* --- limits -------------------------------------------------------------------------------- */

static const char *explain(const struct smtp_reply *reply)
{
	static char explanation[EXPLANATION_SIZE];
	struct text text;

	text_init(&text, explanation, sizeof explanation);
	smtp_reply_explain(reply, &text);
	many(!text.cut, "the explanation fits");
	return explanation;
}

/* Postfix skips the rest of a line, so only its beginning matters. */
static void test_line_limit(void)
{
	static const char *const ends[] = {"\n", "\r\n"};
	static char line[3 * SMTP_REPLY_LINE_MAX];
	static const size_t more[] = {0, 1, 2, 3, 100, SMTP_REPLY_LINE_MAX};

	many_begin("lines around the longest, and after them one that is used");
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof more / sizeof more[0]; j++) {
			size_t size = SMTP_REPLY_LINE_MAX - 2 + more[j];
			struct smtp_reply reply;

			memset(line, 'x', sizeof line);
			memcpy(line, "250-", 4);
			snprintf(line + size, sizeof line - size, "%s250 STARTTLS%s", ends[i],
				ends[i]);
			for (size_t step = 1; step <= sizeof line; step += sizeof line - 1) {
				feed(&reply, line, strlen(line), 0, step);
				many(reply.state == SMTP_REPLY_COMPLETE && reply.code == 250,
					"%zu bytes by %zu: %d", size, step, reply.state);
			}
		}
	}
	many_end();
}

/* A server that sends a greeting without end, in the shortest lines and in long ones. */
static void test_reply_limit(void)
{
	static const char *const lines[] = {"220-\n", "220-\r\n",
		"220-once upon a time there was a server that greeted and greeted and greeted\r\n"};

	many_begin("a reply without end");
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct smtp_reply reply;
		size_t taken = 0;

		smtp_reply_init(&reply, NULL);
		while (reply.state == SMTP_REPLY_UNFINISHED && taken < 1000000)
			taken += smtp_reply_feed(&reply, lines[i], strlen(lines[i]));
		many(reply.state == SMTP_REPLY_TOO_LONG && taken == SMTP_REPLY_MAX + 1,
			"ends after %zu bytes in state %d", taken, reply.state);
		many(strstr(explain(&reply), "over 262144 bytes") != NULL, "%s", explain(&reply));
		many(smtp_reply_feed(&reply, "220 x\n", 6) == 0, "and takes nothing any more");
	}
	many_end();
}

static void test_explanations(void)
{
	struct smtp_reply reply;

	feed(&reply, "SSH-2.0-OpenSSH_9.2\r\n", 21, 0, 21);
	is_string(explain(&reply), "not an SMTP reply: \"SSH-2.0-OpenSSH_9.2\\x0d\"",
		"another protocol is shown");
	feed(&reply, "\x16\x03\x01", 3, 0, 3);
	is_string(explain(&reply), "not an SMTP reply: \"\\x16\\x03\\x01\"", "bytes are escaped");
	feed(&reply, "220 fine\r\n", 10, 0, 10);
	is_string(explain(&reply), "", "there is nothing to say about a good reply");
}

static bool is_printable(const char *string)
{
	for (; *string != '\0'; string++) {
		if (*string < ' ' || *string > '~')
			return false;
	}
	return true;
}

static void test_random(void)
{
	uint64_t state = 20240501;

	many_begin("random bytes after a code");
	for (int i = 0; i < 2000; i++) {
		struct smtp_reply reply;
		char bytes[300] = "554-";
		for (size_t at = (size_t)(i % 5); at < sizeof bytes; at++)
			bytes[at] = (char)tap_random(&state);
		feed(&reply, bytes, sizeof bytes, 0, 1 + (size_t)(i % 17));
		many(is_printable(reply.words_bytes) && is_printable(explain(&reply)) &&
				strlen(reply.words_bytes) < sizeof reply.words_bytes,
			"%s / %s", reply.words_bytes, explain(&reply));
	}
	many_end();
}

int main(void)
{
	test_rows();
	test_line_limit();
	test_reply_limit();
	test_explanations();
	test_random();
	return done_testing();
}
