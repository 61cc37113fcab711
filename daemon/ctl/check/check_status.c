#include "daemon/ctl/check/check_status.h"

static const char *const status_names[CHECK_STATUS_COUNT] = {
	[CHECK_VERIFIED] = "verified",
	[CHECK_FAILED] = "failed",
	[CHECK_UNKNOWN] = "unknown",
	[CHECK_NO_DANE] = "no-dane",
	[CHECK_PASSED_OVER] = "passed-over",
};

const char *check_status_name(enum check_status status)
{
	return status < CHECK_STATUS_COUNT ? status_names[status] : "unknown";
}

/* --- one address --------------------------------------------------------------------------- */

/*
 * A fault of the server is a failure; a fault of the network is not, since it may be gone at the
 * next attempt. A server that closes the connection during the TLS handshake has failed: a sender
 * with DANE or MTA-STS cannot deliver without TLS.
 */
static enum check_status status_of_outcome(
	const struct server_check_address *address, bool verified)
{
	switch (address->outcome) {
	case STARTTLS_DONE:
		return verified ? CHECK_VERIFIED : CHECK_FAILED;
	case STARTTLS_NOT_OFFERED:
	case STARTTLS_REFUSED:
	case STARTTLS_NO_TLS:
		return CHECK_FAILED;
	case STARTTLS_CLOSED:
		return address->stage == STARTTLS_STAGE_HANDSHAKE ? CHECK_FAILED : CHECK_UNKNOWN;
	default:
		return CHECK_UNKNOWN;
	}
}

static enum check_status dane_status_of_address(const struct server_check_address *address)
{
	switch (address->host->facts->status) {
	case HOST_USABLE:
		return status_of_outcome(address, address->match.verified);
	case HOST_UNUSABLE:
		return CHECK_FAILED;
	case HOST_NONE:
		return CHECK_NO_DANE;
	default:
		return CHECK_UNKNOWN;
	}
}

enum check_status check_sts_status_of_address(const struct server_check_address *address)
{
	if (address->host->pattern == NULL)
		return CHECK_FAILED;
	return status_of_outcome(address, address->web.verified);
}

enum check_status check_status_of_address(const struct server_check_address *address)
{
	enum check_status dane = dane_status_of_address(address);

	if (!check_sts_decides(address->host->check))
		return dane;
	enum check_status sts = check_sts_status_of_address(address);
	if (address->host->facts->status != HOST_USABLE || dane == CHECK_VERIFIED)
		return sts;
	return sts == CHECK_FAILED ? sts : dane;
}

bool check_lacks_record(const struct server_check_address *address)
{
	bool matches = address->host->facts->status == HOST_USABLE && address->match.verified;

	if (check_sts_decides(address->host->check))
		return address->host->facts->status == HOST_USABLE && !matches;
	return !matches;
}

const char *check_status_label(const struct server_check *check, enum check_status status)
{
	if (check->options.mx_only && status == CHECK_VERIFIED)
		return "usable";
	return check_status_name(status);
}

/* --- one host ------------------------------------------------------------------------------ */

/* One address that does not verify makes the host fail: some sender will use that address. */
static enum check_status status_of_addresses(const struct server_check_host *host,
	enum check_status (*status_of)(const struct server_check_address *address))
{
	enum check_status status = CHECK_UNKNOWN;

	if (host->check->options.mx_only)
		return CHECK_VERIFIED;
	for (size_t i = 0; i < host->address_count; i++) {
		enum check_status one = status_of(&host->addresses[i]);
		if (one == CHECK_FAILED)
			return CHECK_FAILED;
		if (one == CHECK_VERIFIED)
			status = CHECK_VERIFIED;
	}
	return status;
}

static enum check_status dane_status_of_host(const struct server_check_host *host)
{
	switch (host->facts->status) {
	case HOST_USABLE:
		return status_of_addresses(host, dane_status_of_address);
	case HOST_UNUSABLE:
		return CHECK_FAILED;
	case HOST_NONE:
		return CHECK_NO_DANE;
	case HOST_UNREACHABLE:
		return CHECK_PASSED_OVER;
	default:
		return CHECK_UNKNOWN;
	}
}

static enum check_status status_under_policy(const struct server_check_host *host,
	enum check_status (*status_of)(const struct server_check_address *address))
{
	if (host->facts->status == HOST_UNREACHABLE)
		return CHECK_PASSED_OVER;
	if (host->pattern == NULL)
		return CHECK_FAILED;
	/* There are no addresses to connect to. */
	if (host->facts->status == HOST_FAILED)
		return CHECK_UNKNOWN;
	return status_of_addresses(host, status_of);
}

enum check_status check_sts_status_of_host(const struct server_check_host *host)
{
	return status_under_policy(host, check_sts_status_of_address);
}

enum check_status check_status_of_host(const struct server_check_host *host)
{
	return check_sts_decides(host->check) ? status_under_policy(host, check_status_of_address)
					      : dane_status_of_host(host);
}

/* --- the destination ----------------------------------------------------------------------- */

static void list_facts(const struct server_check *check, struct decide_facts *facts)
{
	*facts = (struct decide_facts){
		.kind = check->destination.kind,
		.mx_status = check->mx.status,
		.mx_security = check->mx.security,
		.mx_failure = check->mx.failure.failure,
		.sts = check->sts.status,
		.dane_behind_insecure_mx = check->dane_behind_insecure_mx,
		.host_count = check->host_count,
	};
	for (size_t i = 0; i < check->host_count; i++)
		facts->hosts[i] = check->hosts[i].facts->status;
}

struct verdict check_decide(const struct server_check *check)
{
	struct decide_facts facts;

	list_facts(check, &facts);
	return decide(&facts);
}

bool check_sts_decides(const struct server_check *check)
{
	return check_decide(check).reason == REASON_STS_ENFORCE;
}

/* There may be a policy that could not be fetched because of a fault of this host. */
static bool policy_is_unknown(const struct server_check *check)
{
	struct decide_facts facts;

	list_facts(check, &facts);
	return check->sts.local_fault && decide_needs_sts(&facts);
}

/*
 * If DANE applies to some hosts, a host without DANE is a failure: an attacker who blocks the
 * others makes senders use it.
 */
enum check_status check_status_of_all(const struct server_check *check)
{
	struct verdict decided = check_decide(check);
	bool unknown = false;

	if (decided.level == VERDICT_NOTFOUND)
		return policy_is_unknown(check) ? CHECK_UNKNOWN : CHECK_NO_DANE;
	if (decided.level == VERDICT_TEMP)
		return CHECK_UNKNOWN;
	for (size_t i = 0; i < check->host_count; i++) {
		enum check_status status = check_status_of_host(&check->hosts[i]);
		if (status == CHECK_FAILED || status == CHECK_NO_DANE)
			return CHECK_FAILED;
		unknown = unknown || status == CHECK_UNKNOWN;
	}
	return unknown ? CHECK_UNKNOWN : CHECK_VERIFIED;
}

/* --- text ---------------------------------------------------------------------------------- */

static void add_sts(struct text *text, const struct server_check_address *address)
{
	if (address->host->pattern == NULL)
		text_add(text, "; the host matches no pattern of the MTA-STS policy");
	else if (!address->web.verified)
		text_add_format(text, "; %s", address->web.reason);
}

static void add_done(struct text *text, const struct server_check_address *address)
{
	const struct host_facts *facts = address->host->facts;

	text_add_format(text, "%s, %s", address->tls_version, address->cipher);
	if (sk_X509_num(address->chain) == 0)
		text_add(text, "; the server sent no certificate");
	else if (facts->status == HOST_USABLE && !address->match.verified)
		text_add_format(text, "; %s", address->match.reason);
	else if (check_sts_decides(address->host->check))
		add_sts(text, address);
}

void check_address_add_text(struct text *text, const struct server_check_address *address)
{
	switch (address->outcome) {
	case STARTTLS_DONE:
		add_done(text, address);
		return;
	case STARTTLS_NO_CONNECTION:
		text_add_format(text, "no connection: %s", address->detail);
		return;
	case STARTTLS_NOT_OFFERED:
		text_add(text, "STARTTLS is not offered");
		return;
	case STARTTLS_REFUSED:
		text_add_format(text, "STARTTLS is refused: %s", address->detail);
		return;
	case STARTTLS_TURNED_AWAY:
		text_add_format(text, "the server refuses this client: %s", address->detail);
		return;
	case STARTTLS_NO_SMTP:
		text_add_format(text, "the server does not speak SMTP: %s", address->detail);
		return;
	case STARTTLS_NO_TLS:
		text_add_format(text, "the TLS handshake fails: %s", address->detail);
		return;
	default:
		text_add(text, address->detail);
	}
}
