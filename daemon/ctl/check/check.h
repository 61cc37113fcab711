/*
 * check: what the command prints: the results and what they mean, for people and for programs.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_H
#define TLSAD_CTL_CHECK_CHECK_H

#include "daemon/ctl/check/findings.h"

int check_exit_status(enum check_verdict verdict);

/* The word for a verdict: without connections nothing was verified. */
const char *check_label(const struct server_check *check, enum check_verdict verdict);

void check_print_text(const struct server_check *check, const struct findings *findings);
void check_print_json(const struct server_check *check, const struct findings *findings);

#endif
