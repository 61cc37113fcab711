/*
 * reply: a reply to Postfix as data. render.h turns it into text at the end; no code parses that
 * text again.
 *
 * A reply owns nothing: its creator owns what it points to and keeps it until the reply is
 * rendered. Pure.
 */
#ifndef TLSAD_VERDICT_REPLY_H
#define TLSAD_VERDICT_REPLY_H

#include "common/verdict/decide.h"
#include "common/verdict/evidence.h"
#include "common/verdict/level.h"
#include "common/verdict/pin.h"

/* The status words of socketmap_table(5). */
enum reply_kind {
	REPLY_OK,
	REPLY_NOTFOUND,
	REPLY_TEMP,
	REPLY_PERM,
	REPLY_KIND_COUNT,
};

/* Their names in lower case, for metrics and JSON. */
const char *reply_kind_name(enum reply_kind kind);

/* The kind of text after OK. */
enum reply_content {
	REPLY_POLICY, /* a value of smtp_tls_policy_maps: level, match and attributes */
	REPLY_TLSA,   /* the usable TLSA records of `evidence`, a host */
	REPLY_TEXT,   /* `text`, unchanged */
};

/* The list in `match=` of a policy. */
enum reply_match {
	MATCH_NONE,    /* no match= */
	MATCH_NEXTHOP, /* nexthop:dot-nexthop, the default of smtp_tls_secure_cert_match */
	MATCH_DIGESTS, /* the digests in `pins`, for the level fingerprint */
	/*
	 * TLSA base domains, MX hosts and the mail domain of `evidence` (RFC 7672 3.2.2), for the
	 * level secure with the trust anchors in `ta_file`.
	 */
	MATCH_HOSTS,
	MATCH_STS, /* the patterns of the MTA-STS policy of `evidence`, for the level secure */
};

struct reply {
	enum reply_kind kind;
	enum reply_content content;      /* with REPLY_OK, like the next five */
	enum tls_level level;            /* of a policy */
	enum reply_match match;          /* of a policy */
	const struct pins *pins;         /* with MATCH_DIGESTS */
	bool tlsrpt;                     /* with MATCH_STS: add the attributes for TLSRPT */
	const char *ta_file;             /* with MATCH_HOSTS: a path as Postfix sees it */
	const char *text;                /* of REPLY_TEXT; with REPLY_TEMP, REPLY_PERM: why */
	const struct evidence *evidence; /* see above; with REPLY_TEMP: has the failure, or NULL */
};

/* A policy that is only a level. */
struct reply reply_level(enum tls_level level);

/* `secure match=nexthop:dot-nexthop`: a certificate for the mail domain's own name. */
struct reply reply_secure_nexthop(void);

struct reply reply_notfound(void);

/* `why` is one line of printable ASCII. */
struct reply reply_temp(const char *why);

/* TEMP with the failure that the evidence contains; `evidence` may be NULL. */
struct reply reply_temp_of(const struct evidence *evidence);

/*
 * The reply for a verdict with `[dane] enforce = native`, where Postfix looks up the TLSA records
 * itself. Never weaker than the site's own level, smtp_tls_security_level.
 */
struct reply reply_from_verdict(
	struct verdict verdict, enum tls_level site, const struct evidence *evidence);

/* `encrypt`, TLS without authentication; NOTFOUND if the site's own level is stronger. */
struct reply reply_encrypt(enum tls_level site);

#endif
