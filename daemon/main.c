/*
 * tlsad: the main thread. It starts all other threads, handles signals, and stops the threads.
 */
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/standard_streams.h"
#include "common/dns/resolver.h"
#include "daemon/answer/exception_log.h"
#include "daemon/configuration.h"
#include "daemon/options.h"
#include "daemon/process/notify.h"
#include "daemon/start.h"
#include "daemon/tlsad.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* --- while it runs ------------------------------------------------------------------------- */

static void look_for_ends(evutil_socket_t fd, short what, void *context)
{
	const struct tlsad *tlsad = context;

	(void)fd;
	(void)what;
	exception_log_note_ends(tlsad->conf->rules);
}

static void reload(struct tlsad *tlsad)
{
	json_t *changed = json_array(), *restart = json_array();
	char error[CONF_ERROR_SIZE];

	notify_reloading();
	configuration_reload(tlsad, changed, restart, error, sizeof error);
	notify_ready(tlsad->status);
	json_decref(changed);
	json_decref(restart);
}

static void take_signal(void *context, int number)
{
	struct tlsad *tlsad = context;

	if (number == SIGHUP) {
		reload(tlsad);
		return;
	}
	notify_stopping();
	log_info("stopping on signal %d", number);
	event_base_loopbreak(tlsad->base);
}

static bool serve(struct tlsad *tlsad)
{
	struct event *ends = event_new(tlsad->base, -1, EV_PERSIST, look_for_ends, tlsad);
	const struct timeval minute = {.tv_sec = 60};
	bool good = ends != NULL && event_add(ends, &minute) == 0 &&
		    signals_watch(&tlsad->signals, tlsad->base, take_signal, tlsad);

	if (good) {
		notify_ready(tlsad->status);
		good = event_base_dispatch(tlsad->base) >= 0;
	}
	if (!good)
		log_error("the main event loop failed: tlsad stops");
	/* SIGHUP has no effect any more; a second SIGTERM or SIGINT ends the process at once. */
	signal(SIGHUP, SIG_IGN);
	signals_release(&tlsad->signals);
	if (ends != NULL)
		event_free(ends);
	return good;
}

static void say_start(struct tlsad *tlsad)
{
	const struct listeners *listeners = server_listeners(tlsad->server);
	char endpoint[ENDPOINT_TEXT_SIZE];

	endpoint_print(&listeners->endpoints[0], endpoint);
	snprintf(tlsad->status, sizeof tlsad->status, "serving on %s%s", endpoint,
		listeners->count > 1 ? " and others" : "");
	log_notice("tlsad %s serves on %s%s", TLSAD_VERSION, endpoint,
		listeners->count > 1 ? " and others" : "");
}

static int run(struct tlsad *tlsad)
{
	static const int obeyed[] = {SIGTERM, SIGINT, SIGHUP};
	char error[START_ERROR_SIZE] = "";
	int status = EXIT_FAILURE;

	signals_block(&tlsad->signals, obeyed, sizeof obeyed / sizeof obeyed[0]);
	if (start_all(tlsad, error)) {
		say_start(tlsad);
		bool good = serve(tlsad);
		end_all(tlsad, true);
		status = good ? EXIT_SUCCESS : EXIT_FAILURE;
	} else {
		log_error("%s", error);
		end_all(tlsad, false);
	}
	conf_release(tlsad->conf);
	libevent_global_shutdown();
	return status;
}

/*
 * Are the settings of [resolver] and the files that they name accepted? The network is not asked.
 * The stored keys of the root are left out: they are not part of the configuration, and the account
 * of tlsad can replace them by a fifo or a link, while root runs this.
 */
static bool check_resolver(const struct conf *conf, char *error, size_t error_size)
{
	struct event_base *base = event_base_new();
	struct resolver_settings settings = conf_resolver_settings(conf);
	struct resolver resolver;

	settings.state_directory = "/dev/null"; /* where no file can be */
	if (base == NULL) {
		snprintf(error, error_size, "out of memory");
		return false;
	}
	bool good = resolver_open(&resolver, base, &settings, error, error_size);
	resolver_close(&resolver);
	event_base_free(base);
	return good;
}

static bool check_trust(const struct conf *conf, char *error)
{
	struct sts_trust *trust = NULL;
	bool good = !conf->sts.enable || start_read_trust(conf, &trust, error);

	sts_trust_free(trust);
	return good;
}

static int check(const struct tlsad *tlsad)
{
	char error[START_ERROR_SIZE];
	bool good = privileges_check(tlsad->conf, error, sizeof error) &&
		    check_resolver(tlsad->conf, error, sizeof error) &&
		    check_trust(tlsad->conf, error);

	if (good)
		configuration_warn(tlsad->conf);
	if (!good)
		log_error("%s: %s", tlsad->options->file, error);
	else if (tlsad->options->verbose)
		conf_print(tlsad->conf, stdout);
	conf_release(tlsad->conf);
	libevent_global_shutdown();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_options(int count, char **arguments)
{
	struct options options = {.file = TLSAD_CONFDIR "/tlsad.conf"};
	struct tlsad tlsad = {.options = &options};
	char error[CONF_ERROR_SIZE];
	int status;

	if (!options_read(count, arguments, &options, &status))
		return status;
	tlsad.conf = configuration_load(&options, error);
	if (tlsad.conf == NULL) {
		log_error("%s", error);
		return EXIT_FAILURE;
	}
	if (options.check) {
		log_set_level(LOG_LEVEL_WARNING);
		return check(&tlsad);
	}
	log_open("tlsad", (enum log_target)tlsad.conf->log.target,
		options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	configuration_warn(tlsad.conf);
	exception_log_begin(tlsad.conf->rules, NULL);
	exception_log_note_ends(tlsad.conf->rules);
	return run(&tlsad);
}

int main(int count, char **arguments)
{
	standard_streams_begin();
	int status = run_options(count, arguments);
	return standard_streams_end() ? status : EX_IOERR;
}
