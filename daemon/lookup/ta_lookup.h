/*
 * ta_lookup: makes the file of trust anchors that a pinned reply of a destination needs. Trust
 * anchors of which DNS has only a digest are learned from the servers (ta_fetch.h).
 *
 * Runs in the lookup thread, after all parts of a destination are known. Serving threads get the
 * finding in the lookup_result, and later with ta_files_find().
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

/* NULL with one line in `error` on failure. `ta_files` stays the caller's. */
struct ta_lookups *ta_lookups_new(struct event_base *base, struct cache *cache,
	struct ta_files *ta_files, char *error, size_t error_size);
void ta_lookups_free(struct ta_lookups *lookups);

/* Called once, from the loop. */
typedef void ta_lookup_callback(void *context);

/*
 * Make the file of trust anchors, if a pinned reply needs one. NULL if nothing is left to wait for,
 * or when out of memory. Otherwise the evidence must stay valid until the callback, which ends the
 * lookup, or ta_lookup_cancel(). `finding` begins as zeroes and gets the result.
 */
struct ta_lookup *ta_lookup_start(struct ta_lookups *lookups, const struct conf *conf,
	const struct evidence *evidence, struct ta_file_finding *finding,
	ta_lookup_callback *callback, void *context);
void ta_lookup_cancel(struct ta_lookup *lookup);

/* Remove files that no reply can name any more; called once an hour. */
void ta_lookups_sweep(struct ta_lookups *lookups, const struct conf *conf);

#endif
