#include "daemon/server/server.h"

#include "daemon/server/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS_AUTO_MAX = 8 /* one thread replies to some 300,000 requests a second */ };

enum service { SERVICE_SOCKETMAP, SERVICE_POLICY, SERVICE_COUNT };

static const struct protocol *const protocols[SERVICE_COUNT] = {
	[SERVICE_SOCKETMAP] = &protocol_socketmap,
	[SERVICE_POLICY] = &protocol_policy,
};

struct server {
	struct conf *conf;
	struct listeners *listeners[SERVICE_COUNT]; /* NULL until they are open */
	struct workers workers;
};

/*
 * The policy service is optional: on an installation from before it existed, its default socket may
 * be impossible to create.
 */
static bool listen_all(struct server *server, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size)
{
	const struct conf_list *socketmap = &server->conf->server.socketmap;
	const struct conf_list *policy = &server->conf->server.policy;
	const struct listeners_settings settings[SERVICE_COUNT] = {
		[SERVICE_SOCKETMAP] = {.name = "socketmap",
			.endpoints = socketmap->entries,
			.count = socketmap->count,
			.mode = (mode_t)server->conf->server.socket_mode,
			.owner = owner},
		[SERVICE_POLICY] = {.name = "policy",
			.endpoints = policy->entries,
			.count = policy->count,
			.mode = (mode_t)server->conf->server.socket_mode,
			.owner = owner,
			.optional = CONF_DEFAULT_POLICY,
			.without = "smtpd(8) cannot send policy requests"},
	};

	for (int service = 0; service < SERVICE_COUNT; service++) {
		server->listeners[service] =
			listeners_open(&settings[service], activation, error, error_size);
		if (server->listeners[service] == NULL)
			return false;
	}
	return true;
}

unsigned server_worker_count(const struct conf *conf)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->server.workers != 0)
		return conf->server.workers;
	if (processors < 1)
		return 1;
	return processors > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (unsigned)processors;
}

struct server *server_new(struct conf *conf, uint32_t connections_max,
	struct activation *activation, const struct privileges *owner, char *error,
	size_t error_size)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	server->conf = conf_hold(conf);
	server->workers.count = server_worker_count(conf);
	server->workers.connections_max = connections_max;
	if (!listen_all(server, activation, owner, error, error_size)) {
		server_free(server);
		return NULL;
	}
	return server;
}

/* A thread that listens on all sockets of all services. */
static struct worker *make_worker(struct server *server, const struct worker_services *services)
{
	struct worker *worker = worker_new(&server->workers, services);

	for (int service = 0; worker != NULL && service < SERVICE_COUNT; service++) {
		if (!accept_watch(worker, server->listeners[service], protocols[service])) {
			worker_free(worker);
			worker = NULL;
		}
	}
	return worker;
}

bool server_start(struct server *server, struct cache *cache, struct ta_files *ta_files,
	struct lookup *lookup, char *error, size_t error_size)
{
	struct worker_services services = {server->conf, cache, ta_files, lookup};
	struct workers *workers = &server->workers;

	workers->list = calloc(workers->count, sizeof(struct worker *));
	snprintf(error, error_size, "cannot start the serving threads: out of memory");
	if (workers->list == NULL)
		return false;
	/* All of them exist before the first one runs, since each one reads the others' data. */
	for (unsigned i = 0; i < workers->count; i++) {
		workers->list[i] = make_worker(server, &services);
		if (workers->list[i] == NULL)
			return false;
	}
	for (; workers->running < workers->count; workers->running++) {
		if (!worker_start(workers->list[workers->running])) {
			snprintf(error, error_size,
				"cannot start a serving thread; raise TasksMax= "
				"(systemd.resource-control(5)) or ulimit -u, or set [server] "
				"workers to fewer threads");
			return false;
		}
	}
	return true;
}

void server_set_conf(struct server *server, struct conf *conf)
{
	for (unsigned i = 0; i < server->workers.running; i++) {
		struct conf_message *message = calloc(1, sizeof *message);
		if (message == NULL)
			continue;
		message->message.kind = MESSAGE_CONF;
		message->conf = conf_hold(conf);
		mailbox_post(&server->workers.list[i]->mailbox, &message->message);
	}
}

void server_stop(struct server *server)
{
	for (int service = 0; service < SERVICE_COUNT; service++)
		listeners_remove(server->listeners[service]);
	for (unsigned i = 0; i < server->workers.running; i++)
		mailbox_post_kind(&server->workers.list[i]->mailbox, MESSAGE_STOP);
	for (unsigned i = 0; i < server->workers.running; i++)
		pthread_join(server->workers.list[i]->thread, NULL);
	server->workers.running = 0;
}

void server_free(struct server *server)
{
	if (server == NULL)
		return;
	if (server->workers.running > 0)
		server_stop(server);
	for (unsigned i = 0; server->workers.list != NULL && i < server->workers.count; i++)
		worker_free(server->workers.list[i]);
	free(server->workers.list);
	for (int service = 0; service < SERVICE_COUNT; service++)
		listeners_free(server->listeners[service]);
	conf_release(server->conf);
	free(server);
}

const struct listeners *server_listeners(const struct server *server)
{
	return server->listeners[SERVICE_SOCKETMAP];
}

const struct listeners *server_policy_listeners(const struct server *server)
{
	return server->listeners[SERVICE_POLICY];
}

uint32_t server_heartbeat_age(const struct server *server)
{
	uint32_t oldest = 0;

	for (unsigned i = 0; i < server->workers.running; i++) {
		uint32_t age = heartbeat_age(server->workers.list[i]->heartbeat);
		if (age > oldest)
			oldest = age;
	}
	return oldest;
}

unsigned server_threads(const struct server *server)
{
	return server->workers.count;
}

const struct serving_counters *server_counters(const struct server *server, unsigned thread)
{
	return &server->workers.list[thread]->counters;
}
