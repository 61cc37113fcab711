/*
 * reply: from an assessment to a reply, with this site's configuration: the level of
 * smtp_tls_security_level, minimums, exceptions, and where wanted what the TLSA records say.
 *
 * Runs in the thread that owns the context. A reply points into the context, the assessment and the
 * evidence, and is good until the next one is made.
 */
#ifndef TLSAD_ANSWER_REPLY_H
#define TLSAD_ANSWER_REPLY_H

#include "common/verdict/reply.h"
#include "daemon/answer/assess.h"
#include "daemon/cache/ta_file.h"

/* What the replies of one thread are made from and into. */
struct reply_context {
	struct cache_reader *reader;
	struct ta_files *ta_files; /* NULL: no trust anchors are handed on */
	const struct conf *conf;
	struct pins pins; /* of the pinned reply that was made last, or why it is a native one */
	char ta_file[TA_FILE_PATH_SIZE];
	char words[256]; /* why, of a reply that is not OK */
};

/* Postfix looks up the TLSA records itself. Also for what is no destination. */
struct reply reply_make_native(
	const struct reply_context *context, const struct assessment *assessment);

/*
 * The reply carries the TLSA data, or is the native one: context->pins says why. `finding` is what
 * the lookup thread knows of the file of trust anchors, NULL: look for it. `*missing` is set when
 * the lookup thread has to make that file first.
 */
struct reply reply_make_pinned(struct reply_context *context, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing);

/* The usable records of a host, or why there are none. */
struct reply reply_make_tlsa(struct reply_context *context, const struct assessment *assessment);

#endif
