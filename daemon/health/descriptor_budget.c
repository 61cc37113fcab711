#include "daemon/health/descriptor_budget.h"

#include "common/base/descriptors.h"
#include "common/base/log.h"
#include "daemon/server/server.h"

enum {
	/* Descriptors of an idle daemon (counted), and some for files that it opens at times. */
	OWN_DESCRIPTORS = 28,
	METRICS_LISTENING = 2, /* the listener, and a connection that is being accepted */
};

void descriptor_budget_divide(
	struct descriptor_budget *budget, const struct descriptor_needs *needs)
{
	uint32_t limit = needs->limit;
	uint32_t control = descriptors_share_of(limit, BUDGET_CONTROL_MIN, BUDGET_CONTROL_MAX);
	uint32_t metrics = descriptors_share_of(limit, BUDGET_METRICS_MIN, BUDGET_METRICS_MAX);
	uint32_t others = OWN_DESCRIPTORS + SERVER_WORKER_DESCRIPTORS * needs->workers +
			  needs->resolver + needs->downloads + control +
			  (needs->metrics ? metrics + METRICS_LISTENING : 0) + SERVER_OVERSHOOT_MAX;

	*budget = (struct descriptor_budget){
		.limit = limit,
		.control = control,
		.metrics = metrics,
		.connections = limit > others + BUDGET_CONNECTIONS_MIN ? limit - others
								       : BUDGET_CONNECTIONS_MIN,
	};
}

void descriptor_budget_log(const struct descriptor_budget *budget, const struct conf *conf)
{
	if (budget->connections < conf->server.max_connections)
		log_notice("this process may open only %u files: [server] max_connections = %u is "
			   "reduced to %u; raise LimitNOFILE= (systemd.exec(5)) or ulimit -n",
			budget->limit, conf->server.max_connections, budget->connections);
}
