/*
 * ta_fetch: trust anchors of which DNS has only a digest, from the mail servers that use them.
 *
 * A TLSA record 2 0 1, 2 1 1, 2 0 2 or 2 1 2 names its trust anchor by a digest, and the server
 * sends the certificate in its chain (RFC 7671 5.2.2). So: connect, STARTTLS, and take from the
 * chain what has that digest; nothing else is looked at, and whether the chain is good is Postfix's
 * to find out. What was learned goes to the cache under its digest.
 *
 * In the lookup thread, which never waits for it. Who waits for the same server waits together;
 * TA_FETCH_RUNNING_MAX servers are asked at once, each for TA_FETCH_TIMEOUT seconds at most and one
 * address after the other.
 */
#ifndef TLSAD_LOOKUP_TA_FETCH_H
#define TLSAD_LOOKUP_TA_FETCH_H

#include "common/verdict/pin.h"
#include "daemon/cache/cache.h"

#include <event2/event.h>

struct ta_fetch;
struct ta_fetch_wait;

enum {
	TA_FETCH_RUNNING_MAX = 8,
	TA_FETCH_TIMEOUT = 10,        /* [s] for a host, all its addresses */
	TA_FETCH_ADDRESS_TIMEOUT = 5, /* [s] for one of them */
	TA_FETCH_ADDRESSES_MAX = 4,   /* Postfix itself tries 5 (smtp_mx_address_limit) */
	TA_FETCH_TAS_MAX = 32,        /* of one host */
};

/* NULL and one line when that is not possible. */
struct ta_fetch *ta_fetch_new(
	struct event_base *base, struct cache *cache, char *error, size_t error_size);
void ta_fetch_free(struct ta_fetch *fetch);

/* How long what is learned now is kept; see [cache] max_ttl. */
void ta_fetch_set_lifetime(struct ta_fetch *fetch, uint32_t seconds);

/* The attempt has ended; what was learned is in the cache. */
typedef void ta_fetch_callback(void *context);

/*
 * Try to get these trust anchors from the host, whose part ends at its own expiry: until then no
 * other attempt is made for those that it does not show. NULL when there is nobody to ask, or no
 * memory; otherwise the callback is called once, from the loop, and ends the wait, unless it is
 * cancelled.
 */
struct ta_fetch_wait *ta_fetch_start(struct ta_fetch *fetch, const struct evidence_host *host,
	uint16_t port, const struct ta_digest *tas, size_t count, ta_fetch_callback *callback,
	void *context);
void ta_fetch_cancel(struct ta_fetch_wait *wait);

/* Has the host been asked for it in vain? */
bool ta_fetch_tried(struct ta_fetch *fetch, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *ta);

/* What is known: DER as in struct ta_file_ta. The bytes stay until the cache is used again. */
bool ta_fetch_find(
	struct ta_fetch *fetch, const struct ta_digest *ta, const uint8_t **der, size_t *size);

#endif
