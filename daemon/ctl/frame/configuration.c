#include "daemon/ctl/frame/configuration.h"

struct conf *configuration_load(const struct ctl *ctl, char error[CONF_ERROR_SIZE])
{
	return conf_load(ctl->conf_given ? ctl->conf_file : TLSAD_CONFDIR "/tlsad.conf",
		ctl->conf_given, NULL, 0, error);
}
