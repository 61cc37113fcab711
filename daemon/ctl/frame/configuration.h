/*
 * configuration: reads the daemon's configuration for the commands that need it: the file of -c, or
 * the default file, which need not exist.
 */
#ifndef TLSAD_CTL_FRAME_CONFIGURATION_H
#define TLSAD_CTL_FRAME_CONFIGURATION_H

#include "common/conf/conf.h"
#include "daemon/ctl/frame/command.h"

/* The caller releases it with conf_release(). NULL and one line in `error` if it cannot be read. */
struct conf *configuration_load(const struct ctl *ctl, char error[CONF_ERROR_SIZE]);

#endif
