/*
 * sts_fetch: downloads the policy of a domain (RFC 8461 3.3): looks up the addresses of
 * mta-sts.DOMAIN, tries one after the other (sts_transfer.h), and reads the file (sts_policy.h).
 *
 * All downloads of a struct sts_fetches belong to one thread, that of its event base. At most
 * STS_RUNNING_MAX of them run at once (fewer if the process may open few files),
 * STS_SAME_ADDRESS_MAX at one address; others wait. The newest one is started first, since somebody
 * waits for it. A server that is silent does not keep others waiting: its download makes room for a
 * new one, and begins again when there is room. Those that begin again leave a quarter of the
 * places to new ones.
 */
#ifndef TLSAD_STS_STS_FETCH_H
#define TLSAD_STS_STS_FETCH_H

#include "common/dns/dns.h"
#include "common/sts/sts_transfer.h"
#include "common/sts/sts_trust.h"

enum {
	STS_RUNNING_MIN = 4,
	STS_RUNNING_MAX = 64,
	STS_SAME_ADDRESS_MAX = 8,
	STS_FETCHES_MAX = 8192, /* in all, those that look up addresses or wait included */
	STS_FETCH_SECONDS = 60, /* of one download, RFC 8461 3.3 */
};

struct sts_fetches;
struct sts_fetch;

/* The most descriptors that all downloads together have open. */
uint32_t sts_fetch_descriptors(void);

struct sts_fetch_settings {
	uint16_t port;
	bool private_addresses;  /* allow special-purpose addresses (sts_address.h) */
	struct sts_trust *trust; /* the owner's, who keeps it; NULL: no download can succeed */
};

/* NULL: out of memory. sts_transfers_prepare() must have succeeded. */
struct sts_fetches *sts_fetches_new(struct event_base *base, struct dns *dns);

/* Downloads that start from now on use these settings. */
void sts_fetches_set(struct sts_fetches *fetches, const struct sts_fetch_settings *settings);

/* Downloads that wait for their turn. */
size_t sts_fetches_waiting(const struct sts_fetches *fetches);

/* All downloads must have been freed. */
void sts_fetches_free(struct sts_fetches *fetches);

struct sts_fetch_result {
	enum sts_outcome outcome;
	struct sts_policy *policy; /* with STS_FETCHED; it may be moved (sts_policy_move()) */
	const char *error;         /* otherwise: why, one line of printable ASCII */
};

/* Called once, from the loop, never inside sts_fetch_new(). The result is valid in it. */
typedef void sts_fetch_done(void *context, const struct sts_fetch_result *result);

/* NULL: out of memory, or there are STS_FETCHES_MAX. */
struct sts_fetch *sts_fetch_new(
	struct sts_fetches *fetches, const char *domain, sts_fetch_done *done, void *context);

/* The owner frees it, in the callback or earlier, which stops it. NULL is allowed. */
void sts_fetch_free(struct sts_fetch *fetch);

#endif
