/*
 * tlsad: options, signals, and the order in which the daemon's parts come and go.
 */
#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/dns/dns.h"
#include "common/dns/resolver.h"
#include "common/site/minimum.h"
#include "daemon/answer/exception_log.h"
#include "daemon/cache/cache.h"
#include "daemon/control/control.h"
#include "daemon/counters/counters.h"
#include "daemon/health/descriptor_budget.h"
#include "daemon/health/watchdog.h"
#include "daemon/lookup/lookup.h"
#include "daemon/loop/signals.h"
#include "daemon/metrics/metrics.h"
#include "daemon/process/activation.h"
#include "daemon/process/notify.h"
#include "daemon/process/pid_file.h"
#include "daemon/process/privileges.h"
#include "daemon/server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <idn2.h>
#include <jansson.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	OVERRIDES_MAX = 128,
	ERROR_SIZE = 640,
	OVERRULED_NAMED = 10, /* exceptions that a minimum wins over */
	STATUS_SIZE = 256,
	CACHE_MODE = 0750,
};

struct options {
	const char *file;
	bool file_given;
	char *overrides[OVERRIDES_MAX];
	size_t override_count;
	bool check;
	bool verbose;
};

struct tlsad {
	const struct options *options;
	struct conf *conf;
	struct privileges account;
	struct descriptor_budget budget;
	struct pid_file pid_file;
	struct cache *cache;
	struct ta_files *tafiles;
	struct lookup *lookup;
	struct server *server;
	struct counters_source counters;     /* of all of these, once they are there */
	struct listeners *control_listeners; /* until there is a control; NULL: none */
	struct listeners *metrics_listeners; /* likewise */
	struct control *control;             /* NULL: none */
	struct metrics *metrics;             /* NULL: none */
	struct watchdog *watchdog;           /* NULL: none */
	struct event_base *base;
	struct signals signals;
	char status[STATUS_SIZE]; /* for the service manager */
};

static void usage(FILE *out)
{
	fputs("usage: tlsad [-c FILE] [-o SECTION.KEY=VALUE]... [-n] [-v] [-V] [-h]\n"
	      "  -c FILE               configuration, default " TLSAD_CONFDIR "/tlsad.conf\n"
	      "  -o SECTION.KEY=VALUE  override one setting; may be repeated\n"
	      "  -n                    check the configuration and exit; with -v print it\n"
	      "  -v                    log more\n"
	      "  -V                    print the versions of tlsad and its libraries\n"
	      "  -h                    print this\n"
	      "See tlsad(8) and tlsad.conf(5).\n",
		out);
}

static void print_versions(void)
{
	printf("tlsad %s\n", TLSAD_VERSION);
	printf("libunbound %s\n", dns_library_version());
	printf("OpenSSL %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
	printf("libevent %s\n", event_get_version());
	int major, minor, patch;
	mdb_version(&major, &minor, &patch);
	printf("LMDB %d.%d.%d\n", major, minor, patch);
	printf("libidn2 %s\n", idn2_check_version(NULL));
	printf("jansson %s\n", jansson_version_str());
	/* These two cannot be asked; it is what tlsad was built with. */
	printf("inih %s\n", INIH_VERSION);
#ifdef HAVE_LIBSYSTEMD
	printf("libsystemd %s\n", LIBSYSTEMD_VERSION);
#endif
}

/* True to go on; otherwise `*status` is the exit status. */
static bool read_options(int count, char **arguments, struct options *options, int *status)
{
	int option;

	*status = EX_USAGE;
	while ((option = getopt(count, arguments, "c:o:nvVh")) != -1) {
		switch (option) {
		case 'c':
			options->file = optarg;
			options->file_given = true;
			break;
		case 'o':
			if (options->override_count == OVERRIDES_MAX) {
				fprintf(stderr, "tlsad: more than %d times -o\n", OVERRIDES_MAX);
				return false;
			}
			options->overrides[options->override_count++] = optarg;
			break;
		case 'n':
			options->check = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			print_versions();
			*status = 0;
			return false;
		case 'h':
			usage(stdout);
			*status = 0;
			return false;
		default:
			usage(stderr);
			return false;
		}
	}
	if (optind < count) {
		usage(stderr);
		return false;
	}
	return true;
}

/* What a minimum makes of an exception is told; of a long list, of the first ones. */
static void warn_of_rules(const struct conf *conf)
{
	size_t overruled = 0;
	uint32_t now = clock_wall();
	const struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++) {
		struct ruling ruling;

		rules_find_key(conf->rules, exception->key, now, &ruling);
		if (!exception_in_force(exception, now) ||
			exception_effect(ruling.minimum, exception->level) == EXCEPTION_HOLDS)
			continue;
		if (overruled++ < OVERRULED_NAMED)
			log_warning(
				"%s:%u: the exception %s = %s is less than the minimum %s = %s: "
				"the minimum wins",
				exception->place.file, exception->place.line, exception->key,
				tls_level_names[exception->level], ruling.minimum_key,
				minimum_names[ruling.minimum]);
	}
	if (overruled > OVERRULED_NAMED)
		log_warning("minimums win over %zu more exceptions", overruled - OVERRULED_NAMED);
}

static struct conf *load(const struct options *options, char *error)
{
	struct conf *conf = conf_load(options->file, options->file_given, options->overrides,
		options->override_count, error);

	if (conf != NULL && !conf_load_rules(conf, error)) {
		conf_release(conf);
		conf = NULL;
	}
	return conf;
}

/* --- while it runs ------------------------------------------------------------------------- */

static void note_difference(
	const struct conf *old, const struct conf *conf, json_t *changed, json_t *restart)
{
	const char *setting;

	for (size_t i = 0; (setting = conf_difference(old, conf, i)) != NULL; i++)
		json_array_append_new(
			conf_reloadable(setting) ? changed : restart, json_string(setting));
	for (size_t i = 0; i < json_array_size(restart); i++)
		log_warning("%s has changed; that takes effect at the next start",
			json_string_value(json_array_get(restart, i)));
	log_notice("configuration reloaded: %zu settings changed",
		json_array_size(changed) + json_array_size(restart));
}

/* A new configuration, in which what cannot change is as it was. NULL, and `error` tells why. */
static struct conf *load_beside(
	struct tlsad *tlsad, json_t *changed, json_t *restart, char *error, size_t error_size)
{
	char words[CONF_ERROR_SIZE];
	struct conf *conf = load(tlsad->options, words);

	if (conf == NULL) {
		snprintf(error, error_size, "%s", words);
		return NULL;
	}
	note_difference(tlsad->conf, conf, changed, restart);
	if (conf_copy_restart_settings(conf, tlsad->conf))
		return conf;
	conf_release(conf);
	return NULL;
}

/* A broken configuration leaves the old one in place. */
static bool take_new_conf(
	void *context, json_t *changed, json_t *restart, char *error, size_t error_size)
{
	struct tlsad *tlsad = context;
	struct conf_message *message = calloc(1, sizeof *message);
	struct conf *conf = NULL;

	snprintf(error, error_size, "out of memory");
	if (message != NULL)
		conf = load_beside(tlsad, changed, restart, error, error_size);
	if (conf == NULL) {
		log_error("the old configuration stays: %s", error);
		free(message);
		return false;
	}
	warn_of_rules(conf);
	exception_log_begin(conf->rules, tlsad->conf->rules);
	server_set_conf(tlsad->server, conf);
	if (tlsad->control != NULL)
		control_set_conf(tlsad->control, conf);
	if (tlsad->metrics != NULL)
		metrics_set_conf(tlsad->metrics, conf);
	message->message.kind = MESSAGE_CONF;
	message->conf = conf_hold(conf);
	mailbox_post(lookup_mailbox(tlsad->lookup), &message->message);
	conf_release(tlsad->conf);
	tlsad->conf = conf;
	exception_log_note_ends(conf->rules);
	return true;
}

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
	take_new_conf(tlsad, changed, restart, error, sizeof error);
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
		log_error("the main event loop failed");
	/* Nothing is reloaded any more; a second one of the others ends the process at once. */
	signal(SIGHUP, SIG_IGN);
	signals_release(&tlsad->signals);
	if (ends != NULL)
		event_free(ends);
	return good;
}

/* --- start and end ------------------------------------------------------------------------- */

/*
 * Where nobody has said where the control socket is to be, a place that cannot be had is no reason
 * not to serve Postfix.
 */
static bool listen_for_control(struct tlsad *tlsad, struct activation *activation, char *error)
{
	const struct conf *conf = tlsad->conf;

	tlsad->control_listeners =
		control_listen(conf, activation, &tlsad->account, error, ERROR_SIZE);
	if (tlsad->control_listeners != NULL)
		return true;
	if (strcmp(conf->server.control, "unix:" TLSAD_RUNDIR "/control") != 0)
		return false;
	log_warning("%s; going on without, tlsactl cannot ask", error);
	return true;
}

static bool start_control(struct tlsad *tlsad, char *error)
{
	struct control_services services = {
		.base = tlsad->base,
		.cache = tlsad->cache,
		.tafiles = tlsad->tafiles,
		.lookup = tlsad->lookup,
		.server = tlsad->server,
		.counters = &tlsad->counters,
		.connections_max = tlsad->budget.control,
		.reload = take_new_conf,
		.context = tlsad,
	};

	if (tlsad->control_listeners == NULL || tlsad->control_listeners->count == 0)
		return true;
	tlsad->control = control_new(&services, tlsad->conf, tlsad->control_listeners);
	if (tlsad->control == NULL) {
		snprintf(error, ERROR_SIZE, "[server] control: out of memory");
		return false;
	}
	tlsad->control_listeners = NULL;
	return true;
}

static void divide_descriptors(struct tlsad *tlsad)
{
	descriptors_raise();
	descriptor_budget_divide(
		&tlsad->budget, &(struct descriptor_needs){
					.limit = descriptors_limit(),
					.resolver = resolver_descriptors(),
					.workers = server_worker_count(tlsad->conf),
					.metrics = tlsad->conf->server.metrics[0] != '\0',
				});
}

/* A port in use is the likeliest fault and costs nothing to find, so it comes first. */
static bool open_endpoints(struct tlsad *tlsad, char *error)
{
	struct activation activation;

	if (!activation_read(&activation, error, ERROR_SIZE))
		return false;
	divide_descriptors(tlsad);
	tlsad->server = server_new(tlsad->conf, tlsad->budget.connections, &activation,
		&tlsad->account, error, ERROR_SIZE);
	if (tlsad->server == NULL || !listen_for_control(tlsad, &activation, error))
		return false;
	tlsad->metrics_listeners =
		metrics_listen(tlsad->conf, &activation, &tlsad->account, error, ERROR_SIZE);
	if (tlsad->metrics_listeners == NULL)
		return false;
	activation_close(&activation);
	return true;
}

/* What may need root, and then it is root no longer. */
static bool start_as_root(struct tlsad *tlsad, char *error)
{
	const struct conf *conf = tlsad->conf;

	return privileges_find(&tlsad->account, conf, error, ERROR_SIZE) &&
	       open_endpoints(tlsad, error) &&
	       privileges_make_directory(
		       &tlsad->account, conf->cache.path, CACHE_MODE, error, ERROR_SIZE) &&
	       pid_file_write(&tlsad->pid_file, conf->server.pid_file, error, ERROR_SIZE) &&
	       privileges_drop(&tlsad->account, conf, tlsad->options->file, error, ERROR_SIZE);
}

static bool start_metrics(struct tlsad *tlsad, char *error)
{
	struct metrics_services services = {
		.base = tlsad->base,
		.counters = &tlsad->counters,
		.connections_max = tlsad->budget.metrics,
	};

	if (tlsad->metrics_listeners->count == 0)
		return true;
	tlsad->metrics = metrics_new(&services, tlsad->conf, tlsad->metrics_listeners);
	if (tlsad->metrics == NULL) {
		snprintf(error, ERROR_SIZE, "[server] metrics: out of memory");
		return false;
	}
	tlsad->metrics_listeners = NULL;
	return true;
}

static bool start_threads(struct tlsad *tlsad, char *error)
{
	snprintf(error, ERROR_SIZE, "out of memory");
	tlsad->base = event_base_new();
	if (tlsad->base == NULL)
		return false;
	if (tlsad->conf->dane.tafile_dir[0] != '\0') {
		tlsad->tafiles = ta_files_new(tlsad->conf);
		if (tlsad->tafiles == NULL)
			return false;
	}
	tlsad->lookup = lookup_start(tlsad->conf, tlsad->cache, tlsad->tafiles, error, ERROR_SIZE);
	if (tlsad->lookup == NULL || !server_start(tlsad->server, tlsad->cache, tlsad->tafiles,
					     tlsad->lookup, error, ERROR_SIZE))
		return false;
	tlsad->counters = (struct counters_source){
		.server = tlsad->server,
		.lookup = tlsad->lookup,
		.cache = tlsad->cache,
		.started = clock_steady(),
		.started_wall = clock_wall(),
	};
	descriptor_budget_log(&tlsad->budget, tlsad->conf);
	if (!start_metrics(tlsad, error) || !start_control(tlsad, error))
		return false;
	snprintf(error, ERROR_SIZE, "out of memory");
	return watchdog_new(
		&tlsad->watchdog, tlsad->base, tlsad->lookup, tlsad->server, tlsad->status);
}

static bool start(struct tlsad *tlsad, char *error)
{
	if (!start_as_root(tlsad, error))
		return false;
	tlsad->cache = cache_open(tlsad->conf, error);
	return tlsad->cache != NULL && start_threads(tlsad, error);
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

static void log_counters(const struct tlsad *tlsad)
{
	struct counters counters;
	char words[1024];
	struct text text;

	text_init(&text, words, sizeof words);
	counters_read(&tlsad->counters, tlsad->conf, &counters);
	counters_print(&counters, &text);
	log_info("stopped: %s", words);
}

/* The threads end in the order in which nobody is left to answer to; then all is freed. */
static void end(struct tlsad *tlsad, bool served)
{
	watchdog_free(tlsad->watchdog);
	control_stop(tlsad->control);
	metrics_free(tlsad->metrics);
	tlsad->metrics = NULL;
	listeners_free(tlsad->control_listeners);
	listeners_free(tlsad->metrics_listeners);
	if (tlsad->server != NULL && tlsad->lookup != NULL)
		server_stop(tlsad->server);
	if (served)
		log_counters(tlsad);
	if (tlsad->lookup != NULL)
		lookup_stop(tlsad->lookup);
	control_free(tlsad->control);
	server_free(tlsad->server);
	cache_close(tlsad->cache);
	ta_files_free(tlsad->tafiles);
	pid_file_remove(&tlsad->pid_file);
	if (tlsad->base != NULL)
		event_base_free(tlsad->base);
}

static int run(struct tlsad *tlsad)
{
	static const int obeyed[] = {SIGTERM, SIGINT, SIGHUP};
	char error[ERROR_SIZE] = "";
	int status = EXIT_FAILURE;

	signal(SIGPIPE, SIG_IGN);
	signals_block(&tlsad->signals, obeyed, sizeof obeyed / sizeof obeyed[0]);
	if (start(tlsad, error)) {
		say_start(tlsad);
		bool good = serve(tlsad);
		end(tlsad, true);
		status = good ? EXIT_SUCCESS : EXIT_FAILURE;
	} else {
		log_error("%s", error);
		end(tlsad, false);
	}
	conf_release(tlsad->conf);
	libevent_global_shutdown();
	return status;
}

static int check(const struct tlsad *tlsad)
{
	char error[ERROR_SIZE];
	bool good = privileges_check(tlsad->conf, error, sizeof error);

	if (good)
		warn_of_rules(tlsad->conf);
	if (!good)
		log_error("%s: %s", tlsad->options->file, error);
	else if (tlsad->options->verbose)
		conf_print(tlsad->conf, stdout);
	conf_release(tlsad->conf);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
	struct options options = {.file = TLSAD_CONFDIR "/tlsad.conf"};
	struct tlsad tlsad = {.options = &options};
	char error[CONF_ERROR_SIZE];
	int status;

	if (!read_options(count, arguments, &options, &status))
		return status;
	tlsad.conf = load(&options, error);
	if (tlsad.conf == NULL) {
		log_error("%s", error);
		return EXIT_FAILURE;
	}
	if (options.check)
		return check(&tlsad);
	log_open("tlsad", (enum log_target)tlsad.conf->log.target,
		options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	warn_of_rules(tlsad.conf);
	exception_log_begin(tlsad.conf->rules, NULL);
	exception_log_note_ends(tlsad.conf->rules);
	return run(&tlsad);
}
