/*
 * Lookups of an MX set and of a host, whose questions are answered from the input, in the order in
 * which they are asked. For each: a byte with the response code (bits 0 to 3), the security status
 * (4 and 5), nothing comes in time (6), and the packet is cut (7); three bytes with the numbers of
 * records in its sections; a length of two bytes; and the octets after the question. The question
 * is made here, so 0xc00c is a pointer to the name asked for.
 *
 * The facts that the lookups find have to survive encoding: the part that the cache would keep says
 * the same.
 */
#include "common/dane/host_lookup.h"
#include "common/dane/mx_lookup.h"
#include "common/part/part.h"

#include "t/fuzz/fuzz.h"
#include "t/unit/packet.h"

enum { QUERIES_MAX = 8, PORT = 25 };

/* --- instead of libunbound: common/dns/dns.h ----------------------------------------------- */

struct dns_query {
	char name[DNS_NAME_SIZE];
	uint16_t type;
	dns_callback *callback;
	void *context;
};

static struct dns_query *waiting[QUERIES_MAX]; /* NULL after the last */

struct dns_query *dns_query_start(struct dns *dns, enum dns_view view, const char *name,
	uint16_t type, dns_callback *callback, void *context)
{
	struct dns_query *query = malloc(sizeof *query);
	size_t i = 0;

	(void)dns, (void)view;
	CHECK(query != NULL && strlen(name) <= DNS_NAME_MAX);
	while (waiting[i] != NULL)
		CHECK(++i < QUERIES_MAX - 1);
	waiting[i] = query;
	snprintf(query->name, sizeof query->name, "%s", name);
	query->type = type;
	query->callback = callback;
	query->context = context;
	return query;
}

static void forget(const struct dns_query *query)
{
	size_t i = 0;

	while (waiting[i] != query)
		CHECK(waiting[i] != NULL && ++i < QUERIES_MAX);
	memmove(waiting + i, waiting + i + 1, (QUERIES_MAX - i - 1) * sizeof waiting[0]);
}

void dns_query_cancel(struct dns_query *query)
{
	forget(query);
	free(query);
}

/* Answer the question that has waited longest. */
static void answer_one(struct fuzz_input *input)
{
	static struct packet packet;
	struct dns_query *query = waiting[0];
	struct dns_answer answer = {.outcome = DNS_FAILED};
	unsigned how = fuzz_u8(input);
	enum dns_security security = (enum dns_security)(how >> 4 & 3);
	size_t got;

	packet_begin(&packet, how & 15, query->name, query->type);
	for (size_t section = PACKET_ANSWER; section <= PACKET_ADDITIONAL; section++)
		packet.bytes[5 + 2 * section] = (uint8_t)fuzz_u8(input);
	const uint8_t *rest = fuzz_take(input, fuzz_u16(input), &got);
	for (size_t i = 0; i < got; i++)
		packet_u8(&packet, rest[i]);
	if ((how & 0x80) != 0)
		packet.bytes[2] |= 0x02;
	uint8_t *bytes = fuzz_copy(packet.bytes, packet.size);
	if ((how & 0x40) != 0)
		dns_answer_fail(&answer, DNS_FAILURE_TIMEOUT, DNS_UNKNOWN, "no answer in time");
	else if (security == DNS_BOGUS)
		dns_answer_fail(&answer, DNS_FAILURE_BOGUS, security, "signature \x07 expired");
	else
		dns_answer_parse(&answer, query->name, query->type, security, bytes, packet.size);
	forget(query);
	query->callback(query->context, &answer);
	dns_answer_clear(&answer);
	free(query);
	free(bytes);
}

/* --- what the lookups find ----------------------------------------------------------------- */

static const struct part_times times = {
	.stored_at = 1700000000, .refresh_at = 1700000100, .expires = 1700000200};

static void check_failure(const struct part *part, const struct part_failure *expected)
{
	struct part_failure failure;

	CHECK(part_failure(part, &failure));
	CHECK(failure.failure == expected->failure && failure.failure > DNS_FAILURE_NONE);
	CHECK(failure.type == expected->type && strcmp(failure.name, expected->name) == 0);
	CHECK(strcmp(failure.detail, expected->detail) == 0);
	CHECK(fuzz_is_printable(failure.detail, strlen(failure.detail)));
}

static bool says(struct part_bytes bytes, const char *string)
{
	return bytes.size == strlen(string) && memcmp(bytes.bytes, string, bytes.size) == 0;
}

static void check_question(struct part_cursor *cursor, const struct host_question *expected)
{
	struct part_question found;

	part_next_question(cursor, &found);
	CHECK(found.type == expected->type && found.outcome == expected->outcome &&
		found.security == expected->security && found.failure == expected->failure);
	CHECK(expected->outcome < DNS_OUTCOME_COUNT && expected->security < DNS_SECURITY_COUNT);
	CHECK(says(found.name, expected->name) && says(found.detail, expected->detail) &&
		says(found.canonical_name, expected->canonical_name));
	CHECK(found.address_count == expected->address_count);
	for (size_t i = 0; i < found.address_count; i++)
		CHECK(memcmp(found.addresses + i * found.address_size, expected->addresses[i],
			      found.address_size) == 0);
}

static bool over;

static void take_host(void *context, const struct host_facts *facts)
{
	struct dane_host_lookup **lookup = context;
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_HOST, "mx.example", 10, PORT);
	struct part_cursor cursor;
	struct part_tlsa tlsa;
	struct part part;
	bool usable = false;

	uint8_t *bytes = part_encode_host(facts, &times, key, key_size, &size);
	CHECK(bytes != NULL && part_intact(bytes, size, key, key_size));
	CHECK(part_open(&part, PART_HOST, bytes, size));
	CHECK(part.header.status == facts->status && part.header.count == facts->question_count);
	part_cursor_start(&part, &cursor);
	CHECK(says(part_base_domain(&cursor), facts->base_domain));
	for (size_t i = 0; i < facts->question_count; i++)
		check_question(&cursor, &facts->questions[i]);
	CHECK(part_tlsa_count(&cursor) == facts->tlsa_count);
	for (size_t i = 0; i < facts->tlsa_count; i++) {
		part_next_tlsa(&cursor, &tlsa);
		CHECK(tlsa.usability == facts->tlsa[i].usability &&
			tlsa.rdata.size == facts->tlsa[i].size &&
			memcmp(tlsa.rdata.bytes, facts->tlsa[i].rdata, tlsa.rdata.size) == 0);
		usable = usable || tlsa.usability == 0;
	}
	CHECK(!cursor.damaged && cursor.at == cursor.end);
	/* RFC 7672 2.2: TLSA records count only where they are secure. */
	CHECK((facts->tlsa_count > 0) ==
		(facts->status == HOST_USABLE || facts->status == HOST_UNUSABLE));
	CHECK(usable == (facts->status == HOST_USABLE));
	CHECK((facts->base_domain[0] != '\0') == (facts->tlsa_count > 0));
	if (facts->status == HOST_FAILED)
		check_failure(&part, &facts->failure);
	free(bytes);
	dane_host_lookup_free(*lookup);
	*lookup = NULL;
	over = true;
}

static void take_mx(void *context, const struct mx_set *set)
{
	struct dane_mx_lookup **lookup = context;
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_MX, "mail.example", 12, 0);
	struct part_cursor cursor;
	struct part_mx_host host;
	struct part part;

	uint8_t *bytes = part_encode_mx(set, &times, key, key_size, &size);
	CHECK(bytes != NULL && part_intact(bytes, size, key, key_size));
	CHECK(part_open(&part, PART_MX, bytes, size) && part.header.status == set->status);
	CHECK(part.header.count == set->host_count && part.header.security == set->security);
	part_cursor_start(&part, &cursor);
	for (size_t i = 0; i < set->host_count; i++) {
		part_next_mx_host(&cursor, &host);
		CHECK(host.preference == set->hosts[i].preference &&
			host.name_size == strlen(set->hosts[i].name) &&
			memcmp(host.name, set->hosts[i].name, host.name_size) == 0);
	}
	CHECK(!cursor.damaged && cursor.at == cursor.end);
	if (set->status == MX_FAILED)
		check_failure(&part, &set->failure);
	free(bytes);
	dane_mx_lookup_free(*lookup);
	*lookup = NULL;
	over = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct event_base *base;
	struct fuzz_input input = {bytes, bytes + size};
	struct dane_host_lookup *host = NULL;
	struct dane_mx_lookup *mx = NULL;

	if (base == NULL)
		base = event_base_new();
	struct lookup_settings settings = {.base = base, .timeout = 60};
	over = false;
	if (fuzz_u8(&input) % 4 == 0)
		mx = dane_mx_lookup_new(&settings, "mail.example", take_mx, &mx);
	else
		host = dane_host_lookup_new(&settings, "mx.example", PORT, take_host, &host);
	CHECK(mx != NULL || host != NULL);
	/* Where the input ends, answers are empty ones. */
	for (unsigned answers = 0; !over && waiting[0] != NULL; answers++) {
		CHECK(answers < QUERIES_MAX);
		answer_one(&input);
	}
	CHECK(over && waiting[0] == NULL && mx == NULL && host == NULL);
	return 0;
}
