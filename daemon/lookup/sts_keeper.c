#include "daemon/lookup/sts_keeper.h"

#include "common/base/counter.h"
#include "common/sts/sts_update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP_PARTS_MAX = 500,   /* of the cache, read at a time */
	STEP_DELAY = 50 * 1000, /* [us] between two of these */
	ROUND_DELAY = 60,       /* [s] between two rounds through the cache */
	STARTED_MAX = 8,        /* downloads that one step starts */
	WAITING_MAX = 64,       /* with more that wait for their turn it starts none */
};

struct sts_keeper {
	struct part_lookups *lookups;
	struct cache_reader *reader;
	struct event *next;
	struct cache_position position;
	uint64_t counts[STS_MODE_COUNT]; /* of this round */
};

static void begin_round(struct sts_keeper *keeper)
{
	memset(keeper->counts, 0, sizeof keeper->counts);
	/* Just before the first key of an STS policy. */
	keeper->position.key[0] = PART_STS;
	keeper->position.key_size = 1;
}

static void end_round(struct sts_keeper *keeper)
{
	for (size_t i = 0; i < STS_MODE_COUNT; i++)
		counter_set(&keeper->lookups->counters->sts_policies[i], keeper->counts[i]);
	begin_round(keeper);
}

static void refresh(struct sts_keeper *keeper, const struct part_key *key)
{
	static const struct part_wish wish = {.asked = false};
	char name[DNS_NAME_SIZE];
	struct part_subject subject = {.name = name};

	snprintf(name, sizeof name, "%.*s", (int)key->name_size, key->name);
	part_lookups_refresh(keeper->lookups, part_kind_find(PART_STS), &subject, &wish);
}

/* True if there is more. */
static bool step(struct sts_keeper *keeper)
{
	const struct conf *conf = keeper->lookups->conf;
	uint32_t now = cache_clock(keeper->lookups->cache);
	unsigned started = 0, seen = 0;
	struct part_key key;
	struct part part;
	bool more = true;

	while (seen++ < STEP_PARTS_MAX && started < STARTED_MAX) {
		more = cache_read_next(keeper->reader, &keeper->position, &key, &part) &&
		       key.kind == PART_STS;
		if (!more)
			break;
		if (part_fresh(&part.header, now) && sts_has_policy(part.header.status))
			keeper->counts[part.header.status - STS_ENFORCE]++;
		if (conf->sts.enable &&
			sts_fetches_waiting(keeper->lookups->sts_fetches) < WAITING_MAX &&
			sts_update_is_due(&part, now, conf->sts.keep)) {
			refresh(keeper, &key);
			started++;
		}
	}
	cache_read_end(keeper->reader);
	return more;
}

static void go_on(evutil_socket_t fd, short what, void *context)
{
	struct sts_keeper *keeper = context;
	struct timeval delay = {.tv_usec = STEP_DELAY};

	(void)fd;
	(void)what;
	if (!step(keeper)) {
		end_round(keeper);
		delay = (struct timeval){.tv_sec = ROUND_DELAY};
	}
	evtimer_add(keeper->next, &delay);
}

struct sts_keeper *sts_keeper_new(struct part_lookups *lookups)
{
	static const struct timeval soon = {.tv_sec = 1};
	struct sts_keeper *keeper = calloc(1, sizeof *keeper);

	if (keeper == NULL)
		return NULL;
	keeper->lookups = lookups;
	keeper->reader = cache_reader_new(lookups->cache);
	keeper->next = evtimer_new(lookups->base, go_on, keeper);
	begin_round(keeper);
	if (keeper->reader != NULL && keeper->next != NULL && evtimer_add(keeper->next, &soon) == 0)
		return keeper;
	sts_keeper_free(keeper);
	return NULL;
}

void sts_keeper_free(struct sts_keeper *keeper)
{
	if (keeper == NULL)
		return;
	cache_reader_free(keeper->reader);
	if (keeper->next != NULL)
		event_free(keeper->next);
	free(keeper);
}
