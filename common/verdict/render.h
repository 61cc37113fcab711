/*
 * render: turns a reply into the text that Postfix reads (socketmap_table(5), the values of
 * smtp_tls_policy_maps in postconf(5)). The last step of every request. Pure. Each function appends
 * to a text; its owner checks `cut`.
 */
#ifndef TLSAD_VERDICT_RENDER_H
#define TLSAD_VERDICT_RENDER_H

#include "common/base/text.h"
#include "common/verdict/reply.h"

enum {
	RENDER_REPLY_MAX = 100000, /* of a reply [bytes], as Postfix accepts it */
};

/*
 * A reply with attributes for TLSRPT that is longer is rendered without the lines of the policy, or
 * without any of these attributes.
 */

/* The whole reply: `OK dane-only`, `NOTFOUND `, `TEMP mx.example.com A: timeout: ...`. */
void render_reply(struct text *out, const struct reply *reply);

/* The part of a REPLY_OK after `OK `: `dane-only`. */
void render_value(struct text *out, const struct reply *reply);

/* "mx.example.com TLSA: bogus: text of the validator", one line of printable ASCII. */
void render_failure(struct text *out, const struct part_failure *failure);

/*
 * The names of MATCH_HOSTS, `a:b:c`, without duplicates; returns their number. Names that Postfix
 * would read as one of its keywords are left out. With `out` NULL they are only counted.
 */
size_t render_match_names(struct text *out, const struct evidence *evidence);

/*
 * The number of usable records that REPLY_TLSA would list, `3 1 1 HEX, 2 0 1 HEX`, and the length
 * of that list [bytes]. False if the part is damaged.
 */
bool render_measure_tlsa(const struct part *host, size_t *count, size_t *size);

#endif
