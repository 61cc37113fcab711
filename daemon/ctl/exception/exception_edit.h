/*
 * exception_edit: the common part of "exception add" and "exception remove": find the file, change
 * it, and make the daemon reload.
 */
#ifndef TLSAD_CTL_EXCEPTION_EXCEPTION_EDIT_H
#define TLSAD_CTL_EXCEPTION_EXCEPTION_EDIT_H

#include "daemon/ctl/exception/exception_file.h"
#include "daemon/ctl/frame/command.h"

#include <jansson.h>

/*
 * Sets the exception of `domain`, as typed, to `value`, or removes it if `value` is NULL; then
 * makes the daemon reload. `object` has the members of --json that the command knows; `domain`,
 * `file`, `change` and `reloaded` are added, and it is released. Returns the exit status; errors
 * are logged.
 */
int exception_edit(const struct ctl *ctl, const char *domain, const char *value, json_t *object);

#endif
