#include "common/conf/conf.h"

#include "common/conf/value.h"
#include "common/site/submitters.h"

#include <stdlib.h>

struct conf *conf_hold(struct conf *conf)
{
	atomic_fetch_add(&conf->references, 1);
	return conf;
}

void conf_release(struct conf *conf)
{
	if (conf == NULL || atomic_fetch_sub(&conf->references, 1) != 1)
		return;
	for (size_t i = 0; i < conf_setting_count; i++)
		value_clear(&conf_settings[i], conf);
	rules_free(conf->rules);
	submitters_free(conf->policy.submitters);
	free(conf);
}
