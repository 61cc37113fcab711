#include "daemon/start.h"

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/dns/resolver.h"
#include "daemon/configuration.h"
#include "daemon/process/activation.h"

#include <stdio.h>
#include <string.h>

enum { CACHE_MODE = 0750 };

/* --- as root ------------------------------------------------------------------------------- */

static void divide_descriptors(struct tlsad *tlsad)
{
	struct descriptor_needs needs = {
		.workers = server_worker_count(tlsad->conf),
		.metrics = tlsad->conf->server.metrics[0] != '\0',
	};

	descriptors_raise();
	needs.limit = descriptors_limit();
	needs.resolver = resolver_descriptors();
	needs.downloads = sts_fetch_descriptors();
	descriptor_budget_divide(&tlsad->budget, &needs);
}

/* A port in use is the most frequent error and is found at no cost, so this comes first. */
static bool open_endpoints(struct tlsad *tlsad, char *error)
{
	struct activation activation;

	if (!activation_read(&activation, error, START_ERROR_SIZE))
		return false;
	divide_descriptors(tlsad);
	tlsad->server = server_new(tlsad->conf, tlsad->budget.connections, &activation,
		&tlsad->privileges, error, START_ERROR_SIZE);
	if (tlsad->server == NULL)
		return false;
	tlsad->control_listeners = control_listen(
		tlsad->conf, &activation, &tlsad->privileges, error, START_ERROR_SIZE);
	if (tlsad->control_listeners == NULL)
		return false;
	tlsad->metrics_listeners = metrics_listen(
		tlsad->conf, &activation, &tlsad->privileges, error, START_ERROR_SIZE);
	if (tlsad->metrics_listeners == NULL)
		return false;
	activation_close(&activation);
	return true;
}

bool start_read_trust(const struct conf *conf, struct sts_trust **trust, char *error)
{
	const char *file = conf->sts.ca_file;
	char why[300];

	/* A libcurl that cannot be used matters only to those who want MTA-STS. */
	if (!sts_transfers_prepare(error, START_ERROR_SIZE))
		return !conf->sts.enable;
	*trust = sts_trust_open(file, why, sizeof why);
	if (*trust != NULL || !conf->sts.enable)
		return true;
	if (strcmp(file, TLSAD_CA_FILE) != 0) {
		snprintf(error, START_ERROR_SIZE, "[sts] ca_file = %s", why);
		return false;
	}
	log_warning("no MTA-STS policy can be downloaded: %s; install the package "
		    "ca-certificates, or set [sts] ca_file, and restart tlsad; or set "
		    "[sts] enable = no",
		why);
	return true;
}

/* Everything that may need root; at the end root is dropped. */
static bool start_as_root(struct tlsad *tlsad, char *error)
{
	const struct conf *conf = tlsad->conf;

	return privileges_find(&tlsad->privileges, conf, error, START_ERROR_SIZE) &&
	       open_endpoints(tlsad, error) && start_read_trust(conf, &tlsad->sts_trust, error) &&
	       privileges_make_directory(
		       &tlsad->privileges, conf->cache.path, CACHE_MODE, error, START_ERROR_SIZE) &&
	       pid_file_write(&tlsad->pid_file, conf->server.pid_file, error, START_ERROR_SIZE) &&
	       privileges_drop(
		       &tlsad->privileges, conf, tlsad->options->file, error, START_ERROR_SIZE);
}

/* --- threads and services ------------------------------------------------------------------ */

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
		snprintf(error, START_ERROR_SIZE, "[server] metrics: out of memory");
		return false;
	}
	tlsad->metrics_listeners = NULL;
	return true;
}

static bool start_control(struct tlsad *tlsad, char *error)
{
	struct control_services services = {
		.base = tlsad->base,
		.cache = tlsad->cache,
		.ta_files = tlsad->ta_files,
		.lookup = tlsad->lookup,
		.server = tlsad->server,
		.counters = &tlsad->counters,
		.connections_max = tlsad->budget.control,
		.reload = configuration_reload,
		.context = tlsad,
	};

	if (tlsad->control_listeners->count == 0)
		return true;
	tlsad->control = control_new(&services, tlsad->conf, tlsad->control_listeners);
	if (tlsad->control == NULL) {
		snprintf(error, START_ERROR_SIZE, "[server] control: out of memory");
		return false;
	}
	tlsad->control_listeners = NULL;
	return true;
}

static bool start_threads(struct tlsad *tlsad, char *error)
{
	snprintf(error, START_ERROR_SIZE, "cannot start tlsad: out of memory");
	tlsad->base = event_base_new();
	if (tlsad->base == NULL)
		return false;
	if (tlsad->conf->dane.tafile_dir[0] != '\0') {
		tlsad->ta_files = ta_files_new(tlsad->conf);
		if (tlsad->ta_files == NULL)
			return false;
	}
	tlsad->lookup = lookup_start(tlsad->conf, tlsad->cache, tlsad->ta_files, tlsad->sts_trust,
		error, START_ERROR_SIZE);
	if (tlsad->lookup == NULL || !server_start(tlsad->server, tlsad->cache, tlsad->ta_files,
					     tlsad->lookup, error, START_ERROR_SIZE))
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
	snprintf(error, START_ERROR_SIZE, "cannot start tlsad: out of memory");
	return watchdog_new(
		&tlsad->watchdog, tlsad->base, tlsad->lookup, tlsad->server, tlsad->status);
}

bool start_all(struct tlsad *tlsad, char *error)
{
	if (!start_as_root(tlsad, error))
		return false;
	tlsad->cache = cache_open(tlsad->conf, error);
	return tlsad->cache != NULL && start_threads(tlsad, error);
}

/* --- the end ------------------------------------------------------------------------------- */

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

void end_all(struct tlsad *tlsad, bool served)
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
	ta_files_free(tlsad->ta_files);
	sts_trust_free(tlsad->sts_trust);
	pid_file_remove(&tlsad->pid_file);
	if (tlsad->base != NULL)
		event_base_free(tlsad->base);
}
