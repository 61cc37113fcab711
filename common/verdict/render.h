/*
 * render: from a reply to the words that Postfix reads (socketmap_table(5), the values of
 * smtp_tls_policy_maps in postconf(5)). The last step of every request. Pure.
 */
#ifndef TLSAD_VERDICT_RENDER_H
#define TLSAD_VERDICT_RENDER_H

#include "common/base/text.h"
#include "common/verdict/reply.h"

enum {
	RENDER_REPLY_MAX = 99000, /* [bytes] of a reply; Postfix takes 100,000 */
};

/* The whole reply: `OK dane-only`, `NOTFOUND `, `TEMP mx.example.com A: timeout: ...`. */
void render_reply(struct text *out, const struct reply *reply);

/* Of REPLY_OK what stands after the word: `dane-only`. */
void render_value(struct text *out, const struct reply *reply);

/* "mx.example.com TLSA: bogus: words of the validator", one line of printable ASCII. */
void render_failure(struct text *out, const struct part_failure *failure);

/*
 * The names of MATCH_HOSTS, `a:b:c`, each once; how many there are. Names that Postfix would take
 * for words of its own are left out. With `out` NULL they are only counted.
 */
size_t render_match_names(struct text *out, const struct evidence *evidence);

/*
 * How many usable records REPLY_TLSA would list, `3 1 1 HEX, 2 0 1 HEX`, and how long that is
 * [bytes]. False when the part is damaged.
 */
bool render_measure_tlsa(const struct part *host, size_t *count, size_t *size);

#endif
