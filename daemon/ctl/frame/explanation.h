/*
 * explanation: how a reply comes about (tlsad(8), EXPLAIN), for people: a tree of the DNS lookups,
 * and below it the rule and the replies.
 */
#ifndef TLSAD_CTL_FRAME_EXPLANATION_H
#define TLSAD_CTL_FRAME_EXPLANATION_H

#include <jansson.h>

void explanation_print_text(const json_t *explanation);
void explanation_print_json(const json_t *explanation);

/* By the reply in it. EX_UNAVAILABLE if there is none; that is logged. */
int explanation_exit_status(const json_t *explanation);

#endif
