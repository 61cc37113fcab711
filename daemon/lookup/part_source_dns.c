#include "common/base/clock.h"
#include "common/base/counter.h"
#include "daemon/lookup/part_source.h"

struct dns_state {
	struct part_kind_waiter waiter; /* must be the first member: found() casts it back */
	struct running_part *lookup;
	enum dns_view view;
	struct part old; /* with `has_old` */
	bool has_old;
	void *kind_lookup;
};

static void found(struct part_kind_waiter *waiter, const void *facts)
{
	const struct dns_state *state = (const struct dns_state *)waiter;
	struct running_part *lookup = state->lookup;
	const struct part_kind_row *kind = lookup->kind;
	struct lookup_counters *counters = lookup->lookups->counters;
	struct lifetime_settings settings = part_lookups_lifetimes(lookup->lookups);
	struct part_times times = kind->lifetime(facts, &settings, clock_wall());
	struct part_buffer part = {0};
	bool failed = kind->failed(facts);

	if (state->view == DNS_VIEW_SECOND)
		times.flags |= PART_SECOND_VIEW;
	part.bytes = kind->encode(facts, &times, lookup->key, lookup->key_size, &part.size);
	counter_add(&counters->parts, 1);
	if (failed)
		counter_add(&counters->failures, 1);
	part_source_found(lookup, part, failed);
}

/*
 * The view that was not used last time. A refresh comes before the records expire: the view that
 * was used still has them in its own cache, and would answer without a query.
 */
static enum dns_view other_view(const struct dns_state *state)
{
	if (!state->has_old)
		return DNS_VIEW_FIRST;
	return (state->old.header.flags & PART_SECOND_VIEW) != 0 ? DNS_VIEW_FIRST : DNS_VIEW_SECOND;
}

static void cancel(struct running_part *lookup)
{
	struct dns_state *state = lookup->state;

	lookup->kind->cancel(state->kind_lookup);
	free(state);
	lookup->state = NULL;
}

static bool start(struct running_part *lookup)
{
	struct part_lookups *lookups = lookup->lookups;
	struct dns_state *state = calloc(1, sizeof *state);

	if (state == NULL)
		return false;
	lookup->state = state;
	state->lookup = lookup;
	const struct part_buffer *old = &lookup->old;
	state->has_old = old->bytes != NULL &&
			 part_open(&state->old, lookup->kind->kind, old->bytes, old->size);
	state->view = other_view(state);
	struct part_task task = {
		.lookups = lookups,
		.settings =
			{
				.base = lookups->base,
				.dns = lookups->dns,
				.view = state->view,
				.timeout = lookups->conf->resolver.timeout,
			},
		.subject = &lookup->subject,
		.wish = &lookup->wish,
		.old = state->has_old ? &state->old : NULL,
	};
	state->waiter.found = found;
	state->kind_lookup = lookup->kind->start(&task, &state->waiter);
	if (state->kind_lookup == NULL)
		cancel(lookup);
	return lookup->state != NULL;
}

static void pending(const struct running_part *lookup, struct part_failure *failure)
{
	const struct dns_state *state = lookup->state;
	lookup->kind->pending(state->kind_lookup, failure);
}

const struct part_source part_source_dns = {
	.start = start,
	.cancel = cancel,
	.pending = pending,
};
