/*
 * sts_check: looks up the TXT record of MTA-STS of a domain and, if there is one, downloads the
 * policy (RFC 8461 3), with the settings of [sts] except `enable`.
 *
 * It runs on the loop of the local resolver and is limited in time: the query like all lookups, the
 * download by the caller. CAs and libcurl are only loaded for a domain that has the record.
 */
#ifndef TLSAD_CTL_CHECK_STS_CHECK_H
#define TLSAD_CTL_CHECK_STS_CHECK_H

#include "common/sts/sts_fetch.h"
#include "daemon/ctl/frame/local_resolver.h"

/* Called at most once, from the loop, never inside sts_check_start(). */
typedef void sts_check_done(void *context);

struct sts_check {
	/* The results: valid when `ended`. */
	bool started, ended;
	enum sts_status status; /* STS_FAILED: whether there is a policy is not known */
	enum sts_discovery discovery;
	char domain[DNS_NAME_SIZE], record_name[DNS_NAME_SIZE];
	char id[STS_ID_SIZE];     /* with STS_DISCOVERED */
	struct sts_policy policy; /* empty if there is none */
	/* With STS_FAILED: why the lookup or the download failed, one line of printable ASCII. */
	char error[STS_FAILURE_SIZE];
	bool local_fault;        /* the fault is not the domain's: no CAs, no usable libcurl */
	struct sts_trust *trust; /* the CAs; NULL if they were not needed, or not found */

	/* While it runs. */
	struct local_resolver *local;
	uint32_t timeout; /* [s] of the download */
	sts_check_done *done;
	void *context;
	struct event *deadline; /* of the query, then of the download */
	struct dns_query *query;
	struct sts_fetches *fetches;
	struct sts_fetch *fetch;
};

/* `check` is zeroed before. False when out of memory. sts_check_clear() must follow. */
bool sts_check_start(struct sts_check *check, struct local_resolver *local, const char *domain,
	uint32_t timeout, sts_check_done *done, void *context);
void sts_check_clear(struct sts_check *check);

/* Is there a policy with patterns, of the mode enforce or testing? */
bool sts_check_has_patterns(const struct sts_check *check);

/* The first pattern that matches the host, or NULL. */
const struct sts_pattern *sts_check_find_pattern(const struct sts_check *check, const char *host);

#endif
