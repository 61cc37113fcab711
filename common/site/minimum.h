/*
 * minimum: a reply that holds a site's minimum level, and whether a destination reaches it.
 *
 * Nothing here makes a reply weaker than it would be without a minimum, and TEMP stays TEMP:
 * what is not known is not guaranteed. Pure, by table.
 */
#ifndef TLSAD_SITE_MINIMUM_H
#define TLSAD_SITE_MINIMUM_H

#include "common/site/rules.h"
#include "common/verdict/reply.h"

/*
 * The reply that holds the minimum, from the one that is given without it (reply_from_verdict(),
 * reply_encrypt()). `facts` is NULL for what is no name, which has no DANE.
 *
 *   encrypted       `encrypt` or better for every host that Postfix may use: `dane` would end at
 *                   `may` for a host without TLSA records, so it becomes `dane-only` where some
 *                   host can be authenticated, else `encrypt`; and `encrypt` behind MX records that
 *                   are not signed, where it is a setting of Postfix what `dane` means
 *   authenticated   DANE with signed MX records, an enforced MTA-STS policy, or a certificate for
 *                   the domain's own name: an MX record that can be forged names nobody
 *   dane            `dane-only`
 */
struct reply minimum_hold(enum minimum_level minimum, enum tls_level site,
	const struct decide_facts *facts, struct verdict verdict, struct reply reply);

/* Does a reply with TLSA data of this destination in it (`fingerprint`, `secure`) hold it? */
bool minimum_keeps_pins(enum minimum_level minimum, struct verdict verdict);

/* What becomes of an exception for a destination with a minimum. */
enum exception_effect {
	EXCEPTION_HOLDS,     /* its level is the answer */
	EXCEPTION_RAISED,    /* the answer is `encrypt`, which its level is less than */
	EXCEPTION_OVERRULED, /* the reply is the one without it */
};

enum exception_effect exception_effect(enum minimum_level minimum, enum tls_level level);

/* "in force", "raised by the minimum", "overruled by the minimum". */
const char *exception_effect_text(enum exception_effect effect);

/* The reply where an exception is in force and not overruled; `ruling` may be NULL. */
bool exception_reply(const struct ruling *ruling, struct reply *reply);

/*
 * Does the destination itself offer that? Not for a verdict of TEMP, which does not tell. TLS alone
 * is not announced in DNS: whether a server offers it shows at delivery, so `encrypted` is always
 * reached. A destination of which only some hosts have DANE offers it: mail gets there through
 * these.
 */
bool minimum_reached(enum minimum_level minimum, struct verdict verdict);

/* What the destination offers, in a few words for a sender: "DANE for some hosts only". */
const char *minimum_offer(struct verdict verdict);

#endif
