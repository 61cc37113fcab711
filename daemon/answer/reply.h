/*
 * reply: makes a reply from an assessment and the site's configuration: the level of
 * smtp_tls_security_level, minimums, exceptions and, in pinned replies, the data of the TLSA
 * records.
 *
 * Runs in the thread that owns the context. A reply points into the context, the assessment and the
 * evidence, and is valid until the next reply is made.
 */
#ifndef TLSAD_ANSWER_REPLY_H
#define TLSAD_ANSWER_REPLY_H

#include "common/verdict/reply.h"
#include "daemon/answer/assess.h"
#include "daemon/cache/ta_file.h"

/* What one thread makes its replies from, and the memory that they point to. */
struct reply_context {
	struct cache_reader *reader;
	struct ta_files *ta_files; /* NULL: no [dane] tafile_dir, replies name no files */
	const struct conf *conf;
	struct pins pins; /* of the last pinned reply, or why it is a native one */
	char ta_file[TA_FILE_PATH_SIZE];
	char words[256]; /* text of a reply that is not OK */
};

/* Postfix looks up the TLSA records itself. Also for a key that is not a destination. */
struct reply reply_make_native(
	const struct reply_context *context, const struct assessment *assessment);

/*
 * The reply contains the data of the TLSA records; otherwise it is the native one, and
 * context->pins says why. `finding` is the lookup thread's result for the file of trust anchors;
 * NULL: search in context->ta_files. `*missing` is set if the lookup thread must first make that
 * file.
 */
struct reply reply_make_pinned(struct reply_context *context, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing);

/*
 * For smtp_requiretls_policy (postconf(5)): `enforce` if the native reply authenticates every host,
 * `dane-only` or `secure`; otherwise [requiretls] otherwise. TEMP like the native reply.
 */
struct reply reply_make_requiretls(
	const struct reply_context *context, const struct assessment *assessment);

/* The usable records of a host; NOTFOUND without usable records, TEMP if the lookup failed. */
struct reply reply_make_tlsa(struct reply_context *context, const struct assessment *assessment);

#endif
