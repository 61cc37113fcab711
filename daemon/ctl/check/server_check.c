#include "daemon/ctl/check/server_check.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "daemon/ctl/frame/ip_address.h"
#include "daemon/ctl/tlsa/host_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/*
	 * Connections open at the same time. The usual limit is 1024 descriptors, and the resolver
	 * needs some of them.
	 */
	CONNECTIONS_MAX = 256,
	/*
	 * The time for all connections together, as a multiple of --timeout: enough for two rounds
	 * of connections.
	 */
	TIMEOUTS_MAX = 3,
	/* Records of one host that are matched one by one against each chain. */
	RECORDS_MATCHED_MAX = 100,
};

static void continue_check(struct server_check *check);

static void stop_out_of_memory(struct server_check *check)
{
	check->out_of_memory = true;
	local_resolver_stop(check->local);
}

/* --- connections --------------------------------------------------------------------------- */

static bool prepare(void *context, SSL *ssl)
{
	struct server_check_address *address = context;
	const struct server_check_host *host = address->host;

	return host->facts->status != HOST_USABLE || tlsa_match_prepare(ssl, &host->terms);
}

/* Tries each record alone, because the handshake reports only one record that matched. */
static bool match_records(struct server_check_address *address)
{
	const struct server_check_host *host = address->host;
	size_t count = host->terms.tlsa_count;

	address->matches = calloc(count + 1, sizeof *address->matches);
	address->record_results = calloc(count + 1, sizeof *address->record_results);
	if (address->matches == NULL || address->record_results == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		address->matches[i] = TLSA_MATCH_UNKNOWN;
		if (i < RECORDS_MATCHED_MAX && sk_X509_num(address->chain) > 0)
			address->matches[i] = tlsa_match_record(host->check->context, &host->terms,
				i, address->chain, &address->record_results[i]);
	}
	return true;
}

static bool take_tls(struct server_check_address *address, SSL *ssl)
{
	snprintf(address->tls_version, sizeof address->tls_version, "%s", SSL_get_version(ssl));
	snprintf(address->cipher, sizeof address->cipher, "%s", SSL_get_cipher_name(ssl));
	address->tls_number = SSL_version(ssl);
	address->chain = server_connection_chain(ssl);
	if (address->chain == NULL)
		return false;
	if (address->host->facts->status != HOST_USABLE)
		return true;
	tlsa_match_read(ssl, &address->host->terms, address->chain, &address->match);
	return match_records(address);
}

static void take_result(void *context, const struct starttls_result *result)
{
	struct server_check_address *address = context;
	struct server_check *check = address->host->check;

	address->finished = true;
	address->outcome = result->outcome;
	address->stage = result->stage;
	snprintf(address->detail, sizeof address->detail, "%s", result->detail);
	check->connection_count--;
	if (result->outcome == STARTTLS_DONE && !take_tls(address, result->ssl))
		stop_out_of_memory(check);
	else
		continue_check(check);
}

static void connect_to(struct server_check_address *address)
{
	struct server_check_host *host = address->host;
	struct server_check *check = host->check;
	struct starttls_terms terms = {
		.base = check->local->base,
		.context = check->context,
		/* RFC 7672 8.1; RFC 8461 7.1 */
		.server_name =
			host->facts->status == HOST_USABLE ? host->terms.names[0] : host->name,
		.helo = server_connection_helo(),
		.protocol = check->options.protocol,
		.timeout = check->options.timeout,
		.prepare = prepare,
	};

	address->started = true;
	ip_address_parse(
		address->text, check->destination.port, &terms.address, &terms.address_size);
	address->starttls = starttls_new(&terms, take_result, address);
	if (address->starttls == NULL)
		stop_out_of_memory(check);
	else
		check->connection_count++;
}

/* Starts connections up to CONNECTIONS_MAX; stops the loop when all have ended. */
static void continue_check(struct server_check *check)
{
	bool left = check->mx_lookup != NULL || check->hosts_left > 0 ||
		    (check->sts.started && !check->sts.ended);

	for (size_t i = 0; i < check->host_count; i++) {
		for (size_t j = 0; j < check->hosts[i].address_count; j++) {
			struct server_check_address *address = &check->hosts[i].addresses[j];
			if (!address->started && check->connection_count < CONNECTIONS_MAX)
				connect_to(address);
			left = left || !address->finished;
		}
	}
	if (!left)
		local_resolver_stop(check->local);
}

/*
 * Ends all connections that are running. A host whose lookup has not ended is not affected: its
 * addresses are connected to later and restart the deadline.
 */
static void take_deadline(evutil_socket_t fd, short what, void *context)
{
	struct server_check *check = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < check->host_count; i++) {
		for (size_t j = 0; j < check->hosts[i].address_count; j++) {
			struct server_check_address *address = &check->hosts[i].addresses[j];
			if (address->finished)
				continue;
			if (address->starttls != NULL)
				check->connection_count--;
			starttls_free(address->starttls);
			address->starttls = NULL;
			address->finished = address->started = true;
			address->outcome = STARTTLS_TIMED_OUT;
			snprintf(address->detail, sizeof address->detail,
				"no time was left for this address; a larger --timeout gives more");
		}
	}
	continue_check(check);
}

/* --- hosts --------------------------------------------------------------------------------- */

/* The names that a certificate issued by a trust anchor may have (RFC 7672 3.2.2). */
static void set_terms(struct server_check_host *host)
{
	const struct server_check *check = host->check;
	const struct host_facts *facts = host->facts;
	struct tlsa_match_terms *terms = &host->terms;
	bool trusted_mx = check->destination.kind == DESTINATION_DOMAIN &&
			  check->mx.status == MX_FOUND && check->mx.security == DNS_SECURE;

	terms->tlsa = facts->tlsa;
	terms->tlsa_count = facts->tlsa_count;
	terms->names[terms->name_count++] =
		facts->base_domain[0] != '\0' ? facts->base_domain : host->name;
	if (!dns_name_equal(terms->names[0], host->name))
		terms->names[terms->name_count++] = host->name;
	if (trusted_mx && !dns_name_equal(check->destination.name, host->name))
		terms->names[terms->name_count++] = check->destination.name;
}

static void add_address(struct server_check_host *host, const char *text)
{
	struct server_check_address *address = &host->addresses[host->address_count++];

	address->host = host;
	address->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	snprintf(address->text, sizeof address->text, "%s", text);
}

/*
 * Lists the addresses to connect to. A host whose lookup failed has none: no sender would connect
 * to it.
 */
static bool list_addresses(struct server_check_host *host)
{
	const struct server_check_options *options = &host->check->options;
	const struct host_facts *facts = host->facts;
	char text[INET6_ADDRSTRLEN];

	if (options->mx_only || facts->status == HOST_FAILED || facts->status == HOST_UNREACHABLE)
		return true;
	host->addresses =
		calloc((size_t)PART_QUESTIONS_MAX * PART_ADDRESSES_MAX, sizeof *host->addresses);
	if (host->addresses == NULL)
		return false;
	if (options->connect != NULL) {
		add_address(host, options->connect);
		return true;
	}
	for (size_t i = 0; i < facts->question_count; i++) {
		const struct host_question *question = &facts->questions[i];
		if ((question->type != DNS_TYPE_A || options->ipv6_only) &&
			(question->type != DNS_TYPE_AAAA || options->ipv4_only))
			continue;
		for (size_t j = 0; j < question->address_count; j++) {
			add_address(host, host_facts_print_address(question, j, text));
		}
	}
	return true;
}

static void take_facts(void *context, const struct host_facts *facts)
{
	struct server_check_host *host = context;
	struct server_check *check = host->check;
	struct timeval limit = {.tv_sec = (time_t)check->options.timeout * TIMEOUTS_MAX};

	host->facts = host_facts_copy(facts);
	dane_host_lookup_free(host->lookup);
	host->lookup = NULL;
	if (host->facts == NULL) {
		stop_out_of_memory(check);
		return;
	}
	set_terms(host);
	if (!list_addresses(host) || evtimer_add(check->deadline, &limit) != 0) {
		stop_out_of_memory(check);
		return;
	}
	check->hosts_left--;
	continue_check(check);
}

static bool look_up_host(struct server_check *check, struct server_check_host *host,
	const char *name, uint16_t preference)
{
	struct lookup_settings settings = local_resolver_settings(check->local);

	host->check = check;
	host->preference = preference;
	snprintf(host->name, sizeof host->name, "%.*s", DESTINATION_NAME_MAX, name);
	host->lookup =
		dane_host_lookup_new(&settings, name, check->destination.port, take_facts, host);
	return host->lookup != NULL;
}

static bool look_up_hosts(struct server_check *check, size_t count, const struct mx_host *hosts)
{
	check->hosts = calloc(count + 1, sizeof *check->hosts);
	if (check->hosts == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!look_up_host(check, &check->hosts[i], hosts[i].name, hosts[i].preference))
			return false;
		check->host_count++;
		check->hosts_left++;
	}
	return true;
}

/* The destination is its own host: `[host]`, or a domain without MX (RFC 5321 5.1). */
static bool look_up_itself(struct server_check *check)
{
	struct mx_host host = {.preference = 0};

	memcpy(host.name, check->destination.name, sizeof host.name);
	return look_up_hosts(check, 1, &host);
}

static void take_policy(void *context)
{
	continue_check(context);
}

/* RFC 8461 3.4: the policy domain of a host in brackets is its name. */
static bool look_up_policy(struct server_check *check)
{
	return sts_check_start(&check->sts, check->local, check->destination.name,
		check->options.timeout, take_policy, check);
}

static void take_mx(void *context, const struct mx_set *set)
{
	struct server_check *check = context;
	bool good = true;

	check->mx = *set;
	check->mx.hosts = NULL;
	if (set->status == MX_FOUND)
		good = look_up_hosts(check, set->host_count, set->hosts) && look_up_policy(check);
	else if (set->status == MX_ABSENT)
		good = look_up_itself(check) && look_up_policy(check);
	dane_mx_lookup_free(check->mx_lookup);
	check->mx_lookup = NULL;
	if (good)
		continue_check(check);
	else
		stop_out_of_memory(check);
}

/* --- the certificates for MTA-STS ---------------------------------------------------------- */

/* At the end, since a policy may come later than the certificates. False when out of memory. */
static bool match_policy(struct server_check *check)
{
	if (!sts_check_has_patterns(&check->sts))
		return true;
	for (size_t i = 0; i < check->host_count; i++) {
		struct server_check_host *host = &check->hosts[i];
		host->pattern = sts_check_find_pattern(&check->sts, host->name);
		for (size_t j = 0; host->pattern != NULL && j < host->address_count; j++) {
			struct server_check_address *address = &host->addresses[j];
			if (address->outcome == STARTTLS_DONE &&
				!web_match_chain(sts_trust_store(check->sts.trust), host->name,
					check->now, address->chain, &address->web))
				return false;
		}
	}
	return true;
}

/* --- all of it ----------------------------------------------------------------------------- */

static bool begin(struct server_check *check)
{
	struct lookup_settings settings = local_resolver_settings(check->local);

	check->context = tlsa_match_context_new();
	check->deadline = evtimer_new(check->local->base, take_deadline, check);
	if (check->context == NULL || check->deadline == NULL)
		return false;
	if (check->destination.kind == DESTINATION_HOST)
		return look_up_itself(check) && look_up_policy(check);
	check->mx_lookup = dane_mx_lookup_new(&settings, check->destination.name, take_mx, check);
	return check->mx_lookup != NULL;
}

bool server_check_run(struct server_check *check, struct local_resolver *local,
	const struct destination *destination, const struct server_check_options *options)
{
	memset(check, 0, sizeof *check);
	check->local = local;
	check->destination = *destination;
	check->options = *options;
	check->dane_behind_insecure_mx = local->conf->sts.insecure_mx == INSECURE_MX_DANE;
	check->out_of_memory = !begin(check);
	bool ended = !check->out_of_memory && local_resolver_run(local);
	check->now = clock_wall();
	if (ended && !check->out_of_memory)
		check->out_of_memory = !match_policy(check);
	if (check->out_of_memory)
		log_error("out of memory");
	return ended && !check->out_of_memory;
}

static void clear_host(struct server_check_host *host)
{
	dane_host_lookup_free(host->lookup);
	for (size_t i = 0; i < host->address_count; i++) {
		struct server_check_address *address = &host->addresses[i];
		starttls_free(address->starttls);
		sk_X509_pop_free(address->chain, X509_free);
		free(address->matches);
		free(address->record_results);
	}
	free(host->addresses);
	host_facts_free(host->facts);
}

void server_check_clear(struct server_check *check)
{
	dane_mx_lookup_free(check->mx_lookup);
	sts_check_clear(&check->sts);
	for (size_t i = 0; check->hosts != NULL && i < check->host_count; i++)
		clear_host(&check->hosts[i]);
	free(check->hosts);
	if (check->deadline != NULL)
		event_free(check->deadline);
	SSL_CTX_free(check->context);
}
