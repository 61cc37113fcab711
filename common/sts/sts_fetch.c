#include "common/sts/sts_fetch.h"

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/sts/sts_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	/* Downloads that wait for their turn; the oldest one is given up for one more. */
	WAITING_MAX = 4096,
	ADDRESSES_MAX = 8, /* of each family that are tried */
	/* [ms] For connection and TLS handshake, and for all, if there is another address to try.
	 */
	CONNECT_LIMIT = 5000,
	ATTEMPT_LIMIT = 20000,
	/*
	 * [us] A download makes room for another one if its server was silent for so long, or if it
	 * has lasted so long. A policy is small: a working server needs less. The first is for a
	 * new download, the second for one that made room itself before.
	 */
	SILENT_MAX = 400 * 1000,
	SILENT_MAX_AGAIN = 1000 * 1000,
	SLOW_MAX = 5 * 1000 * 1000,
	ROOM_CHECK = 100 * 1000, /* [us] between two looks for room while downloads wait */
	/* Of libcurl, beside one for each connection: its own, and connections being closed. */
	OWN_DESCRIPTORS = 2 + STS_CLOSING_MAX,
};

enum state { RESOLVING, WAITING, RUNNING, ENDED };

struct address {
	uint8_t bytes[16];
	size_t size; /* 4 or 16 */
};

struct sts_fetch {
	TAILQ_ENTRY(sts_fetch) link; /* in `waiting` or `running` of its fetches */
	struct sts_fetches *fetches;
	sts_fetch_done *done;
	void *context;
	enum state state;
	struct event *deadline;
	uint64_t ends_at;    /* [us] clock_exact_us() */
	uint64_t started_at; /* the same, of the last transfer; 0: there was none */
	struct dns_query *queries[2];
	unsigned pending; /* queries */
	bool refused;     /* an address was a special-purpose one */
	bool unresolved;  /* a query failed */
	bool hopeless;    /* it cannot succeed, for the reason in `error` */
	bool made_room;   /* it was stopped for another one */
	size_t address_count, next;
	struct address addresses[2 * ADDRESSES_MAX];
	struct sts_transfer *transfer;
	char domain[DNS_NAME_SIZE];
	enum sts_outcome outcome; /* of the last attempt */
	char error[STS_FAILURE_SIZE];
};

TAILQ_HEAD(fetch_list, sts_fetch);

struct sts_fetches {
	struct event_base *base;
	struct dns *dns;
	struct sts_transfers *transfers;
	struct sts_fetch_settings settings;
	struct event *room; /* looks for room */
	size_t count, running_max, running_count, waiting_count;
	size_t again_count; /* of the running ones, those that made room before */
	struct fetch_list running, waiting;
};

/* --- the end ------------------------------------------------------------------------------- */

static void note_error(struct sts_fetch *fetch, enum sts_outcome outcome, const char *words)
{
	fetch->outcome = outcome;
	snprintf(fetch->error, sizeof fetch->error, "%s", words);
}

/* Stop what it does. */
static void stop(struct sts_fetch *fetch)
{
	struct sts_fetches *fetches = fetch->fetches;

	if (fetch->state == WAITING) {
		TAILQ_REMOVE(&fetches->waiting, fetch, link);
		fetches->waiting_count--;
	} else if (fetch->state == RUNNING) {
		TAILQ_REMOVE(&fetches->running, fetch, link);
		fetches->running_count--;
		fetches->again_count -= fetch->made_room;
	}
	fetch->state = ENDED;
	for (size_t i = 0; i < 2; i++) {
		if (fetch->queries[i] != NULL)
			dns_query_cancel(fetch->queries[i]);
		fetch->queries[i] = NULL;
	}
	if (fetch->transfer != NULL)
		sts_transfer_cancel(fetch->transfer);
	fetch->transfer = NULL;
}

/* The owner frees the fetch in the callback. */
static void conclude(struct sts_fetch *fetch, struct sts_policy *policy)
{
	struct sts_fetch_result result = {
		.outcome = fetch->outcome, .policy = policy, .error = fetch->error};

	if (policy == NULL && result.outcome == STS_FETCHED)
		result.outcome = STS_BUSY;
	stop(fetch);
	event_del(fetch->deadline);
	fetch->done(fetch->context, &result);
}

static void give_up(struct sts_fetch *fetch, enum sts_outcome outcome, const char *words)
{
	note_error(fetch, outcome, words);
	conclude(fetch, NULL);
}

/* --- turns --------------------------------------------------------------------------------- */

static const char too_many[] = "too many downloads at once";

static void look_for_room(struct sts_fetches *fetches);

static void wait_for_turn(struct sts_fetch *fetch, bool first)
{
	struct sts_fetches *fetches = fetch->fetches;

	fetch->state = WAITING;
	if (first)
		TAILQ_INSERT_HEAD(&fetches->waiting, fetch, link);
	else
		TAILQ_INSERT_TAIL(&fetches->waiting, fetch, link);
	if (++fetches->waiting_count > WAITING_MAX)
		give_up(TAILQ_LAST(&fetches->waiting, fetch_list), STS_BUSY, too_many);
}

static void read_file(struct sts_fetch *fetch, const struct sts_transfer_result *result)
{
	struct sts_policy policy;
	char why[STS_FAILURE_SIZE - 32], words[STS_FAILURE_SIZE];

	if (sts_policy_read(&policy, result->body, result->body_size, why, sizeof why)) {
		fetch->outcome = STS_FETCHED;
		conclude(fetch, &policy);
		sts_policy_clear(&policy);
		return;
	}
	snprintf(words, sizeof words, "the policy is invalid: %s", why);
	give_up(fetch, STS_INVALID, words);
}

static bool may_try_next(enum sts_outcome outcome)
{
	return outcome == STS_NO_CONNECT || outcome == STS_NO_TLS || outcome == STS_TIMEOUT;
}

static void transferred(void *context, const struct sts_transfer_result *result)
{
	struct sts_fetch *fetch = context;
	struct sts_fetches *fetches = fetch->fetches;

	fetch->transfer = NULL;
	stop(fetch);
	if (result->outcome == STS_FETCHED) {
		read_file(fetch, result);
	} else {
		note_error(fetch, result->outcome, result->error);
		if (may_try_next(result->outcome) && ++fetch->next < fetch->address_count)
			wait_for_turn(fetch, true);
		else
			conclude(fetch, NULL);
	}
	look_for_room(fetches);
}

static void start_transfer(struct sts_fetch *fetch)
{
	struct sts_fetches *fetches = fetch->fetches;
	const struct address *address = &fetch->addresses[fetch->next];
	uint64_t now = clock_exact_us();
	uint32_t left = fetch->ends_at > now ? (uint32_t)((fetch->ends_at - now) / 1000) + 1 : 1;
	bool last = fetch->next + 1 == fetch->address_count;

	struct sts_transfer_request request = {
		.domain = fetch->domain,
		.port = fetches->settings.port,
		.address = address->bytes,
		.address_size = address->size,
		.trusted = sts_trust_store(fetches->settings.trust),
		.timeout = last || left < ATTEMPT_LIMIT ? left : ATTEMPT_LIMIT,
		.connect_limit = last || left < CONNECT_LIMIT ? left : CONNECT_LIMIT,
	};
	stop(fetch);
	fetch->transfer = sts_transfer_start(fetches->transfers, &request, transferred, fetch);
	if (fetch->transfer == NULL) {
		give_up(fetch, STS_BUSY, "out of memory");
		return;
	}
	fetch->started_at = now;
	fetch->state = RUNNING;
	TAILQ_INSERT_TAIL(&fetches->running, fetch, link);
	fetches->running_count++;
	fetches->again_count += fetch->made_room;
}

static bool same_address(const struct sts_fetch *one, const struct sts_fetch *other)
{
	const struct address *a = &one->addresses[one->next], *b = &other->addresses[other->next];
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static bool has_free_address(const struct sts_fetches *fetches, const struct sts_fetch *fetch)
{
	const struct sts_fetch *other;
	unsigned same = 0;

	TAILQ_FOREACH(other, &fetches->running, link)
	same += same_address(fetch, other);
	return same < STS_SAME_ADDRESS_MAX;
}

/* Those that made room before leave a quarter of the places to new ones. */
static bool has_share(const struct sts_fetches *fetches, const struct sts_fetch *fetch)
{
	return !fetch->made_room ||
	       fetches->again_count < fetches->running_max - fetches->running_max / 4;
}

static struct sts_fetch *find_next(const struct sts_fetches *fetches)
{
	struct sts_fetch *fetch;

	if (fetches->running_count >= fetches->running_max)
		return NULL;
	TAILQ_FOREACH(fetch, &fetches->waiting, link)
	{
		if (has_share(fetches, fetch) && has_free_address(fetches, fetch))
			break;
	}
	return fetch;
}

/*
 * The running download that was silent longest, if it was too long; otherwise the slowest one. Only
 * one whose place `wanted` can take.
 */
static struct sts_fetch *find_stuck(
	const struct sts_fetches *fetches, const struct sts_fetch *wanted)
{
	uint64_t most = wanted->made_room ? SILENT_MAX_AGAIN : SILENT_MAX, now = clock_exact_us();
	bool free_address = has_free_address(fetches, wanted), share = has_share(fetches, wanted);
	struct sts_fetch *fetch, *slowest = NULL, *stuck = NULL;

	TAILQ_FOREACH(fetch, &fetches->running, link)
	{
		if ((!free_address && !same_address(fetch, wanted)) ||
			(!share && !fetch->made_room))
			continue;
		/* The list has the order in which they were started. */
		if (slowest == NULL)
			slowest = fetch;
		uint64_t active = sts_transfer_active_at(fetch->transfer);
		uint64_t silent = active < now ? now - active : 0;
		if (silent >= most) {
			most = silent;
			stuck = fetch;
		}
	}
	if (stuck == NULL && slowest != NULL && now - slowest->started_at >= SLOW_MAX)
		stuck = slowest;
	return stuck;
}

/* False if every running download makes progress. */
static bool make_room(struct sts_fetches *fetches)
{
	const struct sts_fetch *wanted;
	struct sts_fetch *stuck = NULL;
	bool seen[2] = {false, false}; /* one that can take any place, by `made_room` */

	TAILQ_FOREACH(wanted, &fetches->waiting, link)
	{
		bool any = has_share(fetches, wanted) && has_free_address(fetches, wanted);
		if (any && seen[wanted->made_room])
			continue;
		seen[wanted->made_room] |= any;
		stuck = find_stuck(fetches, wanted);
		if (stuck != NULL)
			break;
	}
	if (stuck == NULL)
		return false;
	stop(stuck);
	stuck->made_room = true;
	note_error(stuck, STS_TIMEOUT, "the server was too slow, and others had to wait");
	if (++stuck->next == stuck->address_count)
		stuck->next = 0;
	wait_for_turn(stuck, false);
	return true;
}

static void look_for_room(struct sts_fetches *fetches)
{
	static const struct timeval delay = {.tv_usec = ROOM_CHECK};
	struct sts_fetch *fetch;

	while (fetches->waiting_count > 0) {
		fetch = find_next(fetches);
		if (fetch != NULL)
			start_transfer(fetch);
		else if (!make_room(fetches))
			break;
	}
	if (fetches->waiting_count > 0 && !evtimer_pending(fetches->room, NULL))
		evtimer_add(fetches->room, &delay);
}

static void room_is_due(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	look_for_room(context);
}

/* --- addresses ----------------------------------------------------------------------------- */

static void take_addresses(struct sts_fetch *fetch, const struct dns_answer *answer, size_t size)
{
	size_t taken = 0;

	for (size_t i = 0; i < answer->record_count && taken < ADDRESSES_MAX; i++) {
		const struct dns_record *record = &answer->records[i];
		struct address *address = &fetch->addresses[fetch->address_count];
		if (record->size != size)
			continue;
		if (!fetch->fetches->settings.private_addresses &&
			sts_address_is_special(record->rdata, size)) {
			fetch->refused = true;
			continue;
		}
		memcpy(address->bytes, record->rdata, size);
		address->size = size;
		fetch->address_count++;
		taken++;
	}
	if (answer->outcome == DNS_FAILED) {
		char words[STS_FAILURE_SIZE];
		struct text text;
		text_init(&text, words, sizeof words);
		text_add_format(&text, "mta-sts.%s %s: %s: ", fetch->domain,
			size == 4 ? "A" : "AAAA", dns_failure_name(answer->failure));
		text_add_escaped(&text, answer->detail, strlen(answer->detail));
		text_mark_cut(&text);
		note_error(fetch, STS_NO_ADDRESS, words);
		fetch->unresolved = true;
	}
}

static void are_resolved(struct sts_fetch *fetch)
{
	struct sts_fetches *fetches = fetch->fetches;

	if (fetch->address_count == 0 && fetch->refused) {
		give_up(fetch, STS_REFUSED, "the policy server has only special-purpose addresses");
		return;
	}
	if (fetch->address_count == 0) {
		if (!fetch->unresolved)
			note_error(fetch, STS_NO_ADDRESS, "the policy server has no address");
		conclude(fetch, NULL);
		return;
	}
	wait_for_turn(fetch, true);
	look_for_room(fetches);
}

/* IPv4 is tried first: a policy server whose IPv6 does not work is more frequent. */
static void answered_ipv4(void *context, const struct dns_answer *answer)
{
	struct sts_fetch *fetch = context;

	fetch->queries[0] = NULL;
	/* Those of IPv6 may be there already; they move behind. */
	struct address ipv6[ADDRESSES_MAX];
	size_t count = fetch->address_count;
	memcpy(ipv6, fetch->addresses, count * sizeof ipv6[0]);
	fetch->address_count = 0;
	take_addresses(fetch, answer, 4);
	memcpy(fetch->addresses + fetch->address_count, ipv6, count * sizeof ipv6[0]);
	fetch->address_count += count;
	if (--fetch->pending == 0)
		are_resolved(fetch);
}

static void answered_ipv6(void *context, const struct dns_answer *answer)
{
	struct sts_fetch *fetch = context;

	fetch->queries[1] = NULL;
	take_addresses(fetch, answer, 16);
	if (--fetch->pending == 0)
		are_resolved(fetch);
}

/* --- one download -------------------------------------------------------------------------- */

static const char no_policy_in_time[] = "no policy in time";

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct sts_fetch *fetch = context;
	struct sts_fetches *fetches = fetch->fetches;

	(void)fd;
	(void)what;
	/* The clock does not tell: this may be called a moment before ends_at. */
	if (fetch->state == WAITING && fetch->started_at == 0)
		note_error(fetch, STS_BUSY, too_many);
	else if (!fetch->hopeless && fetch->outcome != STS_TIMEOUT)
		note_error(fetch, STS_TIMEOUT, no_policy_in_time);
	conclude(fetch, NULL);
	look_for_room(fetches);
}

static bool start(struct sts_fetch *fetch)
{
	static const uint16_t types[2] = {DNS_TYPE_A, DNS_TYPE_AAAA};
	static dns_callback *const answered[2] = {answered_ipv4, answered_ipv6};
	struct timeval limit = {.tv_sec = STS_FETCH_SECONDS};
	char host[DNS_NAME_SIZE + sizeof "mta-sts."];

	fetch->deadline = evtimer_new(fetch->fetches->base, time_is_over, fetch);
	if (fetch->deadline == NULL)
		return false;
	int size = snprintf(host, sizeof host, "mta-sts.%s", fetch->domain);
	if (size > DNS_NAME_MAX || fetch->fetches->settings.trust == NULL) {
		/* It must not be concluded inside sts_fetch_new(). */
		note_error(fetch, STS_NO_TLS, "there are no trusted CAs");
		if (size > DNS_NAME_MAX)
			note_error(fetch, STS_NO_ADDRESS, "the name mta-sts.DOMAIN is too long");
		fetch->hopeless = true;
		limit.tv_sec = 0;
		return evtimer_add(fetch->deadline, &limit) == 0;
	}
	for (size_t i = 0; i < 2; i++) {
		fetch->queries[i] = dns_query_start(
			fetch->fetches->dns, DNS_VIEW_FIRST, host, types[i], answered[i], fetch);
		if (fetch->queries[i] == NULL)
			return false;
		fetch->pending++;
	}
	return evtimer_add(fetch->deadline, &limit) == 0;
}

static void refresh_trust(struct sts_fetches *fetches)
{
	char error[300];

	if (fetches->settings.trust != NULL &&
		!sts_trust_refresh(fetches->settings.trust, error, sizeof error))
		log_warning("[sts] ca_file: %s; the certificates read before are used", error);
}

struct sts_fetch *sts_fetch_new(
	struct sts_fetches *fetches, const char *domain, sts_fetch_done *done, void *context)
{
	struct sts_fetch *fetch =
		fetches->count < STS_FETCHES_MAX ? calloc(1, sizeof *fetch) : NULL;

	if (fetch == NULL)
		return NULL;
	refresh_trust(fetches);
	fetches->count++;
	fetch->fetches = fetches;
	fetch->done = done;
	fetch->context = context;
	fetch->ends_at = clock_exact_us() + UINT64_C(1000000) * STS_FETCH_SECONDS;
	snprintf(fetch->domain, sizeof fetch->domain, "%s", domain);
	note_error(fetch, STS_TIMEOUT, no_policy_in_time);
	if (!start(fetch)) {
		sts_fetch_free(fetch);
		return NULL;
	}
	return fetch;
}

void sts_fetch_free(struct sts_fetch *fetch)
{
	if (fetch == NULL)
		return;
	stop(fetch);
	fetch->fetches->count--;
	if (fetch->deadline != NULL)
		event_free(fetch->deadline);
	free(fetch);
}

/* --- all of them --------------------------------------------------------------------------- */

/* At the start and later, when the downloads begin, the limit of the process is the same. */
static uint32_t running_max(void)
{
	return descriptors_share(STS_RUNNING_MIN, STS_RUNNING_MAX);
}

uint32_t sts_fetch_descriptors(void)
{
	return running_max() + OWN_DESCRIPTORS;
}

struct sts_fetches *sts_fetches_new(struct event_base *base, struct dns *dns)
{
	struct sts_fetches *fetches = calloc(1, sizeof *fetches);

	if (fetches == NULL)
		return NULL;
	fetches->base = base;
	fetches->dns = dns;
	fetches->running_max = running_max();
	TAILQ_INIT(&fetches->running);
	TAILQ_INIT(&fetches->waiting);
	fetches->transfers = sts_transfers_new(base, fetches->running_max);
	fetches->room = evtimer_new(base, room_is_due, fetches);
	if (fetches->transfers == NULL || fetches->room == NULL) {
		sts_fetches_free(fetches);
		return NULL;
	}
	return fetches;
}

void sts_fetches_set(struct sts_fetches *fetches, const struct sts_fetch_settings *settings)
{
	fetches->settings = *settings;
}

size_t sts_fetches_waiting(const struct sts_fetches *fetches)
{
	return fetches->waiting_count;
}

void sts_fetches_free(struct sts_fetches *fetches)
{
	if (fetches == NULL)
		return;
	sts_transfers_free(fetches->transfers);
	if (fetches->room != NULL)
		event_free(fetches->room);
	free(fetches);
}
