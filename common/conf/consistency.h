/*
 * consistency: what one setting demands of another, checked when all of them are known.
 */
#ifndef TLSAD_CONF_CONSISTENCY_H
#define TLSAD_CONF_CONSISTENCY_H

#include "common/conf/conf.h"

/* False and one line with section and key. */
bool consistency_check(const struct conf *conf, char error[CONF_ERROR_SIZE]);

#endif
