/*
 * explain: how a reply comes about, as a JSON object: every part with its DNSSEC status, the time
 * it has left and its reason, and the rule that decided. The members are listed in tlsad(8).
 */
#ifndef TLSAD_ANSWER_EXPLAIN_H
#define TLSAD_ANSWER_EXPLAIN_H

#include "daemon/answer/reply.h"

#include <jansson.h>

struct explanation {
	const char *key; /* as it was asked */
	size_t key_size;
	enum destination_result parsed;
	const struct evidence *evidence; /* with DESTINATION_OK */
	struct verdict verdict;
	const struct ruling *ruling;    /* the site's own rules for it, or NULL */
	bool monitored;                 /* nothing is enforced: Postfix gets NOTFOUND */
	struct reply reply;             /* what Postfix gets, or would get but for that */
	struct reply native;            /* what it gets with enforce = native */
	struct reply pinned;            /* and with enforce = pinned */
	const char *not_pinned;         /* why these are the same where there is DANE, or empty */
	const struct pin_settings *pin; /* with DESTINATION_OK, like the next two */
	/* Is the trust anchor known of which this record has a digest? */
	bool (*ta_known)(void *context, const struct tlsa_record *record);
	void *context;
	bool cached;
	uint32_t now;
};

/*
 * An object that is at most `limit` bytes long as compact text: where it would be longer, hosts are
 * left out. NULL: no room, or no memory.
 */
json_t *explain_object(const struct explanation *explanation, size_t limit);

/*
 * The same from an assessment, whose question asked for all there is; `finding` is as for
 * reply_make_pinned(). When `*missing` is set and the assessment is from the cache there is no
 * object: the lookup thread has to make something first.
 */
json_t *explain_assessment(struct reply_context *context, const char *key, size_t key_size,
	enum destination_result parsed, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing);

#endif
