#include "daemon/ctl/exception/exception_edit.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/site/minimum.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/configuration.h"
#include "daemon/ctl/frame/json_output.h"

#include <string.h>

static const char *const change_names[] = {
	[EXCEPTION_ADDED] = "added",
	[EXCEPTION_REPLACED] = "replaced",
	[EXCEPTION_REMOVED] = "removed",
	[EXCEPTION_ABSENT] = "absent",
};

/* Searches the rules of the configuration itself; NULL if no exception is for the key. */
static const struct exception *find_exception(const struct conf *conf, const char *key)
{
	const struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++) {
		if (strcmp(exception->key, key) == 0)
			return exception;
	}
	return NULL;
}

static bool may_change(const struct conf *conf, const char *key)
{
	const struct exception *exception = find_exception(conf, key);

	if (conf->dane.exceptions_file[0] == '\0') {
		log_error("[dane] exceptions_file is not set: set it in tlsad.conf to the file "
			  "where tlsactl keeps exceptions, then reload tlsad");
		return false;
	}
	if (exception == NULL)
		return true;
	log_error("the exception for %s is in %s:%u: change it there, tlsactl changes only [dane] "
		  "exceptions_file",
		key, exception->place.file, exception->place.line);
	return false;
}

/* Checks all rules together, as the daemon will. False if it will refuse them. */
static bool check_rules(const struct ctl *ctl, const char *key)
{
	char error[CONF_ERROR_SIZE];
	struct conf *conf = configuration_load(ctl, error);
	struct ruling ruling;

	if (conf == NULL || !conf_load_rules(conf, error)) {
		log_error("the change is written, but tlsad will not apply it until this is "
			  "corrected: %s",
			error);
		conf_release(conf);
		return false;
	}
	rules_find_key(conf->rules, key, clock_wall(), &ruling);
	if (ruling.exception != NULL && strcmp(ruling.exception->key, key) == 0 &&
		exception_effect(ruling.minimum, ruling.exception->level) != EXCEPTION_HOLDS)
		log_warning(
			"the exception is lower than the minimum %s = %s, which applies instead",
			ruling.minimum_key, minimum_names[ruling.minimum]);
	conf_release(conf);
	return true;
}

/*
 * If the daemon is not running, that is only a warning: it reads the file when it starts. If it may
 * be running, the change is not in force, and scripts must know.
 */
static bool reload(const struct ctl *ctl, int *status)
{
	struct response response;

	if (client_ask(ctl, json_pack("{s:s}", "verb", "reload"), CTL_NO, &response, status)) {
		response_clear(&response);
		*status = CTL_YES;
		return true;
	}
	if (response.not_running) {
		log_warning(
			"the change is written, but tlsad is not running; it applies the change "
			"when it starts");
		*status = CTL_YES;
	} else {
		log_error("the change is written, but tlsad has not applied it: %s \"tlsactl "
			  "reload\" or \"systemctl reload tlsad\" as root",
			*status == EX_UNAVAILABLE ? "run" : "correct this, then run");
	}
	return false;
}

static int report(const struct ctl *ctl, json_t *object, const char *key, const char *file,
	enum exception_change change, bool reloaded)
{
	if (!ctl->json) {
		printf("%s: %s%s\n", key, change_names[change],
			reloaded ? "; tlsad has applied it" : "");
		return CTL_YES;
	}
	json_object_set_new(object, "domain", json_string(key));
	json_object_set_new(object, "file", json_string(file));
	json_object_set_new(object, "change", json_string(change_names[change]));
	json_object_set_new(object, "reloaded", json_boolean(reloaded));
	json_output_print(object);
	return CTL_YES;
}

static int edit(const struct ctl *ctl, const struct conf *conf, const char *key, const char *value,
	json_t *object)
{
	const char *file = conf->dane.exceptions_file;
	char error[RULES_ERROR_SIZE];
	int status = CTL_YES;

	if (!may_change(conf, key))
		return CTL_NO;
	enum exception_change change = exception_file_change(file, key, value, error);
	if (change == EXCEPTION_FAILED) {
		log_error("%s", error);
		return CTL_NO;
	}
	if (change == EXCEPTION_ABSENT) {
		log_error("there is no exception for %s in %s", key, file);
		return CTL_NO;
	}
	if (!check_rules(ctl, key))
		return CTL_NO;
	bool reloaded = reload(ctl, &status);
	return status == CTL_YES ? report(ctl, object, key, file, change, reloaded) : status;
}

int exception_edit(const struct ctl *ctl, const char *domain, const char *value, json_t *object)
{
	char key[RULES_KEY_SIZE], error[RULES_ERROR_SIZE];
	int status = EX_USAGE;

	if (!rules_exception_key(domain, key, error)) {
		log_error("%s", error);
	} else {
		char words[CONF_ERROR_SIZE];
		struct conf *conf = configuration_load(ctl, words);

		status = EX_CONFIG;
		if (conf == NULL)
			log_error("%s", words);
		else
			status = edit(ctl, conf, key, value, object);
		conf_release(conf);
	}
	json_decref(object);
	return status;
}
