/*
 * smtp_reply: read one reply of an SMTP server (RFC 5321 4.2), in pieces as they come in.
 *
 * A reply is lines of a code and words, `250-` while more follow and `250 ` (or the code alone) at
 * the end; each line ends in CRLF, or in a bare LF, which is tolerated. Where the lines' codes
 * differ, which RFC 5321 4.2.1 forbids, the last one counts, as it does for Postfix. What cannot
 * become a reply is known for that at its first wrong byte, not only at the line's end, which may
 * never come. Nothing is allocated; after a fault the rest is not looked at.
 */
#ifndef TLSAD_SMTP_SMTP_REPLY_H
#define TLSAD_SMTP_SMTP_REPLY_H

#include "common/base/text.h"

enum {
	/*
	 * Of a line, without its end; RFC 5321 4.5.3.1.5 has 512 with it. What is behind that is
	 * passed over, as Postfix does (its line_length_limit).
	 */
	SMTP_REPLY_LINE_MAX = 2048,
	SMTP_REPLY_MAX = 262144, /* all lines with their ends; Postfix would read for ever */
	SMTP_REPLY_WORDS_SIZE = 256,
};

enum smtp_reply_state {
	SMTP_REPLY_UNFINISHED, /* more bytes are needed */
	SMTP_REPLY_COMPLETE,
	SMTP_REPLY_MALFORMED, /* a line does not begin as one of a reply */
	SMTP_REPLY_TOO_LONG,  /* SMTP_REPLY_MAX */
	SMTP_REPLY_STATE_COUNT,
};

struct smtp_reply {
	enum smtp_reply_state state;
	unsigned code;       /* of the last line that has ended, 200 to 599; 0: none has */
	bool keyword_listed; /* a line after the first begins with the keyword, without case */
	const char *keyword;
	size_t size; /* of all so far [bytes] */
	/* Code and words of all lines in one, escaped to printable ASCII; the longest beginning. */
	struct text words;
	char words_bytes[SMTP_REPLY_WORDS_SIZE];
	size_t line_size;
	char line[SMTP_REPLY_LINE_MAX + 1]; /* the one being read; it may end in a CR */
};

/*
 * `keyword` is what to look for in an answer to EHLO (RFC 5321 4.1.1.1), or NULL; it outlives the
 * reply. The struct points into itself: do not copy it.
 */
void smtp_reply_init(struct smtp_reply *reply, const char *keyword);

/* How many of the bytes belong to the reply; what follows a complete one is not taken. */
size_t smtp_reply_feed(struct smtp_reply *reply, const char *bytes, size_t size);

/*
 * What is wrong with a reply that is neither complete nor unfinished, with its first bytes, as one
 * line of printable ASCII.
 */
void smtp_reply_explain(const struct smtp_reply *reply, struct text *text);

#endif
