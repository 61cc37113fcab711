/*
 * pin: what a reply can carry so that Postfix need not look up TLSA records itself: the digests
 * of DANE-EE records (`fingerprint`), or the trust anchors of DANE-TA records (`secure` with a
 * tafile). Decides by t/lab/dane-cases, "From hosts to the answer (pinned)". Pure, thread-safe;
 * what a record holds whole is digested with OpenSSL, nothing else costs an allocation.
 */
#ifndef TLSAD_VERDICT_PIN_H
#define TLSAD_VERDICT_PIN_H

#include "common/base/text.h"
#include "common/dane/tlsa.h"
#include "common/verdict/decide.h"
#include "common/verdict/evidence.h"

enum {
	/*
	 * Octets of all digests of one reply: 1,020 of SHA-256 or 510 of SHA-512, which are 97,920
	 * characters of a reply, and Postfix takes 100,000.
	 */
	PIN_OCTETS_MAX = 32640,
};

struct pin_settings {
	enum tlsa_matching_type digest; /* TLSA_SHA256 or TLSA_SHA512: what Postfix compares */
	bool tas;                       /* trust anchors can be handed on */
	bool learn;                     /* so can those of which DNS has only a digest */
	/*
	 * The site's own level, or a minimum, authenticates hosts. Keys behind MX records that are
	 * not signed are less: whoever forges the records names a host of his own.
	 */
	bool strict_site;
};

enum pin_form {
	PIN_NOTHING,      /* the native reply: see `obstacle` */
	PIN_FINGERPRINTS, /* entries are digests */
	PIN_TAS,          /* entries are struct ta_digest */
	PIN_ENCRYPT,      /* TLS without authentication */
};

/* Why what DNS says cannot be put into a reply. */
enum pin_obstacle {
	PIN_CLEAR,         /* it can */
	PIN_NO_DANE,       /* the reply is none of DANE */
	PIN_INSECURE_MX,   /* and the site asks for more */
	PIN_NOT_ALL_HOSTS, /* some host has no usable record: it would be held to the others' */
	PIN_MIXED_USAGES,  /* DANE-EE and DANE-TA: there is no such level in Postfix */
	PIN_OTHER_DIGEST,  /* DANE-EE by another digest than Postfix compares */
	PIN_NO_DIRECTORY,  /* DANE-TA without a place for trust anchors */
	PIN_ONLY_DIGEST,   /* DANE-TA by a digest, and learning is off */
	PIN_TOO_MANY,      /* they do not fit into a reply */
	PIN_DAMAGED,       /* the part cannot be read */
	PIN_TA_UNKNOWN,    /* no server has shown the trust anchor that the digest names */
	PIN_NOT_YET,       /* the file of trust anchors was not made in time */
	PIN_NOT_WRITTEN,   /* it could not be written */
	PIN_OBSTACLE_COUNT,
};

const char *pin_obstacle_text(enum pin_obstacle obstacle);

/* Entries are sorted and each stands there once, so equal sets are equal bytes. */
struct pins {
	enum pin_form form;
	enum pin_obstacle obstacle;
	/* With PIN_NOTHING, at which record of which host, if it is about one. */
	bool at_record;
	size_t host;
	struct tlsa_record record;
	size_t count;
	size_t size; /* of one entry [octets] */
	uint8_t entries[PIN_OCTETS_MAX];
};

/* The evidence is whole parts. */
void pin_collect(const struct pin_settings *settings, const struct evidence *evidence,
	struct verdict verdict, struct pins *pins);

/* Why it is PIN_NOTHING, one sentence without an end for an administrator. */
void pin_explain(const struct pins *pins, const struct evidence *evidence, struct text *out);

/*
 * What one usable record gives: PIN_CLEAR and for DANE-EE the digest, for DANE-TA the name of its
 * trust anchor; `entry` has room for a struct ta_digest.
 */
enum pin_obstacle pin_record(const struct pin_settings *settings, const struct tlsa_record *record,
	uint8_t *entry, size_t *size);

/* The usable records of a host, one after the other; false behind the last. */
struct pin_walk {
	struct part_cursor cursor;
	size_t left;
};

void pin_walk_start(struct pin_walk *walk, const struct part *host);
bool pin_walk_next(struct pin_walk *walk, struct tlsa_record *record);

#endif
