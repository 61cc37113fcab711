/*
 * Implements RFC 7672 2.2.2 and 2.2.3, and RFC 7671 7 (at which name TLSA records are looked up).
 *
 * The queries are a small table of slots. After each answer advance() reads the table from the top
 * and either starts the next query or concludes. There is no other state, so all rules are in one
 * place, in the order in which they apply.
 */
#include "common/dane/host_lookup.h"

#include "common/dane/destination.h"
#include "common/dane/tlsa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/*
	 * The addresses of one family are enough to continue. When nothing else is missing, the
	 * other family gets this much more time [s] before it counts as failed: name servers that
	 * answer for one family only must not use up the whole [resolver] timeout.
	 */
	OTHER_FAMILY_WAIT = 2,
};

enum question { ASK_A, ASK_AAAA, ASK_CNAME, ASK_TLSA_CANONICAL, ASK_TLSA_ORIGINAL, QUESTION_COUNT };

struct slot {
	struct dane_host_lookup *lookup;
	struct dns_query *query; /* while it waits for the answer, otherwise NULL */
	bool answered;
	bool alias;
	struct host_question result;
};

struct dane_host_lookup {
	struct lookup_settings settings;
	dane_host_callback *callback;
	void *context;
	struct event *deadline;
	struct event *other_family; /* OTHER_FAMILY_WAIT */
	bool over;                  /* the deadline has passed: start no more queries */
	uint16_t port;
	char name[DNS_NAME_SIZE];
	struct slot slots[QUESTION_COUNT];
	/* The TLSA records that are used. One allocation: their table, then all RDATA. */
	size_t tlsa_count;
	struct host_tlsa *tlsa;
};

static void advance(struct dane_host_lookup *lookup);

static void copy(char *out, size_t size, const char *string)
{
	snprintf(out, size, "%s", string);
}

static void fail_slot(struct slot *slot, enum dns_failure failure, const char *detail)
{
	slot->answered = true;
	slot->result.outcome = DNS_FAILED;
	slot->result.security = DNS_UNKNOWN;
	slot->result.failure = failure;
	copy(slot->result.detail, sizeof slot->result.detail, detail);
}

static void keep_addresses(struct host_question *result, const struct dns_answer *answer)
{
	uint16_t size = result->type == DNS_TYPE_A ? 4 : 16;

	for (size_t i = 0; i < answer->record_count && result->address_count < PART_ADDRESSES_MAX;
		i++) {
		if (answer->records[i].size == size)
			memcpy(result->addresses[result->address_count++], answer->records[i].rdata,
				size);
	}
}

static bool keep_tlsa(struct dane_host_lookup *lookup, const struct dns_answer *answer)
{
	size_t size = 0;

	for (size_t i = 0; i < answer->record_count; i++)
		size += sizeof(struct host_tlsa) + answer->records[i].size;
	struct host_tlsa *tlsa = malloc(size);
	if (tlsa == NULL)
		return false;
	uint8_t *rdata = (uint8_t *)(tlsa + answer->record_count);
	for (size_t i = 0; i < answer->record_count; i++) {
		struct tlsa_record record;
		memcpy(rdata, answer->records[i].rdata, answer->records[i].size);
		tlsa[i].usability = (uint8_t)tlsa_parse(rdata, answer->records[i].size, &record);
		tlsa[i].size = answer->records[i].size;
		tlsa[i].rdata = rdata;
		rdata += answer->records[i].size;
	}
	free(lookup->tlsa);
	lookup->tlsa = tlsa;
	lookup->tlsa_count = answer->record_count;
	return true;
}

static void take_answer(void *context, const struct dns_answer *answer)
{
	struct slot *slot = context;
	struct dane_host_lookup *lookup = slot->lookup;
	struct host_question *result = &slot->result;
	enum question question = (enum question)(slot - lookup->slots);

	slot->query = NULL;
	slot->answered = true;
	slot->alias = answer->alias;
	result->outcome = answer->outcome;
	result->security = answer->security;
	result->failure = answer->failure;
	result->ttl = answer->ttl;
	result->signature_expires = answer->signature_expires;
	result->original_ttl = answer->original_ttl;
	copy(result->detail, sizeof result->detail, answer->detail);
	if (answer->alias)
		copy(result->canonical_name, sizeof result->canonical_name, answer->canonical_name);
	if (answer->outcome == DNS_FOUND) {
		if (question <= ASK_AAAA)
			keep_addresses(result, answer);
		else if (question >= ASK_TLSA_CANONICAL && answer->security == DNS_SECURE &&
			 !keep_tlsa(lookup, answer))
			fail_slot(slot, DNS_FAILURE_LOCAL, "out of memory");
	}
	advance(lookup);
}

static void ask(
	struct dane_host_lookup *lookup, enum question question, const char *name, uint16_t type)
{
	struct slot *slot = &lookup->slots[question];

	slot->result.type = type;
	copy(slot->result.name, sizeof slot->result.name, name);
	if (lookup->over) {
		fail_slot(slot, DNS_FAILURE_TIMEOUT, "no time was left for this query");
		return;
	}
	slot->query = dns_query_start(
		lookup->settings.dns, lookup->settings.view, name, type, take_answer, slot);
	if (slot->query == NULL)
		fail_slot(slot, DNS_FAILURE_LOCAL, "out of memory");
}

static bool found(const struct slot *slot)
{
	return slot->answered && slot->result.outcome == DNS_FOUND;
}

static bool found_secure(const struct slot *slot)
{
	return found(slot) && slot->result.security == DNS_SECURE;
}

static bool failed(const struct slot *slot)
{
	return slot->answered && slot->result.outcome == DNS_FAILED;
}

static bool waiting(const struct slot *slot)
{
	return slot->query != NULL;
}

/* The lowest TTL of all answers that did not fail. */
static uint32_t least_ttl(const struct dane_host_lookup *lookup)
{
	uint32_t ttl = UINT32_MAX;

	for (int i = 0; i < QUESTION_COUNT; i++) {
		const struct slot *slot = &lookup->slots[i];
		if (slot->answered && !failed(slot) && slot->result.ttl < ttl)
			ttl = slot->result.ttl;
	}
	return ttl == UINT32_MAX ? 0 : ttl;
}

/* Give up an address family that delays everything else. */
static void give_up_addresses(struct dane_host_lookup *lookup)
{
	for (int i = ASK_A; i <= ASK_AAAA; i++) {
		struct slot *slot = &lookup->slots[i];
		if (waiting(slot)) {
			dns_query_cancel(slot->query);
			slot->query = NULL;
			fail_slot(slot, DNS_FAILURE_TIMEOUT, "no answer in time");
		}
	}
}

static void other_family_is_late(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	give_up_addresses(context);
	advance(context);
}

static void limit_wait(struct dane_host_lookup *lookup)
{
	static const struct timeval wait = {.tv_sec = OTHER_FAMILY_WAIT};
	if (!evtimer_pending(lookup->other_family, NULL))
		evtimer_add(lookup->other_family, &wait);
}

/*
 * The status is known: report it, or wait a little for the other address family. `failed_slot` is
 * the query that failed, for HOST_FAILED; `base_domain` is the name whose TLSA records are used,
 * for HOST_USABLE and HOST_UNUSABLE.
 */
static void conclude(struct dane_host_lookup *lookup, enum host_status status,
	const struct slot *failed_slot, const char *base_domain)
{
	const struct slot *a = &lookup->slots[ASK_A], *aaaa = &lookup->slots[ASK_AAAA];

	if (waiting(a) || waiting(aaaa)) {
		limit_wait(lookup);
		return;
	}
	struct host_facts *facts = calloc(1, sizeof *facts);
	struct host_facts nothing = {
		.status = HOST_FAILED,
		.failure = {.failure = DNS_FAILURE_LOCAL, .detail = "out of memory"},
	};
	event_del(lookup->deadline);
	event_del(lookup->other_family);
	if (facts == NULL) {
		copy(nothing.failure.name, sizeof nothing.failure.name, lookup->name);
		lookup->callback(lookup->context, &nothing);
		return;
	}
	facts->status = status;
	facts->ttl = least_ttl(lookup);
	facts->uncertain = status == HOST_NONE && (failed(a) || failed(aaaa));
	for (int i = 0; i < QUESTION_COUNT; i++) {
		if (lookup->slots[i].answered)
			facts->questions[facts->question_count++] = lookup->slots[i].result;
	}
	if (failed_slot != NULL) {
		const struct host_question *result = &failed_slot->result;

		facts->failure.failure = result->failure;
		facts->failure.type = result->type;
		copy(facts->failure.name, sizeof facts->failure.name, result->name);
		copy(facts->failure.detail, sizeof facts->failure.detail, result->detail);
	}
	if (base_domain != NULL) {
		copy(facts->base_domain, sizeof facts->base_domain, base_domain);
		facts->tlsa_count = lookup->tlsa_count;
		facts->tlsa = lookup->tlsa;
	}
	/* The owner frees the lookup in this call. */
	lookup->callback(lookup->context, facts);
	free(facts);
}

/* Does the secure TLSA RRset, which is not empty, contain a usable record? */
static enum host_status check_tlsa(const struct dane_host_lookup *lookup)
{
	for (size_t i = 0; i < lookup->tlsa_count; i++) {
		if (lookup->tlsa[i].usability == TLSA_USABLE)
			return HOST_USABLE;
	}
	return HOST_UNUSABLE;
}

enum step { STEP_WAIT, STEP_NEXT, STEP_DONE };

/* Look up TLSA at one base domain. STEP_NEXT: there are no secure records. */
static enum step try_base_domain(
	struct dane_host_lookup *lookup, enum question question, const char *base_domain)
{
	struct slot *slot = &lookup->slots[question];

	if (!slot->answered && !waiting(slot)) {
		char name[DNS_NAME_SIZE + 16];
		int length = snprintf(name, sizeof name, "_%u._tcp.%s", lookup->port, base_domain);
		if (length > DNS_NAME_MAX)
			return STEP_NEXT;
		ask(lookup, question, name, DNS_TYPE_TLSA);
	}
	if (waiting(slot))
		return STEP_WAIT;
	if (failed(slot)) {
		/* RFC 7672 2.1.2: treat the host as unreachable. */
		conclude(lookup, HOST_FAILED, slot, NULL);
		return STEP_DONE;
	}
	if (!found_secure(slot))
		return STEP_NEXT;
	conclude(lookup, check_tlsa(lookup), NULL, base_domain);
	return STEP_DONE;
}

/* No address is secure. True if the host is a secure alias (RFC 7672 2.2.3): look up TLSA at it. */
static bool consider_insecure(struct dane_host_lookup *lookup)
{
	struct slot *a = &lookup->slots[ASK_A], *aaaa = &lookup->slots[ASK_AAAA];
	struct slot *cname = &lookup->slots[ASK_CNAME];

	if (waiting(a) || waiting(aaaa)) {
		if (found(a) || found(aaaa))
			limit_wait(lookup);
		return false;
	}
	if (!found(a) && !found(aaaa)) {
		const struct slot *failed_slot = failed(a) ? a : failed(aaaa) ? aaaa : NULL;
		conclude(lookup, failed_slot != NULL ? HOST_FAILED : HOST_UNREACHABLE, failed_slot,
			NULL);
		return false;
	}
	if (!(found(a) && a->alias) && !(found(aaaa) && aaaa->alias)) {
		conclude(lookup, HOST_NONE, NULL, NULL);
		return false;
	}
	if (!cname->answered && !waiting(cname))
		ask(lookup, ASK_CNAME, lookup->name, DNS_TYPE_CNAME);
	if (waiting(cname))
		return false;
	if (failed(cname)) {
		conclude(lookup, HOST_FAILED, cname, NULL);
		return false;
	}
	if (!found_secure(cname)) {
		conclude(lookup, HOST_NONE, NULL, NULL);
		return false;
	}
	return true;
}

static void advance(struct dane_host_lookup *lookup)
{
	const struct slot *a = &lookup->slots[ASK_A], *aaaa = &lookup->slots[ASK_AAAA];
	const struct slot *secure = found_secure(a) ? a : found_secure(aaaa) ? aaaa : NULL;

	if (secure == NULL) {
		if (!consider_insecure(lookup))
			return;
	} else if (secure->alias) {
		/* RFC 7671 7: first at the end of the alias chain, then at the original name. */
		enum step step =
			try_base_domain(lookup, ASK_TLSA_CANONICAL, secure->result.canonical_name);
		if (step != STEP_NEXT)
			return;
	}
	if (try_base_domain(lookup, ASK_TLSA_ORIGINAL, lookup->name) == STEP_NEXT)
		conclude(lookup, HOST_NONE, NULL, NULL);
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct dane_host_lookup *lookup = context;

	(void)fd;
	(void)what;
	lookup->over = true;
	for (int i = 0; i < QUESTION_COUNT; i++) {
		struct slot *slot = &lookup->slots[i];
		if (waiting(slot)) {
			dns_query_cancel(slot->query);
			slot->query = NULL;
			fail_slot(slot, DNS_FAILURE_TIMEOUT, "no answer in time");
		}
	}
	advance(lookup);
}

struct dane_host_lookup *dane_host_lookup_new(const struct lookup_settings *settings,
	const char *name, uint16_t port, dane_host_callback *callback, void *context)
{
	struct timeval timeout = {.tv_sec = settings->timeout};
	struct dane_host_lookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL)
		return NULL;
	lookup->settings = *settings;
	lookup->callback = callback;
	lookup->context = context;
	lookup->port = port;
	copy(lookup->name, sizeof lookup->name, name);
	for (int i = 0; i < QUESTION_COUNT; i++)
		lookup->slots[i].lookup = lookup;
	lookup->deadline = evtimer_new(settings->base, time_is_over, lookup);
	lookup->other_family = evtimer_new(settings->base, other_family_is_late, lookup);
	if (lookup->deadline == NULL || lookup->other_family == NULL ||
		evtimer_add(lookup->deadline, &timeout) != 0) {
		dane_host_lookup_free(lookup);
		return NULL;
	}
	ask(lookup, ASK_A, name, DNS_TYPE_A);
	ask(lookup, ASK_AAAA, name, DNS_TYPE_AAAA);
	if (!waiting(&lookup->slots[ASK_A]) || !waiting(&lookup->slots[ASK_AAAA])) {
		/* Out of memory: nothing calls back inside this function. */
		dane_host_lookup_free(lookup);
		return NULL;
	}
	return lookup;
}

void dane_host_lookup_free(struct dane_host_lookup *lookup)
{
	if (lookup == NULL)
		return;
	for (int i = 0; i < QUESTION_COUNT; i++) {
		if (waiting(&lookup->slots[i]))
			dns_query_cancel(lookup->slots[i].query);
	}
	if (lookup->deadline != NULL)
		event_free(lookup->deadline);
	if (lookup->other_family != NULL)
		event_free(lookup->other_family);
	free(lookup->tlsa);
	free(lookup);
}

void dane_host_lookup_pending(const struct dane_host_lookup *lookup, struct part_failure *failure)
{
	memset(failure, 0, sizeof *failure);
	failure->failure = DNS_FAILURE_TIMEOUT;
	copy(failure->detail, sizeof failure->detail, "no answer in time");
	copy(failure->name, sizeof failure->name, lookup->name);
	failure->type = DNS_TYPE_A;
	/* If several queries wait, report the last one in the order of the table. */
	for (int i = 0; i < QUESTION_COUNT; i++) {
		if (waiting(&lookup->slots[i])) {
			failure->type = lookup->slots[i].result.type;
			copy(failure->name, sizeof failure->name, lookup->slots[i].result.name);
		}
	}
}
