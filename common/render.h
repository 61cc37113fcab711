/*
 * render: from a verdict to what Postfix reads (socketmap_table(5), the values of
 * smtp_tls_policy_maps in postconf(5)). Pure.
 */
#ifndef TLSAD_RENDER_H
#define TLSAD_RENDER_H

#include "common/decide.h"
#include "common/text.h"

/* Postfix's smtp_tls_security_level: what applies where the answer is NOTFOUND. */
enum site_level {
	SITE_NONE,
	SITE_MAY,
	SITE_ENCRYPT,
	SITE_DANE,
	SITE_DANE_ONLY,
	SITE_FINGERPRINT,
	SITE_VERIFY,
	SITE_SECURE,
};

enum reply_kind {
	REPLY_OK,
	REPLY_NOTFOUND,
	REPLY_TEMP,
	REPLY_PERM,
	REPLY_KIND_COUNT,
};

struct reply {
	enum reply_kind kind;
	const char *policy; /* with REPLY_OK: the value, without attributes */
};

/* With `[dane] enforce = native`: Postfix looks up TLSA itself. Never weaker than the site. */
struct reply render_native(struct verdict verdict, enum site_level site);

/* The reply's words. `failure` is told with REPLY_TEMP and may be NULL. */
void render_reply(struct text *out, const struct reply *reply, const struct part_failure *failure);

/* "mx.example.com TLSA: bogus: words of the validator", one line of printable ASCII. */
void render_failure(struct text *out, const struct part_failure *failure);

#endif
