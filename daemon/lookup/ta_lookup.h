/*
 * pinning: what a pinned answer needs besides its parts: trust anchors, learned where DNS has only
 * their digest, in a file that Postfix can read.
 *
 * In the lookup thread, when all parts of a destination are known. Serving threads are told of the
 * file with the answer, and find it later with ta_files_find().
 */
#ifndef TLSAD_LOOKUP_TA_LOOKUP_H
#define TLSAD_LOOKUP_TA_LOOKUP_H

#include "common/conf/conf.h"
#include "common/verdict/pin.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/ta_file.h"

#include <event2/event.h>

struct pinning;
struct pinning_job;

/* NULL and one line when that is not possible. The files belong to the caller. */
struct pinning *pinning_new(struct event_base *base, struct cache *cache, struct ta_files *tafiles,
	char *error, size_t error_size);
void pinning_free(struct pinning *pinning);

/* Called once, from the loop. */
typedef void pinning_callback(void *context);

/*
 * Do what can be done for a pinned answer. NULL when that is all done already; otherwise the
 * evidence stays where it is until the callback, which ends the job, or pinning_cancel(). Once it
 * is done, `finding`, which begins as zeroes, tells of the file, where the answer needs one.
 */
struct pinning_job *pinning_start(struct pinning *pinning, const struct conf *conf,
	const struct evidence *evidence, struct ta_file_finding *finding,
	pinning_callback *callback, void *context);
void pinning_cancel(struct pinning_job *job);

/* Now and then: remove files that are of no use any more. */
void pinning_sweep(struct pinning *pinning, const struct conf *conf);

#endif
