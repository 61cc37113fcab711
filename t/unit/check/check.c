/*
 * check: what outcomes of connections, statuses of hosts and MTA-STS policies come to, by table,
 * and what is warned of: checks built here, without a network.
 */
#include "daemon/ctl/check/check_warnings.h"

#include "t/unit/tap.h"

enum { NOW = 1700000000, HOSTS_MAX = 3, ADDRESSES_MAX = 4, RECORDS_MAX = 3 };

/* --- a check made by hand ------------------------------------------------------------------ */

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

/* --- MTA-STS ------------------------------------------------------------------------------- */

static const struct sts_pattern a_pattern = {"*.example.com", 13};

static void set_policy(enum sts_status mode)
{
	made.check.sts.started = made.check.sts.ended = true;
	made.check.sts.status = mode;
	made.check.sts.policy.max_age = 7 * 86400;
	for (size_t i = 0; i < made.check.host_count; i++)
		made.hosts[i].pattern = &a_pattern;
}

static void test_outcomes_under_policy(void)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		begin(MX_FOUND, DNS_SECURE);
		struct server_check_host *host = add_host(HOST_NONE);
		struct server_check_address *address = add_address(
			host, "192.0.2.1", outcomes[i].outcome, outcomes[i].stage, false);
		address->web.verified = outcomes[i].verified;
		set_policy(STS_ENFORCE);
		is_number(check_status_of_address(address), outcomes[i].expected, "enforce: %s, %s",
			starttls_outcome_name(outcomes[i].outcome),
			starttls_stage_name(outcomes[i].stage));
		is_number(check_status_of_host(host), outcomes[i].expected, "and the host with it");
		is_number(check_sts_status_of_host(host), outcomes[i].expected, "and MTA-STS");
		made.check.sts.status = STS_TESTING;
		is_number(check_status_of_address(address), CHECK_NO_DANE, "testing");
		is_number(check_sts_status_of_host(host), outcomes[i].expected, "and MTA-STS");
		made.check.sts.status = STS_ENFORCE;
		host->pattern = NULL;
		is_number(check_status_of_address(address), CHECK_FAILED, "no pattern");
		is_number(check_status_of_host(host), CHECK_FAILED, "and the host");
	}
}

/* The hosts as in `checks`. */
static const struct {
	enum dns_security security;
	enum sts_status sts;
	const char *hosts;
	enum check_status expected;
	const char *web; /* per host: v verifies, f does not, n no pattern */
	enum reason reason;
} policies[] = {
	/* No DANE. */
	{DNS_SECURE, STS_ENFORCE, "n", CHECK_VERIFIED, "v", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "n", CHECK_FAILED, "f", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "n", CHECK_FAILED, "n", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "nn", CHECK_FAILED, "vf", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "nn", CHECK_FAILED, "vn", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "n-", CHECK_VERIFIED, "vn", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "-", CHECK_NO_DANE, "v", REASON_NO_HOST},
	{DNS_SECURE, STS_ENFORCE, "nx", CHECK_UNKNOWN, "vv", REASON_LOOKUP_FAILED},
	{DNS_INSECURE, STS_ENFORCE, "n", CHECK_VERIFIED, "v", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "u", CHECK_VERIFIED, "v", REASON_STS_ENFORCE},
	{DNS_SECURE, STS_ENFORCE, "u", CHECK_FAILED, "f", REASON_STS_ENFORCE},
	/* DANE decides. */
	{DNS_SECURE, STS_ENFORCE, "V", CHECK_VERIFIED, "f", REASON_DANE_FULL},
	{DNS_SECURE, STS_ENFORCE, "V", CHECK_VERIFIED, "n", REASON_DANE_FULL},
	{DNS_SECURE, STS_ENFORCE, "F", CHECK_FAILED, "v", REASON_DANE_FULL},
	{DNS_SECURE, STS_ENFORCE, "Vn", CHECK_FAILED, "vv", REASON_DANE_PARTIAL_STS},
	/* Both. */
	{DNS_INSECURE, STS_ENFORCE, "V", CHECK_VERIFIED, "v", REASON_STS_ENFORCE},
	{DNS_INSECURE, STS_ENFORCE, "V", CHECK_FAILED, "f", REASON_STS_ENFORCE},
	{DNS_INSECURE, STS_ENFORCE, "F", CHECK_FAILED, "v", REASON_STS_ENFORCE},
	{DNS_INSECURE, STS_ENFORCE, "U", CHECK_UNKNOWN, "v", REASON_STS_ENFORCE},
	{DNS_INSECURE, STS_ENFORCE, "Vn", CHECK_VERIFIED, "vv", REASON_STS_ENFORCE},
	{DNS_INSECURE, STS_ENFORCE, "Vn", CHECK_FAILED, "vf", REASON_STS_ENFORCE},
	{DNS_INSECURE, STS_ENFORCE, "Vx", CHECK_UNKNOWN, "vv", REASON_STS_ENFORCE},
	/* Other modes change nothing. */
	{DNS_SECURE, STS_TESTING, "n", CHECK_NO_DANE, "v", REASON_NO_TLSA},
	{DNS_SECURE, STS_TESTING, "V", CHECK_VERIFIED, "f", REASON_DANE_FULL},
	{DNS_SECURE, STS_NONE, "n", CHECK_NO_DANE, "n", REASON_NO_TLSA},
	{DNS_SECURE, STS_ABSENT, "n", CHECK_NO_DANE, "n", REASON_NO_TLSA},
	{DNS_SECURE, STS_FAILED, "n", CHECK_NO_DANE, "n", REASON_NO_TLSA},
	{DNS_SECURE, STS_FAILED, "u", CHECK_FAILED, "n", REASON_DANE_UNUSABLE},
};

static void test_policies(void)
{
	for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
		begin(MX_FOUND, policies[i].security);
		for (const char *letter = policies[i].hosts; *letter != '\0'; letter++)
			add_by_letter(*letter);
		set_policy(policies[i].sts);
		for (size_t j = 0; j < made.check.host_count; j++) {
			made.addresses[j][0].web.verified = policies[i].web[j] == 'v';
			if (policies[i].web[j] == 'n')
				made.hosts[j].pattern = NULL;
		}
		is_number(check_status_of_all(&made.check), policies[i].expected,
			"%s, MX %s, hosts '%s', certificates '%s'",
			sts_status_name(policies[i].sts), dns_security_name(policies[i].security),
			policies[i].hosts, policies[i].web);
		is_string(reason_name(check_decide(&made.check).reason),
			reason_name(policies[i].reason), "and the reason");
	}
}

static void test_policy_options(void)
{
	begin(MX_FOUND, DNS_INSECURE);
	add_by_letter('V');
	set_policy(STS_ENFORCE);
	made.check.dane_behind_insecure_mx = true;
	is_number(check_status_of_all(&made.check), CHECK_VERIFIED, "insecure_mx = dane");
	begin(MX_FOUND, DNS_SECURE);
	add_by_letter('n');
	set_policy(STS_ENFORCE);
	made.check.options.mx_only = true;
	is_number(check_status_of_all(&made.check), CHECK_VERIFIED, "--mx-only: it matches");
	made.hosts[0].pattern = NULL;
	is_number(check_status_of_all(&made.check), CHECK_FAILED, "--mx-only: it does not");
	begin(MX_FOUND, DNS_SECURE);
	add_by_letter('n');
	set_policy(STS_FAILED);
	made.check.sts.local_fault = true;
	is_number(check_status_of_all(&made.check), CHECK_UNKNOWN, "a fault of this host");
	made.check.mx.status = MX_NULL;
	is_number(check_status_of_all(&made.check), CHECK_NO_DANE, "that does not matter");
}

static void test_policy_warnings(void)
{
	static const struct sts_line good = {.key = "mx", .value = "a.b", .value_size = 3};
	static const struct sts_line bad = {
		.key = "mx", .value = "192.0.2.1", .value_size = 9, .left_out = true};
	static const struct {
		enum sts_discovery discovery;
		enum sts_status status;
		const char *expected;
	} rows[] = {
		{STS_NO_RECORD, STS_ABSENT, ""},
		{STS_SEVERAL_RECORDS, STS_ABSENT, "sts-record"},
		{STS_MALFORMED_RECORD, STS_ABSENT, "sts-record"},
		{STS_LOOKUP_FAILED, STS_FAILED, "sts-lookup-failed"},
		{STS_DISCOVERED, STS_FAILED, "sts-not-downloaded"},
		{STS_DISCOVERED, STS_ENFORCE, "sts-certificate"},
		{STS_DISCOVERED, STS_TESTING, "sts-testing sts-certificate"},
		{STS_DISCOVERED, STS_NONE, ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(MX_FOUND, DNS_SECURE);
		add_by_letter('V');
		set_policy(rows[i].status);
		made.check.sts.discovery = rows[i].discovery;
		expect(sts_status_name(rows[i].status), rows[i].expected);
	}
	begin(MX_FOUND, DNS_SECURE);
	add_by_letter('V');
	set_policy(STS_ENFORCE);
	made.addresses[0][0].web.verified = true;
	expect("all is well", "");
	made.check.sts.policy.max_age = 86400;
	expect("a max_age of a day", "");
	made.check.sts.policy.max_age = 86399;
	expect("a shorter one", "sts-max-age");
	made.check.sts.policy.max_age = 86400;
	made.check.sts.policy.lines = (struct sts_line[]){good, bad, bad};
	made.check.sts.policy.line_count = 1;
	expect("a line that counts", "");
	made.check.sts.policy.line_count = 3;
	expect("lines that do not are reported once", "sts-mx-left-out");
	made.check.sts.policy.line_count = 0;
	made.hosts[0].pattern = NULL;
	expect("no pattern", "sts-no-match");
	made.facts[0].status = HOST_UNREACHABLE;
	expect("nor an address", "no-address");
	begin(MX_FOUND, DNS_SECURE);
	struct server_check_host *host = add_host(HOST_NONE);
	add_address(host, "192.0.2.1", STARTTLS_DONE, STARTTLS_STAGE_DONE, false)->web.verified =
		true;
	add_address(host, "2001:db8::1", STARTTLS_DONE, STARTTLS_STAGE_DONE, false);
	set_policy(STS_ENFORCE);
	expect("where MTA-STS decides, a family that fails", "family-fails");
	made.check.sts.status = STS_NONE;
	expect("and where nothing does", "");
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
	test_outcomes_under_policy();
	test_policies();
	test_policy_options();
	test_policy_warnings();
	test_records();
	test_families();
	test_dns();
	test_many();
	return done_testing();
}
