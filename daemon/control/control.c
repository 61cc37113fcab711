/*
 * The control socket: where it listens, and its start and end.
 */
#include "daemon/control/control.h"

#include "daemon/control/connection.h"
#include "daemon/control/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	CONTROL_MODE = 0600,
	CONTROL_PAUSE = 1, /* [s] until it tries to accept again */
};

/* --- accepting ----------------------------------------------------------------------------- */

static void resume_accepting(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < control->listeners->count; i++)
		event_add(control->accepting[i], NULL);
}

/* Out of descriptors: until it resumes, new connections stay in the listen queue. */
static void pause_accepting(struct control *control)
{
	static const struct timeval pause = {.tv_sec = CONTROL_PAUSE};

	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		for (size_t i = 0; i < control->listeners->count; i++)
			event_del(control->accepting[i]);
		evtimer_add(control->resuming, &pause);
	}
}

static void accept_one(evutil_socket_t fd, short what, void *context)
{
	struct control *control = context;
	int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (accepted < 0) {
		pause_accepting(control);
		return;
	}
	if (control->connection_count >= control->services.connections_max) {
		control_connection_refuse(accepted);
		return;
	}
	control_connection_open(control, accepted);
}

/* --- start and end ------------------------------------------------------------------------- */

static void stop_accepting(struct control *control)
{
	for (size_t i = 0; control->accepting != NULL && i < control->listeners->count; i++) {
		if (control->accepting[i] != NULL)
			event_free(control->accepting[i]);
	}
	free(control->accepting);
	control->accepting = NULL;
	if (control->resuming != NULL)
		event_free(control->resuming);
	control->resuming = NULL;
}

static bool watch_listeners(struct control *control)
{
	const struct listeners *listeners = control->listeners;

	control->accepting = calloc(listeners->count, sizeof(struct event *));
	for (size_t i = 0; control->accepting != NULL && i < listeners->count; i++) {
		control->accepting[i] = event_new(control->services.base, listeners->sockets[i],
			EV_READ | EV_PERSIST, accept_one, control);
		if (control->accepting[i] == NULL || event_add(control->accepting[i], NULL) != 0)
			return false;
	}
	control->resuming = evtimer_new(control->services.base, resume_accepting, control);
	return control->accepting != NULL && control->resuming != NULL;
}

struct listeners *control_listen(const struct conf *conf, struct activation *activation,
	const struct privileges *owner, char *error, size_t error_size)
{
	struct listeners_settings settings = {
		.name = "control",
		.endpoints = &conf->server.control,
		.count = conf->server.control[0] != '\0' ? 1 : 0,
		.mode = CONTROL_MODE,
		.unix_only = true,
		.optional = "unix:" TLSAD_RUNDIR "/control",
		.without = "tlsactl cannot ask",
		.owner = owner,
	};
	return listeners_open(&settings, activation, error, error_size);
}

struct control *control_new(
	const struct control_services *services, struct conf *conf, struct listeners *listeners)
{
	struct control *control = calloc(1, sizeof *control);

	if (control == NULL)
		return NULL;
	TAILQ_INIT(&control->connections);
	TAILQ_INIT(&control->waits);
	control->services = *services;
	control->conf = conf_hold(conf);
	control->mailbox.wake = -1;
	control->context.reader = cache_reader_new(services->cache);
	control->context.ta_files = services->ta_files;
	control->context.conf = control->conf;
	control->maps.context = &control->context;
	control->maps.counters = &control->counters;
	if (control->context.reader != NULL &&
		mailbox_init(&control->mailbox, services->base, control_take_message, control)) {
		control->listeners = listeners;
		if (watch_listeners(control))
			return control;
		stop_accepting(control);
		control->listeners = NULL;
	}
	control_free(control);
	return NULL;
}

void control_stop(struct control *control)
{
	if (control == NULL || control->listeners == NULL)
		return;
	stop_accepting(control);
	listeners_free(control->listeners);
	control->listeners = NULL;
}

void control_free(struct control *control)
{
	struct control_connection *connection;

	if (control == NULL)
		return;
	control_stop(control);
	while ((connection = TAILQ_FIRST(&control->connections)) != NULL)
		control_connection_free(connection);
	control_verbs_clear(control);
	if (control->mailbox.wake >= 0)
		mailbox_clear(&control->mailbox);
	cache_reader_free(control->context.reader);
	conf_release(control->conf);
	free(control);
}

void control_set_conf(struct control *control, struct conf *conf)
{
	conf_hold(conf);
	conf_release(control->conf);
	control->conf = conf;
	control->context.conf = conf;
}
