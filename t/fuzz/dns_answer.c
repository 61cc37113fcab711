/*
 * DNS answers: a byte that chooses the type and the security status, then the packet. The name
 * asked for is the one in the packet's question, so that inputs get beyond it.
 */
#include "common/dns/dns_answer.h"

#include "common/dane/mx_lookup.h"
#include "common/dane/tlsa.h"
#include "common/dns/root_probe.h"
#include "common/sts/sts_record.h"
#include "daemon/ctl/doctor/question.h"
#include "t/fuzz/fuzz.h"

#include <arpa/nameser.h>

static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_MX, DNS_TYPE_TLSA,
	DNS_TYPE_CNAME, DNS_TYPE_NS, DNS_TYPE_TXT};
enum { TYPES = sizeof types / sizeof types[0] };

static bool read_question(const uint8_t *packet, size_t size, char name[NS_MAXDNAME])
{
	ns_msg message;
	ns_rr record;

	if (size > NS_MAXMSG || ns_initparse(packet, (int)size, &message) != 0 ||
		ns_msg_count(message, ns_s_qd) != 1 ||
		ns_parserr(&message, ns_s_qd, 0, &record) != 0)
		return false;
	snprintf(name, NS_MAXDNAME, "%s", ns_rr_name(record));
	return true;
}

static void check_failed(const struct dns_answer *answer)
{
	CHECK(answer->failure > DNS_FAILURE_NONE && answer->failure < DNS_FAILURE_COUNT);
	CHECK(answer->record_count == 0 && answer->records == NULL && answer->ttl == 0);
	CHECK(fuzz_is_printable(answer->detail, strlen(answer->detail)) && answer->detail[0] != 0);
}

static void check_name(const char *name)
{
	size_t size = strnlen(name, DNS_NAME_SIZE);

	CHECK(size < DNS_NAME_SIZE);
	for (size_t i = 0; i < size; i++)
		CHECK(!(name[i] >= 'A' && name[i] <= 'Z'));
}

static void check_records(const struct dns_answer *answer, uint16_t type)
{
	const uint8_t *end = answer->packet + answer->packet_size;

	for (size_t i = 0; i < answer->record_count; i++) {
		const struct dns_record *record = &answer->records[i];
		struct tlsa_record tlsa;
		uint16_t preference;
		char name[DNS_NAME_SIZE];

		CHECK(record->rdata >= answer->packet && record->size <= end - record->rdata);
		if (type == DNS_TYPE_MX && dns_answer_mx(answer, record, &preference, name))
			check_name(name);
		if (type == DNS_TYPE_TLSA &&
			tlsa_parse(record->rdata, record->size, &tlsa) != TLSA_SHORT)
			CHECK(tlsa.data_size + 3 == record->size);
	}
}

static void check_mx_set(const struct dns_answer *answer)
{
	struct mx_set set;

	CHECK(dane_read_mx(answer, "mail.example", &set));
	CHECK(set.status < MX_STATUS_COUNT && set.host_count <= PART_HOSTS_MAX);
	CHECK((set.status == MX_FAILED) == (set.failure.failure != DNS_FAILURE_NONE));
	for (size_t i = 0; i < set.host_count; i++) {
		CHECK(set.status == MX_FOUND && set.hosts[i].name[0] != '\0');
		CHECK(i == 0 || set.hosts[i - 1].preference <= set.hosts[i].preference);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(set.hosts[i].name, set.hosts[j].name) != 0);
	}
	free(set.hosts);
}

static void check(const struct dns_answer *answer, uint16_t type)
{
	CHECK(answer->outcome < DNS_OUTCOME_COUNT);
	if (answer->outcome == DNS_FAILED) {
		check_failed(answer);
		return;
	}
	CHECK(answer->failure == DNS_FAILURE_NONE && answer->detail[0] == '\0');
	CHECK(answer->ttl <= INT32_MAX &&
		(answer->outcome == DNS_FOUND) == (answer->record_count > 0));
	CHECK(answer->record_count <= DNS_RECORDS_MAX);
	CHECK(answer->security == DNS_SECURE ||
		(answer->signature_expires == 0 && answer->original_ttl == 0));
	check_name(answer->canonical_name);
	check_records(answer, type);
}

static void check_sts(const struct dns_answer *answer)
{
	char id[STS_ID_SIZE] = "";
	enum sts_discovery discovery = sts_record_find(answer, id);

	CHECK(discovery < STS_DISCOVERY_COUNT);
	CHECK((discovery == STS_LOOKUP_FAILED) == (answer->outcome == DNS_FAILED));
	CHECK(discovery != STS_DISCOVERED || answer->record_count > 0);
	CHECK(strnlen(id, sizeof id) < sizeof id && fuzz_is_printable(id, strlen(id)));
	CHECK((id[0] != '\0') == (discovery == STS_DISCOVERED));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = {bytes, bytes + size};
	unsigned choice = fuzz_u8(&input);
	uint16_t type = types[choice % TYPES];
	char name[NS_MAXDNAME] = "mail.example";
	struct question_answer seen;
	struct dns_answer answer;

	size = fuzz_left(&input);
	read_question(input.at, size, name);
	dns_answer_parse(&answer, name, type, (enum dns_security)(choice / TYPES) % DNS_UNKNOWN,
		input.at, size);
	check(&answer, type);
	if (type == DNS_TYPE_MX)
		check_mx_set(&answer);
	if (type == DNS_TYPE_TXT)
		check_sts(&answer);
	if (type == DNS_TYPE_NS)
		CHECK(probe_read(&answer) > PROBE_UNKNOWN &&
			probe_read(&answer) < PROBE_RESULT_COUNT);
	dns_answer_clear(&answer);
	question_read(&seen, name, size >= 2 ? (uint16_t)ns_get16(input.at) : 0, input.at, size);
	CHECK(seen.matches || (!seen.found && !seen.is_signed && !seen.edns));
	return 0;
}
