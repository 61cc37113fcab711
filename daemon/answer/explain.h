/*
 * explain: why a reply is as it is, as a JSON object: every part with its DNSSEC status, its
 * remaining lifetime and its reason, and the rule that decided. tlsad(8) lists the members.
 */
#ifndef TLSAD_ANSWER_EXPLAIN_H
#define TLSAD_ANSWER_EXPLAIN_H

#include "daemon/answer/reply.h"

#include <jansson.h>

struct explanation {
	const char *key; /* as in the request */
	size_t key_size;
	enum destination_result parsed;
	const struct evidence *evidence; /* with DESTINATION_OK */
	struct verdict verdict;
	const struct ruling *ruling;    /* the site's rules that apply, or NULL */
	bool monitored;                 /* [dane] mode = monitor: Postfix gets NOTFOUND */
	struct reply reply;             /* the reply to Postfix, or without monitor mode */
	struct reply native;            /* the reply with [dane] enforce = native */
	struct reply pinned;            /* the reply with [dane] enforce = pinned */
	const char *not_pinned;         /* why these two are equal despite DANE, or empty */
	const struct pin_settings *pin; /* with DESTINATION_OK, like the next two */
	/* Is the trust anchor known whose digest the record has? */
	bool (*ta_known)(void *context, const struct tlsa_record *record);
	void *context;
	bool cached;
	uint32_t now;
};

/*
 * An object of at most `limit` bytes as compact text: hosts are left out to make it fit. NULL if it
 * does not fit, or when out of memory.
 */
json_t *explain_object(const struct explanation *explanation, size_t limit);

/*
 * The same from an assessment of depth ASSESS_WHOLE; `finding` is as for reply_make_pinned(). If
 * `*missing` is set and the assessment is from the cache, the result is NULL: the lookup thread
 * must first make the file of trust anchors.
 */
json_t *explain_assessment(struct reply_context *context, const char *key, size_t key_size,
	enum destination_result parsed, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing);

#endif
