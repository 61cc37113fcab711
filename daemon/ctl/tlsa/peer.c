#include "daemon/ctl/tlsa/peer.h"

#include "daemon/ctl/tlsa/tlsa_match.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const peer_protocols[] = {
	[STARTTLS_SMTP] = "smtp",
	[STARTTLS_NONE] = "none",
	NULL,
};

const char *peer_helo(void)
{
	static char name[DESTINATION_NAME_MAX + 1];

	if (gethostname(name, sizeof name) != 0)
		name[0] = '\0';
	name[sizeof name - 1] = '\0';
	/* Of one label it would be refused by many; a literal says as little and is allowed. */
	if (strchr(name, '.') == NULL || !destination_name_valid(name, strlen(name)))
		memcpy(name, "[127.0.0.1]", sizeof "[127.0.0.1]");
	return name;
}

void peer_address_of_rdata(const uint8_t *rdata, size_t rdata_size, uint16_t port,
	struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof *address);
	if (rdata_size == sizeof v4->sin_addr) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, rdata, rdata_size);
		*size = sizeof *v4;
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, rdata, sizeof v6->sin6_addr);
		*size = sizeof *v6;
	}
}

bool peer_address(
	const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size)
{
	uint8_t rdata[sizeof(struct in6_addr)];
	bool v4 = inet_pton(AF_INET, text, rdata) == 1;

	if (!v4 && inet_pton(AF_INET6, text, rdata) != 1)
		return false;
	peer_address_of_rdata(
		rdata, v4 ? sizeof(struct in_addr) : sizeof rdata, port, address, size);
	return true;
}

STACK_OF(X509) * peer_chain(SSL *ssl)
{
	/* On the client's side the server's own certificate is among them. */
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
		fetch->chain = peer_chain(result->ssl);
	else
		snprintf(fetch->error, fetch->error_size, "%s", result->detail);
	local_resolver_stop(fetch->local);
}

STACK_OF(X509) * peer_fetch_chain(struct local_resolver *local, const struct peer_terms *terms,
			 char *error, size_t error_size)
{
	struct fetch fetch = {.local = local, .error = error, .error_size = error_size};
	struct starttls_terms connection = {
		.base = local->base,
		.context = tlsa_match_context_new(),
		.server_name = terms->name,
		.helo = peer_helo(),
		.protocol = terms->protocol,
		.timeout = terms->timeout,
	};
	struct starttls *starttls = NULL;

	snprintf(error, error_size, "out of memory");
	if (!peer_address(
		    terms->address, terms->port, &connection.address, &connection.address_size))
		snprintf(error, error_size, "no address");
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
