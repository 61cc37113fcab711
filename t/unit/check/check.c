/*
 * check: what outcomes of connections and statuses of hosts come to, by table, and what is
 * warned of: checks built here, without a network.
 */
#include "daemon/ctl/check/check_warnings.h"

#include "t/unit/tap.h"

enum { NOW = 1700000000, HOSTS_MAX = 3, ADDRESSES_MAX = 4, RECORDS_MAX = 3 };

/* --- a check made by hand ---------------------------------------------------------------- */

struct made {
	struct server_check check;
	struct server_check_host hosts[HOSTS_MAX];
	struct host_facts facts[HOSTS_MAX];
	struct server_check_address addresses[HOSTS_MAX][ADDRESSES_MAX];
	struct host_tlsa tlsa[HOSTS_MAX][RECORDS_MAX];
	enum tlsa_match matches[HOSTS_MAX][ADDRESSES_MAX][RECORDS_MAX];
};

static struct made made;

static void begin(enum mx_status status, enum dns_security security)
{
	memset(&made, 0, sizeof made);
	made.check.now = NOW;
	made.check.destination.kind = DESTINATION_DOMAIN;
	snprintf(made.check.destination.name, sizeof made.check.destination.name, "example.com");
	made.check.mx.status = status;
	made.check.mx.security = security;
	made.check.hosts = made.hosts;
}

static struct server_check_host *add_host(enum host_status status)
{
	size_t index = made.check.host_count++;
	struct server_check_host *host = &made.hosts[index];

	host->check = &made.check;
	host->facts = &made.facts[index];
	host->facts->status = status;
	host->facts->tlsa = made.tlsa[index];
	host->addresses = made.addresses[index];
	snprintf(host->name, sizeof host->name, "mx%zu.example.com", index);
	return host;
}

static struct server_check_address *add_address(struct server_check_host *host, const char *text,
	enum starttls_outcome outcome, enum starttls_stage stage, bool verified)
{
	size_t index = host->address_count++;
	struct server_check_address *address = &host->addresses[index];

	address->host = host;
	address->finished = true;
	address->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	address->outcome = outcome;
	address->stage = stage;
	address->tls_number = TLS1_3_VERSION;
	address->match.verified = verified;
	snprintf(address->text, sizeof address->text, "%s", text);
	snprintf(address->detail, sizeof address->detail, "detail");
	if (outcome == STARTTLS_DONE)
		address->matches = made.matches[host - made.hosts][index];
	return address;
}

/* A record of 32 octets, and what each address came to with it. */
static void add_record(struct server_check_host *host, uint8_t usage, enum tlsa_match match)
{
	static const uint8_t rdata[4][35] = {{0, 1, 1}, {1, 1, 1}, {2, 1, 1}, {3, 1, 1}};
	size_t index = host->facts->tlsa_count++;

	host->facts->tlsa[index] = (struct host_tlsa){
		.usability = usage < 2 ? TLSA_PKIX_USAGE : TLSA_USABLE,
		.size = 35,
		.rdata = rdata[usage],
	};
	for (size_t i = 0; i < host->address_count; i++) {
		if (host->addresses[i].matches != NULL)
			host->addresses[i].matches[index] = match;
	}
}

static void add_lookup(struct server_check_host *host, uint16_t type, enum dns_outcome outcome,
	uint32_t original_ttl, uint32_t expires)
{
	struct host_question *question = &host->facts->questions[host->facts->question_count++];

	question->type = type;
	question->outcome = outcome;
	question->original_ttl = original_ttl;
	question->signature_expires = expires;
	snprintf(question->name, sizeof question->name, "name");
	snprintf(question->detail, sizeof question->detail, "detail");
}

static void expect(const char *what, const char *expected)
{
	struct check_warnings warnings;
	char words[1024];
	struct text text;

	text_init(&text, words, sizeof words);
	ok(check_warnings_make(&warnings, &made.check), "%s: warnings", what);
	for (size_t i = 0; i < warnings.count; i++) {
		text_add_format(
			&text, "%s%s", i > 0 ? " " : "", check_warning_name(warnings.list[i].kind));
	}
	is_string(words, expected, "%s", what);
	check_warnings_clear(&warnings);
}

/* --- status -------------------------------------------------------------------------------- */

static const struct {
	enum starttls_outcome outcome;
	enum starttls_stage stage;
	bool verified;
	enum check_status expected;
} outcomes[] = {
	{STARTTLS_DONE, STARTTLS_STAGE_DONE, true, CHECK_VERIFIED},
	{STARTTLS_DONE, STARTTLS_STAGE_DONE, false, CHECK_FAILED},
	{STARTTLS_NO_CONNECTION, STARTTLS_STAGE_CONNECT, false, CHECK_UNKNOWN},
	{STARTTLS_TIMED_OUT, STARTTLS_STAGE_CONNECT, false, CHECK_UNKNOWN},
	{STARTTLS_TIMED_OUT, STARTTLS_STAGE_HANDSHAKE, false, CHECK_UNKNOWN},
	{STARTTLS_CLOSED, STARTTLS_STAGE_GREETING, false, CHECK_UNKNOWN},
	{STARTTLS_CLOSED, STARTTLS_STAGE_EHLO, false, CHECK_UNKNOWN},
	{STARTTLS_CLOSED, STARTTLS_STAGE_HANDSHAKE, false, CHECK_FAILED},
	{STARTTLS_TURNED_AWAY, STARTTLS_STAGE_GREETING, false, CHECK_UNKNOWN},
	{STARTTLS_NOT_OFFERED, STARTTLS_STAGE_EHLO, false, CHECK_FAILED},
	{STARTTLS_REFUSED, STARTTLS_STAGE_STARTTLS, false, CHECK_FAILED},
	{STARTTLS_NO_SMTP, STARTTLS_STAGE_GREETING, false, CHECK_UNKNOWN},
	{STARTTLS_NO_TLS, STARTTLS_STAGE_HANDSHAKE, false, CHECK_FAILED},
	{STARTTLS_LOCAL, STARTTLS_STAGE_CONNECT, false, CHECK_UNKNOWN},
};

static void test_outcomes(void)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		begin(MX_FOUND, DNS_SECURE);
		struct server_check_host *host = add_host(HOST_USABLE);
		struct server_check_address *address = add_address(host, "192.0.2.1",
			outcomes[i].outcome, outcomes[i].stage, outcomes[i].verified);
		is_number(check_status_of_address(address), outcomes[i].expected, "%s, %s",
			starttls_outcome_name(outcomes[i].outcome),
			starttls_stage_name(outcomes[i].stage));
		is_number(check_status_of_host(host), outcomes[i].expected, "and the host with it");
		/* Beside one that verifies, only what the server decided counts. */
		add_address(host, "192.0.2.2", STARTTLS_DONE, STARTTLS_STAGE_DONE, true);
		is_number(check_status_of_host(host),
			outcomes[i].expected == CHECK_FAILED ? CHECK_FAILED : CHECK_VERIFIED,
			"beside an address that verifies");
		host->facts->status = HOST_UNUSABLE;
		is_number(
			check_status_of_address(address), CHECK_FAILED, "without a usable record");
		host->facts->status = HOST_NONE;
		is_number(check_status_of_address(address), CHECK_NO_DANE, "without DANE");
	}
}

/* V: usable and verified, F: usable and failed, U: usable and unknown, n: none, u: unusable,
 * x: lookup failed, -: no address */
static const struct {
	enum mx_status status;
	enum dns_security security;
	const char *hosts;
	enum check_status expected;
} checks[] = {
	{MX_FOUND, DNS_SECURE, "V", CHECK_VERIFIED},
	{MX_FOUND, DNS_SECURE, "VV", CHECK_VERIFIED},
	{MX_FOUND, DNS_SECURE, "VF", CHECK_FAILED},
	{MX_FOUND, DNS_SECURE, "VU", CHECK_UNKNOWN},
	{MX_FOUND, DNS_SECURE, "UF", CHECK_FAILED},
	{MX_FOUND, DNS_SECURE, "Vn", CHECK_FAILED},
	{MX_FOUND, DNS_SECURE, "Vu", CHECK_FAILED},
	{MX_FOUND, DNS_SECURE, "u", CHECK_FAILED},
	{MX_FOUND, DNS_SECURE, "Vx", CHECK_UNKNOWN},
	{MX_FOUND, DNS_SECURE, "V-", CHECK_VERIFIED},
	{MX_FOUND, DNS_SECURE, "n", CHECK_NO_DANE},
	{MX_FOUND, DNS_SECURE, "nx", CHECK_UNKNOWN},
	{MX_FOUND, DNS_SECURE, "x", CHECK_UNKNOWN},
	{MX_FOUND, DNS_SECURE, "-", CHECK_NO_DANE},
	{MX_FOUND, DNS_SECURE, "", CHECK_NO_DANE},
	{MX_FOUND, DNS_INSECURE, "V", CHECK_VERIFIED},
	{MX_FOUND, DNS_INSECURE, "Vn", CHECK_FAILED},
	{MX_FOUND, DNS_INSECURE, "n", CHECK_NO_DANE},
	{MX_ABSENT, DNS_INSECURE, "V", CHECK_VERIFIED},
	{MX_NULL, DNS_SECURE, "", CHECK_NO_DANE},
	{MX_NXDOMAIN, DNS_SECURE, "", CHECK_NO_DANE},
	{MX_FAILED, DNS_UNKNOWN, "", CHECK_UNKNOWN},
};

static void add_by_letter(char letter)
{
	struct server_check_host *host = add_host(letter == 'n'   ? HOST_NONE
						  : letter == 'u' ? HOST_UNUSABLE
						  : letter == 'x' ? HOST_FAILED
						  : letter == '-' ? HOST_UNREACHABLE
								  : HOST_USABLE);

	add_address(host, "192.0.2.1", letter == 'U' ? STARTTLS_TIMED_OUT : STARTTLS_DONE,
		STARTTLS_STAGE_DONE, letter == 'V');
}

static void test_checks(void)
{
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		begin(checks[i].status, checks[i].security);
		for (const char *letter = checks[i].hosts; *letter != '\0'; letter++)
			add_by_letter(*letter);
		is_number(check_status_of_all(&made.check), checks[i].expected,
			"MX %s, %s, hosts '%s'", mx_status_name(checks[i].status),
			dns_security_name(checks[i].security), checks[i].hosts);
	}
}

/* --- warnings ------------------------------------------------------------------------------ */

static void test_records(void)
{
	static const struct {
		uint8_t usage;
		enum tlsa_match match;
		const char *expected;
	} rows[] = {
		{3, TLSA_MATCH_YES, ""},
		{3, TLSA_MATCH_ABSENT, ""},
		{2, TLSA_MATCH_ABSENT, "trust-anchor-not-sent"},
		{2, TLSA_MATCH_REJECTED, ""},
		{3, TLSA_MATCH_UNKNOWN, ""},
		{1, TLSA_MATCH_UNUSABLE, "record-unusable"},
		{0, TLSA_MATCH_UNUSABLE, "record-unusable"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(MX_FOUND, DNS_SECURE);
		struct server_check_host *host = add_host(HOST_USABLE);
		add_address(host, "192.0.2.1", STARTTLS_DONE, STARTTLS_STAGE_DONE, true);
		add_record(host, rows[i].usage, rows[i].match);
		expect(tlsa_match_name(rows[i].match), rows[i].expected);
	}
	begin(MX_FOUND, DNS_SECURE);
	struct server_check_host *host = add_host(HOST_USABLE);
	add_address(host, "192.0.2.1", STARTTLS_TIMED_OUT, STARTTLS_STAGE_CONNECT, false);
	add_record(host, 3, TLSA_MATCH_ABSENT);
	expect("nothing is said of records where nobody answered", "");
	begin(MX_FOUND, DNS_SECURE);
	host = add_host(HOST_USABLE);
	add_address(host, "192.0.2.1", STARTTLS_DONE, STARTTLS_STAGE_DONE, true);
	add_address(host, "192.0.2.2", STARTTLS_DONE, STARTTLS_STAGE_DONE, true);
	add_record(host, 3, TLSA_MATCH_ABSENT);
	host->addresses[1].matches[0] = TLSA_MATCH_YES;
	expect("one address with it is enough", "");
	add_record(host, 3, TLSA_MATCH_ABSENT);
	expect("beside one that matches, one that does not is stale", "record-stale");
}

static void test_families(void)
{
	begin(MX_FOUND, DNS_SECURE);
	struct server_check_host *host = add_host(HOST_USABLE);
	add_address(host, "192.0.2.1", STARTTLS_DONE, STARTTLS_STAGE_DONE, true);
	add_address(host, "2001:db8::1", STARTTLS_NO_CONNECTION, STARTTLS_STAGE_CONNECT, false);
	add_address(host, "2001:db8::2", STARTTLS_TIMED_OUT, STARTTLS_STAGE_CONNECT, false);
	expect("a family that fails is reported once", "family-fails");
	add_address(host, "2001:db8::3", STARTTLS_DONE, STARTTLS_STAGE_DONE, true);
	expect("in part, address by address", "address-fails address-fails");
	begin(MX_FOUND, DNS_SECURE);
	host = add_host(HOST_USABLE);
	add_address(host, "192.0.2.1", STARTTLS_NO_CONNECTION, STARTTLS_STAGE_CONNECT, false);
	add_address(host, "2001:db8::1", STARTTLS_NO_CONNECTION, STARTTLS_STAGE_CONNECT, false);
	expect("what fails altogether is in the status", "");
	begin(MX_FOUND, DNS_SECURE);
	host = add_host(HOST_USABLE);
	add_address(host, "192.0.2.1", STARTTLS_NOT_OFFERED, STARTTLS_STAGE_EHLO, false);
	add_address(host, "192.0.2.2", STARTTLS_NOT_OFFERED, STARTTLS_STAGE_EHLO, false);
	expect("no STARTTLS is reported once", "no-starttls");
	begin(MX_FOUND, DNS_SECURE);
	host = add_host(HOST_USABLE);
	add_address(host, "192.0.2.1", STARTTLS_DONE, STARTTLS_STAGE_DONE, true)->tls_number =
		TLS1_VERSION;
	expect("an old version of TLS", "old-tls");
}

static void test_dns(void)
{
	static const struct {
		const char *name;
		uint32_t original_ttl, expires;
		enum dns_outcome outcome;
		const char *expected;
	} rows[] = {
		{"nothing to say", 3600, NOW + 30 * 86400, DNS_FOUND, ""},
		{"not signed", 0, 0, DNS_FOUND, ""},
		{"a day", 86400, 0, DNS_FOUND, ""},
		{"over a day", 86401, 0, DNS_FOUND, "ttl-over-a-day"},
		{"fourteen days left", 3600, NOW + 14 * 86400, DNS_FOUND, "signature-expires"},
		{"a second more", 3600, NOW + 14 * 86400 + 1, DNS_FOUND, ""},
		{"expired", 3600, NOW - 1, DNS_FOUND, "signature-expires"},
		{"failed", 0, 0, DNS_FAILED, "lookup-failed"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(MX_FOUND, DNS_SECURE);
		add_lookup(add_host(HOST_USABLE), DNS_TYPE_TLSA, rows[i].outcome,
			rows[i].original_ttl, rows[i].expires);
		expect(rows[i].name, rows[i].expected);
	}
	begin(MX_FOUND, DNS_INSECURE);
	add_by_letter('V');
	expect("insecure MX records", "mx-insecure");
	begin(MX_FOUND, DNS_SECURE);
	made.check.mx.signature_expires = NOW + 86400;
	add_by_letter('V');
	expect("the signature of MX records", "signature-expires");
	begin(MX_FOUND, DNS_SECURE);
	add_by_letter('V');
	add_by_letter('n');
	add_by_letter('-');
	expect("a partial deployment and a host without address", "partial no-address");
	begin(MX_FOUND, DNS_SECURE);
	add_by_letter('n');
	add_by_letter('n');
	expect("no deployment at all", "");
}

static void test_many(void)
{
	begin(MX_FOUND, DNS_SECURE);
	struct server_check_host *host = add_host(HOST_USABLE);
	struct host_tlsa *records = calloc(2 * CHECK_WARNINGS_MAX, sizeof *records);
	struct check_warnings warnings;

	add_record(host, 1, TLSA_MATCH_UNUSABLE);
	for (size_t i = 0; i < 2 * CHECK_WARNINGS_MAX; i++)
		records[i] = host->facts->tlsa[0];
	host->facts->tlsa = records;
	host->facts->tlsa_count = 2 * CHECK_WARNINGS_MAX;
	ok(check_warnings_make(&warnings, &made.check) && warnings.count == CHECK_WARNINGS_MAX,
		"there is an end to warnings");
	check_warnings_clear(&warnings);
	free(records);
}

int main(void)
{
	test_outcomes();
	test_checks();
	test_records();
	test_families();
	test_dns();
	test_many();
	return done_testing();
}
