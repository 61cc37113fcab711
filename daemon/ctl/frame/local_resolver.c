#include "daemon/ctl/frame/local_resolver.h"

#include "common/base/log.h"
#include "daemon/ctl/frame/configuration.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_SIZE = 640 };

static void take_signal(evutil_socket_t number, short what, void *context)
{
	struct local_resolver *local = context;

	(void)what;
	local->signal = (int)number;
	event_base_loopbreak(local->base);
}

bool local_resolver_load_conf(
	struct local_resolver *local, const struct ctl *ctl, char *error, size_t error_size)
{
	char words[CONF_ERROR_SIZE];

	memset(local, 0, sizeof *local);
	local->conf = configuration_load(ctl, words);
	if (local->conf == NULL)
		snprintf(error, error_size, "%s", words);
	return local->conf != NULL;
}

bool local_resolver_open_loop(struct local_resolver *local, char *error, size_t error_size)
{
	snprintf(error, error_size, "out of memory");
	local->base = event_base_new();
	if (local->base == NULL)
		return false;
	local->interrupt = evsignal_new(local->base, SIGINT, take_signal, local);
	local->terminate = evsignal_new(local->base, SIGTERM, take_signal, local);
	return local->interrupt != NULL && local->terminate != NULL &&
	       event_add(local->interrupt, NULL) == 0 && event_add(local->terminate, NULL) == 0;
}

bool local_resolver_open_resolver(struct local_resolver *local, char *error, size_t error_size)
{
	struct resolver_settings settings = conf_resolver_settings(local->conf);

	return resolver_open(&local->resolver, local->base, &settings, error, error_size);
}

bool local_resolver_open(struct local_resolver *local, const struct ctl *ctl)
{
	char error[ERROR_SIZE];

	if (local_resolver_load_conf(local, ctl, error, sizeof error) &&
		local_resolver_open_loop(local, error, sizeof error) &&
		local_resolver_open_resolver(local, error, sizeof error))
		return true;
	log_error("%s", error);
	return false;
}

bool local_resolver_run(struct local_resolver *local)
{
	/* A signal may have arrived at the end of the previous run. */
	if (local->signal != 0)
		return false;
	if (event_base_dispatch(local->base) < 0)
		log_error("the event loop failed: nothing was looked up");
	else if (local->signal == 0)
		return true;
	return false;
}

void local_resolver_stop(struct local_resolver *local)
{
	event_base_loopbreak(local->base);
}

void local_resolver_close(struct local_resolver *local)
{
	if (local->interrupt != NULL)
		event_free(local->interrupt);
	if (local->terminate != NULL)
		event_free(local->terminate);
	resolver_close(&local->resolver);
	if (local->base != NULL)
		event_base_free(local->base);
	conf_release(local->conf);
	libevent_global_shutdown();
	if (local->signal != 0) {
		signal(local->signal, SIG_DFL);
		raise(local->signal);
	}
}

struct lookup_settings local_resolver_settings(const struct local_resolver *local)
{
	return (struct lookup_settings){
		.base = local->base,
		.dns = local->resolver.dns,
		.view = DNS_VIEW_FIRST,
		.timeout = local->conf->resolver.timeout,
	};
}
