/*
 * render: from a verdict to what Postfix reads (socketmap_table(5), the values of
 * smtp_tls_policy_maps in postconf(5)). Pure.
 */
#ifndef TLSAD_VERDICT_RENDER_H
#define TLSAD_VERDICT_RENDER_H

#include "common/base/text.h"
#include "common/verdict/decide.h"
#include "common/verdict/pin.h"

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

/*
 * The replies with TLSA data in them (`[dane] enforce = pinned`). Each is whole, or false and what
 * was added is worth nothing.
 */
bool render_fingerprints(struct text *out, const struct pins *pins);

/*
 * RFC 7672 3.2.2: the names are TLSA base domains, MX hosts and the mail domain; of names that
 * Postfix would take for words of its own none is used. `file` is where Postfix finds it.
 */
bool render_tas(struct text *out, const struct evidence *evidence, const char *file);

/* TLS without authentication, unless the site asks for more. */
struct reply render_encrypt(enum site_level site);

/*
 * The usable records of a host, `3 1 1 HEX, 2 0 1 HEX`, in an order of their own. False when they
 * do not fit or memory ran out; *count says how many there are.
 */
bool render_tlsa(struct text *out, const struct part *host, size_t *count);

/* The reply's words. `failure` is told with REPLY_TEMP and may be NULL. */
void render_reply(struct text *out, const struct reply *reply, const struct part_failure *failure);

/* "mx.example.com TLSA: bogus: words of the validator", one line of printable ASCII. */
void render_failure(struct text *out, const struct part_failure *failure);

#endif
