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

struct learn_wish {
	TAILQ_ENTRY(learn_wish) link; /* in the task's list */
	struct learn_task *task;
	learn_callback *callback;
	void *context;
};

/* One host that is asked, or waits for its turn. */
struct learn_task {
	TAILQ_ENTRY(learn_task) link;
	struct learn *learn;
	char name[DESTINATION_NAME_MAX + 1];
	char base_domain[DNS_NAME_SIZE]; /* for SNI, RFC 7672 8.1 */
	uint16_t port;
	uint32_t expires; /* of the host's part */
	size_t address_count, address_next;
	struct sockaddr_storage addresses[LEARN_ADDRESSES_MAX];
	size_t anchor_count;
	struct ta_digest anchors[LEARN_ANCHORS_MAX];
	bool found[LEARN_ANCHORS_MAX];
	uint32_t give_up_at; /* [s], clock_steady() */
	bool running;
	struct starttls *attempt;
	TAILQ_HEAD(, learn_wish) wishes;
};

struct learn {
	struct event_base *base;
	struct cache *cache;
	SSL_CTX *context;
	uint32_t lifetime; /* [s] */
	unsigned running;
	char helo[256];
	TAILQ_HEAD(, learn_task) tasks; /* in the order in which they came */
};

/* Certificates are only compared with digests, so nothing that a server offers is too weak. */
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

struct learn *learn_new(
	struct event_base *base, struct cache *cache, char *error, size_t error_size)
{
	struct learn *learn = calloc(1, sizeof *learn);

	if (learn != NULL) {
		TAILQ_INIT(&learn->tasks);
		learn->base = base;
		learn->cache = cache;
		learn->context = make_context();
		if (gethostname(learn->helo, sizeof learn->helo - 1) != 0 ||
			!destination_name_valid(learn->helo, strlen(learn->helo)))
			snprintf(learn->helo, sizeof learn->helo, "localhost");
		if (learn->context != NULL)
			return learn;
		learn_free(learn);
	}
	snprintf(error, error_size, "cannot prepare for TLS: out of memory");
	return NULL;
}

void learn_set_lifetime(struct learn *learn, uint32_t seconds)
{
	learn->lifetime = seconds;
}

/* --- what is in the cache ------------------------------------------------------------------ */

static void keep(struct learn *learn, enum part_kind kind, const char *key, size_t key_size,
	const uint8_t *bytes, size_t byte_count, uint32_t expires)
{
	struct part_times times = {
		.stored_at = clock_wall(), .expires = expires, .refresh_at = UINT32_MAX};
	size_t size;
	uint8_t *part = part_encode_bytes(kind, bytes, byte_count, &times, key, key_size, &size);

	if (part != NULL)
		cache_put(learn->cache, key, key_size, part, size);
	free(part);
}

bool learn_tried(struct learn *learn, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *anchor)
{
	char key[PART_TA_ATTEMPT_KEY_MAX];
	size_t size, key_size = part_ta_attempt_key(key, host->name, host->name_size, port, anchor);
	const uint8_t *bytes;
	struct part part;

	return cache_get(learn->cache, key, key_size, &bytes, &size) &&
	       part_open(&part, PART_TA_ATTEMPT, bytes, size) &&
	       part_fresh(&part.header, clock_wall());
}

/*
 * Whether it has expired does not matter: it is what has that digest, today as then. It expires
 * only so that what is of no use any more goes, and is kept anew while it is of use.
 */
bool learn_find(
	struct learn *learn, const struct ta_digest *anchor, const uint8_t **der, size_t *size)
{
	char key[PART_TA_KEY_SIZE];
	size_t part_size, key_size = part_ta_key(key, anchor);
	const uint8_t *bytes;
	struct part part;
	uint32_t now = clock_wall();

	if (!cache_get(learn->cache, key, key_size, &bytes, &part_size) ||
		!part_open(&part, PART_TA, bytes, part_size))
		return false;
	if (part.header.expires < now + learn->lifetime / 2) {
		uint8_t *copy = malloc(part_size);
		if (copy == NULL)
			return false;
		memcpy(copy, bytes, part_size);
		part_open(&part, PART_TA, copy, part_size);
		*der = part_bytes_of(&part, size);
		keep(learn, PART_TA, key, key_size, *der, *size, now + learn->lifetime);
		free(copy);
		if (!cache_get(learn->cache, key, key_size, &bytes, &part_size) ||
			!part_open(&part, PART_TA, bytes, part_size))
			return false;
	}
	*der = part_bytes_of(&part, size);
	return true;
}

/* --- asking a server ----------------------------------------------------------------------- */

static void start_tasks(struct learn *learn);

static void free_task(struct learn_task *task)
{
	starttls_free(task->attempt);
	TAILQ_REMOVE(&task->learn->tasks, task, link);
	if (task->running)
		task->learn->running--;
	free(task);
}

/* Everybody who waits is told; the wishes are over. */
static void conclude(struct learn_task *task)
{
	struct learn *learn = task->learn;
	struct learn_wish *wish;
	char key[PART_TA_ATTEMPT_KEY_MAX];

	for (size_t i = 0; i < task->anchor_count; i++) {
		size_t size = part_ta_attempt_key(
			key, task->name, strlen(task->name), task->port, &task->anchors[i]);
		if (!task->found[i])
			keep(learn, PART_TA_ATTEMPT, key, size, NULL, 0, task->expires);
	}
	while ((wish = TAILQ_FIRST(&task->wishes)) != NULL) {
		learn_callback *callback = wish->callback;
		void *context = wish->context;
		TAILQ_REMOVE(&task->wishes, wish, link);
		free(wish);
		callback(context);
	}
	free_task(task);
	start_tasks(learn);
}

static bool has_digest(const uint8_t *bytes, size_t size, const struct ta_digest *anchor)
{
	struct tlsa_record whole = {
		.usage = TLSA_DANE_TA,
		.selector = anchor->selector,
		.matching_type = TLSA_FULL,
		.data = bytes,
		.data_size = size,
	};
	uint8_t digest[TLSA_DIGEST_MAX] = {0};
	size_t digest_size;

	return tlsa_digest(&whole, anchor->matching_type, digest, &digest_size) &&
	       memcmp(digest, anchor->digest, sizeof digest) == 0;
}

/* What the anchor names of this certificate, if it is that: all of it, or its public key. */
static void compare(struct learn_task *task, size_t index, X509 *certificate)
{
	const struct ta_digest *anchor = &task->anchors[index];
	unsigned char *der = NULL;
	char key[PART_TA_KEY_SIZE];
	int size = anchor->selector == TLSA_CERTIFICATE
			   ? i2d_X509(certificate, &der)
			   : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	if (size > 0 && has_digest(der, (size_t)size, anchor)) {
		size_t key_size = part_ta_key(key, anchor);
		keep(task->learn, PART_TA, key, key_size, der, (size_t)size,
			clock_wall() + task->learn->lifetime);
		task->found[index] = true;
		log_debug("learned a trust anchor from %s:%u", task->name, task->port);
	}
	OPENSSL_free(der);
}

static void take_chain(struct learn_task *task, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
		for (size_t j = 0; j < task->anchor_count; j++) {
			if (!task->found[j])
				compare(task, j, sk_X509_value(chain, i));
		}
	}
	ERR_clear_error();
}

static bool all_found(const struct learn_task *task)
{
	for (size_t i = 0; i < task->anchor_count; i++) {
		if (!task->found[i])
			return false;
	}
	return true;
}

static void try_next_address(struct learn_task *task);

static void attempt_has_ended(void *context, const struct starttls_result *result)
{
	struct learn_task *task = context;
	char detail[512];

	if (result->outcome == STARTTLS_DONE)
		take_chain(task, result->ssl);
	else
		log_debug("no trust anchor from %s:%u: stage=\"%s\" detail=\"%s\"", task->name,
			task->port, starttls_stage_name(result->stage),
			log_quotable(detail, sizeof detail, result->detail));
	starttls_free(task->attempt);
	task->attempt = NULL;
	/* The other addresses of a host that answers have the same certificate. */
	if (result->outcome == STARTTLS_DONE) {
		if (!all_found(task))
			log_info("%s:%u does not send the trust anchor that its TLSA records name",
				task->name, task->port);
		conclude(task);
	} else {
		try_next_address(task);
	}
}

static void try_next_address(struct learn_task *task)
{
	uint32_t now = clock_steady();

	while (task->address_next < task->address_count && now < task->give_up_at) {
		uint32_t left = task->give_up_at - now;
		struct starttls_terms terms = {
			.base = task->learn->base,
			.context = task->learn->context,
			.address = task->addresses[task->address_next++],
			.server_name = task->base_domain,
			.helo = task->learn->helo,
			.protocol = STARTTLS_SMTP,
			.timeout = left < LEARN_ADDRESS_TIMEOUT ? left : LEARN_ADDRESS_TIMEOUT,
		};
		terms.address_size = terms.address.ss_family == AF_INET
					     ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
		task->attempt = starttls_new(&terms, attempt_has_ended, task);
		if (task->attempt != NULL)
			return;
	}
	log_info("cannot learn the trust anchor of %s:%u: no address of it could be asked",
		task->name, task->port);
	conclude(task);
}

static void start_tasks(struct learn *learn)
{
	struct learn_task *task = TAILQ_FIRST(&learn->tasks);

	while (task != NULL && learn->running < LEARN_AT_ONCE) {
		if (!task->running) {
			task->running = true;
			learn->running++;
			task->give_up_at = clock_steady() + LEARN_TIMEOUT;
			try_next_address(task);
			/* The list may have changed. */
			task = TAILQ_FIRST(&learn->tasks);
		} else {
			task = TAILQ_NEXT(task, link);
		}
	}
}

/* --- wishes -------------------------------------------------------------------------------- */

static void add_address(struct learn_task *task, const struct part_lookup *lookup, size_t index)
{
	struct sockaddr_storage *address = &task->addresses[task->address_count++];
	const uint8_t *bytes = lookup->addresses + index * lookup->address_size;

	if (lookup->type == DNS_TYPE_A) {
		struct sockaddr_in *inet = (struct sockaddr_in *)address;
		inet->sin_family = AF_INET;
		inet->sin_port = htons(task->port);
		memcpy(&inet->sin_addr, bytes, sizeof inet->sin_addr);
	} else {
		struct sockaddr_in6 *inet = (struct sockaddr_in6 *)address;
		inet->sin6_family = AF_INET6;
		inet->sin6_port = htons(task->port);
		memcpy(&inet->sin6_addr, bytes, sizeof inet->sin6_addr);
	}
}

/* Half of the addresses of each family, as far as there are. */
static void read_host(struct learn_task *task, const struct part *host)
{
	struct part_cursor cursor;
	struct part_lookup lookup;

	part_cursor_start(host, &cursor);
	struct part_bytes base_domain = part_base_domain(&cursor);
	snprintf(task->base_domain, sizeof task->base_domain, "%.*s", (int)base_domain.size,
		(const char *)base_domain.bytes);
	for (unsigned i = 0; i < host->header.count && !cursor.damaged; i++) {
		size_t most = task->address_count + LEARN_ADDRESSES_MAX / 2;

		part_next_lookup(&cursor, &lookup);
		if (lookup.type != DNS_TYPE_A && lookup.type != DNS_TYPE_AAAA)
			continue;
		for (size_t j = 0; j < lookup.address_count && task->address_count < most &&
				   task->address_count < LEARN_ADDRESSES_MAX;
			j++)
			add_address(task, &lookup, j);
	}
}

static struct learn_task *find_task(
	struct learn *learn, const struct evidence_host *host, uint16_t port)
{
	struct learn_task *task;

	TAILQ_FOREACH(task, &learn->tasks, link)
	{
		/* One that runs has looked at a chain for other anchors, perhaps. */
		if (task->port == port && strlen(task->name) == host->name_size &&
			memcmp(task->name, host->name, host->name_size) == 0)
			return task;
	}
	return NULL;
}

static struct learn_task *make_task(
	struct learn *learn, const struct evidence_host *host, uint16_t port)
{
	struct learn_task *task = calloc(1, sizeof *task);

	if (task == NULL)
		return NULL;
	task->learn = learn;
	task->port = port;
	task->expires = host->part.header.expires;
	TAILQ_INIT(&task->wishes);
	memcpy(task->name, host->name, host->name_size);
	read_host(task, &host->part);
	if (task->address_count == 0) {
		free(task);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&learn->tasks, task, link);
	return task;
}

/* While the server's chain has not come yet, more can be looked for in it. */
static void want_anchor(struct learn_task *task, const struct ta_digest *anchor)
{
	for (size_t i = 0; i < task->anchor_count; i++) {
		if (memcmp(&task->anchors[i], anchor, sizeof *anchor) == 0)
			return;
	}
	if (task->anchor_count < LEARN_ANCHORS_MAX)
		task->anchors[task->anchor_count++] = *anchor;
}

static void start_later(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	start_tasks(context);
}

struct learn_wish *learn_start(struct learn *learn, const struct evidence_host *host, uint16_t port,
	const struct ta_digest *anchors, size_t count, learn_callback *callback, void *context)
{
	static const struct timeval now = {0, 0};
	struct learn_wish *wish = calloc(1, sizeof *wish);
	struct learn_task *task = find_task(learn, host, port);

	if (wish != NULL && task == NULL)
		task = make_task(learn, host, port);
	/* Nothing is called back inside this function. */
	if (wish == NULL || task == NULL ||
		event_base_once(learn->base, -1, EV_TIMEOUT, start_later, learn, &now) != 0) {
		free(wish);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		want_anchor(task, &anchors[i]);
	wish->task = task;
	wish->callback = callback;
	wish->context = context;
	TAILQ_INSERT_TAIL(&task->wishes, wish, link);
	return wish;
}

/* The task goes on for the next who asks. */
void learn_cancel(struct learn_wish *wish)
{
	TAILQ_REMOVE(&wish->task->wishes, wish, link);
	free(wish);
}

void learn_free(struct learn *learn)
{
	struct learn_task *task;

	if (learn == NULL)
		return;
	while ((task = TAILQ_FIRST(&learn->tasks)) != NULL) {
		struct learn_wish *wish;
		while ((wish = TAILQ_FIRST(&task->wishes)) != NULL)
			learn_cancel(wish);
		free_task(task);
	}
	SSL_CTX_free(learn->context);
	free(learn);
}
