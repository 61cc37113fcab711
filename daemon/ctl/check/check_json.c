/*
 * The output of check as JSON. tlsactl(8) describes the members.
 */
#include "common/sts/sts_record.h"
#include "common/verdict/render.h"
#include "daemon/ctl/check/check_print.h"
#include "daemon/ctl/check/suggested_record.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/tlsa/certificate.h"
#include "daemon/ctl/tlsa/host_facts.h"

#include <jansson.h>

enum { WORDS_SIZE = 1024 };

static json_t *failure_json(const struct part_failure *failure)
{
	char words[WORDS_SIZE];
	struct text text;

	text_init(&text, words, sizeof words);
	render_failure(&text, failure);
	return json_string(words);
}

static json_t *mx_json(const struct server_check *check)
{
	const struct mx_set *mx = &check->mx;
	json_t *object = json_object();

	json_object_set_new(object, "status", json_string(mx_status_name(mx->status)));
	json_object_set_new(object, "dnssec", json_string(dns_security_name(mx->security)));
	if (mx->status == MX_FAILED)
		json_object_set_new(object, "failure", failure_json(&mx->failure));
	else
		json_object_set_new(object, "ttl", json_integer(mx->ttl));
	if (mx->signature_expires != 0)
		json_object_set_new(
			object, "signature_expires", json_integer(mx->signature_expires));
	return object;
}

static json_t *publish_json(const struct server_check_address *address)
{
	struct suggested_record records[SUGGESTED_RECORDS_MAX];
	size_t count = suggested_records_make(address, records);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *object = json_object();
		json_object_set_new(object, "line", json_string(records[i].line));
		json_object_set_new(object, "depth", json_integer(records[i].depth));
		json_object_set_new(object, "verifies", json_boolean(records[i].verifies));
		if (!records[i].verifies)
			json_object_set_new(object, "why", json_string(records[i].reason));
		json_array_append_new(array, object);
		suggested_record_clear(&records[i]);
	}
	return array;
}

static void set_tls(json_t *object, const struct server_check_address *address)
{
	json_t *chain = json_array(), *match = json_null();

	json_object_set_new(object, "tls", json_string(address->tls_version));
	json_object_set_new(object, "cipher", json_string(address->cipher));
	for (int i = 0; i < sk_X509_num(address->chain); i++)
		json_array_append_new(chain, certificate_json(sk_X509_value(address->chain, i)));
	json_object_set_new(object, "chain", chain);
	if (address->match.verified && address->match.record != TLSA_MATCH_NO_RECORD)
		match = json_pack("{s:i, s:i, s:o}", "record", address->match.record, "depth",
			address->match.depth, "certificate",
			address->match.position >= 0 ? json_integer(address->match.position)
						     : json_null());
	json_object_set_new(object, "match", match);
	json_object_set_new(object, "publish",
		check_lacks_record(address) ? publish_json(address) : json_array());
}

/* Under MTA-STS alone; null without patterns. */
static json_t *address_sts_json(const struct server_check_address *address)
{
	if (!sts_check_has_patterns(&address->host->check->sts))
		return json_null();
	enum check_status status = check_sts_status_of_address(address);
	const char *reason = address->web.reason;
	return json_pack("{s:s, s:s?}", "verdict", check_status_name(status), "reason",
		reason[0] != '\0' ? reason : NULL);
}

static json_t *address_json(const struct server_check_address *address)
{
	char words[WORDS_SIZE];
	struct text text;
	json_t *object = json_object();

	text_init(&text, words, sizeof words);
	check_address_add_text(&text, address);
	json_object_set_new(object, "address", json_string(address->text));
	json_object_set_new(object, "verdict",
		json_string(check_status_name(check_status_of_address(address))));
	json_object_set_new(
		object, "outcome", json_string(starttls_outcome_name(address->outcome)));
	json_object_set_new(object, "stage", json_string(starttls_stage_name(address->stage)));
	json_object_set_new(object, "detail", json_string(words));
	json_object_set_new(object, "sts", address_sts_json(address));
	if (address->outcome == STARTTLS_DONE)
		set_tls(object, address);
	return object;
}

/* The records, each with the result of every address, in the order of the addresses. */
static json_t *tlsa_json(const struct server_check_host *host)
{
	json_t *array = json_array();

	for (size_t i = 0; i < host->facts->tlsa_count; i++) {
		json_t *object = host_tlsa_json(&host->facts->tlsa[i]);
		json_t *matches = json_array();
		for (size_t j = 0; j < host->address_count; j++)
			json_array_append_new(matches,
				host->addresses[j].matches != NULL
					? json_string(
						  tlsa_match_name(host->addresses[j].matches[i]))
					: json_null());
		json_object_set_new(object, "matches", matches);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *pattern_json(const struct sts_pattern *pattern)
{
	return pattern != NULL ? json_stringn(pattern->name, pattern->size) : json_null();
}

static json_t *host_sts_json(const struct server_check_host *host)
{
	json_t *object;

	if (!sts_check_has_patterns(&host->check->sts))
		return json_null();
	object = json_object();
	json_object_set_new(object, "verdict",
		json_string(check_status_label(host->check, check_sts_status_of_host(host))));
	json_object_set_new(object, "pattern", pattern_json(host->pattern));
	return object;
}

static json_t *host_json(const struct server_check_host *host)
{
	const struct host_facts *facts = host->facts;
	json_t *object = json_object(), *names = json_array(), *addresses = json_array();

	json_object_set_new(object, "name", json_string(host->name));
	json_object_set_new(object, "preference", json_integer(host->preference));
	json_object_set_new(object, "verdict",
		json_string(check_status_label(host->check, check_status_of_host(host))));
	json_object_set_new(object, "status", json_string(host_status_name(facts->status)));
	if (facts->status == HOST_FAILED)
		json_object_set_new(object, "failure", failure_json(&facts->failure));
	for (size_t i = 0; i < host->terms.name_count; i++)
		json_array_append_new(names, json_string(host->terms.names[i]));
	json_object_set_new(object, "names", names);
	json_object_set_new(object, "lookups", host_facts_lookups_json(facts));
	json_object_set_new(object, "tlsa", tlsa_json(host));
	for (size_t i = 0; i < host->address_count; i++)
		json_array_append_new(addresses, address_json(&host->addresses[i]));
	json_object_set_new(object, "addresses", addresses);
	json_object_set_new(object, "sts", host_sts_json(host));
	return object;
}

static void set_policy(json_t *object, const struct sts_policy *policy)
{
	json_t *patterns = json_array(), *left_out = json_array();

	json_object_set_new(object, "max_age", json_integer(policy->max_age));
	for (size_t i = 0; i < policy->pattern_count; i++)
		json_array_append_new(patterns, pattern_json(&policy->patterns[i]));
	json_object_set_new(object, "patterns", patterns);
	for (size_t i = 0; i < policy->line_count; i++) {
		const struct sts_line *line = &policy->lines[i];
		if (line->left_out)
			json_array_append_new(
				left_out, json_stringn(line->value, line->value_size));
	}
	json_object_set_new(object, "mx_left_out", left_out);
}

static json_t *sts_json(const struct sts_check *sts)
{
	json_t *object;

	if (!sts->ended)
		return json_null();
	object = json_object();
	json_object_set_new(object, "domain", json_string(sts->domain));
	json_object_set_new(object, "status", json_string(sts_status_name(sts->status)));
	json_object_set_new(object, "record", json_string(sts_discovery_text(sts->discovery)));
	if (sts->discovery == STS_DISCOVERED)
		json_object_set_new(object, "id", json_string(sts->id));
	if (sts_has_policy(sts->status))
		set_policy(object, &sts->policy);
	if (sts->status == STS_FAILED)
		json_object_set_new(object, "failure", json_string(sts->error));
	return object;
}

static json_t *warnings_json(const struct check_warnings *warnings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < warnings->count; i++) {
		const struct check_warning *warning = &warnings->list[i];
		json_t *object = json_object();
		json_object_set_new(object, "kind", json_string(check_warning_name(warning->kind)));
		json_object_set_new(object, "host",
			warning->host != NULL ? json_string(warning->host->name) : json_null());
		json_object_set_new(object, "detail", json_string(warning->text));
		json_array_append_new(array, object);
	}
	return array;
}

void check_print_json(const struct server_check *check, const struct check_warnings *warnings)
{
	enum check_status status = check_status_of_all(check);
	struct verdict decided = check_decide(check);
	char key[DESTINATION_KEY_SIZE];
	json_t *object = json_object(), *hosts = json_array();

	destination_print(&check->destination, key);
	json_object_set_new(object, "destination", json_string(key));
	json_object_set_new(object, "port", json_integer(check->destination.port));
	json_object_set_new(object, "verdict", json_string(check_status_label(check, status)));
	json_object_set_new(object, "reason", json_string(reason_name(decided.reason)));
	json_object_set_new(object, "rule", json_string(reason_rule(decided.reason)));
	json_object_set_new(object, "mx",
		check->destination.kind == DESTINATION_DOMAIN ? mx_json(check) : json_null());
	for (size_t i = 0; i < check->host_count; i++)
		json_array_append_new(hosts, host_json(&check->hosts[i]));
	json_object_set_new(object, "hosts", hosts);
	json_object_set_new(object, "sts", sts_json(&check->sts));
	json_object_set_new(object, "warnings", warnings_json(warnings));
	json_output_print_new(object);
}
