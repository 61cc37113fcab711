#include "daemon/ctl/tlsa/server_connection.h"

#include "daemon/ctl/frame/ip_address.h"
#include "daemon/ctl/tlsa/tlsa_match.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const server_protocol_names[] = {
	[STARTTLS_SMTP] = "smtp",
	[STARTTLS_NONE] = "none",
	NULL,
};

const char *server_connection_helo(void)
{
	static char name[DESTINATION_NAME_MAX + 1];

	if (gethostname(name, sizeof name) != 0)
		name[0] = '\0';
	name[sizeof name - 1] = '\0';
	/* Many servers refuse a name with one label, but accept an address literal. */
	if (strchr(name, '.') == NULL || !destination_name_valid(name, strlen(name)))
		memcpy(name, "[127.0.0.1]", sizeof "[127.0.0.1]");
	return name;
}

STACK_OF(X509) * server_connection_chain(SSL *ssl)
{
	/* For a client this includes the server's own certificate. */
	STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
	return sent != NULL ? X509_chain_up_ref(sent) : sk_X509_new_null();
}

struct fetch {
	struct local_resolver *local;
	STACK_OF(X509) * chain;
	char *error;
	size_t error_size;
};

static void take_result(void *context, const struct starttls_result *result)
{
	struct fetch *fetch = context;

	if (result->outcome == STARTTLS_DONE)
		fetch->chain = server_connection_chain(result->ssl);
	else
		snprintf(fetch->error, fetch->error_size, "%s", result->detail);
	local_resolver_stop(fetch->local);
}

STACK_OF(X509) * server_connection_fetch_chain(struct local_resolver *local,
			 const struct server_connection_terms *terms, char *error,
			 size_t error_size)
{
	struct fetch fetch = {.local = local, .error = error, .error_size = error_size};
	struct starttls_terms connection = {
		.base = local->base,
		.context = tlsa_match_context_new(),
		.server_name = terms->name,
		.helo = server_connection_helo(),
		.protocol = terms->protocol,
		.timeout = terms->timeout,
	};
	struct starttls *starttls = NULL;

	snprintf(error, error_size, "out of memory");
	if (!ip_address_parse(
		    terms->address, terms->port, &connection.address, &connection.address_size))
		snprintf(error, error_size, "this is not a numeric IPv4 or IPv6 address");
	else if (connection.context != NULL)
		starttls = starttls_new(&connection, take_result, &fetch);
	if (starttls != NULL && !local_resolver_run(local))
		snprintf(error, error_size, "interrupted");
	starttls_free(starttls);
	SSL_CTX_free(connection.context);
	if (fetch.chain != NULL && sk_X509_num(fetch.chain) == 0) {
		sk_X509_free(fetch.chain);
		fetch.chain = NULL;
		snprintf(error, error_size, "the server sent no certificate");
	}
	return fetch.chain;
}
