/*
 * minimum: applies a site's minimum level to a reply, and decides whether a destination offers the
 * minimum.
 *
 * A minimum never makes a reply weaker than without it. TEMP stays TEMP: while a lookup has failed,
 * nothing is guaranteed. Pure.
 */
#ifndef TLSAD_SITE_MINIMUM_H
#define TLSAD_SITE_MINIMUM_H

#include "common/site/rules.h"
#include "common/verdict/reply.h"

/*
 * The reply with the minimum applied, from the reply without it (reply_from_verdict(),
 * reply_encrypt()). `facts` is NULL for a destination that is not a name, which cannot have DANE.
 *
 *   encrypted       `encrypt` or better for every host that Postfix may use. At `dane` Postfix uses
 *                   `may` for a host without TLSA records; so `dane` becomes `dane-only` if some
 *                   host can be authenticated, otherwise `encrypt`. It also becomes `encrypt` if
 *                   the MX records are not signed, because the effect of `dane` then depends on a
 *                   setting of Postfix (smtp_tls_dane_insecure_mx_policy).
 *   authenticated   DANE with signed MX records, an enforced MTA-STS policy, or a certificate for
 *                   the domain's own name. A host name from an MX record that can be forged
 *                   authenticates nobody.
 *   dane            `dane-only`
 */
struct reply minimum_hold(enum minimum_level minimum, enum tls_level site,
	const struct decide_facts *facts, struct verdict verdict, struct reply reply);

/* Does a reply with pinned TLSA data of this destination (`fingerprint`, `secure`) suffice? */
bool minimum_keeps_pins(enum minimum_level minimum, struct verdict verdict);

/* The effect of an exception for a destination that also has a minimum. */
enum exception_effect {
	EXCEPTION_HOLDS,     /* the reply is its level */
	EXCEPTION_RAISED,    /* the reply is `encrypt`, because its level is weaker */
	EXCEPTION_OVERRULED, /* the exception is ignored */
};

enum exception_effect exception_effect(enum minimum_level minimum, enum tls_level level);

/* "in force", "raised by the minimum", "overruled by the minimum". */
const char *exception_effect_text(enum exception_effect effect);

/* True and the reply if an exception is in force and not overruled. `ruling` may be NULL. */
bool exception_reply(const struct ruling *ruling, struct reply *reply);

/*
 * Does the destination itself offer this minimum? Must not be called for a verdict of TEMP, which
 * does not say. DNS does not announce whether a server offers TLS, which shows only at delivery, so
 * every destination counts as `encrypted`. A destination of which only some hosts have DANE offers
 * `dane`: Postfix delivers through these hosts.
 */
bool minimum_reached(enum minimum_level minimum, struct verdict verdict);

/* What the destination offers, in a few words for the sender: "DANE for some hosts only". */
const char *minimum_offer(struct verdict verdict);

#endif
