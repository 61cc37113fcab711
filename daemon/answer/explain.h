/*
 * explain: how an answer comes about, as one line of JSON: every part with its DNSSEC status, the
 * time it has left and its reason, and the rule that decided. The members are listed in tlsad(8).
 */
#ifndef TLSAD_ANSWER_EXPLAIN_H
#define TLSAD_ANSWER_EXPLAIN_H

#include "common/site/rules.h"
#include "common/verdict/evidence.h"
#include "common/verdict/render.h"

struct explanation {
	const char *key; /* as it was asked */
	size_t key_size;
	enum destination_result parsed;
	const struct evidence *evidence; /* with DESTINATION_OK */
	struct verdict verdict;
	const struct ruling *ruling;    /* the site's own rules for it, or NULL */
	const char *reply;              /* what Postfix gets */
	const char *would;              /* what it would get but for the mode monitor, or NULL */
	const char *native;             /* what it gets with enforce = native */
	const char *pinned;             /* and with enforce = pinned */
	const char *not_pinned;         /* why these are the same where there is DANE, or empty */
	const struct pin_settings *pin; /* with DESTINATION_OK, like the next two */
	/* Is the trust anchor known of which this record has a digest? */
	bool (*anchor_known)(void *context, const struct tlsa_record *record);
	void *context;
	bool cached;
	uint32_t now;
};

/* malloc()ed, at most `limit` bytes: beyond it details go, hosts first; NULL: no room, or no
 * memory. */
char *explain_json(const struct explanation *explanation, size_t limit);

#endif
