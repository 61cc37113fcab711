/*
 * explanation: how an answer comes about (tlsad(8), EXPLAIN), for people: a tree of what was asked
 * in DNS, and under it the rule and the answers.
 */
#ifndef TLSAD_CTL_FRAME_EXPLANATION_H
#define TLSAD_CTL_FRAME_EXPLANATION_H

#include <jansson.h>

void explanation_print_text(const json_t *explanation);
void explanation_print_json(const json_t *explanation);

/* By the reply in it; EX_UNAVAILABLE when there is none, which has been said. */
int explanation_exit_status(const json_t *explanation);

#endif
