/*
 * ta_lookup: the trust anchors of a destination, which a pinned reply needs besides its parts:
 * learned from the servers where DNS has only their digest, and in a file that Postfix can read.
 *
 * In the lookup thread, when all parts of a destination are known. Serving threads are told of the
 * file with the reply, and find it later with ta_files_find().
 */
#ifndef TLSAD_LOOKUP_TA_LOOKUP_H
#define TLSAD_LOOKUP_TA_LOOKUP_H

#include "common/conf/conf.h"
#include "common/verdict/pin.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/ta_file.h"

#include <event2/event.h>

struct ta_lookups;
struct ta_lookup;

/* NULL and one line when that is not possible. The files belong to the caller. */
struct ta_lookups *ta_lookups_new(struct event_base *base, struct cache *cache,
	struct ta_files *ta_files, char *error, size_t error_size);
void ta_lookups_free(struct ta_lookups *lookups);

/* Called once, from the loop. */
typedef void ta_lookup_callback(void *context);

/*
 * Do what can be done for a pinned reply. NULL when that is all done already, or when out of
 * memory; otherwise the evidence stays where it is until the callback, which ends the lookup, or
 * ta_lookup_cancel(). Once it is done, `finding`, which begins as zeroes, tells of the file, where
 * the reply needs one.
 */
struct ta_lookup *ta_lookup_start(struct ta_lookups *lookups, const struct conf *conf,
	const struct evidence *evidence, struct ta_file_finding *finding,
	ta_lookup_callback *callback, void *context);
void ta_lookup_cancel(struct ta_lookup *lookup);

/* Now and then: remove files that are of no use any more. */
void ta_lookups_sweep(struct ta_lookups *lookups, const struct conf *conf);

#endif
