/*
 * serving_counters: the counters of one serving thread. Only that thread writes, any thread may
 * read; daemon/counters makes the sums over all threads.
 */
#ifndef TLSAD_SERVER_SERVING_COUNTERS_H
#define TLSAD_SERVER_SERVING_COUNTERS_H

#include "common/base/counter.h"
#include "daemon/answer/map_service.h"
#include "daemon/answer/policy.h"
#include "daemon/loop/histogram.h"

struct serving_counters {
	counter connections; /* open now, of socketmap and of policy clients */
	counter accepted;    /* connections */
	counter refused;     /* connections, by [server] allow */
	struct map_counters maps;
	struct policy_counters policy;
	struct histogram seconds; /* of all socketmap requests */
};

#endif
