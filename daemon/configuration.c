#include "daemon/configuration.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/minimum.h"
#include "daemon/answer/exception_log.h"
#include "daemon/tlsad.h"

#include <stdio.h>
#include <stdlib.h>

enum { OVERRULED_NAMED_MAX = 10 /* exceptions that a minimum overrules */ };

void configuration_warn(const struct conf *conf)
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
		if (overruled++ < OVERRULED_NAMED_MAX)
			log_warning(
				"%s:%u: the exception %s = %s is less than the minimum %s = %s: "
				"the minimum wins; remove one of them",
				exception->place.file, exception->place.line, exception->key,
				tls_level_names[exception->level], ruling.minimum_key,
				minimum_names[ruling.minimum]);
	}
	if (overruled > OVERRULED_NAMED_MAX)
		log_warning(
			"%zu more exceptions are less than their minimums: the minimums win; see "
			"tlsactl exception list",
			overruled - OVERRULED_NAMED_MAX);
}

struct conf *configuration_load(const struct options *options, char *error)
{
	struct conf *conf = conf_load(options->file, options->file_given, options->overrides,
		options->override_count, error);

	if (conf != NULL && !conf_load_rules(conf, error)) {
		conf_release(conf);
		conf = NULL;
	}
	return conf;
}

/* --- reload -------------------------------------------------------------------------------- */

static void find_difference(
	const struct conf *old, const struct conf *conf, json_t *changed, json_t *restart)
{
	const char *setting;

	for (size_t i = 0; (setting = conf_difference(old, conf, i)) != NULL; i++)
		json_array_append_new(
			conf_reloadable(setting) ? changed : restart, json_string(setting));
}

static void log_difference(const json_t *changed, const json_t *restart)
{
	for (size_t i = 0; i < json_array_size(restart); i++)
		log_warning("%s has changed; restart tlsad to apply it",
			json_string_value(json_array_get(restart, i)));
	log_notice("configuration reloaded: %zu settings changed",
		json_array_size(changed) + json_array_size(restart));
}

/*
 * The new configuration, with the old values of settings that need a restart. NULL with the reason
 * in `error`.
 */
static struct conf *load_beside(
	struct tlsad *tlsad, json_t *changed, json_t *restart, char *error, size_t error_size)
{
	char words[CONF_ERROR_SIZE];
	struct conf *conf = configuration_load(tlsad->options, words);

	if (conf == NULL) {
		snprintf(error, error_size, "%s", words);
		return NULL;
	}
	find_difference(tlsad->conf, conf, changed, restart);
	if (!conf_copy_restart_settings(conf, tlsad->conf)) {
		conf_release(conf);
		return NULL;
	}
	log_difference(changed, restart);
	return conf;
}

bool configuration_reload(
	void *context, json_t *changed, json_t *restart, char *error, size_t error_size)
{
	struct tlsad *tlsad = context;
	struct conf_message *message = calloc(1, sizeof *message);
	struct conf *conf = NULL;

	snprintf(error, error_size, "out of memory");
	if (message != NULL)
		conf = load_beside(tlsad, changed, restart, error, error_size);
	if (conf == NULL) {
		log_error("reload failed, the old configuration stays in use: %s", error);
		free(message);
		return false;
	}
	configuration_warn(conf);
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
