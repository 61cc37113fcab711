/*
 * descriptor_budget: how the files that this process may open (RLIMIT_NOFILE) are divided.
 *
 * libunbound ends the process when it cannot open a file of its own, so the resolver comes first
 * and connections get what all else leaves. The division is made once, at the start, before
 * anything is accepted; server, control and metrics get their numbers from it.
 *
 * Pure, but for descriptor_budget_log().
 */
#ifndef TLSAD_HEALTH_DESCRIPTOR_BUDGET_H
#define TLSAD_HEALTH_DESCRIPTOR_BUDGET_H

#include "common/conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BUDGET_CONNECTIONS_MIN = 6, /* of Postfix, however few descriptors there are */
	BUDGET_CONTROL_MIN = 4,     /* where descriptors are scarce */
	BUDGET_CONTROL_MAX = 32,
	BUDGET_METRICS_MIN = 2,  /* where descriptors are scarce */
	BUDGET_METRICS_MAX = 16, /* a site has a few scrapers, each with one connection */
};

/* What the division depends on. */
struct descriptor_needs {
	uint32_t limit;    /* descriptors_limit() */
	uint32_t resolver; /* sockets, resolver_descriptors() */
	unsigned workers;  /* serving threads */
	bool metrics;      /* is there an endpoint for metrics? */
};

/* Connections that each may have open at once. */
struct descriptor_budget {
	uint32_t limit;       /* of the process, as above */
	uint32_t control;     /* of the control socket */
	uint32_t metrics;     /* of the metrics endpoint */
	uint32_t connections; /* of Postfix, on all serving threads together */
};

void descriptor_budget_divide(
	struct descriptor_budget *budget, const struct descriptor_needs *needs);

/* Log a line if [server] max_connections is more than the budget allows. */
void descriptor_budget_log(const struct descriptor_budget *budget, const struct conf *conf);

#endif
