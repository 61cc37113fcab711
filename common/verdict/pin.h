/*
 * pin: collects the TLSA data for a reply, so that Postfix need not look up TLSA records itself:
 * the digests of DANE-EE records (`fingerprint`), or the trust anchors of DANE-TA records (`secure`
 * with a tafile). Decides by t/lab/dane-cases, "From hosts to the answer (pinned)". Pure: any
 * thread may call these functions. A record that contains a whole certificate or key is digested
 * with OpenSSL; nothing else allocates memory.
 */
#ifndef TLSAD_VERDICT_PIN_H
#define TLSAD_VERDICT_PIN_H

#include "common/base/text.h"
#include "common/dane/tlsa.h"
#include "common/verdict/decide.h"
#include "common/verdict/evidence.h"

enum {
	/*
	 * Octets of all digests of one reply: 1,020 of SHA-256 or 510 of SHA-512. They are 97,920
	 * characters of a reply, for which Postfix accepts 100,000.
	 */
	PIN_OCTETS_MAX = 32640,
};

struct pin_settings {
	enum tlsa_matching_type digest; /* TLSA_SHA256 or TLSA_SHA512, which Postfix compares */
	bool tas;                       /* trust anchors can be passed to Postfix in files */
	bool learn;                     /* also those of which DNS has only a digest */
	/*
	 * The site's own level, or a minimum, authenticates hosts. If the MX records are not
	 * signed, pinned keys are weaker than that: an attacker who forges the MX records can name
	 * a host with valid TLSA records of the attacker's own.
	 */
	bool strict_site;
};

enum pin_form {
	PIN_NOTHING,      /* the native reply: see `obstacle` */
	PIN_FINGERPRINTS, /* entries are digests */
	PIN_TAS,          /* entries are struct ta_digest */
	PIN_ENCRYPT,      /* TLS without authentication */
};

/* Why the TLSA data cannot be put into a reply. */
enum pin_obstacle {
	PIN_CLEAR,         /* it can */
	PIN_NO_DANE,       /* the verdict is not DANE */
	PIN_INSECURE_MX,   /* the MX records are not signed, and the site requires more */
	PIN_NOT_ALL_HOSTS, /* a host without usable records would need those of other hosts */
	PIN_MIXED_USAGES,  /* DANE-EE and DANE-TA: Postfix has no level for both */
	PIN_OTHER_DIGEST,  /* DANE-EE with another digest than Postfix compares */
	PIN_NO_DIRECTORY,  /* DANE-TA, but no directory for trust anchors is set */
	PIN_ONLY_DIGEST,   /* DANE-TA with only a digest, and learning is off */
	PIN_TOO_MANY,      /* the data does not fit in a reply */
	PIN_DAMAGED,       /* the part cannot be read */
	PIN_TA_UNKNOWN,    /* no server sent the trust anchor that the digest names */
	PIN_NOT_YET,       /* the file of trust anchors was not ready in time */
	PIN_NOT_WRITTEN,   /* the file of trust anchors could not be written */
	PIN_OBSTACLE_COUNT,
};

const char *pin_obstacle_text(enum pin_obstacle obstacle);

/* Entries are sorted and without duplicates, so equal sets have equal bytes. */
struct pins {
	enum pin_form form;
	enum pin_obstacle obstacle;
	/* With PIN_NOTHING: the record and its host, if the obstacle is about one record. */
	bool at_record;
	size_t host;
	struct tlsa_record record;
	size_t count;
	size_t size; /* of one entry [octets] */
	uint8_t entries[PIN_OCTETS_MAX];
};

/* Collect the TLSA data of all hosts; all parts of the evidence must be present. */
void pin_collect(const struct pin_settings *settings, const struct evidence *evidence,
	struct verdict verdict, struct pins *pins);

/* Append why it is PIN_NOTHING, for an administrator: one sentence without a full stop. */
void pin_explain(const struct pins *pins, const struct evidence *evidence, struct text *out);

/*
 * The entry of one usable record: for DANE-EE its digest, for DANE-TA the struct ta_digest of its
 * trust anchor, with PIN_CLEAR; otherwise the obstacle. `entry` has room for a struct ta_digest.
 */
enum pin_obstacle pin_record(const struct pin_settings *settings, const struct tlsa_record *record,
	uint8_t *entry, size_t *size);

/* Walk over the usable records of a host; pin_walk_next() returns false after the last one. */
struct pin_walk {
	struct part_cursor cursor;
	size_t left;
};

void pin_walk_start(struct pin_walk *walk, const struct part *host);
bool pin_walk_next(struct pin_walk *walk, struct tlsa_record *record);

#endif
