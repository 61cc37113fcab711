#include "daemon/health/health.h"

#include "daemon/loop/heartbeat.h"

#include <stdio.h>

bool health_check(
	const struct server *server, const struct lookup *lookup, char words[HEALTH_WORDS_SIZE])
{
	const struct probe_state *resolver = &lookup_counters(lookup)->resolver;
	enum probe_result result = (enum probe_result)atomic_load(&resolver->result);
	uint32_t serving = server_heartbeat_age(server), looking = lookup_heartbeat_age(lookup);

	if (serving >= HEARTBEAT_STUCK)
		snprintf(words, HEALTH_WORDS_SIZE, "a serving thread has been stuck for %u seconds",
			serving);
	else if (looking >= HEARTBEAT_STUCK)
		snprintf(words, HEALTH_WORDS_SIZE,
			"the lookup thread has been stuck for %u seconds", looking);
	else if (result == PROBE_UNKNOWN)
		snprintf(words, HEALTH_WORDS_SIZE, "the resolver has not answered yet");
	else if (!atomic_load(&resolver->expected))
		snprintf(words, HEALTH_WORDS_SIZE, "DNSSEC validation does not work: %s",
			probe_result_text(result));
	else
		return snprintf(words, HEALTH_WORDS_SIZE, "ok") > 0;
	return false;
}
