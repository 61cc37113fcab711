/*
 * ta_fetch: learns trust anchors of which DNS has only a digest, from the mail servers that use
 * them.
 *
 * A TLSA record 2 0 1, 2 1 1, 2 0 2 or 2 1 2 names its trust anchor by a digest, and the server
 * must send the certificate in its chain (RFC 7671 5.2.2). So ta_fetch connects, starts TLS, and
 * takes the certificates with that digest from the chain. It checks nothing else: Postfix verifies
 * the chain. A trust anchor is stored in the cache under its digest.
 *
 * Runs in the lookup thread without blocking it. Lookups that need the same server share one
 * connection. At most TA_FETCH_RUNNING_MAX servers are connected at once, each for at most
 * TA_FETCH_TIMEOUT seconds, one address after the other.
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
	TA_FETCH_TIMEOUT = 10,        /* [s] for all addresses of a host together */
	TA_FETCH_ADDRESS_TIMEOUT = 5, /* [s] for one address */
	TA_FETCH_ADDRESSES_MAX = 4,   /* Postfix itself tries 5 (smtp_mx_address_limit) */
	TA_FETCH_TAS_MAX = 32,        /* of one host */
};

/* NULL with one line in `error` on failure. */
struct ta_fetch *ta_fetch_new(
	struct event_base *base, struct cache *cache, char *error, size_t error_size);
void ta_fetch_free(struct ta_fetch *fetch);

/* How long trust anchors that are learned from now on are kept: [cache] max_ttl. */
void ta_fetch_set_lifetime(struct ta_fetch *fetch, uint32_t seconds);

/* The attempt has ended; trust anchors that were learned are in the cache. */
typedef void ta_fetch_callback(void *context);

/*
 * Try to get these trust anchors from the host. For those that it does not send there is no other
 * attempt until the host's part expires. NULL if the host has no address, or when out of memory;
 * otherwise the callback is called once, from the loop, unless the wait is cancelled.
 */
struct ta_fetch_wait *ta_fetch_start(struct ta_fetch *fetch, const struct evidence_host *host,
	uint16_t port, const struct ta_digest *tas, size_t count, ta_fetch_callback *callback,
	void *context);
void ta_fetch_cancel(struct ta_fetch_wait *wait);

/* Was there an attempt for this trust anchor at this host, without success? */
bool ta_fetch_tried(struct ta_fetch *fetch, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *ta);

/*
 * Find a trust anchor in the cache: DER as in struct ta_file_ta. The bytes are valid until the
 * cache is used again.
 */
bool ta_fetch_find(
	struct ta_fetch *fetch, const struct ta_digest *ta, const uint8_t **der, size_t *size);

#endif
