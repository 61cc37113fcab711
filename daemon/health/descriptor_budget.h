/*
 * descriptor_budget: divides the descriptors that this process may open (RLIMIT_NOFILE).
 *
 * libunbound ends the process if it cannot open one of its files. So the resolver comes first, and
 * connections get the descriptors that are left. The division is made once, at the start, before
 * anything is accepted; server, control and metrics get their limits from it.
 *
 * Pure, except for descriptor_budget_log().
 */
#ifndef TLSAD_HEALTH_DESCRIPTOR_BUDGET_H
#define TLSAD_HEALTH_DESCRIPTOR_BUDGET_H

#include "common/conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BUDGET_CONNECTIONS_MIN = 6, /* of Postfix, even with too few descriptors */
	BUDGET_CONTROL_MIN = 4,     /* with few descriptors */
	BUDGET_CONTROL_MAX = 32,
	BUDGET_METRICS_MIN = 2,  /* with few descriptors */
	BUDGET_METRICS_MAX = 16, /* a site has a few scrapers, each with one connection */
};

/* Input of the division. */
struct descriptor_needs {
	uint32_t limit;     /* descriptors_limit() */
	uint32_t resolver;  /* resolver_descriptors() */
	uint32_t downloads; /* sts_fetch_descriptors() */
	unsigned workers;   /* serving threads */
	bool metrics;       /* is there an endpoint for metrics? */
};

/* Maximum of open connections for each service. */
struct descriptor_budget {
	uint32_t limit;       /* descriptors of the process, as above */
	uint32_t control;     /* of the control socket */
	uint32_t metrics;     /* of the metrics endpoint */
	uint32_t connections; /* of socketmap and policy clients, on all serving threads together */
};

void descriptor_budget_divide(
	struct descriptor_budget *budget, const struct descriptor_needs *needs);

/* Log a notice if the budget allows fewer connections than [server] max_connections. */
void descriptor_budget_log(const struct descriptor_budget *budget, const struct conf *conf);

#endif
