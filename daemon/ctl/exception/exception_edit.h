/*
 * exception_edit: what the commands "exception add" and "exception remove" share: they find the
 * file, change it, and have the daemon reload.
 */
#ifndef TLSAD_CTL_EXCEPTION_EXCEPTION_EDIT_H
#define TLSAD_CTL_EXCEPTION_EXCEPTION_EDIT_H

#include "daemon/ctl/exception/exception_file.h"
#include "daemon/ctl/frame/command.h"

#include <jansson.h>

/*
 * Give `domain`, as it was typed, this value, or none (NULL), and have the daemon reload. `object`
 * is what --json prints, with the members that the command knows; it gets `domain`, `file`,
 * `change` and `reloaded`, and is released. Returns the exit status; an error is logged.
 */
int exception_edit(const struct ctl *ctl, const char *domain, const char *value, json_t *object);

#endif
