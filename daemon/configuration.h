/*
 * configuration: loaded at the start, and again while the daemon runs. Main thread.
 */
#ifndef TLSAD_CONFIGURATION_H
#define TLSAD_CONFIGURATION_H

#include "common/conf/conf.h"
#include "daemon/options.h"

#include <jansson.h>

/* With the rules; NULL and one line in `error`, of CONF_ERROR_SIZE bytes, if anything is wrong. */
struct conf *configuration_load(const struct options *options, char *error);

/* Log the exceptions that a minimum overrules; of a long list, the first ones. */
void configuration_warn(const struct conf *conf);

/*
 * Load again and hand the result to every thread. The names of settings that have changed are added
 * to `changed`, those that take effect at the next start to `restart`. A broken configuration
 * leaves the old one in place: false and one line, which is also logged. `tlsad` is a struct tlsad.
 */
bool configuration_reload(
	void *tlsad, json_t *changed, json_t *restart, char *error, size_t error_size);

#endif
