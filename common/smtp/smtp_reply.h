/*
 * smtp_reply: reads one reply of an SMTP server (RFC 5321 4.2), in pieces as they arrive.
 *
 * A reply consists of lines with a code and words, `250-` if more lines follow and `250 ` (or the
 * code alone) on the last line. Each line ends with CRLF, or with a bare LF, which is tolerated. If
 * the codes of the lines differ, which RFC 5321 4.2.1 forbids, the last one is used, as Postfix
 * does. A wrong reply is recognised at its first wrong byte, not only at the end of the line, which
 * may never arrive. Nothing is allocated; after an error the rest is ignored. Pure.
 */
#ifndef TLSAD_SMTP_SMTP_REPLY_H
#define TLSAD_SMTP_SMTP_REPLY_H

#include "common/base/text.h"

enum {
	/*
	 * Bytes of a line that are read, without its end; RFC 5321 4.5.3.1.5 allows 512 with it.
	 * The rest of a longer line is skipped, as Postfix does (its line_length_limit).
	 */
	SMTP_REPLY_LINE_MAX = 2048,
	SMTP_REPLY_MAX = 262144, /* all lines with their ends [bytes]; Postfix has no limit */
	SMTP_REPLY_WORDS_SIZE = 256,
};

enum smtp_reply_state {
	SMTP_REPLY_UNFINISHED, /* more bytes are needed */
	SMTP_REPLY_COMPLETE,
	SMTP_REPLY_MALFORMED, /* a line does not begin like a line of a reply */
	SMTP_REPLY_TOO_LONG,  /* longer than SMTP_REPLY_MAX */
	SMTP_REPLY_STATE_COUNT,
};

struct smtp_reply {
	enum smtp_reply_state state;
	unsigned code;       /* of the last complete line, 200 to 599; 0: no line is complete */
	bool keyword_listed; /* a line after the first begins with the keyword, in any case */
	const char *keyword;
	size_t size; /* of everything read so far [bytes] */
	/* The code, then the words of all lines, escaped to printable ASCII; cut if too long. */
	struct text words;
	char words_bytes[SMTP_REPLY_WORDS_SIZE];
	size_t line_size;
	char line[SMTP_REPLY_LINE_MAX + 1]; /* the current line; it may end with a CR */
};

/*
 * `keyword` is the keyword to look for in a reply to EHLO (RFC 5321 4.1.1.1), or NULL; the caller
 * keeps it as long as the reply. The struct contains a pointer to itself: do not copy it.
 */
void smtp_reply_init(struct smtp_reply *reply, const char *keyword);

/* Returns how many of the bytes belong to the reply; bytes after a complete reply do not. */
size_t smtp_reply_feed(struct smtp_reply *reply, const char *bytes, size_t size);

/*
 * Append what is wrong with a malformed or too long reply, with its first bytes, as one line of
 * printable ASCII. Appends nothing in the other states.
 */
void smtp_reply_explain(const struct smtp_reply *reply, struct text *text);

#endif
