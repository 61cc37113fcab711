/*
 * tlsa create: prints the TLSA records of a certificate, a key or a running server as lines of a
 * zone file.
 */
#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/tlsa/certificate.h"
#include "daemon/ctl/tlsa/host_facts.h"
#include "daemon/ctl/tlsa/host_lookup.h"
#include "daemon/ctl/tlsa/host_name.h"
#include "daemon/ctl/tlsa/pem.h"
#include "daemon/ctl/tlsa/server_connection.h"
#include "daemon/ctl/tlsa/tlsa_record.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	ERROR_SIZE = 640,
	RECORDS_MAX = 16, /* of one chain; no mail server sends a longer one */
	TTL_UNSET = UINT32_MAX,
};

struct options {
	const char *certificate, *key;
	struct argument_address connect;
	uint32_t port, usage, selector, matching_type, ttl, timeout;
	int protocol, starttls;
	bool generic;
};

/* One record, and its source. */
struct made {
	struct tlsa_record record;
	char source[CERTIFICATE_NAME_SIZE]; /* the subject, or "key" */
};

struct creation {
	struct ctl *ctl;
	struct options options;
	char name[DESTINATION_NAME_MAX + 1];
	char address[INET6_ADDRSTRLEN]; /* with --connect: of the server */
	size_t count;
	struct made made[RECORDS_MAX];
};

static const char *const protocols[] = {"tcp", "udp", "sctp", NULL};

static int read_options(struct creation *creation, const struct command *command, int count,
	char **arguments, const char **name)
{
	struct options *options = &creation->options;
	const struct argument table[] = {
		{"cert", 0, ARGUMENT_TEXT, "FILE", "PEM file with a certificate or a chain",
			&options->certificate, 0, 0, NULL},
		{"key", 0, ARGUMENT_TEXT, "FILE", "PEM file with a private or public key",
			&options->key, 0, 0, NULL},
		{"connect", 0, ARGUMENT_ADDRESS, "ADDR",
			"get the certificates from the server NAME, or from the one at this "
			"address",
			&options->connect, 0, 0, NULL},
		{"port", 'p', ARGUMENT_NUMBER, "N", "port, default 25", &options->port, 1, 65535,
			NULL},
		{"protocol", 0, ARGUMENT_CHOICE, "tcp|udp|sctp", "default tcp", &options->protocol,
			0, 0, protocols},
		{"usage", 0, ARGUMENT_NUMBER, "N", "3 (DANE-EE, default), 2 (DANE-TA), 1, 0",
			&options->usage, 0, 3, NULL},
		{"selector", 0, ARGUMENT_NUMBER, "N", "1 (public key, default), 0 (certificate)",
			&options->selector, 0, 1, NULL},
		{"matching", 0, ARGUMENT_NUMBER, "N",
			"1 (SHA-256, default), 2 (SHA-512), 0 (all of it)", &options->matching_type,
			0, 2, NULL},
		{"ttl", 0, ARGUMENT_NUMBER, "N", "seconds, default none", &options->ttl, 0,
			INT32_MAX, NULL},
		{"generic", 0, ARGUMENT_FLAG, NULL,
			"in the form of RFC 3597, for name servers that do not know TLSA",
			&options->generic, 0, 0, NULL},
		{"starttls", 0, ARGUMENT_CHOICE, "smtp|none", "with --connect; default smtp",
			&options->starttls, 0, 0, server_protocol_names},
		{"timeout", 0, ARGUMENT_NUMBER, "N", "seconds, with --connect; default 20",
			&options->timeout, 1, 3600, NULL},
	};

	return arguments_parse(creation->ctl, command, table, sizeof table / sizeof table[0], count,
		arguments, name);
}

/* Refuses options that contradict each other. */
static bool check_options(const struct options *options)
{
	int sources =
		(options->certificate != NULL) + (options->key != NULL) + options->connect.given;

	if (sources != 1)
		log_error("tlsa create: give exactly one of --cert, --key and --connect");
	else if (options->key != NULL && options->selector != TLSA_PUBLIC_KEY)
		log_error("tlsa create: --selector 0 needs the whole certificate: use --cert "
			  "instead of --key");
	else if (options->connect.given && options->protocol != 0)
		log_error("tlsa create: --connect works only with --protocol tcp");
	else
		return true;
	return false;
}

/* --- from a chain -------------------------------------------------------------------------- */

static bool add_certificate(struct creation *creation, const X509 *certificate)
{
	const struct options *options = &creation->options;
	struct tlsa_parameters parameters = {(uint8_t)options->usage, (uint8_t)options->selector,
		(uint8_t)options->matching_type};
	struct made *made = &creation->made[creation->count];
	struct text text;

	if (!tlsa_record_from_certificate(parameters, certificate, &made->record)) {
		log_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < creation->count; i++) {
		/* Two certificates with the same key give the same record. */
		if (tlsa_record_equal(&creation->made[i].record, &made->record)) {
			tlsa_record_clear(&made->record);
			return true;
		}
	}
	text_init(&text, made->source, sizeof made->source);
	certificate_add_subject(&text, certificate);
	creation->count++;
	return true;
}

/*
 * For an end entity (usage 1 and 3) use the first certificate: servers send their own first. For a
 * trust anchor (0 and 2) use every certificate of the chain that may issue others, so that the
 * administrator can choose.
 */
static bool add_chain(struct creation *creation, STACK_OF(X509) * chain, const char *where)
{
	bool is_ta =
		creation->options.usage == TLSA_DANE_TA || creation->options.usage == TLSA_PKIX_TA;

	if (!is_ta)
		return add_certificate(creation, sk_X509_value(chain, 0));
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *certificate = sk_X509_value(chain, i);
		if (!certificate_is_authority(certificate))
			continue;
		if (creation->count == RECORDS_MAX) {
			log_error("%s: more than %d CA certificates, too many for the chain of one "
				  "server: use its chain alone",
				where, RECORDS_MAX);
			return false;
		}
		if (!add_certificate(creation, certificate))
			return false;
	}
	if (creation->count == 0)
		log_error("%s: no CA certificate, which --usage %u needs; for a server's own "
			  "certificate use --usage 3",
			where, creation->options.usage);
	return creation->count > 0;
}

static bool take_file(struct creation *creation)
{
	char error[ERROR_SIZE];
	STACK_OF(X509) * chain;

	if (!pem_read_certificates(creation->options.certificate, &chain, error, sizeof error)) {
		log_error("%s", error);
		return false;
	}
	bool good = add_chain(creation, chain, creation->options.certificate);
	sk_X509_pop_free(chain, X509_free);
	return good;
}

static bool take_key(struct creation *creation)
{
	const struct options *options = &creation->options;
	struct tlsa_parameters parameters = {(uint8_t)options->usage, (uint8_t)options->selector,
		(uint8_t)options->matching_type};
	char error[ERROR_SIZE];
	EVP_PKEY *key;

	if (!pem_read_key(options->key, &key, error, sizeof error)) {
		log_error("%s", error);
		return false;
	}
	bool good = tlsa_record_from_key(parameters, key, &creation->made[0].record);
	EVP_PKEY_free(key);
	if (!good) {
		log_error("%s: OpenSSL cannot derive the public key from this key", options->key);
		return false;
	}
	snprintf(creation->made[0].source, sizeof creation->made[0].source, "key");
	creation->count = 1;
	return true;
}

/* --- from a live server -------------------------------------------------------------------- */

/* `last`: the last address of the host. If it fails, all have failed, which is an error. */
static bool try_address(
	struct creation *creation, struct local_resolver *local, const char *address, bool last)
{
	const struct options *options = &creation->options;
	struct server_connection_terms terms = {
		.address = address,
		.port = (uint16_t)options->port,
		.name = creation->name,
		.protocol = (enum starttls_protocol)options->starttls,
		.timeout = options->timeout,
	};
	char error[ERROR_SIZE];
	STACK_OF(X509) *chain = server_connection_fetch_chain(local, &terms, error, sizeof error);

	if (chain == NULL) {
		void (*say)(const char *, ...) = last ? log_error : log_warning;
		say("%s [%s] port %u: %s", creation->name, address, options->port, error);
		return false;
	}
	snprintf(creation->address, sizeof creation->address, "%s", address);
	bool good = add_chain(creation, chain, creation->name);
	sk_X509_pop_free(chain, X509_free);
	return good;
}

static bool try_addresses(
	struct creation *creation, struct local_resolver *local, const struct host_facts *facts)
{
	char address[INET6_ADDRSTRLEN];
	size_t count = 0, tried = 0;

	for (size_t i = 0; i < facts->question_count; i++)
		count += facts->questions[i].address_count;
	for (size_t i = 0; i < facts->question_count; i++) {
		const struct host_question *result = &facts->questions[i];
		for (size_t j = 0; j < result->address_count && local->signal == 0; j++) {
			tried++;
			host_facts_print_address(result, j, address);
			if (try_address(creation, local, address, tried == count))
				return true;
			if (creation->address[0] != '\0')
				return false;
		}
	}
	if (tried == 0)
		log_error("%s has no address%s%s", creation->name,
			facts->status == HOST_FAILED ? " (the lookup failed): " : "",
			facts->status == HOST_FAILED ? facts->failure.detail : "");
	return false;
}

static bool take_server(struct creation *creation)
{
	const struct options *options = &creation->options;
	struct local_resolver local;
	bool good = local_resolver_open(&local, creation->ctl);

	if (good && options->connect.text != NULL) {
		good = try_address(creation, &local, options->connect.text, true);
	} else if (good) {
		struct host_facts *facts =
			host_lookup_run(&local, creation->name, (uint16_t)options->port);
		good = facts != NULL && try_addresses(creation, &local, facts);
		host_facts_free(facts);
	}
	local_resolver_close(&local);
	return good;
}

/* --- output -------------------------------------------------------------------------------- */

static char *make_line(const struct creation *creation, size_t index)
{
	const struct options *options = &creation->options;
	struct tlsa_owner owner = {
		.protocol = protocols[options->protocol],
		.port = options->port,
		.name = creation->name,
	};

	return tlsa_record_zone_line(&owner,
		options->ttl == TTL_UNSET ? TLSA_NO_TTL : (int64_t)options->ttl, options->generic,
		&creation->made[index].record);
}

static json_t *record_object(const struct made *made, const char *line)
{
	const struct tlsa_record *record = &made->record;
	char *words = tlsa_record_text(record, 0);
	json_t *object = json_object();

	json_object_set_new(object, "usage", json_integer(record->usage));
	json_object_set_new(object, "selector", json_integer(record->selector));
	json_object_set_new(object, "matching_type", json_integer(record->matching_type));
	/* Skips the three numbers, one digit each, and their blanks. */
	json_object_set_new(object, "data", words != NULL ? json_string(words + 6) : json_null());
	json_object_set_new(object, "source", json_string(made->source));
	json_object_set_new(object, "line", json_string(line));
	free(words);
	return object;
}

static void print(const struct creation *creation)
{
	json_t *object = json_object(), *records = json_array();

	json_object_set_new(object, "name", json_string(creation->name));
	json_object_set_new(object, "port", json_integer(creation->options.port));
	json_object_set_new(object, "address",
		creation->address[0] != '\0' ? json_string(creation->address) : json_null());
	for (size_t i = 0; i < creation->count; i++) {
		char *line = make_line(creation, i);
		if (line != NULL && creation->ctl->json)
			json_array_append_new(records, record_object(&creation->made[i], line));
		else if (line != NULL)
			puts(line);
		free(line);
	}
	json_object_set_new(object, "records", records);
	if (creation->ctl->json)
		json_output_print(object);
	json_decref(object);
}

static void warn(const struct creation *creation)
{
	const struct options *options = &creation->options;

	if (options->usage < TLSA_DANE_TA)
		log_warning(
			"mail clients do not use records of usage %u (RFC 7672 3.1.3): use 3 or 2",
			options->usage);
	if (options->connect.given)
		log_warning("the server at %s was not authenticated: compare this record with one "
			    "from the server's own files before you publish it",
			creation->address);
}

int tlsa_create_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct creation creation = {
		.ctl = ctl,
		.options = {.port = 25,
			.usage = TLSA_DANE_EE,
			.selector = TLSA_PUBLIC_KEY,
			.matching_type = TLSA_SHA256,
			.ttl = TTL_UNSET,
			.timeout = 20},
	};
	const char *name = NULL;
	int status = read_options(&creation, command, count, arguments, &name);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!check_options(&creation.options)) {
		arguments_print_usage(command);
		return EX_USAGE;
	}
	if (!host_name_parse(name, creation.options.port, protocols[creation.options.protocol],
		    creation.name))
		return CTL_NO;
	bool good = creation.options.connect.given         ? take_server(&creation)
		    : creation.options.certificate != NULL ? take_file(&creation)
							   : take_key(&creation);
	if (good) {
		print(&creation);
		warn(&creation);
	}
	for (size_t i = 0; i < creation.count; i++)
		tlsa_record_clear(&creation.made[i].record);
	return good ? CTL_YES : CTL_NO;
}
