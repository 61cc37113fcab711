#include "daemon/ctl/tlsa/host_facts.h"

#include "common/verdict/render.h"
#include "daemon/ctl/tlsa/tlsa_record.h"

#include <stdlib.h>
#include <string.h>

/* One allocation holds the facts, the table of TLSA records and all RDATA. */
struct host_facts *host_facts_copy(const struct host_facts *facts)
{
	size_t size = sizeof *facts + facts->tlsa_count * sizeof *facts->tlsa;

	for (size_t i = 0; i < facts->tlsa_count; i++)
		size += facts->tlsa[i].size;
	struct host_facts *copy = malloc(size);
	if (copy == NULL)
		return NULL;
	*copy = *facts;
	copy->tlsa = (struct host_tlsa *)(copy + 1);
	uint8_t *rdata = (uint8_t *)(copy->tlsa + facts->tlsa_count);
	for (size_t i = 0; i < facts->tlsa_count; i++) {
		copy->tlsa[i] = facts->tlsa[i];
		copy->tlsa[i].rdata = memcpy(rdata, facts->tlsa[i].rdata, facts->tlsa[i].size);
		rdata += facts->tlsa[i].size;
	}
	return copy;
}

void host_facts_free(struct host_facts *facts)
{
	free(facts);
}

const struct host_question *host_facts_tlsa_lookup(const struct host_facts *facts)
{
	const struct host_question *last = NULL;

	/*
	 * The second TLSA base domain is queried only if the first has no records, so the last
	 * lookup decides.
	 */
	for (size_t i = 0; i < facts->question_count; i++) {
		if (facts->questions[i].type == DNS_TYPE_TLSA)
			last = &facts->questions[i];
	}
	return last;
}

uint32_t host_facts_tlsa_ttl(const struct host_facts *facts)
{
	const struct host_question *question = host_facts_tlsa_lookup(facts);

	if (question == NULL)
		return 0;
	return question->original_ttl > question->ttl ? question->original_ttl : question->ttl;
}

/* Adds at which step the search for TLSA records ended. */
static void add_why_none(struct text *text, const struct host_facts *facts)
{
	const struct host_question *question = host_facts_tlsa_lookup(facts);

	if (question == NULL)
		text_add(text,
			"no DANE: its addresses are not signed with DNSSEC, so senders do not "
			"use TLSA records");
	else if (question->outcome == DNS_FOUND)
		text_add_format(text, "no DANE: the TLSA records at %s are not signed with DNSSEC",
			question->name);
	else
		text_add_format(text, "no DANE: there are no TLSA records at %s%s", question->name,
			question->security == DNS_SECURE ? ""
							 : ", which is not signed with DNSSEC");
}

void host_facts_add_text(struct text *text, const struct host_facts *facts)
{
	switch (facts->status) {
	case HOST_USABLE:
	case HOST_UNUSABLE:
		text_add_format(text, "%zu TLSA record%s at %s, secure%s", facts->tlsa_count,
			facts->tlsa_count == 1 ? "" : "s", host_facts_tlsa_lookup(facts)->name,
			facts->status == HOST_UNUSABLE
				? ", but none that can be used: mail goes there with TLS, "
				  "unauthenticated"
				: "");
		return;
	case HOST_NONE:
		add_why_none(text, facts);
		return;
	case HOST_UNREACHABLE:
		text_add(text, "no address: senders skip it");
		return;
	default:
		text_add(text, "lookup failed: ");
		render_failure(text, &facts->failure);
	}
}

const char *host_facts_print_address(
	const struct host_question *question, size_t n, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(question->type == DNS_TYPE_A ? AF_INET : AF_INET6, question->addresses[n],
		text, INET6_ADDRSTRLEN);
}

static json_t *lookup_json(const struct host_question *question)
{
	char address[INET6_ADDRSTRLEN];
	json_t *object = json_object();

	json_object_set_new(object, "name", json_string(question->name));
	json_object_set_new(object, "type", json_string(dns_type_name(question->type)));
	json_object_set_new(object, "status", json_string(dns_outcome_name(question->outcome)));
	json_object_set_new(object, "dnssec", json_string(dns_security_name(question->security)));
	if (question->outcome == DNS_FAILED) {
		json_object_set_new(
			object, "failure", json_string(dns_failure_name(question->failure)));
		json_object_set_new(object, "detail", json_string(question->detail));
		return object;
	}
	json_object_set_new(object, "ttl", json_integer(question->ttl));
	if (question->original_ttl != 0)
		json_object_set_new(object, "original_ttl", json_integer(question->original_ttl));
	if (question->signature_expires != 0)
		json_object_set_new(
			object, "signature_expires", json_integer(question->signature_expires));
	if (question->canonical_name[0] != '\0')
		json_object_set_new(
			object, "canonical_name", json_string(question->canonical_name));
	if (question->address_count > 0) {
		json_t *addresses = json_array();
		for (size_t i = 0; i < question->address_count; i++)
			json_array_append_new(addresses,
				json_string(host_facts_print_address(question, i, address)));
		json_object_set_new(object, "addresses", addresses);
	}
	return object;
}

json_t *host_facts_lookups_json(const struct host_facts *facts)
{
	json_t *array = json_array();

	for (size_t i = 0; i < facts->question_count; i++)
		json_array_append_new(array, lookup_json(&facts->questions[i]));
	return array;
}

const char *host_tlsa_print(
	const struct host_tlsa *tlsa, size_t digits, char text[HOST_TLSA_TEXT_SIZE])
{
	struct tlsa_record record;

	tlsa_parse(tlsa->rdata, tlsa->size, &record);
	char *words = tlsa_record_text(&record, digits);
	snprintf(text, HOST_TLSA_TEXT_SIZE, "%s", words != NULL ? words : "");
	free(words);
	return text;
}

json_t *host_tlsa_json(const struct host_tlsa *tlsa)
{
	json_t *object = json_object();
	struct tlsa_record record;

	/* RDATA that is too short does not contain the three numbers. */
	if (tlsa_parse(tlsa->rdata, tlsa->size, &record) != TLSA_SHORT) {
		char *words = tlsa_record_text(&record, 0);
		const char *data = words != NULL ? strrchr(words, ' ') + 1 : "";
		json_object_set_new(object, "usage", json_integer(record.usage));
		json_object_set_new(object, "selector", json_integer(record.selector));
		json_object_set_new(object, "matching_type", json_integer(record.matching_type));
		json_object_set_new(object, "data", json_string(data));
		free(words);
	}
	json_object_set_new(object, "usable", json_boolean(tlsa->usability == TLSA_USABLE));
	if (tlsa->usability != TLSA_USABLE)
		json_object_set_new(
			object, "why", json_string(tlsa_usability_text(tlsa->usability)));
	return object;
}
