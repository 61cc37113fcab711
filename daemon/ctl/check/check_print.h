/*
 * check_print: prints the results of a check, as text for people and as JSON for programs.
 */
#ifndef TLSAD_CTL_CHECK_CHECK_PRINT_H
#define TLSAD_CTL_CHECK_CHECK_PRINT_H

#include "daemon/ctl/check/check_warnings.h"

void check_print_text(const struct server_check *check, const struct check_warnings *warnings);
void check_print_json(const struct server_check *check, const struct check_warnings *warnings);

#endif
