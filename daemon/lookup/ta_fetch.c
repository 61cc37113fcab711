#include "daemon/lookup/ta_fetch.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/smtp/starttls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/* A lookup that waits for a server. */
struct ta_fetch_wait {
	TAILQ_ENTRY(ta_fetch_wait) link; /* in the server's list */
	struct ta_fetch_server *server;
	ta_fetch_callback *callback;
	void *context;
};

/* A host to which a connection is open, or which waits for its turn. */
struct ta_fetch_server {
	TAILQ_ENTRY(ta_fetch_server) link;
	struct ta_fetch *fetch;
	char name[DNS_NAME_MAX + 1];
	char base_domain[DNS_NAME_SIZE]; /* for SNI, RFC 7672 8.1 */
	uint16_t port;
	uint32_t expires; /* of the host's part */
	size_t address_count, address_next;
	struct sockaddr_storage addresses[TA_FETCH_ADDRESSES_MAX];
	size_t ta_count;
	struct ta_digest tas[TA_FETCH_TAS_MAX];
	bool found[TA_FETCH_TAS_MAX];
	uint32_t give_up_at; /* [s], clock_steady() */
	bool running;
	struct starttls *attempt;
	TAILQ_HEAD(, ta_fetch_wait) waits;
};

struct ta_fetch {
	struct event_base *base;
	struct cache *cache;
	SSL_CTX *context;
	uint32_t lifetime; /* [s] */
	unsigned running;
	char helo[256];
	TAILQ_HEAD(, ta_fetch_server) servers; /* in the order of the requests */
};

/* Certificates are only compared with digests from DNS, so weak TLS parameters do no harm here. */
static SSL_CTX *make_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context != NULL) {
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_security_level(context, 0);
		SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	}
	ERR_clear_error();
	return context;
}

struct ta_fetch *ta_fetch_new(
	struct event_base *base, struct cache *cache, char *error, size_t error_size)
{
	struct ta_fetch *fetch = calloc(1, sizeof *fetch);

	if (fetch != NULL) {
		TAILQ_INIT(&fetch->servers);
		fetch->base = base;
		fetch->cache = cache;
		fetch->context = make_context();
		if (gethostname(fetch->helo, sizeof fetch->helo - 1) != 0 ||
			!destination_name_valid(fetch->helo, strlen(fetch->helo)))
			snprintf(fetch->helo, sizeof fetch->helo, "localhost");
		if (fetch->context != NULL)
			return fetch;
		ta_fetch_free(fetch);
	}
	snprintf(error, error_size, "cannot prepare for TLS: out of memory");
	return NULL;
}

void ta_fetch_set_lifetime(struct ta_fetch *fetch, uint32_t seconds)
{
	fetch->lifetime = seconds;
}

/* --- the cache ----------------------------------------------------------------------------- */

static void keep(struct ta_fetch *fetch, enum part_kind kind, const char *key, size_t key_size,
	const uint8_t *bytes, size_t byte_count, uint32_t expires)
{
	struct part_times times = {
		.stored_at = clock_wall(), .expires = expires, .refresh_at = UINT32_MAX};
	size_t size;
	uint8_t *part = part_encode_bytes(kind, bytes, byte_count, &times, key, key_size, &size);

	if (part != NULL)
		cache_put(fetch->cache, key, key_size, part, size);
	free(part);
}

bool ta_fetch_tried(struct ta_fetch *fetch, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *ta)
{
	char key[PART_TA_ATTEMPT_KEY_MAX];
	size_t size, key_size = part_ta_attempt_key(key, host->name, host->name_size, port, ta);
	const uint8_t *bytes;
	struct part part;

	return cache_get(fetch->cache, key, key_size, &bytes, &size) &&
	       part_open(&part, PART_TA_ATTEMPT, bytes, size) &&
	       part_fresh(&part.header, clock_wall());
}

/*
 * An expired trust anchor is still valid: it has that digest, today as then. The expiry only lets
 * unused trust anchors disappear; here it is extended, since this one is in use.
 */
bool ta_fetch_find(
	struct ta_fetch *fetch, const struct ta_digest *ta, const uint8_t **der, size_t *size)
{
	char key[PART_TA_KEY_SIZE];
	size_t part_size, key_size = part_ta_key(key, ta);
	const uint8_t *bytes;
	struct part part;
	uint32_t now = clock_wall();

	if (!cache_get(fetch->cache, key, key_size, &bytes, &part_size) ||
		!part_open(&part, PART_TA, bytes, part_size))
		return false;
	if (part.header.expires < now + fetch->lifetime / 2) {
		uint8_t *copy = malloc(part_size);
		if (copy == NULL)
			return false;
		memcpy(copy, bytes, part_size);
		part_open(&part, PART_TA, copy, part_size);
		*der = part_bytes_of(&part, size);
		keep(fetch, PART_TA, key, key_size, *der, *size, now + fetch->lifetime);
		free(copy);
		if (!cache_get(fetch->cache, key, key_size, &bytes, &part_size) ||
			!part_open(&part, PART_TA, bytes, part_size))
			return false;
	}
	*der = part_bytes_of(&part, size);
	return true;
}

/* --- asking a server ----------------------------------------------------------------------- */

static void start_servers(struct ta_fetch *fetch);

static void free_server(struct ta_fetch_server *server)
{
	starttls_free(server->attempt);
	TAILQ_REMOVE(&server->fetch->servers, server, link);
	if (server->running)
		server->fetch->running--;
	free(server);
}

/* Note the failed trust anchors, call back all lookups that wait, and free the server. */
static void conclude(struct ta_fetch_server *server)
{
	struct ta_fetch *fetch = server->fetch;
	struct ta_fetch_wait *wait;
	char key[PART_TA_ATTEMPT_KEY_MAX];

	for (size_t i = 0; i < server->ta_count; i++) {
		size_t size = part_ta_attempt_key(
			key, server->name, strlen(server->name), server->port, &server->tas[i]);
		if (!server->found[i])
			keep(fetch, PART_TA_ATTEMPT, key, size, NULL, 0, server->expires);
	}
	while ((wait = TAILQ_FIRST(&server->waits)) != NULL) {
		ta_fetch_callback *callback = wait->callback;
		void *context = wait->context;
		TAILQ_REMOVE(&server->waits, wait, link);
		free(wait);
		callback(context);
	}
	free_server(server);
	start_servers(fetch);
}

static bool has_digest(const uint8_t *bytes, size_t size, const struct ta_digest *ta)
{
	struct tlsa_record whole = {
		.usage = TLSA_DANE_TA,
		.selector = ta->selector,
		.matching_type = TLSA_FULL,
		.data = bytes,
		.data_size = size,
	};
	uint8_t digest[TLSA_DIGEST_MAX] = {0};
	size_t digest_size;

	return tlsa_digest(&whole, ta->matching_type, digest, &digest_size) &&
	       memcmp(digest, ta->digest, sizeof digest) == 0;
}

/* If the digest is that of this certificate, or of its public key, store it. */
static void compare(struct ta_fetch_server *server, size_t index, X509 *certificate)
{
	const struct ta_digest *ta = &server->tas[index];
	unsigned char *der = NULL;
	char key[PART_TA_KEY_SIZE];
	int size = ta->selector == TLSA_CERTIFICATE
			   ? i2d_X509(certificate, &der)
			   : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	if (size > 0 && has_digest(der, (size_t)size, ta)) {
		size_t key_size = part_ta_key(key, ta);
		keep(server->fetch, PART_TA, key, key_size, der, (size_t)size,
			clock_wall() + server->fetch->lifetime);
		server->found[index] = true;
		log_debug("learned a trust anchor from %s:%u", server->name, server->port);
	}
	OPENSSL_free(der);
}

static void take_chain(struct ta_fetch_server *server, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
		for (size_t j = 0; j < server->ta_count; j++) {
			if (!server->found[j])
				compare(server, j, sk_X509_value(chain, i));
		}
	}
	ERR_clear_error();
}

static bool all_found(const struct ta_fetch_server *server)
{
	for (size_t i = 0; i < server->ta_count; i++) {
		if (!server->found[i])
			return false;
	}
	return true;
}

static void try_next_address(struct ta_fetch_server *server);

static void attempt_has_ended(void *context, const struct starttls_result *result)
{
	struct ta_fetch_server *server = context;
	char detail[512];

	if (result->outcome == STARTTLS_DONE)
		take_chain(server, result->ssl);
	else
		log_debug("no trust anchor from %s:%u: stage=\"%s\" detail=\"%s\"", server->name,
			server->port, starttls_stage_name(result->stage),
			log_quotable(detail, sizeof detail, result->detail));
	starttls_free(server->attempt);
	server->attempt = NULL;
	/* After a complete handshake, other addresses are not tried: one host, one certificate. */
	if (result->outcome == STARTTLS_DONE) {
		if (!all_found(server))
			log_info("%s:%u does not send the trust anchor that its TLSA records name "
				 "(RFC 7671 5.2.2); trying again when the records expire",
				server->name, server->port);
		conclude(server);
	} else {
		try_next_address(server);
	}
}

static void try_next_address(struct ta_fetch_server *server)
{
	uint32_t now = clock_steady();

	while (server->address_next < server->address_count && now < server->give_up_at) {
		uint32_t left = server->give_up_at - now;
		struct starttls_terms terms = {
			.base = server->fetch->base,
			.context = server->fetch->context,
			.address = server->addresses[server->address_next++],
			.server_name = server->base_domain,
			.helo = server->fetch->helo,
			.protocol = STARTTLS_SMTP,
			.timeout =
				left < TA_FETCH_ADDRESS_TIMEOUT ? left : TA_FETCH_ADDRESS_TIMEOUT,
		};
		terms.address_size = terms.address.ss_family == AF_INET
					     ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
		server->attempt = starttls_new(&terms, attempt_has_ended, server);
		if (server->attempt != NULL)
			return;
	}
	log_info("cannot learn the trust anchor of %s:%u: STARTTLS failed at all addresses tried; "
		 "tlsad -v logs why",
		server->name, server->port);
	conclude(server);
}

static void start_servers(struct ta_fetch *fetch)
{
	struct ta_fetch_server *server = TAILQ_FIRST(&fetch->servers);

	while (server != NULL && fetch->running < TA_FETCH_RUNNING_MAX) {
		if (!server->running) {
			server->running = true;
			fetch->running++;
			server->give_up_at = clock_steady() + TA_FETCH_TIMEOUT;
			try_next_address(server);
			/* That call may have changed the list. */
			server = TAILQ_FIRST(&fetch->servers);
		} else {
			server = TAILQ_NEXT(server, link);
		}
	}
}

/* --- requests ------------------------------------------------------------------------------ */

static void add_address(
	struct ta_fetch_server *server, const struct part_question *question, size_t index)
{
	struct sockaddr_storage *address = &server->addresses[server->address_count++];
	const uint8_t *bytes = question->addresses + index * question->address_size;

	if (question->type == DNS_TYPE_A) {
		struct sockaddr_in *inet = (struct sockaddr_in *)address;
		inet->sin_family = AF_INET;
		inet->sin_port = htons(server->port);
		memcpy(&inet->sin_addr, bytes, sizeof inet->sin_addr);
	} else {
		struct sockaddr_in6 *inet = (struct sockaddr_in6 *)address;
		inet->sin6_family = AF_INET6;
		inet->sin6_port = htons(server->port);
		memcpy(&inet->sin6_addr, bytes, sizeof inet->sin6_addr);
	}
}

/* Read the host's addresses: at most half of the maximum from each family. */
static void read_host(struct ta_fetch_server *server, const struct part *host)
{
	struct part_cursor cursor;
	struct part_question question;

	part_cursor_start(host, &cursor);
	struct part_bytes base_domain = part_base_domain(&cursor);
	snprintf(server->base_domain, sizeof server->base_domain, "%.*s", (int)base_domain.size,
		(const char *)base_domain.bytes);
	for (unsigned i = 0; i < host->header.count && !cursor.damaged; i++) {
		size_t max = server->address_count + TA_FETCH_ADDRESSES_MAX / 2;

		part_next_question(&cursor, &question);
		if (question.type != DNS_TYPE_A && question.type != DNS_TYPE_AAAA)
			continue;
		for (size_t j = 0; j < question.address_count && server->address_count < max &&
				   server->address_count < TA_FETCH_ADDRESSES_MAX;
			j++)
			add_address(server, &question, j);
	}
}

static struct ta_fetch_server *find_server(
	struct ta_fetch *fetch, const struct evidence_host *host, uint16_t port)
{
	struct ta_fetch_server *server;

	TAILQ_FOREACH(server, &fetch->servers, link)
	{
		/* Also one that is connected: it has not sent its chain yet. */
		if (server->port == port && strlen(server->name) == host->name_size &&
			memcmp(server->name, host->name, host->name_size) == 0)
			return server;
	}
	return NULL;
}

static struct ta_fetch_server *add_server(
	struct ta_fetch *fetch, const struct evidence_host *host, uint16_t port)
{
	struct ta_fetch_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return NULL;
	server->fetch = fetch;
	server->port = port;
	server->expires = host->part.header.expires;
	TAILQ_INIT(&server->waits);
	memcpy(server->name, host->name, host->name_size);
	read_host(server, &host->part);
	if (server->address_count == 0) {
		free(server);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&fetch->servers, server, link);
	return server;
}

/* The server has not sent its chain yet: search it for this trust anchor, too. */
static void want_ta(struct ta_fetch_server *server, const struct ta_digest *ta)
{
	for (size_t i = 0; i < server->ta_count; i++) {
		if (memcmp(&server->tas[i], ta, sizeof *ta) == 0)
			return;
	}
	if (server->ta_count < TA_FETCH_TAS_MAX)
		server->tas[server->ta_count++] = *ta;
}

static void start_later(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	start_servers(context);
}

struct ta_fetch_wait *ta_fetch_start(struct ta_fetch *fetch, const struct evidence_host *host,
	uint16_t port, const struct ta_digest *tas, size_t count, ta_fetch_callback *callback,
	void *context)
{
	static const struct timeval now = {0, 0};
	struct ta_fetch_wait *wait = calloc(1, sizeof *wait);
	struct ta_fetch_server *server = find_server(fetch, host, port);

	if (wait != NULL && server == NULL)
		server = add_server(fetch, host, port);
	/* Start later: the callback must not be called inside this function. */
	if (wait == NULL || server == NULL ||
		event_base_once(fetch->base, -1, EV_TIMEOUT, start_later, fetch, &now) != 0) {
		free(wait);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		want_ta(server, &tas[i]);
	wait->server = server;
	wait->callback = callback;
	wait->context = context;
	TAILQ_INSERT_TAIL(&server->waits, wait, link);
	return wait;
}

/* The connection continues, for the next lookup. */
void ta_fetch_cancel(struct ta_fetch_wait *wait)
{
	TAILQ_REMOVE(&wait->server->waits, wait, link);
	free(wait);
}

void ta_fetch_free(struct ta_fetch *fetch)
{
	struct ta_fetch_server *server;

	if (fetch == NULL)
		return;
	while ((server = TAILQ_FIRST(&fetch->servers)) != NULL) {
		struct ta_fetch_wait *wait;
		while ((wait = TAILQ_FIRST(&server->waits)) != NULL)
			ta_fetch_cancel(wait);
		free_server(server);
	}
	SSL_CTX_free(fetch->context);
	free(fetch);
}
