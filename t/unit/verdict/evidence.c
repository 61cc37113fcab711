/*
 * evidence: lists the needed hosts from a destination and its MX part; collects from all parts the
 * facts for decide(), the earliest expiry, whether a refresh is due, and the failure to report.
 */
#include "common/verdict/evidence.h"

#include "t/unit/parts.h"

enum { PARTS_MAX = 8 };

/* Evidence and the bytes that it points to. */
struct sample {
	struct destination destination;
	struct evidence evidence;
	uint8_t *bytes[PARTS_MAX];
	size_t count;
};

static void begin(struct sample *sample, const char *key)
{
	memset(sample, 0, sizeof *sample);
	sample->evidence.destination = &sample->destination;
	if (destination_parse(key, strlen(key), &sample->destination) != DESTINATION_OK)
		bail_out("no destination");
}

static void end(struct sample *sample)
{
	while (sample->count > 0)
		free(sample->bytes[--sample->count]);
}

static void add_mx(struct sample *sample, enum mx_status status, struct mx_host *hosts,
	size_t count, const struct part_times *times)
{
	struct mx_set set = {
		.status = status, .security = DNS_SECURE, .hosts = hosts, .host_count = count};

	parts_fail(
		&set.failure, DNS_FAILURE_BOGUS, DNS_TYPE_MX, "example.com", "signature expired");
	sample->bytes[sample->count++] =
		parts_mx(&sample->evidence.mx, &set, times, sample->evidence.destination->name);
}

static void add_host(struct sample *sample, size_t index, enum host_status status,
	const struct part_times *times)
{
	struct evidence_host *host = &sample->evidence.hosts[index];
	struct host_facts facts;
	char name[DNS_NAME_SIZE];

	snprintf(name, sizeof name, "%.*s", host->name_size, host->name);
	parts_host_facts(&facts, status, name, NULL, 0);
	sample->bytes[sample->count++] = parts_host(&host->part, &facts, times, name, 25);
}

static bool host_is(
	const struct evidence *evidence, size_t index, unsigned preference, const char *name)
{
	const struct evidence_host *host = &evidence->hosts[index];
	return index < evidence->host_count && host->preference == preference &&
	       host->name_size == strlen(name) && memcmp(host->name, name, host->name_size) == 0;
}

static struct mx_host three[] = {
	{10, "mx1.example.com"}, {10, "mx2.example.com"}, {65535, "mx3.example.org"}};

static void test_list(void)
{
	struct part_times times = parts_times();
	struct sample sample;

	begin(&sample, "[mx.example.com]:587");
	evidence_list_hosts(&sample.evidence);
	ok(sample.evidence.host_count == 1 && host_is(&sample.evidence, 0, 0, "mx.example.com"),
		"a host is its own host");
	ok(sample.evidence.hosts[0].name == sample.evidence.destination->name,
		"its name is in the destination");
	end(&sample);

	begin(&sample, "example.com");
	add_mx(&sample, MX_FOUND, three, 3, &times);
	evidence_list_hosts(&sample.evidence);
	ok(sample.evidence.host_count == 3 && host_is(&sample.evidence, 0, 10, "mx1.example.com") &&
			host_is(&sample.evidence, 1, 10, "mx2.example.com") &&
			host_is(&sample.evidence, 2, 65535, "mx3.example.org"),
		"a domain has the hosts of its MX set, in their order");
	end(&sample);

	begin(&sample, "example.com");
	add_mx(&sample, MX_ABSENT, NULL, 0, &times);
	evidence_list_hosts(&sample.evidence);
	ok(sample.evidence.host_count == 1 && host_is(&sample.evidence, 0, 0, "example.com"),
		"a domain without MX is its own host");
	end(&sample);

	for (enum mx_status status = MX_NULL; status <= MX_FAILED; status++) {
		begin(&sample, "example.com");
		sample.evidence.host_count = 5;
		add_mx(&sample, status, NULL, 0, &times);
		evidence_list_hosts(&sample.evidence);
		ok(sample.evidence.host_count == 0, "MX %s leads to no host",
			mx_status_name(status));
		end(&sample);
	}

	begin(&sample, "example.com");
	add_mx(&sample, MX_FOUND, NULL, 0, &times);
	evidence_list_hosts(&sample.evidence);
	ok(sample.evidence.host_count == 0, "an MX set of no host has none");
	end(&sample);
}

/* The largest number of hosts, and a part that was cut. */
static void test_list_limits(void)
{
	static struct mx_host hosts[PART_HOSTS_MAX];
	struct part_times times = parts_times();
	struct sample sample;

	for (size_t i = 0; i < PART_HOSTS_MAX; i++) {
		hosts[i].preference = (uint16_t)i;
		snprintf(hosts[i].name, sizeof hosts[i].name, "mx%zu.example.com", i);
	}
	begin(&sample, "example.com");
	add_mx(&sample, MX_FOUND, hosts, PART_HOSTS_MAX, &times);
	evidence_list_hosts(&sample.evidence);
	ok(sample.evidence.host_count == PART_HOSTS_MAX &&
			host_is(&sample.evidence, 0, 0, "mx0.example.com") &&
			host_is(&sample.evidence, 99, 99, "mx99.example.com"),
		"a hundred hosts");
	many_begin("a part that was cut lists no host that is not there");
	size_t whole = sample.evidence.mx.size;
	for (size_t cut = PART_HEADER_SIZE; cut < whole; cut += 3) {
		uint8_t *piece = malloc(cut);
		memcpy(piece, sample.bytes[0], cut);
		if (!part_open(&sample.evidence.mx, PART_MX, piece, cut))
			bail_out("a cut part does not open");
		evidence_list_hosts(&sample.evidence);
		many(sample.evidence.host_count < PART_HOSTS_MAX, "cut after %zu bytes: %zu hosts",
			cut, sample.evidence.host_count);
		for (size_t i = 0; i < sample.evidence.host_count; i++) {
			const struct evidence_host *host = &sample.evidence.hosts[i];
			many((const uint8_t *)host->name + host->name_size <= piece + cut,
				"cut after %zu bytes: host %zu", cut, i);
		}
		free(piece);
	}
	many_end();
	end(&sample);
}

static void test_facts(void)
{
	struct part_times times = parts_times(), stale = parts_times();
	struct decide_facts facts;
	struct sample sample;

	stale.flags = PART_STALE;
	begin(&sample, "example.com");
	add_mx(&sample, MX_FOUND, three, 3, &times);
	evidence_list_hosts(&sample.evidence);
	add_host(&sample, 0, HOST_USABLE, &times);
	add_host(&sample, 1, HOST_FAILED, &times);
	add_host(&sample, 2, HOST_NONE, &times);
	memset(&facts, 0x5a, sizeof facts);
	evidence_facts(&sample.evidence, &facts);
	ok(facts.kind == DESTINATION_DOMAIN && facts.mx_status == MX_FOUND &&
			facts.mx_security == DNS_SECURE && !facts.stale && facts.host_count == 3 &&
			facts.hosts[0] == HOST_USABLE && facts.hosts[1] == HOST_FAILED &&
			facts.hosts[2] == HOST_NONE,
		"a domain's facts");
	end(&sample);

	for (int which = 0; which < 4; which++) {
		begin(&sample, "example.com");
		add_mx(&sample, MX_FOUND, three, 3, which == 0 ? &stale : &times);
		evidence_list_hosts(&sample.evidence);
		for (int i = 0; i < 3; i++)
			add_host(&sample, (size_t)i, HOST_USABLE, which == i + 1 ? &stale : &times);
		evidence_facts(&sample.evidence, &facts);
		ok(facts.stale, "part %d is stale: so is the evidence", which);
		end(&sample);
	}

	begin(&sample, "example.com");
	add_mx(&sample, MX_FAILED, NULL, 0, &times);
	evidence_list_hosts(&sample.evidence);
	evidence_facts(&sample.evidence, &facts);
	ok(facts.mx_status == MX_FAILED && facts.mx_failure == DNS_FAILURE_BOGUS &&
			facts.host_count == 0,
		"why the MX lookup failed is among the facts");
	end(&sample);

	/* The MX member must be ignored for a `[host]`. */
	begin(&sample, "[mx.example.com]");
	memset(&sample.evidence.mx, 0xff, sizeof sample.evidence.mx);
	evidence_list_hosts(&sample.evidence);
	add_host(&sample, 0, HOST_UNUSABLE, &times);
	memset(&facts, 0x5a, sizeof facts);
	evidence_facts(&sample.evidence, &facts);
	ok(facts.kind == DESTINATION_HOST && !facts.stale && facts.host_count == 1 &&
			facts.hosts[0] == HOST_UNUSABLE,
		"a host's facts");
	end(&sample);
}

/* Times in seconds from PARTS_NOW of an MX part and two host parts. */
static const struct {
	const char *name;
	uint32_t expires[3], refresh[3];
	uint32_t first;
} times_rows[] = {
	{"the MX set expires first", {10, 20, 30}, {9, 19, 29}, 10},
	{"the first host does", {20, 10, 30}, {19, 9, 29}, 10},
	{"the last host does", {20, 30, 10}, {19, 29, 9}, 10},
	{"all at once", {10, 10, 10}, {5, 5, 5}, 10},
	{"a refresh long before", {100, 200, 300}, {90, 180, 1}, 100},
};

static void test_times(void)
{
	for (size_t row = 0; row < sizeof times_rows / sizeof times_rows[0]; row++) {
		struct part_times times[3];
		struct sample sample;
		uint32_t due = UINT32_MAX;

		for (int i = 0; i < 3; i++) {
			times[i] = parts_times();
			times[i].expires = PARTS_NOW + times_rows[row].expires[i];
			times[i].refresh_at = PARTS_NOW + times_rows[row].refresh[i];
			if (times[i].refresh_at < due)
				due = times[i].refresh_at;
		}
		begin(&sample, "example.com");
		add_mx(&sample, MX_FOUND, three, 2, &times[0]);
		evidence_list_hosts(&sample.evidence);
		add_host(&sample, 0, HOST_USABLE, &times[1]);
		add_host(&sample, 1, HOST_USABLE, &times[2]);
		is_number(evidence_expires(&sample.evidence), PARTS_NOW + times_rows[row].first,
			"%s", times_rows[row].name);
		ok(!evidence_refresh_due(&sample.evidence, due - 1) &&
				evidence_refresh_due(&sample.evidence, due) &&
				evidence_refresh_due(&sample.evidence, due + 1000),
			"%s: a refresh is due when the first part wants one", times_rows[row].name);
		end(&sample);
	}
	struct part_times times = parts_times();
	struct sample sample;
	begin(&sample, "[mx.example.com]");
	evidence_list_hosts(&sample.evidence);
	add_host(&sample, 0, HOST_USABLE, &times);
	is_number(evidence_expires(&sample.evidence), times.expires,
		"a host expires with its part: an MX part that is not there does not count");
	ok(!evidence_refresh_due(&sample.evidence, times.refresh_at - 1) &&
			evidence_refresh_due(&sample.evidence, times.refresh_at),
		"and is refreshed with it");
	end(&sample);
}

static void test_failure(void)
{
	struct part_times times = parts_times();
	struct part_failure failure;
	struct sample sample;

	begin(&sample, "example.com");
	add_mx(&sample, MX_FOUND, three, 3, &times);
	evidence_list_hosts(&sample.evidence);
	for (size_t i = 0; i < 3; i++)
		add_host(&sample, i, HOST_NONE, &times);
	ok(!evidence_failure(&sample.evidence, &failure) && !evidence_has_failure(&sample.evidence),
		"nothing failed");
	add_host(&sample, 1, HOST_FAILED, &times);
	ok(evidence_failure(&sample.evidence, &failure) &&
			failure.failure == DNS_FAILURE_SERVFAIL && failure.type == DNS_TYPE_TLSA &&
			strcmp(failure.name, "_25._tcp.mx2.example.com") == 0,
		"the host that failed is reported");
	ok(evidence_has_failure(&sample.evidence), "some part tells of a failure");
	end(&sample);

	begin(&sample, "example.com");
	add_mx(&sample, MX_FAILED, NULL, 0, &times);
	evidence_list_hosts(&sample.evidence);
	ok(evidence_failure(&sample.evidence, &failure) && failure.failure == DNS_FAILURE_BOGUS &&
			failure.type == DNS_TYPE_MX && strcmp(failure.name, "example.com") == 0 &&
			strcmp(failure.detail, "signature expired") == 0,
		"the MX lookup that failed is reported");
	ok(evidence_has_failure(&sample.evidence), "some part tells of a failure");
	end(&sample);

	/* The MX member must be ignored for a `[host]`. */
	begin(&sample, "[mx.example.com]");
	memset(&sample.evidence.mx, 0xff, sizeof sample.evidence.mx);
	evidence_list_hosts(&sample.evidence);
	add_host(&sample, 0, HOST_NONE, &times);
	ok(!evidence_has_failure(&sample.evidence) && !evidence_failure(&sample.evidence, &failure),
		"a host has no MX lookup that could fail");
	end(&sample);
}

/* --- MTA-STS ------------------------------------------------------------------------------- */

static const char *const policy_lines[PARTS_LINES_MAX][2] = {{"version", "STSv1"},
	{"mode", "enforce"}, {"mx", "mx1.example.com"}, {"mx", "*.example.net"},
	{"max_age", "86400"}};

static void test_sts(void)
{
	static struct mx_host hosts[] = {{10, "mx1.example.com"}, {20, "mx2.example.com"},
		{30, "a.example.net"}, {40, "a.b.example.net"}, {50, "example.net"}};
	static const bool matches[] = {true, false, true, false, false};
	struct part_times times = parts_times(), late = times;
	struct parts_sts policy;
	struct decide_facts facts;
	struct sample sample;

	begin(&sample, "example.com");
	add_mx(&sample, MX_FOUND, hosts, sizeof hosts / sizeof hosts[0], &times);
	evidence_list_hosts(&sample.evidence);
	for (size_t i = 0; i < sample.evidence.host_count; i++)
		add_host(&sample, i, HOST_NONE, &times);
	evidence_facts(&sample.evidence, &facts);
	ok(facts.sts == STS_ABSENT, "without a part there is no policy");
	late.refresh_at = times.refresh_at - 10;
	late.expires = times.expires - 10;
	parts_sts_facts(&policy, STS_ENFORCE, policy_lines);
	uint8_t *bytes = parts_sts(&sample.evidence.sts, &policy.facts, &late, "example.com");
	sample.evidence.has_sts = evidence_sts_is_whole(&sample.evidence.sts);
	ok(sample.evidence.has_sts, "a policy that can be used");
	evidence_facts(&sample.evidence, &facts);
	ok(facts.sts == STS_ENFORCE, "its mode is a fact");
	is_number(evidence_expires(&sample.evidence), late.expires, "it is the first to expire");
	ok(evidence_refresh_due(&sample.evidence, late.refresh_at) &&
			!evidence_refresh_due(&sample.evidence, late.refresh_at - 1),
		"and to be refreshed");
	for (size_t i = 0; i < sample.evidence.host_count; i++)
		ok(evidence_host_matches_sts(&sample.evidence, i) == matches[i], "%s matches: %s",
			hosts[i].name, matches[i] ? "yes" : "no");
	ok(evidence_matches_sts(&sample.evidence), "some host matches");
	evidence_list_hosts(&sample.evidence);
	ok(!sample.evidence.has_sts, "a new list of hosts begins without a policy");
	free(bytes);
	parts_sts_facts(&policy, STS_ENFORCE, policy_lines + 3);
	bytes = parts_sts(&sample.evidence.sts, &policy.facts, &late, "example.com");
	sample.evidence.host_count = 2;
	ok(!evidence_matches_sts(&sample.evidence), "no host matches");
	free(bytes);
	end(&sample);
}

/* What no lookup stores. */
static void test_bad_sts(void)
{
	static const struct {
		const char *what;
		enum sts_status status;
		const char *lines[PARTS_LINES_MAX][2];
		bool whole;
	} rows[] = {
		{"a policy", STS_ENFORCE, {{"mx", "mx.example.com"}}, true},
		{"a wildcard", STS_ENFORCE, {{"mx", "*.example.com"}}, true},
		{"enforce without a pattern", STS_ENFORCE, {{"mode", "enforce"}}, false},
		{"testing without a pattern", STS_TESTING, {{"mode", "testing"}}, true},
		{"none without a pattern", STS_NONE, {{"mode", "none"}}, true},
		{"no policy", STS_ABSENT, {{NULL}}, true},
		{"an empty pattern", STS_ENFORCE, {{"mx", ""}}, false},
		{"a blank", STS_ENFORCE, {{"mx", "mx.example.com may"}}, false},
		{"a colon", STS_ENFORCE, {{"mx", "mx.example.com:nexthop"}}, false},
		{"a wildcard inside", STS_ENFORCE, {{"mx", "mx.*.example.com"}}, false},
		{"upper case", STS_ENFORCE, {{"mx", "MX.example.com"}}, false},
		{"a second one is bad", STS_ENFORCE, {{"mx", "mx.example.com"}, {"mx", "\x01"}},
			false},
	};
	struct part_times times = parts_times();
	struct parts_sts policy;
	struct part part;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		parts_sts_facts(&policy, rows[i].status, rows[i].lines);
		uint8_t *bytes = parts_sts(&part, &policy.facts, &times, "example.com");
		ok(evidence_sts_is_whole(&part) == rows[i].whole, "%s can be used: %s",
			rows[i].what, rows[i].whole ? "yes" : "no");
		free(bytes);
	}
	many_begin("a part that was cut cannot be used");
	parts_sts_facts(&policy, STS_ENFORCE, policy_lines);
	uint8_t *bytes = parts_sts(&part, &policy.facts, &times, "example.com");
	for (size_t size = part.size - 1; size > PART_HEADER_SIZE; size--) {
		part.size = size;
		many(!evidence_sts_is_whole(&part), "cut after %zu bytes", size);
	}
	many_end();
	free(bytes);
}

int main(void)
{
	test_list();
	test_list_limits();
	test_facts();
	test_times();
	test_failure();
	test_sts();
	test_bad_sts();
	return done_testing();
}
