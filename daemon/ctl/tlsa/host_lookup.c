#include "daemon/ctl/tlsa/host_lookup.h"

#include "common/base/log.h"
#include "daemon/ctl/tlsa/host_facts.h"

struct host_lookup {
	struct local_resolver *local;
	struct host_facts *facts;
};

static void take_facts(void *context, const struct host_facts *facts)
{
	struct host_lookup *run = context;

	run->facts = host_facts_copy(facts);
	local_resolver_stop(run->local);
}

struct host_facts *host_lookup_run(struct local_resolver *local, const char *name, uint16_t port)
{
	struct host_lookup run = {.local = local};
	struct lookup_settings settings = local_resolver_settings(local);
	struct dane_host_lookup *lookup =
		dane_host_lookup_new(&settings, name, port, take_facts, &run);
	bool ended = lookup != NULL && local_resolver_run(local);

	dane_host_lookup_free(lookup);
	if (run.facts == NULL && (ended || lookup == NULL))
		log_error("out of memory");
	return run.facts;
}
