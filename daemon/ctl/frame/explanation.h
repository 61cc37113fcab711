/*
 * explanation: how a reply comes about (tlsad(8), EXPLAIN), for people: a tree of the DNS lookups,
 * and below it the rule and the replies.
 */
#ifndef TLSAD_CTL_FRAME_EXPLANATION_H
#define TLSAD_CTL_FRAME_EXPLANATION_H

#include "daemon/ctl/frame/command.h"

#include <jansson.h>

/*
 * Prints it, as text or with --json as it is. The exit status of the reply in it; or EX_UNAVAILABLE
 * if there is no reply, which is logged: then nothing is printed.
 */
int explanation_print(const struct ctl *ctl, const json_t *explanation);

#endif
