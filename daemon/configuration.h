/*
 * configuration: the daemon's configuration with its rules: loaded at the start, and again by
 * SIGHUP or the control verb reload. Main thread.
 */
#ifndef TLSAD_CONFIGURATION_H
#define TLSAD_CONFIGURATION_H

#include "common/conf/conf.h"
#include "daemon/options.h"

#include <jansson.h>

/*
 * Load the settings and the rules. NULL with one line in `error`, of CONF_ERROR_SIZE bytes, if
 * anything is wrong.
 */
struct conf *configuration_load(const struct options *options, char *error);

/* Log the exceptions that a minimum overrules, at most the first 10, and the number of the rest. */
void configuration_warn(const struct conf *conf);

/*
 * Load the configuration again and give it to every thread. The names of settings that changed are
 * appended to `changed`, of settings that need a restart to `restart`. With a broken configuration
 * the old one stays in use: false with one line in `error`, which is also logged. `tlsad` is a
 * struct tlsad.
 */
bool configuration_reload(
	void *tlsad, json_t *changed, json_t *restart, char *error, size_t error_size);

#endif
