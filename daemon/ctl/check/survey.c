#include "daemon/ctl/check/survey.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "daemon/ctl/frame/ip_address.h"
#include "daemon/ctl/tlsa/host_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Connections at once: well below the usual limit of 1024 descriptors, which the resolver
	 * needs as well. */
	IN_FLIGHT_MAX = 256,
	/* Of all connections, in limits of a single one: two rounds and what is left. */
	ROUNDS_MAX = 3,
	/* Records of one host that are held against each chain one by one. */
	RECORDS_MATCHED_MAX = 100,
};

static void go_on(struct survey *survey);

static void lose_memory(struct survey *survey)
{
	survey->out_of_memory = true;
	local_resolver_stop(survey->local);
}

/* --- connections --------------------------------------------------------------------------- */

static bool prepare(void *context, SSL *ssl)
{
	struct survey_address *address = context;
	const struct survey_host *host = address->host;

	return host->facts->status != HOST_USABLE || tlsa_match_prepare(ssl, &host->terms);
}

/* Which record would match by itself: the handshake knows only one of them. */
static bool match_records(struct survey_address *address)
{
	const struct survey_host *host = address->host;
	size_t count = host->terms.tlsa_count;

	address->matches = calloc(count + 1, sizeof *address->matches);
	address->record_results = calloc(count + 1, sizeof *address->record_results);
	if (address->matches == NULL || address->record_results == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		address->matches[i] = TLSA_MATCH_UNKNOWN;
		if (i < RECORDS_MATCHED_MAX && sk_X509_num(address->chain) > 0)
			address->matches[i] = tlsa_match_record(host->survey->context, &host->terms,
				i, address->chain, &address->record_results[i]);
	}
	return true;
}

static bool take_tls(struct survey_address *address, SSL *ssl)
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
	struct survey_address *address = context;
	struct survey *survey = address->host->survey;

	address->finished = true;
	address->outcome = result->outcome;
	address->stage = result->stage;
	snprintf(address->detail, sizeof address->detail, "%s", result->detail);
	survey->in_flight--;
	if (result->outcome == STARTTLS_DONE && !take_tls(address, result->ssl))
		lose_memory(survey);
	else
		go_on(survey);
}

static void connect_to(struct survey_address *address)
{
	struct survey_host *host = address->host;
	struct survey *survey = host->survey;
	struct starttls_terms terms = {
		.base = survey->local->base,
		.context = survey->context,
		/* RFC 7672 8.1 */
		.server_name = host->terms.names[0],
		.helo = server_connection_helo(),
		.protocol = survey->options.protocol,
		.timeout = survey->options.timeout,
		.prepare = prepare,
	};

	address->started = true;
	ip_address_parse(
		address->text, survey->destination.port, &terms.address, &terms.address_size);
	address->starttls = starttls_new(&terms, take_result, address);
	if (address->starttls == NULL)
		lose_memory(survey);
	else
		survey->in_flight++;
}

/* Begin what there is room for; end when there is nothing left. */
static void go_on(struct survey *survey)
{
	bool left = survey->mx_lookup != NULL || survey->hosts_left > 0;

	for (size_t i = 0; i < survey->host_count; i++) {
		for (size_t j = 0; j < survey->hosts[i].address_count; j++) {
			struct survey_address *address = &survey->hosts[i].addresses[j];
			if (!address->started && survey->in_flight < IN_FLIGHT_MAX)
				connect_to(address);
			left = left || !address->finished;
		}
	}
	if (!left)
		local_resolver_stop(survey->local);
}

static void give_up(evutil_socket_t fd, short what, void *context)
{
	struct survey *survey = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < survey->host_count; i++) {
		for (size_t j = 0; j < survey->hosts[i].address_count; j++) {
			struct survey_address *address = &survey->hosts[i].addresses[j];
			if (address->finished)
				continue;
			starttls_free(address->starttls);
			address->starttls = NULL;
			address->finished = address->started = true;
			address->outcome = STARTTLS_TIMED_OUT;
			snprintf(address->detail, sizeof address->detail,
				"no time was left for this address");
		}
	}
	local_resolver_stop(survey->local);
}

/* --- hosts --------------------------------------------------------------------------------- */

/* RFC 7672 3.2.2: the names that a certificate under a trust anchor may have. */
static void set_terms(struct survey_host *host)
{
	const struct survey *survey = host->survey;
	const struct host_facts *facts = host->facts;
	struct tlsa_match_terms *terms = &host->terms;
	bool trusted_mx = survey->destination.kind == DESTINATION_DOMAIN &&
			  survey->mx.status == MX_FOUND && survey->mx.security == DNS_SECURE;

	terms->tlsa = facts->tlsa;
	terms->tlsa_count = facts->tlsa_count;
	terms->names[terms->name_count++] =
		facts->base_domain[0] != '\0' ? facts->base_domain : host->name;
	if (!dns_name_equal(terms->names[0], host->name))
		terms->names[terms->name_count++] = host->name;
	if (trusted_mx && !dns_name_equal(survey->destination.name, host->name))
		terms->names[terms->name_count++] = survey->destination.name;
}

static void add_address(struct survey_host *host, const char *text)
{
	struct survey_address *address = &host->addresses[host->address_count++];

	address->host = host;
	address->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	snprintf(address->text, sizeof address->text, "%s", text);
}

/* Where to go. To a host whose lookup failed no sender goes. */
static bool list_addresses(struct survey_host *host)
{
	const struct survey_options *options = &host->survey->options;
	const struct host_facts *facts = host->facts;
	char text[INET6_ADDRSTRLEN];

	if (options->mx_only || facts->status == HOST_FAILED || facts->status == HOST_UNREACHABLE)
		return true;
	host->addresses =
		calloc((size_t)PART_LOOKUPS_MAX * PART_ADDRESSES_MAX, sizeof *host->addresses);
	if (host->addresses == NULL)
		return false;
	if (options->connect != NULL) {
		add_address(host, options->connect);
		return true;
	}
	for (size_t i = 0; i < facts->lookup_count; i++) {
		const struct host_lookup_result *lookup = &facts->lookups[i];
		if ((lookup->type != DNS_TYPE_A || options->ipv6_only) &&
			(lookup->type != DNS_TYPE_AAAA || options->ipv4_only))
			continue;
		for (size_t j = 0; j < lookup->address_count; j++) {
			add_address(host, host_lookup_print_address(lookup, j, text));
		}
	}
	return true;
}

static void take_facts(void *context, const struct host_facts *facts)
{
	struct survey_host *host = context;
	struct survey *survey = host->survey;
	struct timeval limit = {.tv_sec = (time_t)survey->options.timeout * ROUNDS_MAX};

	host->facts = host_facts_copy(facts);
	dane_host_lookup_free(host->lookup);
	host->lookup = NULL;
	if (host->facts == NULL) {
		lose_memory(survey);
		return;
	}
	set_terms(host);
	if (!list_addresses(host) || evtimer_add(survey->deadline, &limit) != 0) {
		lose_memory(survey);
		return;
	}
	survey->hosts_left--;
	go_on(survey);
}

static bool look_up_host(
	struct survey *survey, struct survey_host *host, const char *name, uint16_t preference)
{
	struct dane_terms terms = local_resolver_terms(survey->local);

	host->survey = survey;
	host->preference = preference;
	snprintf(host->name, sizeof host->name, "%.*s", DESTINATION_NAME_MAX, name);
	host->lookup =
		dane_host_lookup_new(&terms, name, survey->destination.port, take_facts, host);
	return host->lookup != NULL;
}

static bool look_up_hosts(struct survey *survey, size_t count, const struct mx_host *hosts)
{
	survey->hosts = calloc(count + 1, sizeof *survey->hosts);
	if (survey->hosts == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!look_up_host(survey, &survey->hosts[i], hosts[i].name, hosts[i].preference))
			return false;
		survey->host_count++;
		survey->hosts_left++;
	}
	return true;
}

/* The destination is its own host: `[host]`, or a domain without MX (RFC 5321 5.1). */
static bool look_up_itself(struct survey *survey)
{
	struct mx_host host = {.preference = 0};

	memcpy(host.name, survey->destination.name, sizeof host.name);
	return look_up_hosts(survey, 1, &host);
}

static void take_mx(void *context, const struct mx_set *set)
{
	struct survey *survey = context;
	bool good = true;

	survey->mx = *set;
	survey->mx.hosts = NULL;
	if (set->status == MX_FOUND)
		good = look_up_hosts(survey, set->host_count, set->hosts);
	else if (set->status == MX_ABSENT)
		good = look_up_itself(survey);
	dane_mx_lookup_free(survey->mx_lookup);
	survey->mx_lookup = NULL;
	if (good)
		go_on(survey);
	else
		lose_memory(survey);
}

/* --- all of it ----------------------------------------------------------------------------- */

static bool begin(struct survey *survey)
{
	struct dane_terms terms = local_resolver_terms(survey->local);

	survey->context = tlsa_match_context_new();
	survey->deadline = evtimer_new(survey->local->base, give_up, survey);
	if (survey->context == NULL || survey->deadline == NULL)
		return false;
	if (survey->destination.kind == DESTINATION_HOST)
		return look_up_itself(survey);
	survey->mx_lookup = dane_mx_lookup_new(&terms, survey->destination.name, take_mx, survey);
	return survey->mx_lookup != NULL;
}

bool survey_run(struct survey *survey, struct local_resolver *local,
	const struct destination *destination, const struct survey_options *options)
{
	memset(survey, 0, sizeof *survey);
	survey->local = local;
	survey->destination = *destination;
	survey->options = *options;
	survey->out_of_memory = !begin(survey);
	bool ended = !survey->out_of_memory && local_resolver_run(local);
	if (survey->out_of_memory)
		log_error("out of memory");
	survey->now = clock_wall();
	return ended && !survey->out_of_memory;
}

static void clear_host(struct survey_host *host)
{
	dane_host_lookup_free(host->lookup);
	for (size_t i = 0; i < host->address_count; i++) {
		struct survey_address *address = &host->addresses[i];
		starttls_free(address->starttls);
		sk_X509_pop_free(address->chain, X509_free);
		free(address->matches);
		free(address->record_results);
	}
	free(host->addresses);
	host_facts_free(host->facts);
}

void survey_clear(struct survey *survey)
{
	dane_mx_lookup_free(survey->mx_lookup);
	for (size_t i = 0; survey->hosts != NULL && i < survey->host_count; i++)
		clear_host(&survey->hosts[i]);
	free(survey->hosts);
	if (survey->deadline != NULL)
		event_free(survey->deadline);
	SSL_CTX_free(survey->context);
}
