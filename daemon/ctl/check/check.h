/*
 * check: what the command prints: a survey and what it means, for people and for programs.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_H
#define TLSAD_CTL_CHECK_CHECK_H

#include "daemon/ctl/check/findings.h"

int check_exit_status(enum check_verdict verdict);

/* The word for a verdict: without connections nothing was verified. */
const char *check_label(const struct survey *survey, enum check_verdict verdict);

void check_print_text(const struct survey *survey, const struct findings *findings);
void check_print_json(const struct survey *survey, const struct findings *findings);

#endif
