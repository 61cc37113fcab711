/*
 * tlsa verify: before a roll-over: would a server with this certificate or key match the TLSA
 * records in DNS, and how long may caches hold older records?
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/terminal.h"
#include "daemon/ctl/frame/time_text.h"
#include "daemon/ctl/tlsa/certificate.h"
#include "daemon/ctl/tlsa/host_facts.h"
#include "daemon/ctl/tlsa/host_lookup.h"
#include "daemon/ctl/tlsa/host_name.h"
#include "daemon/ctl/tlsa/pem.h"
#include "daemon/ctl/tlsa/tlsa_match.h"
#include "daemon/ctl/tlsa/tlsa_record.h"

#include <stdlib.h>
#include <string.h>

enum {
	ERROR_SIZE = 640,
	WORDS_SIZE = 640,
	LABEL_WIDTH = 11, /* "certificate" */
	INDENT = 2,
	RECORD_INDENT = 4,
};

struct verification {
	struct ctl *ctl;
	const char *certificate_file, *key_file;
	uint32_t port;
	char name[DESTINATION_NAME_MAX + 1];
	STACK_OF(X509) * chain; /* this one or `key` is set */
	EVP_PKEY *key;
	struct host_facts *facts;
	enum tlsa_match *matches; /* one for each of facts->tlsa */
	struct tlsa_match_result *results;
	uint32_t now;
	int status;
};

static int read_options(struct verification *verification, const struct command *command, int count,
	char **arguments, const char **name)
{
	const struct argument table[] = {
		{"cert", 0, ARGUMENT_TEXT, "FILE",
			"PEM file with the certificate, or the chain as the server will send it",
			&verification->certificate_file, 0, 0, NULL},
		{"key", 0, ARGUMENT_TEXT, "FILE", "PEM file with a private or public key",
			&verification->key_file, 0, 0, NULL},
		{"port", 'p', ARGUMENT_NUMBER, "N", "port, default 25", &verification->port, 1,
			65535, NULL},
	};

	return arguments_parse(verification->ctl, command, table, sizeof table / sizeof table[0],
		count, arguments, name);
}

static bool read_material(struct verification *verification)
{
	char error[ERROR_SIZE];
	bool good = verification->certificate_file != NULL
			    ? pem_read_certificates(verification->certificate_file,
				      &verification->chain, error, sizeof error)
			    : pem_read_key(verification->key_file, &verification->key, error,
				      sizeof error);

	if (!good)
		log_error("%s", error);
	return good;
}

/* --- matching ------------------------------------------------------------------------------ */

static enum tlsa_match match_key(const struct verification *verification, size_t index)
{
	const struct host_tlsa *tlsa = &verification->facts->tlsa[index];
	struct tlsa_record record;

	if (tlsa_parse(tlsa->rdata, tlsa->size, &record) != TLSA_USABLE)
		return TLSA_MATCH_UNUSABLE;
	if (record.selector != TLSA_PUBLIC_KEY)
		return TLSA_MATCH_UNKNOWN;
	return tlsa_record_matches_key(&record, verification->key) ? TLSA_MATCH_YES
								   : TLSA_MATCH_ABSENT;
}

static int conclude(const struct verification *verification)
{
	bool unknown = false;

	if (verification->facts->status == HOST_FAILED)
		return EX_TEMPFAIL;
	for (size_t i = 0; i < verification->facts->tlsa_count; i++) {
		if (verification->matches[i] == TLSA_MATCH_YES)
			return CTL_YES;
		unknown = unknown || verification->matches[i] == TLSA_MATCH_UNKNOWN;
	}
	return unknown ? EX_TEMPFAIL : CTL_NO;
}

/* Matches each record alone: one match is enough (RFC 6698 2.1). */
static bool match_records(struct verification *verification)
{
	const struct host_facts *facts = verification->facts;
	struct tlsa_match_terms terms = {
		.names = {facts->base_domain, verification->name},
		.name_count = strcmp(facts->base_domain, verification->name) == 0 ? 1 : 2,
		.tlsa = facts->tlsa,
		.tlsa_count = facts->tlsa_count,
	};
	SSL_CTX *context = tlsa_match_context_new();

	verification->matches = calloc(facts->tlsa_count + 1, sizeof *verification->matches);
	verification->results = calloc(facts->tlsa_count + 1, sizeof *verification->results);
	bool ready =
		context != NULL && verification->matches != NULL && verification->results != NULL;
	for (size_t i = 0; ready && i < facts->tlsa_count; i++)
		verification->matches[i] =
			verification->key != NULL
				? match_key(verification, i)
				: tlsa_match_record(context, &terms, i, verification->chain,
					  &verification->results[i]);
	SSL_CTX_free(context);
	if (ready)
		verification->status = conclude(verification);
	else
		log_error("out of memory");
	return ready;
}

/* --- words --------------------------------------------------------------------------------- */

static const char *conclusion(const struct verification *verification)
{
	switch (verification->status) {
	case CTL_YES:
		return "yes";
	case CTL_NO:
		return "no";
	default:
		return "cannot tell";
	}
}

static void add_record_words(
	const struct verification *verification, size_t index, struct text *text)
{
	const struct tlsa_match_result *result = &verification->results[index];

	switch (verification->matches[index]) {
	case TLSA_MATCH_YES:
		if (verification->key != NULL)
			text_add(text, "it is this key");
		else if (result->position == 0)
			text_add(text, "it is this certificate");
		else if (result->position > 0)
			text_add_format(
				text, "it is certificate %d of the file", result->position + 1);
		else
			text_add(text, "it is the trust anchor of this certificate");
		break;
	case TLSA_MATCH_REJECTED:
		text_add_format(text,
			"it is certificate %d of the file, but the chain does not verify: %s",
			result->position + 1, result->reason);
		break;
	case TLSA_MATCH_ABSENT:
		text_add(text, verification->key != NULL ? "it is another key"
							 : "it matches no certificate of the file");
		break;
	case TLSA_MATCH_UNKNOWN:
		text_add(text,
			"it is about a whole certificate, which cannot be compared with a key: "
			"use --cert");
		break;
	default:
		text_add(text, tlsa_usability_text(verification->facts->tlsa[index].usability));
	}
}

/* The record to add: `3 1 1`, which stays valid after a renewal with the same key. */
static char *missing_line(const struct verification *verification)
{
	const struct tlsa_parameters parameters = {TLSA_DANE_EE, TLSA_PUBLIC_KEY, TLSA_SHA256};
	const struct host_facts *facts = verification->facts;
	struct tlsa_owner owner = {
		.protocol = "tcp",
		.port = verification->port,
		.name = facts->base_domain[0] != '\0' ? facts->base_domain : verification->name,
	};
	struct tlsa_record record;
	char *line = NULL;

	if (verification->key != NULL ? tlsa_record_from_key(parameters, verification->key, &record)
				      : tlsa_record_from_certificate(parameters,
						sk_X509_value(verification->chain, 0), &record))
		line = tlsa_record_zone_line(&owner, TLSA_NO_TTL, false, &record);
	tlsa_record_clear(&record);
	return line;
}

/*
 * Adds when the server may use the new certificate. DNS does not show when the records were
 * changed, but one TTL after a change no cache has the older records.
 */
static void add_advice(const struct verification *verification, struct text *text)
{
	uint32_t held = host_facts_tlsa_ttl(verification->facts);
	char duration[TIME_TEXT_SIZE], date[TIME_TEXT_SIZE];

	time_text_duration(duration, held);
	time_text_date(date, (int64_t)verification->now + held);
	if (verification->status == CTL_YES)
		text_add_format(text,
			"caches may hold older records for up to %u more seconds (%s, the TTL): "
			"switch now if the record has been in DNS for longer than that; "
			"otherwise it is safe from %s on",
			held, duration, date);
	else if (verification->facts->status == HOST_FAILED ||
		 verification->facts->status == HOST_UNREACHABLE)
		text_add(text, "not now: DNS has no usable answer, see the line DNS");
	else
		text_add_format(text,
			"add the record below to those in DNS; caches may hold the old records "
			"for %u more seconds (%s), so switch when all name servers have had the "
			"new record for that long",
			held, duration);
}

/* --- output -------------------------------------------------------------------------------- */

static void print_material(const struct verification *verification, const struct terminal *terminal)
{
	char subject[CERTIFICATE_NAME_SIZE], date[TIME_TEXT_SIZE];
	struct text text;

	if (verification->key != NULL) {
		terminal_print_row(terminal, INDENT, TERMINAL_PLAIN, "key", LABEL_WIDTH,
			"%s, from %s", EVP_PKEY_get0_type_name(verification->key),
			verification->key_file);
		return;
	}
	const X509 *certificate = sk_X509_value(verification->chain, 0);
	text_init(&text, subject, sizeof subject);
	certificate_add_subject(&text, certificate);
	int64_t ends = certificate_not_after(certificate);
	terminal_print_row(terminal, INDENT, TERMINAL_PLAIN, "certificate", LABEL_WIDTH,
		"%s, %s %s", subject, ends > verification->now ? "valid until" : "EXPIRED on",
		time_text_date(date, ends));
}

static void print_records(const struct verification *verification, const struct terminal *terminal)
{
	static const enum terminal_style styles[TLSA_MATCH_COUNT] = {
		[TLSA_MATCH_YES] = TERMINAL_GOOD,
		[TLSA_MATCH_REJECTED] = TERMINAL_BAD,
		[TLSA_MATCH_UNUSABLE] = TERMINAL_WARNING,
	};

	for (size_t i = 0; i < verification->facts->tlsa_count; i++) {
		const struct host_tlsa *tlsa = &verification->facts->tlsa[i];
		enum tlsa_match match = verification->matches[i];
		char words[WORDS_SIZE], record[HOST_TLSA_TEXT_SIZE];
		struct text text;

		text_init(&text, words, sizeof words);
		add_record_words(verification, i, &text);
		terminal_print_row(terminal, RECORD_INDENT, styles[match], tlsa_match_name(match),
			LABEL_WIDTH - INDENT, "%s: %s",
			host_tlsa_print(tlsa, HOST_TLSA_DIGITS, record), words);
	}
}

static void print_text(const struct verification *verification)
{
	struct terminal terminal;
	char words[WORDS_SIZE];
	struct text text;
	char *line = verification->status == CTL_NO ? missing_line(verification) : NULL;

	terminal_open(&terminal, stdout);
	terminal_print_row(&terminal, 0,
		verification->status == CTL_YES ? TERMINAL_GOOD : TERMINAL_BAD,
		conclusion(verification), 0, "%s port %u", verification->name, verification->port);
	print_material(verification, &terminal);
	text_init(&text, words, sizeof words);
	host_facts_add_text(&text, verification->facts);
	terminal_print_row(&terminal, INDENT, TERMINAL_PLAIN, "DNS", LABEL_WIDTH, "%s", words);
	print_records(verification, &terminal);
	text_init(&text, words, sizeof words);
	add_advice(verification, &text);
	terminal_print_row(&terminal, INDENT, TERMINAL_PLAIN, "switch", LABEL_WIDTH, "%s", words);
	if (line != NULL)
		terminal_print_line(&terminal, RECORD_INDENT, line);
	free(line);
}

static void print_json(const struct verification *verification)
{
	const struct host_facts *facts = verification->facts;
	const struct host_question *question = host_facts_tlsa_lookup(facts);
	char words[WORDS_SIZE];
	struct text text;
	json_t *object = json_object(), *records = json_array();
	char *line = verification->status == CTL_NO ? missing_line(verification) : NULL;

	text_init(&text, words, sizeof words);
	host_facts_add_text(&text, facts);
	json_object_set_new(object, "name", json_string(verification->name));
	json_object_set_new(object, "port", json_integer(verification->port));
	json_object_set_new(object, "matches",
		verification->status == EX_TEMPFAIL
			? json_null()
			: json_boolean(verification->status == CTL_YES));
	json_object_set_new(object, "status", json_string(host_status_name(facts->status)));
	json_object_set_new(object, "detail", json_string(words));
	json_object_set_new(object, "base_domain",
		facts->base_domain[0] != '\0' ? json_string(facts->base_domain) : json_null());
	json_object_set_new(object, "ttl",
		question != NULL && question->outcome != DNS_FAILED ? json_integer(question->ttl)
								    : json_null());
	json_object_set_new(object, "held", json_integer(host_facts_tlsa_ttl(facts)));
	for (size_t i = 0; i < facts->tlsa_count; i++) {
		json_t *record = host_tlsa_json(&facts->tlsa[i]);
		text_init(&text, words, sizeof words);
		add_record_words(verification, i, &text);
		json_object_set_new(
			record, "match", json_string(tlsa_match_name(verification->matches[i])));
		json_object_set_new(record, "detail", json_string(words));
		json_array_append_new(records, record);
	}
	json_object_set_new(object, "tlsa", records);
	json_object_set_new(object, "publish", line != NULL ? json_string(line) : json_null());
	json_output_print_new(object);
	free(line);
}

/* --- the command --------------------------------------------------------------------------- */

static bool look_up(struct verification *verification)
{
	struct local_resolver local;

	if (local_resolver_open(&local, verification->ctl))
		verification->facts =
			host_lookup_run(&local, verification->name, (uint16_t)verification->port);
	local_resolver_close(&local);
	verification->now = clock_wall();
	return verification->facts != NULL;
}

static int run(struct verification *verification)
{
	if (!read_material(verification))
		return CTL_NO;
	if (!look_up(verification) || !match_records(verification))
		return EX_TEMPFAIL;
	if (verification->ctl->json)
		print_json(verification);
	else
		print_text(verification);
	return verification->status;
}

int tlsa_verify_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct verification verification = {.ctl = ctl, .port = 25};
	const char *name = NULL;
	int status = read_options(&verification, command, count, arguments, &name);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if ((verification.certificate_file != NULL) == (verification.key_file != NULL)) {
		log_error("tlsa verify: give exactly one of --cert and --key");
		arguments_print_usage(command);
		return EX_USAGE;
	}
	if (!host_name_parse(name, verification.port, "tcp", verification.name))
		return CTL_NO;
	status = run(&verification);
	sk_X509_pop_free(verification.chain, X509_free);
	EVP_PKEY_free(verification.key);
	host_facts_free(verification.facts);
	free(verification.matches);
	free(verification.results);
	return status;
}
