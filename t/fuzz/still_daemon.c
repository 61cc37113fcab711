#include "t/fuzz/still_daemon.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/dane/tlsa.h"
#include "daemon/server/server.h"
#include "t/fuzz/fuzz.h"

#include <errno.h>
#include <sys/socket.h>

enum { LIFE = 7 * 24 * 60 * 60 /* [s] of what is cached: longer than any run */ };

static const char settings[] = "[dane]\nsite_level = may\nlearn_trust_anchors = yes\n"
			       "[policy]\nwarm = yes\nannounce = yes\n"
			       "senders = sender@sender.example .below.example\n"
			       "clients = 192.0.2.0/24 2001:db8::/32\n"
			       "[minimum]\nstrict.example = dane\n.encrypted.example = encrypted\n"
			       "secure.example = authenticated\n"
			       "[exception]\nexcepted.example = may until 2100-01-01 ; broken\n";

static struct still_daemon still;

/* --- a lookup thread and a server without threads ------------------------------------------- */

static struct lookup_counters counted;
static struct dns_counters counted_dns;
static struct serving_counters served;
static struct mailbox requests;

bool lookup_ask(struct lookup *lookup, const struct destination *destination,
	struct lookup_needs needs, bool mail, struct mailbox *result_to, void *waiter)
{
	struct part_times times = {.stored_at = 1, .refresh_at = 2, .expires = 3};
	struct mx_set set = {.status = MX_NXDOMAIN};
	struct host_facts facts = {.status = HOST_UNREACHABLE};
	bool domain = destination->kind == DESTINATION_DOMAIN;
	size_t size = 0;

	(void)lookup, (void)needs, (void)mail;
	if (result_to == NULL)
		return true;
	uint8_t *bytes = domain ? part_encode_mx(&set, &times, "", 0, &size)
				: part_encode_host(&facts, &times, "", 0, &size);
	struct lookup_result *result = calloc(1, sizeof *result + size);
	CHECK(bytes != NULL && result != NULL);
	memcpy(result->bytes, bytes, size);
	free(bytes);
	result->message.kind = MESSAGE_RESULT;
	result->waiter = waiter;
	result->destination = *destination;
	result->evidence.destination = &result->destination;
	if (domain)
		CHECK(part_open(&result->evidence.mx, PART_MX, result->bytes, size));
	CHECK(evidence_list_hosts(&result->evidence));
	if (!domain)
		CHECK(part_open(&result->evidence.hosts[0].part, PART_HOST, result->bytes, size));
	mailbox_post(result_to, &result->message);
	return true;
}

struct mailbox *lookup_mailbox(struct lookup *lookup)
{
	(void)lookup;
	return &requests;
}

static void take_request(void *context, struct message *message)
{
	const struct flush_request *request = (const struct flush_request *)message;

	(void)context;
	CHECK(message->kind == MESSAGE_FLUSH);
	struct flush_result *result = calloc(1, sizeof *result);
	CHECK(result != NULL);
	result->message.kind = MESSAGE_FLUSHED;
	result->waiter = request->waiter;
	mailbox_post(request->result_to, &result->message);
	free(message);
}

const struct lookup_counters *lookup_counters(const struct lookup *lookup)
{
	(void)lookup;
	return &counted;
}

const struct dns_counters *lookup_dns_counters(const struct lookup *lookup)
{
	(void)lookup;
	return &counted_dns;
}

uint32_t lookup_deferred_seconds(const struct lookup *lookup)
{
	(void)lookup;
	return 0;
}

uint32_t lookup_heartbeat_age(const struct lookup *lookup)
{
	(void)lookup;
	return 0;
}

unsigned server_threads(const struct server *server)
{
	(void)server;
	return 1;
}

const struct serving_counters *server_counters(const struct server *server, unsigned thread)
{
	(void)server, (void)thread;
	return &served;
}

const struct listeners *server_listeners(const struct server *server)
{
	(void)server;
	return &still.listeners;
}

const struct listeners *server_policy_listeners(const struct server *server)
{
	return server_listeners(server);
}

uint32_t server_heartbeat_age(const struct server *server)
{
	(void)server;
	return 0;
}

/* --- content of the cache ------------------------------------------------------------------ */

static struct part_times times(bool stale)
{
	uint32_t now = clock_wall();

	return (struct part_times){.stored_at = now,
		.refresh_at = now + LIFE,
		.expires = now + LIFE,
		.stale_until = stale ? now + LIFE : 0,
		.flags = stale ? PART_STALE : 0};
}

static void put(const char *key, size_t key_size, uint8_t *bytes, size_t size)
{
	CHECK(bytes != NULL);
	cache_put(still.cache, key, key_size, bytes, size);
	free(bytes);
}

static void put_domain(const char *name, enum mx_status status, enum dns_security security,
	const char *first, const char *second)
{
	struct mx_host hosts[2] = {{.preference = 10}, {.preference = 20}};
	struct mx_set set = {.status = status, .security = security, .hosts = hosts};
	struct part_times life = times(status == MX_FAILED);
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_MX, name, strlen(name), 0);

	snprintf(hosts[0].name, sizeof hosts[0].name, "%s", first != NULL ? first : "");
	snprintf(hosts[1].name, sizeof hosts[1].name, "%s", second != NULL ? second : "");
	set.host_count = (size_t)(first != NULL) + (second != NULL);
	set.failure = (struct part_failure){.failure = DNS_FAILURE_BOGUS,
		.type = DNS_TYPE_MX,
		.name = "failed.example",
		.detail = "signature expired"};
	uint8_t *bytes = part_encode_mx(&set, &life, key, key_size, &size);
	put(key, key_size, bytes, size);
}

static void put_host(const char *name, enum host_status status, uint8_t usage, uint8_t matching)
{
	uint8_t rdata[67] = {usage, 1, matching, 0xab};
	uint16_t rdata_size = matching == TLSA_SHA512 ? 67 : 35;
	struct host_tlsa tlsa = {TLSA_USABLE, rdata_size, rdata};
	struct host_facts facts = {.status = status, .question_count = 2};
	struct part_times life = times(false);
	char key[PART_KEY_MAX];
	size_t size = 0, key_size = part_named_key(key, PART_HOST, name, strlen(name), 25);

	facts.questions[0] = (struct host_question){.type = DNS_TYPE_A,
		.security = DNS_SECURE,
		.address_count = 1,
		.addresses = {{192, 0, 2, 1}}};
	snprintf(facts.questions[0].name, DNS_NAME_SIZE, "%s", name);
	facts.questions[1] = (struct host_question){.type = DNS_TYPE_TLSA, .security = DNS_SECURE};
	snprintf(facts.questions[1].name, DNS_NAME_SIZE, "_25._tcp.%.200s", name);
	if (status == HOST_USABLE) {
		snprintf(facts.base_domain, sizeof facts.base_domain, "%s", name);
		facts.tlsa_count = 1;
		facts.tlsa = &tlsa;
	}
	facts.failure = (struct part_failure){.failure = DNS_FAILURE_TIMEOUT,
		.type = DNS_TYPE_TLSA,
		.name = "_25._tcp.mx.failed.example",
		.detail = "no answer in time"};
	uint8_t *bytes = part_encode_host(&facts, &life, key, key_size, &size);
	put(key, key_size, bytes, size);
}

static void fill_cache(void)
{
	put_domain("dane.example", MX_FOUND, DNS_SECURE, "mx.dane.example", NULL);
	put_domain("partial.example", MX_FOUND, DNS_SECURE, "mx.dane.example", "mx.none.example");
	put_domain("anchor.example", MX_FOUND, DNS_SECURE, "mx.anchor.example", NULL);
	put_domain("insecure.example", MX_FOUND, DNS_INSECURE, "mx.dane.example", NULL);
	put_domain("strict.example", MX_FOUND, DNS_SECURE, "mx.none.example", NULL);
	put_domain("excepted.example", MX_FOUND, DNS_SECURE, "mx.none.example", NULL);
	put_domain("null.example", MX_NULL, DNS_SECURE, NULL, NULL);
	put_domain("failed.example", MX_FAILED, DNS_BOGUS, NULL, NULL);
	put_domain("deferred.example", MX_FOUND, DNS_SECURE, "mx.failed.example", NULL);
	put_host("mx.dane.example", HOST_USABLE, TLSA_DANE_EE, TLSA_SHA256);
	put_host("mx.anchor.example", HOST_USABLE, TLSA_DANE_TA, TLSA_SHA512);
	put_host("mx.none.example", HOST_NONE, 0, 0);
	put_host("mx.failed.example", HOST_FAILED, 0, 0);
}

/* --- making it ----------------------------------------------------------------------------- */

/* The files go as soon as the cache has them open: nothing is left when a target crashes. */
static void open_cache(void)
{
	char directory[FUZZ_DIRECTORY_SIZE], words[STORE_ERROR_SIZE];
	char error[CONF_ERROR_SIZE], paths[2][FUZZ_DIRECTORY_SIZE + 32];
	char *overrides[] = {paths[0], paths[1]};
	struct fuzz_file file;

	fuzz_make_directory(directory);
	snprintf(paths[0], sizeof paths[0], "cache.path=%s", directory);
	snprintf(paths[1], sizeof paths[1], "dane.tafile_dir=%s", directory);
	fuzz_file_open(&file, settings, strlen(settings));
	still.conf = conf_load(file.path, true, overrides, 2, error);
	fuzz_file_close(&file);
	if (still.conf == NULL || !conf_load_rules(still.conf, error))
		fuzz_fail(__FILE__, __LINE__, error);
	still.cache = cache_open(still.conf, words);
	if (still.cache == NULL)
		fuzz_fail(__FILE__, __LINE__, words);
	CHECK(cache_start_writing(still.cache, still.base));
	fill_cache();
	cache_stop_writing(still.cache);
	fuzz_remove_directory(directory);
}

/* Not freed: memory that a static variable points to is not reported as a leak. */
struct still_daemon *still_daemon(void)
{
	if (still.base != NULL)
		return &still;
	log_open("fuzz", LOG_TARGET_STDERR, LOG_LEVEL_ERROR);
	still.base = event_base_new();
	CHECK(still.base != NULL && mailbox_init(&requests, still.base, take_request, NULL));
	open_cache();
	still.ta_files = ta_files_new(still.conf);
	atomic_store(&counted.resolver.result, PROBE_WORKS);
	atomic_store(&counted.resolver.expected, true);
	still.workers.connections_max = 100;
	still.worker = worker_new(&still.workers,
		&(struct worker_services){
			.conf = still.conf, .cache = still.cache, .ta_files = still.ta_files});
	CHECK(still.ta_files != NULL && still.worker != NULL);
	return &still;
}

/* --- connections --------------------------------------------------------------------------- */

int still_daemon_connect(int *theirs)
{
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	*theirs = ends[1];
	return ends[0];
}

void still_daemon_run(struct event_base *base)
{
	/* One turn hears of the bytes, one handles them, one takes the message of a lookup. */
	for (int i = 0; i < 4; i++)
		CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static void read_replies(int fd, char *replies, size_t *used, bool *closed)
{
	ssize_t got;

	do {
		CHECK(*used < STILL_REPLIES_MAX);
		got = recv(fd, replies + *used, STILL_REPLIES_MAX - *used, 0);
		if (got > 0)
			*used += (size_t)got;
	} while (got > 0);
	*closed = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

char *still_daemon_converse(const struct protocol *protocol, const uint8_t *bytes, size_t size,
	size_t piece, size_t *replies_size, bool *closed)
{
	struct worker *worker = still_daemon()->worker;
	static char replies[STILL_REPLIES_MAX];
	size_t sent = 0, idle = 0;
	int theirs, ours = still_daemon_connect(&theirs);

	*replies_size = 0;
	*closed = false;
	connection_open(worker, theirs, protocol);
	/* Where nothing moves any more for a while, the rest is only requests that have replies. */
	while (!*closed && idle < 40) {
		size_t before = *replies_size;
		size_t part = piece < size - sent ? piece : size - sent;
		ssize_t now = part > 0 ? send(ours, bytes + sent, part, MSG_NOSIGNAL) : -1;
		if (now > 0)
			sent += (size_t)now;
		still_daemon_run(worker->base);
		read_replies(ours, replies, replies_size, closed);
		idle = now > 0 || *replies_size > before ? 0 : idle + 1;
	}
	fuzz_end_connection(ours);
	still_daemon_run(worker->base);
	CHECK(TAILQ_EMPTY(&worker->idle) && TAILQ_EMPTY(&worker->waits));
	char *copy = malloc(*replies_size + 1);
	CHECK(copy != NULL);
	memcpy(copy, replies, *replies_size);
	copy[*replies_size] = '\0';
	return copy;
}
