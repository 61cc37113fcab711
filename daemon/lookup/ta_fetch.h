/*
 * learn: trust anchors of which DNS has only a digest, from the mail servers that use them.
 *
 * A TLSA record 2 0 1, 2 1 1, 2 0 2 or 2 1 2 names its trust anchor by a digest, and the server
 * sends the certificate in its chain (RFC 7671 5.2.2). So: connect, STARTTLS, and take from the
 * chain what has that digest; nothing else is looked at, and whether the chain is good is Postfix's
 * to find out. What was learned goes to the cache under its digest.
 *
 * In the lookup thread, which never waits for it. Equal wishes are joined, LEARN_AT_ONCE hosts are
 * asked at once, each for LEARN_TIMEOUT seconds at most and one address after the other.
 */
#ifndef TLSAD_LOOKUP_TA_FETCH_H
#define TLSAD_LOOKUP_TA_FETCH_H

#include "common/verdict/pin.h"
#include "daemon/cache/cache.h"

#include <event2/event.h>

struct learn;
struct learn_wish;

enum {
	LEARN_AT_ONCE = 8,
	LEARN_TIMEOUT = 10,        /* [s] for a host, all its addresses */
	LEARN_ADDRESS_TIMEOUT = 5, /* [s] for one of them */
	LEARN_ADDRESSES_MAX = 4,   /* Postfix itself tries 5 (smtp_mx_address_limit) */
	LEARN_ANCHORS_MAX = 32,    /* of one host */
};

/* NULL and one line when that is not possible. */
struct learn *learn_new(
	struct event_base *base, struct cache *cache, char *error, size_t error_size);
void learn_free(struct learn *learn);

/* How long what is learned now is kept; see [cache] max_ttl. */
void learn_set_lifetime(struct learn *learn, uint32_t seconds);

/* The attempt has ended; what was learned is in the cache. */
typedef void learn_callback(void *context);

/*
 * Try to learn these anchors from the host, whose part ends at its own expiry: until then no other
 * attempt is made for those that it does not show. NULL when there is nobody to ask, or no memory;
 * otherwise the callback is called once, from the loop, and ends the wish, unless it is cancelled.
 */
struct learn_wish *learn_start(struct learn *learn, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *anchors, size_t count, learn_callback *callback, void *context);
void learn_cancel(struct learn_wish *wish);

/* Has the host been asked for it in vain? */
bool learn_tried(struct learn *learn, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *anchor);

/* What is known: DER as in struct ta_file_ta. The bytes stay until the cache is used again. */
bool learn_find(
	struct learn *learn, const struct ta_digest *anchor, const uint8_t **der, size_t *size);

#endif
