/*
 * consistency: checks what one setting requires of another, after all of them have been read.
 */
#ifndef TLSAD_CONF_CONSISTENCY_H
#define TLSAD_CONF_CONSISTENCY_H

#include "common/conf/conf.h"

/* False and one line with section and key on the first contradiction. Pure. */
bool consistency_check(const struct conf *conf, char error[CONF_ERROR_SIZE]);

#endif
