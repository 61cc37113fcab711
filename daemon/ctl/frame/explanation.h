/*
 * explanation: prints how a reply comes about (tlsad(8), EXPLAIN): a tree of the DNS lookups, and
 * below it the rule and the replies.
 */
#ifndef TLSAD_CTL_FRAME_EXPLANATION_H
#define TLSAD_CTL_FRAME_EXPLANATION_H

#include "daemon/ctl/frame/command.h"

#include <jansson.h>

/*
 * Prints it as text, or with --json unchanged. Returns the exit status of the reply in it. If there
 * is no reply, logs an error, prints nothing and returns EX_UNAVAILABLE.
 */
int explanation_print(const struct ctl *ctl, const json_t *explanation);

#endif
